//go:build unix

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// result is one output as it is in the results stream.
type result struct {
	key       string // id/rev
	value     []byte
	stored    time.Time
	partition int32 // that it comes from, with Kafka, and where there
	offset    int64
}

// collect reads the results stream until it holds as many outputs as there must
// be, and a little longer, in which none that must not be there may come. When
// too few come, it gives up after the last one has been there for a while.
func (w *world) collect(ctx context.Context, expected int) ([]result, error) {
	const patience = 45 * time.Second
	c, err := w.js.OrderedConsumer(ctx, "AGENT_RESULTS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"agent.failures.>", "agent.tasks", "agent.deadletter"},
	})
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	var out []result
	distinct := map[string]bool{}
	last := time.Now()
	for time.Since(last) < patience {
		if len(distinct) >= expected && time.Since(last) > 3*time.Second {
			break
		}
		msgs, err := c.Fetch(500, jetstream.FetchMaxWait(500*time.Millisecond))
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue // it goes on by itself
		}
		for m := range msgs.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			key := "dead letter of " + m.Headers().Get("misstep-origin")
			if !strings.HasPrefix(m.Subject(), "agent.deadletter") {
				if key, err = keyOf(m.Data()); err != nil {
					return nil, err
				}
			}
			out = append(out, result{key: key, value: m.Data(), stored: meta.Timestamp})
			distinct[key] = true
			last = time.Now()
		}
	}
	return out, nil
}
