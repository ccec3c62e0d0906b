package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"misstep/stream"
	"misstep/stream/jetstream"
)

// latency publishes lines at a rate, and every now and then a call of a tool
// that does not exist, and gives how long after each such call was due to be
// published its failure was stored, which is when sinks get it; shortest first.
func latency(ctx context.Context, lines [][]byte, rate int, length time.Duration) (delays []time.Duration, err error) {
	b, err := newBench(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	sent := map[string]time.Time{}
	stored := func(outs []stream.Output) {
		mu.Lock()
		defer mu.Unlock()
		for i := range outs {
			if at, ok := sent[outs[i].Key]; ok && outs[i].Topic == stream.Failures {
				delays = append(delays, time.Since(at))
				delete(sent, outs[i].Key)
			}
		}
	}
	e, err := engine(ctx, b, true, func(l *jetstream.Log) stream.Log { return l }, stored)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()

	nc, err := b.connect("publisher")
	if err != nil {
		return nil, err
	}
	p, err := jetstream.NewPublisher(nc, jetstream.PublisherOptions{})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	n, probes := 0, 0
	// Nothing that is due waits for the answer to what came before.
	var publishing errgroup
	for time.Since(began) < length {
		var msgs []jetstream.StepMessage
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			line := lines[n%len(lines)]
			if n%(rate/100+1) == 0 { // a hundred a second
				id := "probe-" + strconv.Itoa(probes)
				probes++
				line = []byte(strings.ReplaceAll(`[{"trajectory_id":"ID","kind":"task_start","task":{"tools":[{"name":"search"}]}},`+
					`{"trajectory_id":"ID","kind":"tool_call","call":{"tool":"teleport","arguments":{}}}]`, "ID", id))
				mu.Lock()
				sent[id] = began.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
				mu.Unlock()
			}
			msgs = append(msgs, jetstream.StepMessage{Value: line})
		}
		if len(msgs) > 0 {
			publishing.do(func() error { return p.Publish(ctx, msgs) })
		}
		time.Sleep(100 * time.Microsecond)
	}
	if err := publishing.wait(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		left := len(sent)
		mu.Unlock()
		if left == 0 {
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("engine: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(sent) > 0 || len(delays) == 0 {
		return nil, fmt.Errorf("of %d failures %d were not stored", probes, len(sent))
	}
	slices.Sort(delays)
	return delays, nil
}

// errgroup waits for functions, and keeps the first of their errors.
type errgroup struct {
	wg   sync.WaitGroup
	once sync.Once
	err  error
}

func (g *errgroup) do(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil {
			g.once.Do(func() { g.err = err })
		}
	})
}

func (g *errgroup) wait() error {
	g.wg.Wait()
	return g.err
}
