package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"misstep/event"
	"misstep/sinks"
	"misstep/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var failureID = regexp.MustCompile(`[0-9a-f]{32}`)

func TestTerminal(t *testing.T) {
	for _, opts := range []sinks.TerminalOptions{{}, {Color: true, Width: 80}} {
		sinktest.Test(t, func(*testing.T) sinktest.Subject {
			var b bytes.Buffer
			return sinktest.Subject{
				Sink: sinks.NewTerminal(&b, opts),
				IDs:  func() []string { return failureID.FindAllString(b.String(), -1) },
			}
		})
	}
}

func TestJSONL(t *testing.T) {
	sinktest.Test(t, func(*testing.T) sinktest.Subject {
		var b bytes.Buffer
		return sinktest.Subject{
			Sink: sinks.NewJSONL(&b, func(v any) bool { _, ok := v.(*event.Failure); return ok }),
			IDs:  func() []string { return failureID.FindAllString(b.String(), -1) },
		}
	})
}

func TestPrometheus(t *testing.T) {
	sinktest.Test(t, func(t *testing.T) sinktest.Subject {
		p, err := sinks.NewPrometheus(prometheus.NewRegistry(), sinks.PrometheusOptions{MaxWorkflows: 3, MaxTools: 3, Detectors: []string{"retry_loop"}})
		if err != nil {
			t.Fatal(err)
		}
		return sinktest.Subject{Sink: p}
	})
}

func TestQueue(t *testing.T) {
	sinktest.Test(t, func(t *testing.T) sinktest.Subject {
		var inner recorder
		return sinktest.Subject{
			Sink: sinks.NewQueue(&inner, 100, func(err error) { t.Error(err) }),
			IDs:  func() []string { return inner.ids },
		}
	})
}

// recorder is a sink that remembers, and waits where a test wants it to.
type recorder struct {
	ids    []string
	writes int
	wait   chan struct{} // nil: do not wait
	err    error
	ended  bool // a Write saw its context end
}

func (r *recorder) Name() string { return "recorder" }

func (r *recorder) Write(ctx context.Context, records []sinks.Record) error {
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			r.ended = true
			return ctx.Err()
		}
	}
	r.writes++
	for _, rec := range records {
		if f, ok := rec.Value.(*event.Failure); ok {
			r.ids = append(r.ids, f.ID)
		}
	}
	return r.err
}

func (r *recorder) Close() error { return nil }

func failures(from, to int) []sinks.Record {
	var out []sinks.Record
	for n := from; n < to; n++ {
		out = append(out, sinks.Record{Value: sinktest.Failure(n)})
	}
	return out
}

// TestQueueSkips writes far more than fits while the sink hangs: nothing
// blocks, what fits arrives, the rest is counted.
func TestQueueSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := recorder{wait: make(chan struct{})}
		q := sinks.NewQueue(&inner, 10, nil)
		if err := q.Write(t.Context(), failures(0, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the sink holds the first record
		if err := q.Write(t.Context(), failures(1, 1000)); err != nil {
			t.Fatal(err)
		}
		if got := q.Skipped(); got != 999-10 {
			t.Errorf("skipped %d, want %d", got, 999-10)
		}
		close(inner.wait)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if len(inner.ids) != 11 || inner.ids[10] != sinktest.Failure(10).ID {
			t.Errorf("the sink holds %q", inner.ids)
		}
		if inner.writes != 2 {
			t.Errorf("%d writes, want 2: what waits goes at once", inner.writes)
		}
	})
}

func TestQueueGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := recorder{wait: make(chan struct{})}
		q := sinks.NewQueue(&inner, 10, nil)
		if err := q.Write(t.Context(), failures(0, 1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		if err := q.CloseWithin(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if err := q.Close(); err != nil {
			t.Errorf("Close after giving up: %v", err)
		}
		if !inner.ended {
			t.Error("the sink was not told to end")
		}
	})
}

func TestQueueTellsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := recorder{err: errors.New("the terminal is gone")}
		var told []error
		q := sinks.NewQueue(&inner, 10, func(err error) { told = append(told, err) })
		if err := q.Write(t.Context(), failures(0, 2)); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if len(told) == 0 || !errors.Is(told[0], inner.err) {
			t.Errorf("told %v, want %v", told, inner.err)
		}
	})
}
