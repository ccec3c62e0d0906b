package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowResults and slowStore take their time, and note what is durable when.
type slowResults struct {
	*MemoryResults
	note func(string)
}

func (s slowResults) Append(ctx context.Context, outs []Output) error {
	time.Sleep(time.Second)
	if err := s.MemoryResults.Append(ctx, outs); err != nil {
		return err
	}
	for _, o := range outs {
		s.note(fmt.Sprint("output ", o.Origin.Offset, " ", o.Origin.Index))
	}
	return nil
}

type slowStore struct {
	*MemoryCheckpoints
	takes time.Duration // for a swing
	note  func(string)
}

func (s slowStore) Swing(ctx context.Context, source string, part int32, b []byte) error {
	time.Sleep(s.takes)
	var h head
	if err := unseal(b, &h); err != nil {
		return err
	}
	if err := s.MemoryCheckpoints.Swing(ctx, source, part, b); err != nil {
		return err
	}
	s.note(fmt.Sprint("head ", h.At.Offset, " ", len(h.Advances)))
	return nil
}

func (s slowStore) Put(ctx context.Context, source string, part int32, id string, n int, data []byte) error {
	if err := s.MemoryCheckpoints.Put(ctx, source, part, id, n, data); err != nil {
		return err
	}
	if n == ManifestPart {
		var m manifest
		if err := unseal(data, &m); err != nil {
			return err
		}
		s.note(fmt.Sprint("manifest ", m.at().Offset))
	}
	return nil
}

// TestOrderOfWrites: the outputs up to a checkpoint's position are durable
// before its manifest is, that before the head, and an advance before what it
// puts out.
func TestOrderOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewMemoryLog("toy", 3)
		mu := make(chan struct{}, 1)
		var notes []string
		note := func(s string) { mu <- struct{}{}; notes = append(notes, s); <-mu }
		e, err := New(Options[toyEvent]{
			Program: toy{}, Log: log.Open(0), Results: slowResults{NewMemoryResults(), note}, Shards: 2,
			Checkpoint: often(Checkpointing{Store: slowStore{NewMemoryCheckpoints(), time.Second, note}, Grace: 1, Tick: 10 * time.Second}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(3 * time.Second)
		log.Append(1, []byte("!x;a;a;a"))
		time.Sleep(5 * time.Second)
		log.SetNow(100)
		time.Sleep(time.Minute)
		cancel()
		<-done
		want := []string{
			"manifest -1", "head -1 0",
			"output 0 0", "output 0 1", "manifest 0", "head 0 0",
			"head 0 1", "output 0 2", "output 0 3", "manifest 0", "head 0 1",
		}
		if fmt.Sprint(notes) != fmt.Sprint(want) {
			t.Errorf("wrote\n%q, want\n%q", notes, want)
		}
	})
}

// TestStaleOwnerDoesNotAdvance: an owner that was taken over while its log is
// idle learns so from the advance, and puts nothing out.
func TestStaleOwnerDoesNotAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMachine(), NewMemoryLog("toy", 3)
		log.Append(1, []byte("a;b"))
		r := m.idleRun(t, &process{}, log, Options[toyEvent]{Shards: 2})
		defer r.cancel()
		time.Sleep(10 * time.Second)
		if err := m.store.Owner().Fence(t.Context(), "toy", 3); err != nil {
			t.Fatal(err)
		}
		log.SetNow(1000)
		time.Sleep(10 * time.Second)
		select {
		case err := <-r.done:
			if !errors.Is(err, ErrFenced) {
				t.Errorf("Run gave %v", err)
			}
		default:
			t.Error("goes on")
		}
		if n := len(m.results.Outputs()); n > 0 {
			t.Errorf("put out %d outputs", n)
		}
	})
}

// failingStore fails as long as it is told to.
type failingStore struct {
	*MemoryCheckpoints
	put, swing atomic.Bool
}

func (s *failingStore) Put(ctx context.Context, source string, part int32, id string, n int, data []byte) error {
	if s.put.Load() {
		return errStore
	}
	return s.MemoryCheckpoints.Put(ctx, source, part, id, n, data)
}

func (s *failingStore) Swing(ctx context.Context, source string, part int32, b []byte) error {
	if s.swing.Load() {
		return errStore
	}
	return s.MemoryCheckpoints.Swing(ctx, source, part, b)
}

// TestStoreThatFails: outputs go on while no checkpoint can be written, and a
// later one is taken.
func TestStoreThatFails(t *testing.T) {
	for _, what := range []string{"put", "swing"} {
		synctest.Test(t, func(t *testing.T) {
			log, results := NewMemoryLog("toy", 3), NewMemoryResults()
			store := &failingStore{MemoryCheckpoints: NewMemoryCheckpoints()}
			var failed []error
			e := newToy(t, log.Open(0), results, Options[toyEvent]{Shards: 2, Checkpoint: often(Checkpointing{
				Store: store, OnTaken: func(c Taken) {
					if c.Err != nil {
						failed = append(failed, c.Err)
					}
				},
			})})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			time.Sleep(time.Second)
			store.put.Store(what == "put")
			store.swing.Store(what == "swing")
			log.Append(1, []byte("a;a;a"))
			time.Sleep(time.Second)
			if n := len(results.Outputs()); n != 1 {
				t.Errorf("%s fails: %d outputs", what, n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(failed) == 0 || !errors.Is(failed[0], errStore) {
				t.Errorf("%s fails: told %v", what, failed)
			}
			store.put.Store(false)
			store.swing.Store(false)
			time.Sleep(time.Minute)
			synctest.Wait()
			if s := e.Stats(); s.CheckpointOffset != 0 || s.CheckpointFails != int64(len(failed)) {
				t.Errorf("%s failed: stats are %+v", what, s)
			}
			cancel()
			<-done
		})
	}
}

// TestHowOften: work, time and the cost of encoding say when one is due.
func TestHowOften(t *testing.T) {
	hour := time.Hour
	for _, c := range []struct {
		name              string
		work, since, cost time.Duration
		dirty, want       bool
	}{
		{"nothing was applied", hour, hour, 0, false, false},
		{"a little work", time.Second, time.Second, 0, true, false},
		{"two seconds of work", 2 * time.Second, 2 * time.Second, 0, true, true},
		{"a minute", 1, time.Minute, 0, true, true},
		{"work, but an encoding of a second before", 20 * time.Second, 20 * time.Second, time.Second, true, false},
		{"enough work for that", 25 * time.Second, 25 * time.Second, time.Second, true, true},
		{"a minute, but an encoding of three seconds before", 1, time.Minute, 3 * time.Second, true, false},
		{"enough time for that", 1, 75 * time.Second, 3 * time.Second, true, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newToy(t, &recordsLog{}, NewMemoryResults(), Options[toyEvent]{Shards: 1, Checkpoint: Checkpointing{Store: NewMemoryCheckpoints()}})
			e.ck.since = time.Now()
			time.Sleep(c.since)
			e.ck.work, e.ck.cost, e.ck.dirty = c.work, c.cost, c.dirty
			if got := e.due(); got != c.want {
				t.Errorf("%s: due is %v", c.name, got)
			}
		})
	}
}
