package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// idleRun is one life of an engine on a log on which time passes.
type idleRun struct {
	e      *Engine[toyEvent]
	p      *process
	cancel context.CancelFunc
	done   chan error
}

func (m *machine) idleRun(t *testing.T, p *process, log *MemoryLog, opts Options[toyEvent]) *idleRun {
	t.Helper()
	opts.Checkpoint.Grace = 3
	e := m.engine(t, p, log.Open(0), opts)
	ctx, cancel := context.WithCancel(t.Context())
	r := &idleRun{e, p, cancel, make(chan error, 1)}
	go func() { r.done <- e.Run(ctx) }()
	return r
}

// end waits until the run has ended, which it does by itself only in a crash.
func (r *idleRun) end(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.done; err != nil && !errors.Is(err, errCrash) && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// idleLog has records, and times at which nothing comes.
var idleLog = []struct {
	records int   // that come
	now     int64 // and then it is that late
}{
	{4, 9},    // nothing is due yet
	{0, 16},   // 13: something is due
	{0, 16},   // nothing more
	{0, 21},   // more of it, with nothing in between
	{3, 0},    // records again, the first with times before the advance
	{1, 60},   // everything is due
	{0, 1000}, // nothing is left
	{5, 60},   // the clock is there already
}

// feed appends what the i-th entry of idleLog has.
func feed(log *MemoryLog, from, i int) int {
	for range idleLog[i].records {
		log.Append(int64(from), fmt.Appendf(nil, "k%d;k%d;!x", from%3, from%5))
		from++
	}
	if now := idleLog[i].now; now > 0 {
		log.SetNow(now)
	}
	return from
}

// idleWant is what comes out in the end.
func idleWant() []Output {
	log := NewMemoryLog("toy", 3)
	n := 0
	for i := range idleLog {
		n = feed(log, n, i)
	}
	var recs []Record
	for i, r := range log.recs {
		r.Offset = int64(i)
		recs = append(recs, r)
	}
	return model("toy", recs, EndOpen, advance{Offset: 3, Clock: 13}, advance{Offset: 3, Clock: 18}, advance{Offset: 7, Clock: 57})
}

func TestIdleClock(t *testing.T) {
	for _, shards := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			m, log := newMachine(), NewMemoryLog("toy", 3)
			r := m.idleRun(t, &process{}, log, Options[toyEvent]{Shards: shards})
			n := 0
			for i := range idleLog {
				n = feed(log, n, i)
				time.Sleep(5 * DefaultTick)
				synctest.Wait()
			}
			if s := r.e.Stats(); s.Advances != 3 || s.Regressions != 9 {
				t.Errorf("advanced %d times, the clock went back %d times, want 3 and 9", s.Advances, s.Regressions)
			}
			r.end(t)
			m.whole(t, idleWant())
		})
	}
}

// TestIdleClockNeeds: without a checkpoint an advance would not be made again,
// and with a negative grace none is wanted.
func TestIdleClockNeeds(t *testing.T) {
	for name, ck := range map[string]Checkpointing{"no store": {}, "a negative grace": {Store: NewMemoryCheckpoints(), Grace: -1}} {
		synctest.Test(t, func(t *testing.T) {
			log := NewMemoryLog("toy", 3)
			feed(log, 0, 0)
			log.SetNow(1000)
			e := newToy(t, log.Open(0), NewMemoryResults(), Options[toyEvent]{Shards: 1, Checkpoint: ck})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			time.Sleep(time.Hour)
			if s := e.Stats(); s.Advances != 0 || s.Clock != 3 {
				t.Errorf("%s: advanced %d times, to %d", name, s.Advances, s.Clock)
			}
			cancel()
			<-done
		})
	}
}

// TestIdleClockWritesNothingInVain: where nothing is due, nothing is written.
func TestIdleClockWritesNothingInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMachine(), NewMemoryLog("toy", 3)
		r := &recorder{machine: m}
		opts := Options[toyEvent]{
			Program: toy{}, Log: log.Open(0), Results: recordedResults{m.results, r}, Shards: 2,
			Checkpoint: often(Checkpointing{Store: recordedStore{m.store, r}, Grace: 3}),
		}
		e, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		feed(log, 0, 0)
		time.Sleep(10 * time.Second)
		r.mu.Lock()
		writes := len(r.done)
		r.mu.Unlock()
		log.SetNow(12) // 9 with the grace, and the first is due at 10
		time.Sleep(time.Hour)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.done) != writes {
			t.Errorf("%d writes while nothing is due", len(r.done)-writes)
		}
		cancel()
		<-done
	})
}

