package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// until waits for what another goroutine brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}

// looked waits for the guard to look.
func looked(t *testing.T, e *Embedded) {
	t.Helper()
	looks := func() int {
		e.guard.mu.Lock()
		defer e.guard.mu.Unlock()
		return e.guard.looks
	}
	n := looks()
	// The one under way may have looked before.
	until(t, "the guard looks", func() bool { return looks() >= n+2 })
}

// TestDiskFull fills a disk for real, in two ways: as the guard sees it coming,
// and faster than it looks. Nothing acknowledged is lost, publishers get an
// error, and with room again all goes on without a restart.
func TestDiskFull(t *testing.T) {
	for _, blind := range []bool{false, true} {
		t.Run(fmt.Sprint("blind=", blind), func(t *testing.T) {
			dir := smallDisk(t, 64)
			var sees atomic.Bool
			sees.Store(!blind)
			e, err := StartEmbedded(EmbeddedOptions{
				Dir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", MinFree: 16 << 20,
				free: func(dir string) (int64, error) {
					if !sees.Load() {
						return 1 << 40, nil
					}
					return freeSpace(dir)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
			nc := connect(t, e)
			if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{})); err != nil {
				t.Fatal(err)
			}
			tcp, err := nats.Connect(e.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer tcp.Close()
			other := filepath.Join(dir, "other")
			if err := os.WriteFile(other, make([]byte, 24<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := NewPublisher(connect(t, e), PublisherOptions{Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			// Publish until the disk is full.
			value := make([]byte, 64<<10)
			var acked []string
			for i := 0; ; i++ {
				id := fmt.Sprint(i)
				if err = p.Publish(t.Context(), []StepMessage{{Value: append([]byte(id+" "), value...)}}); err != nil {
					break
				}
				acked = append(acked, id)
				if i%64 == 0 {
					looked(t, e)
				}
				if i > 1000 {
					t.Fatal("the disk is never full")
				}
			}
			if !errors.Is(err, ErrStorage) && !errors.Is(err, ErrUnavailable) {
				t.Fatalf("the publisher got %v", err)
			}
			if !blind && !errors.Is(err, ErrStorage) {
				t.Errorf("the publisher got %v, want one that says that there is no room", err)
			}
			sees.Store(true)
			until(t, "the guard says why", func() bool { return errors.Is(e.Space().Error, ErrStorage) })
			// A plain publisher over TCP hears of it as well, and soon.
			js, err := jetstream.New(tcp)
			if err != nil {
				t.Fatal(err)
			}
			wait := patience
			if blind {
				wait = time.Second // what the server was sent while it was started anew has no answer
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			_, err = js.Publish(ctx, StepsSubject, []byte("refused"), jetstream.WithRetryAttempts(0))
			if err == nil || !blind && errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a publisher over TCP got %v", err)
			}
			// What is kept free is for results.
			r := results(nc)
			out := stream.Output{Topic: stream.Tasks, Key: "t", Value: []byte("{}"), Origin: stream.Origin{Source: "s", Offset: 1}}
			if !blind {
				if err := r.Append(t.Context(), []stream.Output{out}); err != nil {
					t.Errorf("a result got %v", err)
				}
			}
			// Room again.
			if err := os.Remove(other); err != nil {
				t.Fatal(err)
			}
			until(t, "steps are taken again", func() bool { return e.Space().Error == nil })
			if err := p.Publish(t.Context(), []StepMessage{{Value: []byte("after ")}}); err != nil {
				t.Fatal(err)
			}
			out.Origin.Offset++
			if err := r.Append(t.Context(), []stream.Output{out}); err != nil {
				t.Error(err)
			}
			acked = append(acked, "after")
			l := openLog(t, nc, LogOptions{})
			seen := map[string]bool{}
			dst := make([]stream.Record, 16)
			for !seen["after"] {
				n, err := l.Read(t.Context(), dst)
				if err != nil {
					t.Fatal(err)
				}
				for _, rec := range dst[:n] {
					var id string
					fmt.Sscan(string(rec.Value), &id)
					seen[id] = true
				}
			}
			for _, id := range acked {
				if !seen[id] {
					t.Errorf("%s was acknowledged and is not there", id)
				}
			}
		})
	}
}

// TestClosedIsOpenedAgain: a stream that was closed when the process ended is
// opened by the next, with the limit that it had.
func TestClosedIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	var free atomic.Int64
	open := func() (*Embedded, *nats.Conn) {
		e, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: "127.0.0.1:0", MinFree: 1000, free: func(string) (int64, error) { return free.Load(), nil }})
		if err != nil {
			t.Fatal(err)
		}
		return e, connect(t, e)
	}
	e, nc := open()
	if err := EnsureSteps(t.Context(), nc, Limits{MaxBytes: 12345678}); err != nil {
		t.Fatal(err)
	}
	looked(t, e)
	if s := e.Space(); s.Free != 0 || !errors.Is(s.Error, ErrStorage) {
		t.Errorf("%d bytes are free, want 0; %v", s.Free, s.Error)
	}
	if err := publisher(t, nc).Publish(t.Context(), []StepMessage{{Value: []byte("x")}}); !errors.Is(err, ErrStorage) {
		t.Errorf("a closed stream gave %v", err)
	}
	// Just above the least is not enough to open it.
	free.Store(1001)
	until(t, "the guard looked", func() bool { return e.Space().Free == 1001 })
	if e.Space().Error == nil {
		t.Error("it flaps")
	}
	nc.Close()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	free.Store(1 << 30)
	e, nc = open()
	defer e.Close()
	until(t, "steps are taken", func() bool {
		return publisher(t, nc).Publish(t.Context(), []StepMessage{{Value: []byte("x")}}) == nil
	})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Config; c.MaxBytes != 12345678 || c.Discard != jetstream.DiscardOld || c.Metadata[keepMark] != "" {
		t.Errorf("the stream has %d bytes, %v, %v", c.MaxBytes, c.Discard, c.Metadata)
	}
}
