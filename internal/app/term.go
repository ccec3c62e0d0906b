package app

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/stream"
)

// own is what a term is made of: a log that begins where the engine seeks to,
// and what is written there.
type own struct {
	log         stream.Log
	results     stream.Results
	checkpoints stream.Checkpoints // nil: none are kept
	ownership   stream.Ownership
	shards      int
	close       func() // ends all of it
}

// begin makes a term of what it needs, and closes that after an error.
func (a *app) begin(o own) (*term, error) {
	t := &term{partition: o.log.Partition(), shards: o.shards, log: newDrained(o.log), close: o.close}
	a.beginning.Lock()
	defer a.beginning.Unlock()
	rules := a.rules.get()
	t.program = a.newProgram(rules, o.log.Source(), o.log.Partition(), o.shards)
	var err error
	t.engine, err = stream.New(stream.Options[event.Step]{
		Program: t.program, Log: t.log, Results: o.results, Ownership: announced{o.ownership, a.opts.Log},
		Shards: o.shards, Tap: func(outs []stream.Output) { a.followers.write(outs) },
		Checkpoint: checkpointing(a.opts.Log.With().Str("source", o.log.Source()).Int32("partition", o.log.Partition()).Logger(), &a.opts.Config.Checkpoint, o.checkpoints, rules.Hash()),
	})
	if err != nil {
		t.close()
		return nil, err
	}
	a.terms.next(t)
	a.readiness.caughtUp.Store(false)
	return t, nil
}

func (a *app) newProgram(rules *detectors.Ruleset, source string, partition int32, shards int) *detect.Program {
	p := detect.NewProgram(rules, source, partition)
	p.Bound(a.opts.Config.Memory/a.shares.Load(), shards)
	return p
}

// share has so many partitions share the memory from here on.
func (a *app) share(partitions int) {
	a.shares.Store(int64(max(partitions, 1)))
	for _, t := range a.terms.all() {
		a.terms.bound(t, a.opts.Config.Memory/a.shares.Load())
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
