package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// checkpointer is what the engine's own goroutine knows of checkpoints.
type checkpointer struct {
	ruleset string
	owner   string // makes the ids of this run like no other's
	taken   int

	dirty  bool          // something was applied since the last freeze
	work   time.Duration // spent on that
	recent time.Duration // of it, since lately was asked
	cost   time.Duration // of the last encoding
	since  time.Time     // of the last freeze
	hold   time.Time     // after a failure: when to try again
	now    *snapshot     // nil: none is under way
}

// applied notes what was spent on applying records.
func (c *checkpointer) applied(busy time.Duration) {
	c.dirty = true
	c.work += busy
	c.recent += busy
}

// lately gives what was applied since it was asked last.
func (c *checkpointer) lately() time.Duration {
	d := c.recent
	c.recent = 0
	return d
}

// taking says how a checkpoint is taken.
type taking struct {
	ruleset string                  // in force from it on
	each    func(part []byte) error // is given each part before it is written; may be nil
	sure    bool                    // the swing goes on until its outcome is known
	patient bool                    // and so does all before it
}

// snapshot is one checkpoint on its way from the shards to the store. The
// engine's goroutine encodes, a writer writes.
type snapshot struct {
	taking
	m      manifest
	after  int64 // outputs that must be durable first
	began  time.Time
	unread []bool // by shard: not all is encoded
	left   int    // of those
	cost   time.Duration

	parts  chan []byte   // closed when all are in it
	room   chan struct{} // a part was taken
	quit   chan struct{} // closed when the engine gives it up, for the reason
	reason error
	done   chan struct{} // closed when it is current, or will never be
	err    error         // why it will never be; set before done is closed
}

// partsAhead is how many parts of each shard may wait for the store.
const partsAhead = 2

var errGivenUp = errors.New("checkpoint was given up")

// always is ready.
var always = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// turn is ready when there is something to do for the checkpoint under way.
func (c *checkpointer) turn() <-chan struct{} {
	s := c.now
	switch {
	case s == nil:
		return nil
	case s.left == 0:
		return s.done
	case s.full():
		return s.room
	}
	return always
}

// full says that the writer is behind.
func (s *snapshot) full() bool { return cap(s.parts)-len(s.parts) < s.left }

// step ends the run as a crash would, where a test wants it.
func (e *Engine[E]) step(s Step) error {
	if e.opts.Checkpoint.At == nil {
		return nil
	}
	if err := e.opts.Checkpoint.At(s); err != nil {
		e.cancel(err)
		return err
	}
	return nil
}

// due says whether a checkpoint is to be taken now.
func (e *Engine[E]) due() bool {
	c, o := &e.ck, &e.opts.Checkpoint
	if o.Store == nil || !c.dirty || c.now != nil || time.Now().Before(c.hold) {
		return false
	}
	if int(e.counters.advances.Load()) >= maxAdvances {
		return true
	}
	spacing := time.Duration(max(o.Spacing, 0)) * c.cost
	return c.work >= max(o.Work, spacing) || time.Since(c.since) >= max(o.Every, spacing)
}

// checkpoint does what is due for checkpoints between two batches. It encodes
// for half the time that was spent on the batch, one part of each shard at
// least: so that the events that come meanwhile wait for little, and the
// snapshot ends before Step has had to encode much of it.
func (e *Engine[E]) checkpoint(lately time.Duration) error {
	e.settle()
	if e.due() {
		if err := e.freeze(taking{ruleset: e.ck.ruleset}); err != nil {
			return err
		}
	}
	s := e.ck.now
	if s == nil {
		return nil
	}
	for began := time.Now(); e.ck.now == s && s.left > 0 && !s.full(); {
		e.encode(s)
		if time.Since(began) >= lately/2 {
			break
		}
	}
	return nil
}

// settle forgets the checkpoint under way if it is done.
func (e *Engine[E]) settle() {
	s := e.ck.now
	if s == nil {
		return
	}
	select {
	case <-s.done:
	default:
		return
	}
	if s.left > 0 {
		e.thaw()
	}
	e.forget(s)
}

// failedWait is how long the store is left alone after it failed.
const failedWait = time.Second

// forget ends the turn of a checkpoint that is done.
func (e *Engine[E]) forget(s *snapshot) {
	e.ck.now = nil
	if s.err == nil {
		return
	}
	e.ck.dirty = true
	if !errors.Is(s.err, errGivenUp) {
		e.ck.hold = time.Now().Add(failedWait)
	}
}

func (e *Engine[E]) thaw() {
	for _, sh := range e.shards {
		sh.Thaw()
	}
}

// giveUp ends the checkpoint under way.
func (e *Engine[E]) giveUp() { e.abandon(errGivenUp) }

// abandon ends the checkpoint under way for a reason, and waits until it has
// ended; by then it may have become current.
func (e *Engine[E]) abandon(reason error) {
	s := e.ck.now
	if s == nil {
		return
	}
	s.reason = reason
	close(s.quit)
	if s.left > 0 {
		e.thaw()
	}
	<-s.done
	e.forget(s)
}

