package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// change is a program that is to take over.
type change[E any] struct {
	program Program[E]
	ruleset string
	done    chan error
}

// Switch has another program go on from the next batch boundary, with the state
// as it is, while Run runs. It returns once the checkpoint with the new ruleset
// is current, which is what a restart begins with, and the new program has
// taken over; after an error the old one goes on. Before Run owns the partition
// there is nothing to change: it then begins with the new program. It may be
// called by any goroutine.
//
// Exact is that each record is judged under one ruleset, the same after any
// restart: up to the position of the change under the old one, from there on
// under the new one. Nothing is applied while the change is made, which takes
// as long as to encode, store and load the whole state. What the new program
// makes of the old one's state is LoadState's business.
//
// A restart whose ruleset differs from that of its checkpoint is such a change
// as well, at the checkpoint's position, which may be before records whose
// outputs are published. Those stand: what the new ruleset would make of these
// records is put out for none of them, not even where the old one put out
// nothing. It has seen them all the same, so a failure that it found open there
// may resolve later without ever having been published as open.
func (e *Engine[E]) Switch(ctx context.Context, p Program[E], ruleset string) error {
	if e.opts.Checkpoint.Store == nil {
		return errors.New("switch: Options.Checkpoint.Store is missing")
	}
	if e.beforeOwned(p, ruleset) {
		return nil
	}
	c := change[E]{program: p, ruleset: ruleset, done: make(chan error, 1)}
	select {
	case e.switches <- c:
	case <-e.ended:
		return errors.New("switch: engine has ended")
	case <-ctx.Done():
		return fmt.Errorf("switch: %w", context.Cause(ctx))
	}
	if err := <-c.done; err != nil {
		return fmt.Errorf("switch to ruleset %s: %w", ruleset, err)
	}
	return nil
}

// beforeOwned makes the change if Run does not own the partition yet.
func (e *Engine[E]) beforeOwned(p Program[E], ruleset string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.owned {
		return false
	}
	e.adoptProgram(p, newShards(p, len(e.shards)), ruleset)
	return true
}

func (e *Engine[E]) adoptProgram(p Program[E], shards []Shard[E], ruleset string) {
	e.shards, e.opts.Program, e.ck.ruleset = shards, p, ruleset
	for _, w := range e.workers {
		w.decoder.Reset()
		w.decoder = p.NewDecoder()
	}
}

// change makes the change between two batches.
func (e *Engine[E]) change(ctx context.Context, c change[E]) error {
	shards := newShards(c.program, len(e.shards))
	failed, err := e.takeNow(ctx, taking{
		ruleset: c.ruleset, sure: true,
		each: func(part []byte) error { return e.loadPart(part, shards) },
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := e.step(StepSwitch); err != nil {
		return err
	}
	e.adoptProgram(c.program, shards, c.ruleset)
	return nil
}

// begin leaves a checkpoint where the state has none under its ruleset, so that
// a restart begins with the same one, and makes the advances again that belong
// to the position.
func (e *Engine[E]) begin(ctx context.Context, fresh bool) error {
	if e.opts.Checkpoint.Store == nil {
		return nil
	}
	if err := e.step(StepBegin); err != nil {
		return err
	}
	e.ck.since = time.Now()
	if fresh {
		failed, err := e.takeNow(ctx, taking{ruleset: e.ck.ruleset, sure: true, patient: true})
		if err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("first checkpoint of %s/%d under ruleset %q: %w", e.source, e.part, e.ck.ruleset, failed)
		}
	}
	return e.advanceAgain(ctx, e.last)
}
