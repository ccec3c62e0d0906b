package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// What may wait for the primary before the engine does.
	maxPendingOutputs = 8192
	maxPendingBytes   = 16 << 20

	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

var errNotOpen = errors.New("last published origin is not known yet")

// flusher takes outputs to the primary in the background, all that came while
// the one before was under way in one Append: so the cost of an Append shows in
// latency, not in throughput.
type flusher struct {
	results  Results
	tap      func([]Output)
	source   string
	part     int32
	counters *counters
	lost     <-chan struct{} // nil: never
	cancel   context.CancelCauseFunc

	store Checkpoints // nil: none
	head  head        // what store holds; the flusher's own after open
	step  func(Step) error

	last published // what the primary holds; the flusher's own after open

	mu       sync.Mutex
	pending  []Output
	bytes    int
	taken    int   // outputs that are being published
	passed   int64 // outputs published since the start
	actions  []action
	draining bool
	err      error // why outputs do not reach the primary now

	wake   chan struct{} // something is pending, or draining
	space  chan struct{} // pending was taken
	done   chan struct{} // run has returned
	failed error         // why it gave up, set before done is closed
}

// action is done by the flusher when the outputs before it are published, and
// before any later one is. Its error is final.
type action struct {
	after int64 // outputs since the start
	do    func(ctx context.Context) error
}

func newFlusher(r Results, tap func([]Output), source string, part int32, c *counters) *flusher {
	return &flusher{
		results: r, tap: tap, source: source, part: part, counters: c, err: errNotOpen,
		wake: make(chan struct{}, 1), space: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// open takes the partition over and learns what the primary holds.
func (f *flusher) open(ctx context.Context) error {
	wait := firstBackoff
	for {
		err := f.tryOpen(ctx)
		if err == nil || errors.Is(err, ErrFenced) || ctx.Err() != nil {
			f.setErr(err)
			return err
		}
		f.setErr(err)
		if err := sleep(ctx, &wait); err != nil {
			return err
		}
	}
}

func (f *flusher) tryOpen(ctx context.Context) error {
	if fr, ok := f.results.(Fencer); ok {
		if err := fr.Fence(ctx, f.source, f.part); err != nil {
			return fmt.Errorf("take over %s/%d: %w", f.source, f.part, err)
		}
	}
	if fr, ok := f.store.(Fencer); ok {
		if err := fr.Fence(ctx, f.source, f.part); err != nil {
			return fmt.Errorf("take over the checkpoints of %s/%d: %w", f.source, f.part, err)
		}
	}
	return f.readLast(ctx)
}

func (f *flusher) readLast(ctx context.Context) error {
	var now published
	var err error
	if p, is := f.results.(Parallel); is {
		now.parallel = true
		now.by, err = p.LastOf(ctx, f.source, f.part)
		for _, o := range now.by {
			if !now.any || o.Compare(now.Origin) > 0 {
				now.Origin, now.any = o, true
			}
		}
	} else {
		now.Origin, now.any, err = f.results.Last(ctx, f.source, f.part)
	}
	if err != nil {
		return fmt.Errorf("last published origin of %s/%d: %w", f.source, f.part, err)
	}
	f.last = now
	return nil
}

// add queues outs; it blocks while too much is queued, and gives an error only
// when nothing is taken any more.
func (f *flusher) add(ctx context.Context, outs []Output) error {
	f.mu.Lock()
	f.pending = append(f.pending, outs...)
	for i := range outs {
		f.bytes += len(outs[i].Value)
	}
	f.mu.Unlock()
	signal(f.wake)
	for {
		f.mu.Lock()
		full := len(f.pending) > maxPendingOutputs || f.bytes > maxPendingBytes
		f.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-f.space:
		case <-f.done:
			return context.Cause(ctx)
		}
	}
}

// drain lets run return once nothing is pending, and waits for that.
func (f *flusher) drain() {
	f.mu.Lock()
	f.draining = true
	f.mu.Unlock()
	signal(f.wake)
	<-f.done
}

// pendingLen gives how many outputs were added and have not been published.
func (f *flusher) pendingLen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending) + f.taken
}

func (f *flusher) health() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *flusher) setErr(err error) {
	f.mu.Lock()
	f.err = err
	f.mu.Unlock()
}

// at has something done once all outputs that were added so far, after of them,
// are published, and before any that is added later.
func (f *flusher) at(after int64, do func(ctx context.Context) error) {
	f.mu.Lock()
	f.actions = append(f.actions, action{after, do})
	f.mu.Unlock()
	signal(f.wake)
}

