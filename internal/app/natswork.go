package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"misstep/stream"
)

// first begins to wait for the log of steps.
func (b *broker) first(ctx context.Context, a *app) (err error) {
	b.term, err = b.begin(ctx, a)
	return err
}

// begin makes the next term.
func (b *broker) begin(ctx context.Context, a *app) (*term, error) {
	log, err := b.openLog(ctx)
	if err != nil {
		return nil, err
	}
	results, checkpoints, err := b.newOwner()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return a.begin(own{
		log: log, results: results, checkpoints: checkpoints, ownership: b.ownership, shards: a.opts.Config.Shards,
		close: func() { _ = log.Close() }, // gives nil
	})
}

// work runs one term after the other until ctx ends, or something other than
// the loss of the ownership ends one.
func (b *broker) work(ctx context.Context, a *app) error {
	t := b.term
	for {
		err := t.engine.Run(ctx)
		t.close()
		lost, fenced := errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFenced)
		if ctx.Err() != nil || b.leases == nil || !lost && !fenced {
			return err
		}
		a.opts.Log.Warn().Err(err).Msg("standing by from now on")
		if fenced {
			// Somebody writes who did not ask for the lease, or did and is about
			// to learn that it is lost: no race with it.
			if err := pause(ctx, b.config.Lease); err != nil {
				return err
			}
		}
		for wait := retryTerm; ; wait = min(2*wait, maxRetryTerm) {
			if t, err = b.begin(ctx, a); err == nil {
				break
			}
			a.opts.Log.Warn().Err(err).Msg("cannot stand by; trying again")
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
	}
}

// standingBy says for whom this process waits, nil when it does not.
func (b *broker) standingBy() error {
	if b.leases == nil {
		return nil
	}
	if holder, ok := b.leases.Standing(); ok {
		return fmt.Errorf("standing by: owned by %s", holder)
	}
	return nil
}

// lag is how many records were not applied yet.
func (b *broker) lag(ctx context.Context, t *term) (int64, error) {
	// The position first: it grows, and a lag is never negative.
	position, ok := t.engine.Position()
	if !ok {
		position = 0 // offsets begin at 1
	}
	end, err := b.end(ctx)
	return max(end-position, 0), err
}

// drain lets the engine apply all that is in the log, and waits for that.
func (b *broker) drain(ctx context.Context, a *app, ended chan error) error {
	if b.standingBy() != nil {
		return nil // nothing was taken in here
	}
	end, err := b.end(ctx)
	if err != nil {
		return err
	}
	for _, t := range a.terms.all() {
		t.log.endAt(end)
	}
	select {
	case err := <-ended:
		ended <- err
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *broker) keyed() bool { return false }

func (b *broker) register(r prometheus.Registerer) error { return b.gaps.register(r) }

func (b *broker) where(r *Running) {
	r.NATS, r.Stream, r.subject = b.url(), b.config.Stream, b.config.PublishSubject
	if b.server != nil {
		r.Data = b.data
	}
}
