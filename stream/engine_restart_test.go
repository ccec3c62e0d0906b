package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// failingResults stores a prefix of the append that fails, and then dies or
// comes back.
type failingResults struct {
	*MemoryResults
	failAt int // appends until the one that fails
	prefix int
	dead   bool
	stays  bool // is dead for good
}

var errStore = errors.New("disk on fire")

func (f *failingResults) Append(ctx context.Context, outs []Output) error {
	if f.dead && f.stays {
		return errStore
	}
	if f.failAt--; f.failAt == 0 {
		f.dead = true
		_ = f.MemoryResults.Append(ctx, outs[:min(f.prefix, len(outs))])
		return errStore
	}
	return f.MemoryResults.Append(ctx, outs)
}

func TestRestartGivesEachOutputOnce(t *testing.T) {
	recs := manyRecords(150)
	want := model("toy", recs, EndIdle)
	for _, prefix := range []int{0, 1, 2, 1000} {
		for failAt := 1; ; failAt++ {
			store := NewMemoryResults()
			ctx, cancel := context.WithCancel(t.Context())
			dying := &failingResults{MemoryResults: store, failAt: failAt, prefix: prefix, stays: true}
			e := newToy(t, &recordsLog{recs: recs}, &killOnFail{dying, cancel}, Options[toyEvent]{Shards: 2, BatchRecords: 3, End: EndIdle})
			err := e.Run(ctx)
			cancel()
			if !dying.dead { // all appends were made
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("Run gave %v", err)
			}
			e = newToy(t, &recordsLog{recs: recs}, store, Options[toyEvent]{Shards: 7, BatchRecords: 64, End: EndIdle})
			published := len(store.Outputs())
			if err := e.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := sameOutputs(store.Outputs(), want); err != nil {
				t.Fatalf("append %d failed after %d outputs: %v", failAt, prefix, err)
			}
			if s := e.Stats(); s.Suppressed != int64(published) {
				t.Fatalf("suppressed %d outputs of %d published", s.Suppressed, published)
			}
		}
	}
}

// killOnFail ends the run when an append fails, as a crash would.
type killOnFail struct {
	*failingResults
	kill func()
}

func (k *killOnFail) Append(ctx context.Context, outs []Output) error {
	err := k.failingResults.Append(ctx, outs)
	if err != nil {
		k.kill()
	}
	return err
}

func manyRecords(n int) []Record {
	var recs []Record
	for i := range n {
		recs = append(recs, Record{Offset: int64(i * 2), Time: int64(i), Value: fmt.Appendf(nil, "k%d;k%d;!x%d;k%d", i%5, i%3, i, i%40)})
	}
	return recs
}

func TestAppendIsTriedAgainAfterWhatLanded(t *testing.T) {
	recs := manyRecords(60)
	want := model("toy", recs, EndIdle)
	for _, prefix := range []int{0, 1, 1000} {
		synctest.Test(t, func(t *testing.T) {
			results := &failingResults{MemoryResults: NewMemoryResults(), failAt: 1, prefix: prefix}
			var tapped []Output
			e := newToy(t, &recordsLog{recs: recs}, results, Options[toyEvent]{
				Shards: 1, BatchRecords: 4, End: EndIdle, Tap: func(outs []Output) { tapped = append(tapped, outs...) },
			})
			done := make(chan error, 1)
			go func() { done <- e.Run(t.Context()) }()
			synctest.Wait() // in the back-off
			if err := e.Ready(); !errors.Is(err, errStore) {
				t.Fatalf("Ready is %v while the primary fails", err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if err := sameOutputs(results.Outputs(), want); err != nil {
				t.Fatal(err)
			}
			if err := sameOutputs(tapped, want); err != nil {
				t.Fatal(err)
			}
			if s := e.Stats(); s.AppendFails != 1 || s.Outputs != int64(len(want)) {
				t.Fatalf("stats are %+v", s)
			}
		})
	}
}

// stuckResults fails until mended.
type stuckResults struct {
	*MemoryResults
	broken   atomic.Bool
	mu       sync.Mutex
	attempts []time.Time
}

func newStuckResults() *stuckResults {
	s := &stuckResults{MemoryResults: NewMemoryResults()}
	s.broken.Store(true)
	return s
}

func (s *stuckResults) Append(ctx context.Context, outs []Output) error {
	s.mu.Lock()
	s.attempts = append(s.attempts, time.Now())
	s.mu.Unlock()
	if s.broken.Load() {
		return errStore
	}
	return s.MemoryResults.Append(ctx, outs)
}

func TestPrimaryHoldsTheEngineBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewMemoryLog("toy", 3)
		const total = 4 * maxPendingOutputs
		for i := range total {
			log.Append(int64(i), []byte("!x"))
		}
		results := newStuckResults()
		e := newToy(t, log.Open(0), results, Options[toyEvent]{Shards: 1})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		if s := e.Stats(); s.Records < maxPendingOutputs || s.Records > 3*maxPendingOutputs {
			t.Fatalf("%d of %d records were applied while the primary takes nothing", s.Records, total)
		}
		results.mu.Lock()
		attempts := slices.Clone(results.attempts)
		results.mu.Unlock()
		for i := 1; i < len(attempts); i++ {
			want := min(firstBackoff<<(i-1), maxBackoff)
			if d := attempts[i].Sub(attempts[i-1]); d != want {
				t.Fatalf("attempt %d came after %v, want %v", i, d, want)
			}
		}
		results.broken.Store(false)
		time.Sleep(maxBackoff)
		synctest.Wait()
		if s := e.Stats(); s.Outputs != total || e.Ready() != nil {
			t.Fatalf("stats are %+v, ready %v", s, e.Ready())
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("Run gave %v", err)
		}
		if e.Ready() == nil {
			t.Fatal("an engine that has stopped is ready")
		}
	})
}