// added gives how many outputs were added since the start.
func (f *flusher) added() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed + int64(f.taken+len(f.pending))
}

// take gives what is to be done next, the earliest action that is due or the
// outputs up to the next one.
func (f *flusher) take(spare []Output) (do func(context.Context) error, outs []Output, draining bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.pending)
	for i, a := range f.actions {
		if a.after <= f.passed {
			f.actions = append(f.actions[:i:i], f.actions[i+1:]...)
			return a.do, nil, false
		}
		n = min(n, int(a.after-f.passed))
	}
	outs = f.pending[:n:n]
	f.pending = append(spare[:0], f.pending[n:]...)
	f.taken = n
	for i := range outs {
		f.bytes -= len(outs[i].Value)
	}
	return nil, outs, f.draining
}

// run publishes until it is drained or cannot go on; then it ends ctx, so that
// whoever produces outputs ends as well.
func (f *flusher) run(ctx context.Context) {
	defer close(f.done)
	fail := func(err error) {
		f.failed = err
		f.setErr(err)
		f.cancel(err)
	}
	var spare []Output
	for {
		do, outs, draining := f.take(spare)
		if do != nil {
			if err := do(ctx); err != nil {
				fail(err)
				return
			}
			continue
		}
		signal(f.space)
		spare = outs[:0]
		if len(outs) == 0 {
			if draining {
				return
			}
			select {
			case <-f.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		if err := f.publish(ctx, outs); err != nil {
			fail(err)
			return
		}
		clear(outs)
		f.mu.Lock()
		f.passed, f.taken = f.passed+int64(f.taken), 0
		f.mu.Unlock()
	}
}

// swing makes another head durable. It is called by an action. Unless it
// persists, it gives up after an error that is not final, and tells it in
// failed: the head that is kept is as good then, whichever the store holds.
func (f *flusher) swing(ctx context.Context, next head, persist bool) (failed, final error) {
	b, err := seal(&next)
	if err != nil {
		return err, nil
	}
	wait := firstBackoff
	for {
		select {
		case <-f.lost:
			return nil, fmt.Errorf("%s/%d: %w", f.source, f.part, ErrLost)
		default:
		}
		err := f.store.Swing(ctx, f.source, f.part, b)
		switch {
		case err == nil:
			f.head = next
			f.counters.advances.Store(next.pending())
			f.setErr(nil)
			return nil, nil
		case errors.Is(err, ErrFenced):
			return nil, fmt.Errorf("%s/%d: %w", f.source, f.part, err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !persist:
			return err, nil
		}
		f.setErr(err)
		if err := sleep(ctx, &wait); err != nil {
			return nil, err
		}
	}
}

// publish makes outs durable, whatever it takes. Its error is final.
func (f *flusher) publish(ctx context.Context, outs []Output) error {
	wait := firstBackoff
	for {
		select {
		case <-f.lost:
			return fmt.Errorf("%s/%d: %w", f.source, f.part, ErrLost)
		default:
		}
		err := f.results.Append(ctx, outs)
		if err == nil {
			f.took(outs)
			f.setErr(nil)
			f.counters.appends.Add(1)
			return nil
		}
		if errors.Is(err, ErrFenced) {
			return fmt.Errorf("%s/%d: %w", f.source, f.part, err)
		}
		f.counters.appendFails.Add(1)
		for ; err != nil; err = f.readLast(ctx) {
			if errors.Is(err, ErrFenced) {
				return fmt.Errorf("%s/%d: %w", f.source, f.part, err)
			}
			f.setErr(err)
			if err := sleep(ctx, &wait); err != nil {
				return err
			}
		}
		var there []Output
		there, outs = f.last.split(outs)
		f.took(there)
		if len(outs) == 0 {
			f.setErr(nil)
			return nil
		}
	}
}

// took hands on what the primary holds now.
func (f *flusher) took(outs []Output) {
	if len(outs) == 0 {
		return
	}
	f.counters.outputs.Add(int64(len(outs)))
	if f.tap != nil {
		f.tap(outs)
	}
}

// sleep waits, and doubles what is waited the next time. Its error is ctx's
// cause.
func sleep(ctx context.Context, wait *time.Duration) error {
	t := time.NewTimer(*wait)
	defer t.Stop()
	*wait = min(2*(*wait), maxBackoff)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
