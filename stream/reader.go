package stream

import "context"

// reader reads the log in a goroutine of its own, so that the engine can do
// something else while no record comes. It reads when it is asked, and what it
// gave is valid until then.
type reader struct {
	ask  chan struct{}
	got  chan read
	stop func() // waits until it has ended
}

type read struct {
	n   int
	err error
}

// startReader starts one, and has it read into e.recs once.
func (e *Engine[E]) startReader(ctx context.Context) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{ask: make(chan struct{}, 1), got: make(chan read, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range r.ask {
			n, err := e.opts.Log.Read(ctx, e.recs)
			r.got <- read{n, err}
		}
	}()
	r.stop = func() {
		cancel()
		close(r.ask)
		<-ended
	}
	r.ask <- struct{}{}
	return r
}