// freeze begins a checkpoint of the state as it is now, with all outputs handed
// over.
func (e *Engine[E]) freeze(how taking) error {
	if err := e.step(StepFreeze); err != nil {
		return err
	}
	c := &e.ck
	c.taken++
	s := &snapshot{
		m: manifest{
			Version: formatVersion, ID: fmt.Sprintf("%s-%d", c.owner, c.taken),
			Source: []byte(e.source), Partition: e.part,
			Applied: e.hasLast, Offset: e.last, Next: e.next, Clock: e.clock,
			Ruleset: []byte(how.ruleset), Quiet: e.quiet, Shards: len(e.shards), Log: e.identity(),
		},
		after: e.flush.added(), began: time.Now(), unread: make([]bool, len(e.shards)), left: len(e.shards),
		parts: make(chan []byte, partsAhead*len(e.shards)), room: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}), taking: how,
	}
	for i := range s.unread {
		s.unread[i] = true
	}
	e.onWorkers(func(i int) { e.shards[i].Freeze() })
	s.cost = time.Since(s.began)
	c.dirty, c.work, c.since, c.now = false, 0, s.began, s
	e.writers.Go(func() { e.write(s) })
	return nil
}

// encode takes the next part of each shard. It is called when the writer has
// room for them.
func (e *Engine[E]) encode(s *snapshot) {
	type result struct {
		part []byte
		done bool
		err  error
		cost time.Duration
	}
	results, most := make([]result, len(e.shards)), e.opts.Checkpoint.PartBytes
	e.onWorkers(func(i int) {
		if !s.unread[i] {
			return
		}
		began := time.Now()
		r := &results[i]
		r.part, r.done, r.err = e.shards[i].AppendFrozen(make([]byte, 0, most+most/8), most)
		r.cost = time.Since(began)
	})
	for i, r := range results {
		s.cost += r.cost
		if r.err == nil && len(r.part) > 0 && s.each != nil {
			r.err = s.each(r.part)
		}
		if r.err != nil {
			e.abandon(fmt.Errorf("shard %d of %d: %w", i, len(e.shards), r.err))
			return
		}
		if len(r.part) > 0 {
			s.parts <- r.part
		}
		if r.done {
			s.unread[i] = false
			s.left--
		}
	}
	if s.left == 0 {
		e.ck.cost = s.cost
		e.counters.checkpointCost.Add(int64(s.cost))
		close(s.parts)
	}
}

// takeNow takes a checkpoint while nothing else is done, and waits until it is
// current. failed says why it is not; err ends the run.
func (e *Engine[E]) takeNow(ctx context.Context, how taking) (failed, err error) {
	e.giveUp()
	if err := e.freeze(how); err != nil {
		return nil, err
	}
	s := e.ck.now
	for s.left > 0 {
		if !s.full() {
			if e.encode(s); e.ck.now == nil {
				return s.err, nil
			}
			continue
		}
		select {
		case <-s.room:
		case <-s.done:
			return e.outcome(s)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	select {
	case <-s.done:
		return e.outcome(s)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// outcome tells what became of a checkpoint that is done.
func (e *Engine[E]) outcome(s *snapshot) (failed, err error) {
	e.settle()
	if errors.Is(s.err, ErrFenced) {
		return nil, fmt.Errorf("%s/%d: %w", e.source, e.part, s.err)
	}
	return s.err, nil
}

// lastCheckpoint leaves a checkpoint of the present state when the log has
// ended.
func (e *Engine[E]) lastCheckpoint(ctx context.Context) error {
	if e.opts.Checkpoint.Store == nil {
		return nil
	}
	if s := e.ck.now; s != nil && !e.ck.dirty {
		for s.left > 0 || !isDone(s) {
			if err := e.checkpoint(0); err != nil {
				return err
			}
			if e.ck.now == nil {
				break
			}
			select {
			case <-e.ck.turn():
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		e.settle()
		if s.err == nil {
			return nil
		}
		e.ck.dirty = true
	}
	if !e.ck.dirty {
		return nil
	}
	_, err := e.takeNow(ctx, taking{ruleset: e.ck.ruleset}) // whoever wants to know is told why it failed
	return err
}

// Checkpoint takes a checkpoint now, if anything was applied since the last one,
// and returns when it is current or has failed, which whoever OnTaken tells
// knows. It may be called by any goroutine while Run runs; it waits until Run
// has restored the state.
func (e *Engine[E]) Checkpoint(ctx context.Context) error {
	if e.opts.Checkpoint.Store == nil {
		return errors.New("checkpoint: Options.Checkpoint.Store is missing")
	}
	done := make(chan error, 1)
	select {
	case e.demands <- done:
	case <-e.ended:
		return errors.New("checkpoint: engine has ended")
	case <-ctx.Done():
		return fmt.Errorf("checkpoint: %w", context.Cause(ctx))
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("checkpoint: %w", context.Cause(ctx))
	}
}

func isDone(s *snapshot) bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
