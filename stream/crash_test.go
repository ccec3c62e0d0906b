package stream

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var errCrash = errors.New("crash")

// process is one life of a process: after its crash it writes nothing more.
type process struct {
	mu   sync.Mutex
	dead bool
	step Step // to crash at, for the left-th time
	left int
}

// at is for Checkpointing.At.
func (p *process) at(s Step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == p.step {
		p.left--
		p.dead = p.dead || p.left == 0
	}
	return p.alive()
}

func (p *process) alive() error {
	if p.dead {
		return errCrash
	}
	return nil
}

func (p *process) crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// do does something unless the process is dead, in one piece.
func (p *process) do(f func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.alive(); err != nil {
		return err
	}
	return f()
}

// mortalResults and mortalStore are a process's way to the stores.
type mortalResults struct {
	*MemoryResults
	p *process
}

func (m mortalResults) Append(ctx context.Context, outs []Output) error {
	return m.p.do(func() error { return m.MemoryResults.Append(ctx, outs) })
}

type mortalStore struct {
	*MemoryCheckpoints
	p *process
}

func (m mortalStore) Swing(ctx context.Context, source string, part int32, head []byte) error {
	return m.p.do(func() error { return m.MemoryCheckpoints.Swing(ctx, source, part, head) })
}

func (m mortalStore) Put(ctx context.Context, source string, part int32, id string, n int, data []byte) error {
	return m.p.do(func() error { return m.MemoryCheckpoints.Put(ctx, source, part, id, n, data) })
}

func (m mortalStore) Delete(ctx context.Context, source string, part int32, id string) error {
	return m.p.do(func() error { return m.MemoryCheckpoints.Delete(ctx, source, part, id) })
}

// machine is what outlives processes.
type machine struct {
	results *MemoryResults
	store   *MemoryCheckpoints
	seldom  bool // a checkpoint is taken at the first start only, and at the log's end
}

func newMachine() *machine {
	return &machine{results: NewMemoryResults(), store: NewMemoryCheckpoints()}
}

// often has checkpoints taken whenever it is possible, in small parts.
func often(c Checkpointing) Checkpointing {
	c.Work, c.Spacing, c.PartBytes = -1, -1, 60
	return c
}

// engine makes an engine for one life of a process.
func (m *machine) engine(t testing.TB, p *process, log Log, opts Options[toyEvent]) *Engine[toyEvent] {
	t.Helper()
	opts.Log, opts.Results = log, mortalResults{m.results, p}
	if opts.Program == nil {
		opts.Program = toy{}
	}
	opts.Checkpoint.Store, opts.Checkpoint.At = mortalStore{m.store.Owner(), p}, p.at
	opts.Checkpoint = often(opts.Checkpoint)
	if m.seldom {
		opts.Checkpoint.Work, opts.Checkpoint.Every = time.Hour, time.Hour
	}
	e, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	e.roundBytes, e.inlineBytes = 20, 50
	return e
}

