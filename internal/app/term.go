package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/stream"
)

// term is the time from one wish to own the log of steps to the loss of it. A
// state that was lost is not gone on with: each term has an engine of its own.
type term struct {
	log     *drained
	program *detect.Program
	engine  *stream.Engine[event.Step]
	close   func()
}

// terms are one after the other.
type terms struct {
	mu      sync.Mutex
	current *term
	engine  stream.Stats     // of the terms before
	program detectors.Counts // likewise
}

func (t *terms) get() *term {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// next begins a term, and keeps what the one before counted.
func (t *terms) next(n *term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.engine = together(t.engine, t.current.engine.Stats())
		t.keep(t.current.program)
	}
	t.current = n
}

// keep adds what a program counted that is no more.
func (t *terms) keep(p *detect.Program) {
	t.program.Add(p.Stats())
	t.program.Live, t.program.Ended, t.program.Bytes = 0, 0, 0 // of what is there no more
}

// replace has another program count for a term from here on.
func (t *terms) replace(of *term, p *detect.Program) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(of.program)
	of.program = p
}

// stats are those of all terms: a counter never goes back.
func (t *terms) stats() stream.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return together(t.engine, t.current.engine.Stats())
}

func (t *terms) counts() detectors.Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.program
	sum.Add(t.current.program.Stats())
	return sum
}

// together adds up what two engines counted; the position is the later one's.
func together(before, now stream.Stats) stream.Stats {
	now.Records += before.Records
	now.Skipped += before.Skipped
	now.Events += before.Events
	now.Outputs += before.Outputs
	now.Suppressed += before.Suppressed
	now.Regressions += before.Regressions
	now.Appends += before.Appends
	now.AppendFails += before.AppendFails
	now.Checkpoints += before.Checkpoints
	now.CheckpointFails += before.CheckpointFails
	now.CheckpointCost += before.CheckpointCost
	now.Fallbacks += before.Fallbacks
	now.Advances += before.Advances
	return now
}

// begin makes what a term needs.
func (a *app) begin(ctx context.Context) error {
	log, err := a.broker.openLog(ctx)
	if err != nil {
		return err
	}
	t := &term{log: newDrained(log), close: func() { _ = log.Close() }} // gives nil
	a.beginning.Lock()
	defer a.beginning.Unlock()
	rules := a.rules.get()
	t.program = a.newProgram(rules, log.Source(), log.Partition())
	results, checkpoints, err := a.broker.newOwner()
	if err != nil {
		t.close()
		return err
	}
	t.engine, err = stream.New(stream.Options[event.Step]{
		Program: t.program, Log: t.log, Results: results, Ownership: announced{a.broker.ownership, a.opts.Log},
		Shards: a.opts.Config.Shards, Tap: func(outs []stream.Output) { a.followers.write(outs) },
		Checkpoint: checkpointing(a.opts.Log.With().Str("source", log.Source()).Int32("partition", log.Partition()).Logger(), &a.opts.Config.Checkpoint, checkpoints, rules.Hash()),
	})
	if err != nil {
		t.close()
		return err
	}
	a.terms.next(t)
	a.readiness.caughtUp.Store(false)
	return nil
}

func (a *app) newProgram(rules *detectors.Ruleset, source string, partition int32) *detect.Program {
	p := detect.NewProgram(rules, source, partition)
	p.Bound(a.opts.Config.Memory, a.opts.Config.Shards)
	return p
}

// work runs one term after the other until ctx ends, or something other than
// the loss of the ownership ends one.
func (a *app) work(ctx context.Context) error {
	for {
		t := a.terms.get()
		err := t.engine.Run(ctx)
		t.close()
		lost, fenced := errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFenced)
		if ctx.Err() != nil || a.broker.leases == nil || !lost && !fenced {
			return err
		}
		a.opts.Log.Warn().Err(err).Msg("standing by from now on")
		if fenced {
			// Somebody writes who did not ask for the lease, or did and is about
			// to learn that it is lost: no race with it.
			if err := pause(ctx, a.opts.Config.NATS.Lease); err != nil {
				return err
			}
		}
		for wait := retryTerm; ; wait = min(2*wait, maxRetryTerm) {
			if err = a.begin(ctx); err == nil {
				break
			}
			a.opts.Log.Warn().Err(err).Msg("cannot stand by; trying again")
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
	}
}

const (
	retryTerm    = 250 * time.Millisecond
	maxRetryTerm = 10 * time.Second
)

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// announced logs when a partition is owned.
type announced struct {
	stream.Ownership
	log zerolog.Logger
}

// Acquire implements stream.Ownership.
func (a announced) Acquire(ctx context.Context, source string, partition int32) (stream.Claim, error) {
	c, err := a.Ownership.Acquire(ctx, source, partition)
	if err == nil {
		a.log.Info().Str("source", source).Int32("partition", partition).Msg("owns the log of steps")
	}
	return c, err
}

// standingBy says for whom this process waits, nil when it does not.
func (a *app) standingBy() error {
	if a.broker.leases == nil {
		return nil
	}
	if holder, ok := a.broker.leases.Standing(); ok {
		return fmt.Errorf("standing by: owned by %s", holder)
	}
	return nil
}