// TestIdleClockCrash crashes at each step, and once more at the restart.
func TestIdleClockCrash(t *testing.T) {
	want := idleWant()
	for _, shards := range []int{1, 3} {
		for step := StepRestore; step < numSteps; step++ {
			crashes := 0
			for left := 1; left < 6; left++ {
				synctest.Test(t, func(t *testing.T) {
					m, log := newMachine(), NewMemoryLog("toy", 3)
					r := m.idleRun(t, &process{step: step, left: left}, log, Options[toyEvent]{Shards: shards})
					n := 0
					for i := range idleLog {
						n = feed(log, n, i)
						// Whoever has crashed is started again, until nothing
						// happens any more.
						for range 4 {
							time.Sleep(5 * DefaultTick)
							synctest.Wait()
							r.p.mu.Lock()
							dead := r.p.dead
							r.p.mu.Unlock()
							if !dead {
								break
							}
							crashes++
							r.end(t)
							next := &process{}
							if crashes%2 == 1 {
								next = &process{step: step, left: 1}
							}
							r = m.idleRun(t, next, log, Options[toyEvent]{Shards: 1 + crashes%4})
						}
					}
					r.end(t)
					if err := sameOutputs(m.results.Outputs(), want); err != nil {
						t.Fatalf("%d shards, step %d, crash %d: %v", shards, step, left, err)
					}
				})
			}
			switch step {
			case StepAdvance, StepAdvanced:
				if crashes == 0 {
					t.Errorf("never reached step %d", step)
				}
			default:
			}
		}
	}
}

// TestIdleClockReplayed: a restart that applies everything again makes each
// advance again in its place, whatever is read together.
func TestIdleClockReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMachine(), NewMemoryLog("toy", 3)
		m.seldom = true
		n := 0
		for i := range idleLog {
			r := m.idleRun(t, &process{}, log, Options[toyEvent]{Shards: 1 + i%3})
			n = feed(log, n, i)
			time.Sleep(5 * DefaultTick)
			synctest.Wait()
			if s := r.e.Stats(); s.Records != int64(n) {
				t.Errorf("life %d applied %d of %d records", i, s.Records, n)
			}
			r.end(t)
		}
		m.whole(t, idleWant())
	})
}

// TestIdleClockAfterFallback: the advances since the checkpoint before the
// current one are kept, for when the current one is damaged.
func TestIdleClockAfterFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMachine(), NewMemoryLog("toy", 3)
		n := 0
		for i := range idleLog {
			r := m.idleRun(t, &process{}, log, Options[toyEvent]{Shards: 2})
			n = feed(log, n, i)
			time.Sleep(5 * DefaultTick)
			synctest.Wait()
			r.end(t)
			b, err := m.store.Head(t.Context(), "toy", 3)
			if err != nil {
				t.Fatal(err)
			}
			var h head
			if err := unseal(b, &h); err != nil {
				t.Fatal(err)
			}
			if h.Previous != "" {
				if err := m.store.Delete(t.Context(), "toy", 3, h.Current); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.whole(t, idleWant())
	})
}

func TestManyAdvancesLeadToACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newMachine(), NewMemoryLog("toy", 3)
		e, err := New(Options[toyEvent]{
			Program: toy{}, Log: log.Open(0), Results: m.results, Shards: 1,
			Checkpoint: Checkpointing{Store: m.store, Grace: 1, Tick: time.Millisecond, Work: time.Hour, Every: time.Hour},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		for i := range 3 * maxAdvances {
			log.Append(int64(i)*100, []byte("k"))
			log.SetNow(int64(i)*100 + 50)
			time.Sleep(3 * time.Millisecond)
		}
		s := e.Stats()
		if s.Advances != 3*maxAdvances || s.Checkpoints < 3 || s.Checkpoints > 5 {
			t.Errorf("%d advances and %d checkpoints", s.Advances, s.Checkpoints)
		}
		if b, err := m.store.Head(ctx, "toy", 3); err != nil || len(b) > 40*maxAdvances {
			t.Errorf("the head has %d bytes, %v", len(b), err)
		}
		cancel()
		<-done
	})
}
