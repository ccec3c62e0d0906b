//go:build unix

// Kafkabench measures the detector on a real Kafka broker, in a process of its
// own on this machine: what a client's processor second reads, against a plain
// fetch of kafka-go's; how a backlog is worked off by one to three detectors; and
// what the state of many trajectories costs.
//
//	go run ./internal/kafkabench
//
// Only the ratios of one run mean something on another machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"

	"misstep/internal/kafkatest"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kafkabench:", err)
		os.Exit(1)
	}
}

// size is how much is measured.
type size struct {
	events, rounds, live int
	million              int // trajectories of the large state, 0: it is left out
}

// What is wanted of the log against the plain fetch. What the detect program
// makes of the records is measured beside it.
const (
	wantRatio = 0.6
	partition = 0
)

func run(ctx context.Context, args []string, w io.Writer) error {
	var s size
	flags := flag.NewFlagSet("kafkabench", flag.ContinueOnError)
	flags.IntVar(&s.events, "events", 400_000, "events in a round")
	flags.IntVar(&s.rounds, "rounds", 5, "rounds")
	flags.IntVar(&s.live, "live", 10_000, "trajectories at a time")
	flags.IntVar(&s.million, "state", 0, "trajectories of the large state, over 12 partitions; 0: it is left out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "misstep-kafkabench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	broker, err := kafkatest.Launch(ctx, dir, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer broker.Kill()
	fmt.Fprintf(w, "%s %s/%s, %d processors, Kafka %s; %d rounds of %d events, %d trajectories live; medians of the rounds\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kafkatest.Version, s.rounds, s.events, s.live)
	if s.million > 0 {
		return largeState(ctx, broker, s, w)
	}
	fmt.Fprintf(w, "events for each processor second of the client\n%-12s %12s %12s %8s %8s %12s %8s\n", "compression", "Client.Fetch", "log", "ratio", "target", "detector", "ratio")
	b := &bench{broker: broker}
	for _, compression := range []string{"none", "lz4"} {
		if err := b.fill(ctx, "steps-"+compression, 1, compression, s); err != nil {
			return err
		}
		rates := map[string][]float64{}
		for range s.rounds {
			for name, use := range map[string]consume{"fetch": b.fetch, "log": b.log, "detector": b.detector} {
				spent, err := cpu(func() error { return use(ctx, "steps-"+compression, s.events) })
				if err != nil {
					return err
				}
				rates[name] = append(rates[name], float64(s.events)/spent.Seconds())
			}
		}
		fetch, log, detector := median(rates["fetch"]), median(rates["log"]), median(rates["detector"])
		fmt.Fprintf(w, "%-12s %12.0f %12.0f %8.2f %8.2f %12.0f %8.2f\n", compression, fetch, log, log/fetch, wantRatio, detector, detector/fetch)
	}
	return b.scale(ctx, s, dir, w)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