// whole checks that nothing is lost, wrong or there twice.
func (m *machine) whole(t testing.TB, want []Output) {
	t.Helper()
	if err := sameOutputs(m.results.Outputs(), want); err != nil {
		t.Fatal(err)
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	recs := manyRecords(120)
	want := model("toy", recs, EndIdle)
	for _, shards := range []int{1, 2, 7} {
		for step := StepRestore; step < numSteps; step++ {
			crashes := 0
			for left := 1; left < 8; left++ {
				m := newMachine()
				p := &process{step: step, left: left}
				// The restart may crash at the same place.
				for life := 0; life < 4; life++ {
					end := EndIdle
					if life == 0 {
						end = EndOpen // so that there is a last checkpoint
					}
					err := m.engine(t, p, &recordsLog{recs: recs}, Options[toyEvent]{Shards: shards, BatchRecords: 9, End: end}).Run(t.Context())
					if err != nil && !errors.Is(err, errCrash) {
						t.Fatal(err)
					}
					if p.dead {
						crashes++
					}
					p = &process{step: step, left: left}
					if life == 2 {
						p = &process{}
					}
				}
				m.whole(t, want)
			}
			switch step {
			case StepAdvance, StepAdvanced, StepSwitch: // have tests of their own
			default:
				if crashes == 0 {
					t.Errorf("%d shards: never reached step %d", shards, step)
				}
			}
		}
	}
}

// stepLog gives one record at a time, and crashes the process when it asks for
// the one after the last.
type stepLog struct {
	*recordsLog
	p    *process
	stop context.CancelCauseFunc
}

func (l *stepLog) Read(ctx context.Context, dst []Record) (int, error) {
	n, err := l.recordsLog.Read(ctx, dst[:1])
	if err == io.EOF {
		l.p.crash()
		l.stop(errCrash)
		return 0, errCrash
	}
	return n, err
}

// TestCrashAtEveryRecord crashes after each record of a log; each life begins
// with what the ones before have left.
func TestCrashAtEveryRecord(t *testing.T) {
	const n = 2000
	recs := manyRecords(n)
	want := model("toy", recs, EndIdle)
	random := rand.New(rand.NewPCG(20261124, 0))
	m := newMachine()
	restored, replayed := 0, int64(0)
	for i := 1; i <= n; i++ {
		p := &process{}
		ctx, cancel := context.WithCancelCause(t.Context())
		e := m.engine(t, p, &stepLog{&recordsLog{recs: recs[:i]}, p, cancel}, Options[toyEvent]{
			Shards: []int{1, 2, 7}[random.IntN(3)],
			Checkpoint: Checkpointing{
				OnRestore: func(r Restored) {
					if r.ID != "" {
						restored++
					}
				},
				OnFallback: func(err error) { t.Fatal(err) },
			},
		})
		if err := e.Run(ctx); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		replayed += e.Stats().Records
	}
	e := m.engine(t, &process{}, &recordsLog{recs: recs}, Options[toyEvent]{Shards: 2, End: EndIdle})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.whole(t, want)
	if restored < n*9/10 {
		t.Errorf("%d of %d lives began with a checkpoint", restored, n)
	}
	t.Logf("%d lives began with a checkpoint and applied %d records", restored, replayed)
}

// mutation is one change of a store.
type mutation func(m *machine) error

// recorder notes all changes of the stores, in order.
type recorder struct {
	mu   sync.Mutex
	done []mutation
	*machine
}

func (r *recorder) note(ctx context.Context, f mutation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = append(r.done, f)
	return f(r.machine)
}

type recordedResults struct {
	*MemoryResults
	r *recorder
}

func (r recordedResults) Append(ctx context.Context, outs []Output) error {
	outs = slices.Clone(outs)
	return r.r.note(ctx, func(m *machine) error { return m.results.Append(context.Background(), outs) })
}

type recordedStore struct {
	*MemoryCheckpoints
	r *recorder
}

func (r recordedStore) Swing(ctx context.Context, source string, part int32, head []byte) error {
	return r.r.note(ctx, func(m *machine) error { return m.store.Swing(context.Background(), source, part, head) })
}

func (r recordedStore) Put(ctx context.Context, source string, part int32, id string, n int, data []byte) error {
	data = slices.Clone(data)
	return r.r.note(ctx, func(m *machine) error { return m.store.Put(context.Background(), source, part, id, n, data) })
}

func (r recordedStore) Delete(ctx context.Context, source string, part int32, id string) error {
	return r.r.note(ctx, func(m *machine) error { return m.store.Delete(context.Background(), source, part, id) })
}

// waitLog gives no records before there is another checkpoint.
type waitLog struct {
	*recordsLog
	taken chan struct{}
}

func (l *waitLog) Read(ctx context.Context, dst []Record) (int, error) {
	<-l.taken
	return l.recordsLog.Read(ctx, dst)
}

// TestCrashAfterEveryWrite restarts from each state that the stores were in
// during one run: whatever a crash leaves is one of those.
func TestCrashAfterEveryWrite(t *testing.T) {
	recs := manyRecords(400)
	want := model("toy", recs, EndIdle)
	r := &recorder{machine: newMachine()}
	taken := make(chan struct{}, len(recs))
	e, err := New(Options[toyEvent]{
		Program: toy{}, Log: &waitLog{&recordsLog{recs: recs}, taken}, Results: recordedResults{r.results, r}, Shards: 2, BatchRecords: 4,
		Checkpoint: often(Checkpointing{
			Store: recordedStore{r.store, r}, OnTaken: func(Taken) { taken <- struct{}{} },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range r.done {
		m := newMachine()
		for _, f := range r.done[:n] {
			if err := f(m); err != nil {
				t.Fatal(err)
			}
		}
		e := m.engine(t, &process{}, &recordsLog{recs: recs}, Options[toyEvent]{
			Shards: 1 + n%3, End: EndIdle, Checkpoint: Checkpointing{OnFallback: func(err error) { t.Fatalf("after write %d: %v", n, err) }},
		})
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := sameOutputs(m.results.Outputs(), want); err != nil {
			t.Fatalf("after write %d of %d: %v", n, len(r.done), err)
		}
	}
	t.Logf("%d states", len(r.done))
}

// TestRestartAnywhereAndGoOn cuts a log of any kind anywhere, and goes on with
// other shards, batches and parts.
func TestRestartAnywhereAndGoOn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		recs := genRecords.Draw(rt, "log")
		want := model("toy", recs, EndIdle)
		m := newMachine()
		for from := 0; ; {
			to := rapid.IntRange(from, len(recs)).Draw(rt, "cut")
			end := EndOpen
			if to == len(recs) {
				end = EndIdle
			}
			// The log begins at or before the place where the state is.
			begin := rapid.IntRange(0, from).Draw(rt, "begin")
			e := m.engine(t, &process{}, &recordsLog{recs: recs[begin:to]}, Options[toyEvent]{
				Shards:       rapid.SampledFrom([]int{1, 2, 7, 16}).Draw(rt, "shards"),
				BatchRecords: rapid.SampledFrom([]int{1, 5, 1000}).Draw(rt, "batch"), End: end,
				Checkpoint: Checkpointing{OnFallback: func(err error) { rt.Fatal(err) }},
			})
			e.opts.Checkpoint.PartBytes = rapid.IntRange(1, 2000).Draw(rt, "part")
			if err := e.Run(t.Context()); err != nil {
				rt.Fatal(err)
			}
			if to == len(recs) {
				break
			}
			from = to
		}
		if err := sameOutputs(m.results.Outputs(), want); err != nil {
			rt.Fatal(err)
		}
	})
}
