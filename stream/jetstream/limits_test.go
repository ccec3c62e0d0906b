package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// TestApplyLimits: limits hold for streams that exist too, and what goes before
// it was read is a gap that is told.
func TestApplyLimits(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	var msgs []StepMessage
	for range 64 {
		msgs = append(msgs, StepMessage{Value: make([]byte, 64<<10)})
	}
	if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	limits := Limits{MaxAge: time.Minute, MaxBytes: 1 << 20}
	for _, want := range []bool{true, false} {
		if changed, err := ApplyLimits(t.Context(), nc, StepsStream, limits); changed != want || err != nil {
			t.Errorf("got %v, %v, want %v", changed, err, want)
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	c, state := s.CachedInfo().Config, s.CachedInfo().State
	if c.MaxAge != limits.MaxAge || c.MaxBytes != limits.MaxBytes || state.Bytes > 1<<20 || state.Msgs == 0 {
		t.Errorf("the stream has %v, %d and holds %d bytes", c.MaxAge, c.MaxBytes, state.Bytes)
	}
	var from, to int64
	l := openLog(t, nc, LogOptions{OnGap: func(a, b int64) { from, to = a, b }})
	rec := make([]stream.Record, 1)
	if _, err := l.Read(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if first := rec[0].Offset; from != 1 || to != first-1 || first == 1 {
		t.Errorf("told of a gap from %d to %d, and read %d first", from, to, first)
	}
	if changed, err := ApplyLimits(t.Context(), nc, StepsStream, Limits{}); !changed || err != nil {
		t.Errorf("no limits gave %v, %v", changed, err)
	}
	if s, err = js.Stream(t.Context(), StepsStream); err != nil || s.CachedInfo().Config.MaxBytes != -1 || s.CachedInfo().Config.MaxAge != 0 {
		t.Errorf("no limits are %+v, %v", s.CachedInfo().Config, err)
	}
	if _, err := ApplyLimits(t.Context(), nc, "NONE", Limits{}); err == nil {
		t.Error("a stream that is not there has limits")
	}
	if _, err := ApplyLimits(t.Context(), nc, ResultsStream, limits); err != nil {
		t.Error(err)
	}
}
