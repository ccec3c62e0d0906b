//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"misstep/internal/kafkatest"
	"misstep/stream"
)

const manyPartitions = 12

// scale has one to three detectors, each a process, work off a backlog of twelve
// partitions.
func (b *bench) scale(ctx context.Context, s size, dir string, w io.Writer) error {
	bin := filepath.Join(dir, "detector")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "misstep/cmd/detector")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	if err := b.fill(ctx, "steps-many", manyPartitions, "lz4", s); err != nil {
		return err
	}
	fmt.Fprintf(w, "\na backlog of %d events in %d partitions, worked off by\n%-12s %12s\n", s.events, manyPartitions, "detectors", "events/s")
	for n := 1; n <= 3; n++ {
		took, err := b.workOff(ctx, bin, dir, n, s.events)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-12d %12.0f\n", n, float64(s.events)/took.Seconds())
	}
	return nil
}

// workOff gives the time from when the detectors have their partitions until
// their offsets are committed up to the end.
func (b *bench) workOff(ctx context.Context, bin, dir string, detectors, events int) (time.Duration, error) {
	names, err := b.topics(ctx, manyPartitions)
	if err != nil {
		return 0, err
	}
	client, done := b.broker.Client()
	defer done()
	conf := filepath.Join(dir, "detector.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%q]\n  group: %s\n  checkpoint: %s\n  topics: {steps: steps-many, failures: %s, tasks: %s, directives: %s, deadletter: %s, gaps: %s}\n"+
		"http: {listen: \"127.0.0.1:0\"}\ncheckpoint: {interval: 1s}\n",
		b.broker.Addr(), names.Group, names.Checkpoints, names.Failures, names.Tasks, names.Directives, names.DeadLetter, names.Gaps)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return 0, err
	}
	began := time.Now()
	for i := range detectors {
		cmd := exec.CommandContext(ctx, bin, "run", "-c", conf)
		log, err := os.Create(filepath.Join(dir, fmt.Sprint("detector", i, ".log")))
		if err != nil {
			return 0, err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}()
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		sum, err := committed(ctx, client, names.Group, "steps-many", manyPartitions)
		if err == nil && sum >= int64(events) {
			return time.Since(began), nil
		}
		if time.Since(began) > 3*time.Minute {
			return 0, errors.Join(errors.New("the detectors do not come to the end"), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// largeState applies the steps of very many trajectories and says what their
// checkpoints cost.
func largeState(ctx context.Context, broker *kafkatest.Broker, s size, w io.Writer) error {
	b := &bench{broker: broker}
	s.live = s.million
	s.events = max(s.events, 2*s.million)
	if err := b.fill(ctx, "steps-million", manyPartitions, "lz4", s); err != nil {
		return err
	}
	names, err := b.topics(ctx, manyPartitions)
	if err != nil {
		return err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var bytes int64
	var cost, longest time.Duration
	var taken int
	began, wait := time.Now(), sync.WaitGroup{}
	before, err := used()
	if err != nil {
		return err
	}
	var engines []interface{ Stats() stream.Stats }
	for p := range int32(manyPartitions) {
		e, done, err := engine(ctx, c, names, "steps-million", p, alone{}, stream.Checkpointing{OnTaken: func(t stream.Taken) {
			mu.Lock()
			defer mu.Unlock()
			if t.Err == nil {
				taken++
				cost += t.Cost
				bytes += t.Bytes
				longest = max(longest, t.Took)
			}
		}})
		if err != nil {
			return err
		}
		defer done()
		engines = append(engines, e)
		wait.Go(func() { _ = e.Run(ctx) }) // ends with ctx
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var records, current int64
		for _, e := range engines {
			st := e.Stats()
			records += st.Records
			current += st.CheckpointBytes
		}
		if records >= int64(s.events) {
			after, err := used()
			mu.Lock()
			fmt.Fprintf(w, "%d events of %d trajectories in %d partitions: %v, %v of processor time\n", s.events, s.million, manyPartitions, time.Since(began).Round(time.Millisecond), (after - before).Round(time.Millisecond))
			fmt.Fprintf(w, "%d checkpoints with %d MiB in all, the current ones %d MiB; encoded in %v, %.1f%% of the processor time; the longest took %v\n",
				taken, bytes>>20, current>>20, cost.Round(time.Millisecond), 100*cost.Seconds()/(after-before).Seconds(), longest.Round(time.Millisecond))
			mu.Unlock()
			cancel()
			wait.Wait()
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
