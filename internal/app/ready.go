package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// askEnd is how long the log may take to say where it ends.
const askEnd = 2 * time.Second

// caughtUp remembers that the engine reached the end of the log once.
type caughtUp struct{ atomic.Bool }

// position is the offset of the last record applied; before the first it is
// before every record.
func (a *app) position() int64 {
	offset, ok := a.engine.Position()
	if !ok {
		return 0 // offsets begin at 1
	}
	return offset
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

// ready gives nil when a step that comes in now is judged now: the engine runs,
// its outputs reach the results log, and it has caught up since the start.
func (a *app) ready() error {
	if err := a.engine.Ready(); err != nil {
		return err
	}
	if a.caughtUp.Load() {
		return nil
	}
	lag, ok := a.lag()
	switch {
	case !ok:
		return fmt.Errorf("the log of steps does not answer")
	case lag > 0:
		return fmt.Errorf("catching up: %d records to go", lag)
	}
	a.caughtUp.Store(true)
	return nil
}
