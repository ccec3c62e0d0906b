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

// ready gives nil when this process owns the log, or its share of it, and its
// outputs reach the results log.
func (a *app) ready() error {
	if err := a.broker.standingBy(); err != nil {
		return err
	}
	return a.terms.ready()
}

// lag is how many records were not applied yet; false when the log does not
// say where it ends.
func (a *app) lag() (int64, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), askEnd)
	defer cancel()
	sum := int64(0)
	for _, t := range a.terms.all() {
		n, err := a.broker.lag(ctx, t)
		if err != nil {
			return 0, false
		}
		sum += n
	}
	return sum, true
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
