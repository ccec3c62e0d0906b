package jetstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"misstep/stream"
	"misstep/stream/logtest"
)

// TestIdleStream: when nothing comes any more, keys go idle by the server's own
// clock, once, whatever is restarted in between.
func TestIdleStream(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	put := func(keys ...string) {
		t.Helper()
		var msgs []StepMessage
		for _, k := range keys {
			msgs = append(msgs, StepMessage{Value: []byte(k)})
		}
		if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	var ends int64
	// runUntil runs until an output with the value was published.
	runUntil := func(value string, mark string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		log := openLog(t, connect(t, e), LogOptions{})
		r := results(connect(t, e))
		eng, err := stream.New(stream.Options[string]{
			Program: logtest.Counting{Mark: mark}, Log: log, Results: r, Ownership: e.Ownership(), Shards: 2,
			Tap: func(outs []stream.Output) {
				for _, o := range outs {
					ends = o.Origin.Offset
					if string(o.Value) == value {
						cancel()
					}
				}
			},
			Checkpoint: stream.Checkpointing{
				Store: checkpoints(t, connect(t, e), r), Ruleset: mark, Work: time.Hour, Tick: time.Millisecond, Grace: time.Nanosecond,
				OnFallback: func(err error) { t.Error(err) },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := eng.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("waiting for %q: Run gave %v", value, err)
		}
	}
	put("a", "b", "a")
	runUntil("a idle 2", "")
	put("c")
	runUntil("c idle 1", "") // applies everything again
	if ends != 4 {
		t.Errorf("the last output is of record %d, want 4", ends)
	}
	put("a")
	runUntil("a idle 3 x", " x") // under other rules
	var got []string
	for _, o := range readResults(t, nc) {
		got = append(got, string(o.Value))
	}
	text := strings.Join(got, ", ")
	for _, once := range []string{"a 1", "b 1", "a 2", "b idle 1", "a idle 2", "c 1", "c idle 1", "a 3 x", "a idle 3 x"} {
		if n := strings.Count(", "+text+", ", ", "+once+", "); n != 1 {
			t.Errorf("%q came %d times in %s", once, n, text)
		}
	}
}
