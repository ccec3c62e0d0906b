// Pipebench measures the detector on its embedded NATS server: publisher, server
// and detector in one process, against the same publisher and server with a
// plain ordered consumer that does nothing with what it reads.
//
//	go run ./internal/pipebench
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
	"time"

	"misstep/internal/gen"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pipebench:", err)
		os.Exit(1)
	}
}

// size is how much is measured.
type size struct {
	events, rounds, live int
	rate                 int           // events a second of the latency; 0: half of what the detector takes
	load                 time.Duration // how long latency is measured
}

// The least ratios and the longest latencies that are wanted.
const (
	wantSingle     = 0.85
	wantPacked     = 0.6
	wantCheckpoint = 0.95
	wantMedian     = time.Millisecond
	wantTail       = 5 * time.Millisecond
)

func run(ctx context.Context, args []string, w io.Writer) error {
	var s size
	flags := flag.NewFlagSet("pipebench", flag.ContinueOnError)
	flags.IntVar(&s.events, "events", 400_000, "events in a round")
	flags.IntVar(&s.rounds, "rounds", 5, "rounds")
	flags.IntVar(&s.live, "live", 10_000, "trajectories at a time")
	flags.IntVar(&s.rate, "rate", 0, "events a second of the latency alone, without the rounds; 0: half of what they give")
	flags.DurationVar(&s.load, "load", 10*time.Second, "how long latency is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s/%s, %d processors; %d rounds of %d events, %d trajectories live; medians of the rounds\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), s.rounds, s.events, s.live)
	lines := generate(s)
	if s.rate > 0 {
		return delay(ctx, s, lines, s.rate, w)
	}
	fmt.Fprintf(w, "%-14s %12s %12s %8s %8s %12s %8s %8s\n", "events/message", "consumer/s", "detector/s", "ratio", "target", "no ckpt/s", "ratio", "target")
	half := 0.0
	for _, pack := range []int{1, 64} {
		values := packed(lines, pack)
		var consumer, detector, bare []float64
		for range s.rounds {
			for _, c := range []struct {
				rates *[]float64
				use   consume
			}{{&consumer, plain}, {&detector, withCheckpoints}, {&bare, withoutCheckpoints}} {
				took, err := measure(ctx, values, c.use)
				if err != nil {
					return err
				}
				*c.rates = append(*c.rates, float64(len(lines))/took.Seconds())
			}
		}
		target := wantSingle
		if pack > 1 {
			target = wantPacked
		}
		c, d, b := median(consumer), median(detector), median(bare)
		fmt.Fprintf(w, "%-14d %12.0f %12.0f %8.2f %8s %12.0f %8.2f %8s\n", pack, c, d, d/c, verdict(d/c, target), b, d/b, verdict(d/b, wantCheckpoint))
		if pack == 1 {
			half = d / 2
		}
	}
	if s.load <= 0 {
		return nil
	}
	fmt.Fprintln(w)
	return delay(ctx, s, lines, int(half), w)
}

// delay measures how long it takes from a publication to a failure, and prints it.
func delay(ctx context.Context, s size, lines [][]byte, rate int, w io.Writer) error {
	delays, err := latency(ctx, lines, rate, s.load)
	if err != nil {
		return err
	}
	p50, p99 := delays[len(delays)/2], delays[len(delays)*99/100]
	fmt.Fprintf(w, "publish to failure at %d events/s, %d failures: p50 %s (target %s), p99 %s (target %s)\n",
		rate, len(delays), p50.Round(time.Microsecond), within(p50, wantMedian), p99.Round(time.Microsecond), within(p99, wantTail))
	return nil
}

func verdict(ratio, target float64) string {
	if ratio < target {
		return fmt.Sprintf("%.2f !", target)
	}
	return fmt.Sprintf("%.2f", target)
}

func within(d, target time.Duration) string {
	if d > target {
		return target.String() + ", MISSED"
	}
	return target.String()
}

func generate(s size) [][]byte {
	g := gen.New(gen.Options{Seed: 1, Trajectories: s.live})
	lines := make([][]byte, s.events)
	for i := range lines {
		l, _ := g.Next()
		lines[i] = slices.Clone(l)
	}
	return lines
}

// packed puts so many lines into one message.
func packed(lines [][]byte, n int) [][]byte {
	if n == 1 {
		return lines
	}
	var out [][]byte
	for group := range slices.Chunk(lines, n) {
		var v []byte
		for _, l := range group {
			v = append(append(v, l...), '\n')
		}
		out = append(out, v)
	}
	return out
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
