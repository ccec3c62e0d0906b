package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

func TestPublisherErrors(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	p := publisher(t, nc)
	if err := p.Publish(t.Context(), steps(make([]byte, MaxPayload+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Publish gave %v", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxBytes, c.Discard = 3<<20, jetstream.DiscardNew
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte{'x'}, 1<<20)
	if err := p.Publish(t.Context(), steps(big, big, big, big)); !errors.Is(err, ErrStorage) {
		t.Errorf("Publish gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Publish(ctx, steps(big)); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStorage) {
		t.Errorf("Publish gave %v", err)
	}
	if err := js.DeleteStream(t.Context(), StepsStream); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), steps([]byte("1"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Publish without a stream gave %v", err)
	}
	if n := len(p.room); n != 0 {
		t.Errorf("%d places were not given back", n)
	}
	nc.Close()
	if err := p.Publish(t.Context(), steps([]byte("1"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Publish without a connection gave %v", err)
	}
	r := NewResults(nc)
	if err := r.Append(t.Context(), []stream.Output{{Topic: stream.Tasks}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append without a connection gave %v", err)
	}
	if err := r.Fence(t.Context(), "x", 0); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Fence without a connection gave %v", err)
	}
}

func TestManyPublishersShareTheBound(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	p, err := NewPublisher(nc, PublisherOptions{MaxPending: 3, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	const publishers, each = 8, 50
	done := make(chan error, publishers)
	for i := range publishers {
		go func() {
			var msgs []StepMessage
			for j := range each {
				msgs = append(msgs, StepMessage{Value: fmt.Appendf(nil, "%d %d", i, j)})
			}
			done <- p.Publish(t.Context(), msgs)
		}()
	}
	for range publishers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	next := make([]int, publishers)
	l := openLog(t, nc, LogOptions{})
	for n := 0; n < publishers*each; {
		dst := make([]stream.Record, 100)
		m, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:m] {
			var i, j int
			if _, err := fmt.Sscan(string(r.Value), &i, &j); err != nil || j != next[i] {
				t.Fatalf("%q came where %d was due", r.Value, next[i])
			}
			next[i]++
		}
		n += m
	}
}
