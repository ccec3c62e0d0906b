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

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
	"misstep/stream/jetstream"
)

// latency publishes lines at a rate, and every now and then a call of a tool
// that does not exist, and gives how long after its publication each such
// failure was heard, shortest first.
func latency(ctx context.Context, lines [][]byte, rate int, length time.Duration) (delays []time.Duration, err error) {
	b, err := newBench(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, err := engine(ctx, b, true, func(l *jetstream.Log) stream.Log { return l })
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()

	var mu sync.Mutex
	sent := map[string]time.Time{}
	heard := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		if at, ok := sent[id]; ok {
			delays = append(delays, time.Since(at))
			delete(sent, id)
		}
	}
	listener, err := b.connect("listener")
	if err != nil {
		return nil, err
	}
	if _, err := listener.Subscribe("agent.failures.>", func(m *nats.Msg) { heard(m.Header.Get(jetstream.HeaderTrajectory)) }); err != nil {
		return nil, err
	}
	nc, err := b.connect("publisher")
	if err != nil {
		return nil, err
	}
	js, err := natsjs.New(nc, natsjs.WithPublishAsyncMaxPending(4096))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	n, probes := 0, 0
	for time.Since(began) < length {
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			line := lines[n%len(lines)]
			if n%(rate/100+1) == 0 { // a hundred a second
				id := "probe-" + strconv.Itoa(probes)
				probes++
				line = []byte(strings.ReplaceAll(`[{"trajectory_id":"ID","kind":"task_start","task":{"tools":[{"name":"search"}]}},`+
					`{"trajectory_id":"ID","kind":"tool_call","call":{"tool":"teleport","arguments":{}}}]`, "ID", id))
				mu.Lock()
				sent[id] = time.Now()
				mu.Unlock()
			}
			if _, err := js.PublishAsync(jetstream.StepsSubject, line); err != nil {
				return nil, err
			}
		}
		time.Sleep(200 * time.Microsecond)
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
		return nil, fmt.Errorf("of %d failures %d were not heard of", probes, len(sent))
	}
	slices.Sort(delays)
	return delays, nil
}
