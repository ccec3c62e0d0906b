package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// askEnd is how long the log may take to say where it ends.
const askEnd = 2 * time.Second

// position is the offset of the last record applied; before the first it is
// before every record.
func (a *app) position() int64 {
	offset, ok := a.terms.get().engine.Position()
	if !ok {
		return 0 // offsets begin at 1
	}
	return offset
}

// ready gives nil when this process owns the log and its outputs reach the
// results log.
func (a *app) ready() error {
	if err := a.standingBy(); err != nil {
		return err
	}
	return a.terms.get().engine.Ready()
}

// lag is how many records were not applied yet; false when the log does not
// say where it ends.
func (a *app) lag() (int64, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), askEnd)
	defer cancel()
	// The position first: it grows, and a lag is never negative.
	position := a.position()
	end, err := a.broker.end(ctx)
	if err != nil {
		return 0, false
	}
	return max(end-position, 0), true
}

// readiness says whether a step that comes in now is judged now.
type readiness struct {
	engine   func() error
	degraded func() error // why steps are refused; nil: they never are
	lag      func() (int64, bool)
	caughtUp atomic.Bool // the engine reached the end of the log once
}

// check gives nil when the engine runs, its outputs reach the results log, and
// it has caught up since the start.
func (r *readiness) check() error {
	if err := r.engine(); err != nil {
		return err
	}
	if r.degraded != nil {
		if err := r.degraded(); err != nil {
			return fmt.Errorf("steps are refused: %w", err)
		}
	}
	if r.caughtUp.Load() {
		return nil
	}
	lag, ok := r.lag()
	switch {
	case !ok:
		return errors.New("the log of steps does not answer")
	case lag > 0:
		return fmt.Errorf("catching up: %d records to go", lag)
	}
	r.caughtUp.Store(true)
	return nil
}
