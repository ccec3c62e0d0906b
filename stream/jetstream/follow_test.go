package jetstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"misstep/stream"
)

func openFollower(t *testing.T, nc *nats.Conn, o FollowOptions) *Follower {
	t.Helper()
	if err := EnsureNotify(t.Context(), nc, 1); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFollower(t.Context(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readEntries(t *testing.T, f *Follower, n int) (out []stream.Entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(out) < n {
		got, err := f.Read(ctx, make([]stream.Entry, 0, 10))
		if err != nil {
			t.Fatalf("after %d: %v", len(out), err)
		}
		out = append(out, got...)
	}
	return out
}

func publishResults(t *testing.T, nc *nats.Conn, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		for _, s := range []string{"agent.failures.retry_loop.w", "agent.tasks"} { // tasks are not followed
			if _, err := nc.Request(s, fmt.Appendf(nil, "%d", i), 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFollowerGoesOn: what was committed is not read again, what was not is; of
// two, one reads at a time, and the one before hears that it is not the reader.
func TestFollowerGoesOn(t *testing.T) {
	s, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	nc, err := s.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if err := EnsureResults(t.Context(), nc, Limits{}); err != nil {
		t.Fatal(err)
	}
	publishResults(t, nc, 0, 25)
	a := openFollower(t, nc, FollowOptions{Name: "a", Owner: "the first", Lease: time.Second})
	at, err := a.Acquire(t.Context())
	if err != nil || len(at) > 0 {
		t.Fatal(at, err)
	}
	got := readEntries(t, a, 25)
	for i, e := range got {
		if string(e.Value) != fmt.Sprint(i) || e.Topic != stream.Failures || e.Offset != int64(2*i+1) || time.Since(time.Unix(0, e.Time)) > time.Minute {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
	p := stream.Place{Log: ResultsStream}
	want := stream.Progress{From: got[5].Offset, Next: got[10].Offset}
	if err := a.Commit(t.Context(), map[stream.Place]stream.Progress{p: want}); err != nil {
		t.Fatal(err)
	}
	if lag, err := a.Lag(t.Context()); err != nil || lag != 0 {
		t.Errorf("lag %d, %v", lag, err)
	}

	// Another process waits as long as the first one renews.
	stood := make(chan string, 1)
	b := openFollower(t, nc, FollowOptions{Name: "a", Lease: time.Second, OnStanding: func(o string) { stood <- o }})
	short, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	if _, err := b.Acquire(short); !errors.Is(err, context.DeadlineExceeded) || <-stood != "the first" {
		t.Fatalf("the second becomes the reader beside the first: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	at, err = b.Acquire(t.Context())
	if err != nil || at[p] != want {
		t.Fatal(at, err)
	}
	if again := readEntries(t, b, 20); again[0].Offset != want.From {
		t.Errorf("goes on at %d, want %d", again[0].Offset, want.From)
	}

	// One that does not ask, as after a pause, takes over at once.
	c := openFollower(t, nc, FollowOptions{Name: "a", Alone: true})
	if at, err = c.Acquire(t.Context()); err != nil || at[p] != want {
		t.Fatal(at, err)
	}
	if err := b.Commit(t.Context(), map[stream.Place]stream.Progress{p: {From: 1, Next: 1}}); !errors.Is(err, stream.ErrLost) {
		t.Errorf("the one before commits: %v", err)
	}
	ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
	defer end()
	for err = nil; err == nil; {
		_, err = b.Read(ctx, make([]stream.Entry, 0, 10))
	}
	if !errors.Is(err, stream.ErrLost) {
		t.Errorf("the one before reads: %v", err)
	}
	publishResults(t, nc, 25, 30)
	if got := readEntries(t, c, 25); string(got[24].Value) != "29" {
		t.Errorf("read up to %s", got[24].Value)
	}
	for _, f := range []*Follower{b, c} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
