package app

import (
	"context"
	"io"
	"sync"

	"misstep/stream"
)

// drained is a log that can be told where to end. The engine then ends as at
// the end of a file: with every output of what it read in the results log. It
// can also be held, so that nothing more is read for a while.
type drained struct {
	stream.Log
	told context.Context // ends when end is set
	tell context.CancelFunc
	end  int64 // last offset to read
	last int64 // read so far

	mu   sync.Mutex
	held chan struct{} // closed when it is let go; nil: it is not held
	stop context.CancelFunc
}

func newDrained(l stream.Log) *drained {
	told, tell := context.WithCancel(context.Background())
	return &drained{Log: l, told: told, tell: tell}
}

// endAt has Read give io.EOF after the record at an offset. It is called once.
func (d *drained) endAt(offset int64) {
	d.end = offset
	d.tell()
}

// hold keeps Read from reading more, until letGo.
func (d *drained) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == nil {
		d.held = make(chan struct{})
	}
	if d.stop != nil {
		d.stop()
	}
}

func (d *drained) letGo() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held != nil {
		close(d.held)
		d.held = nil
	}
}

// begin gives a context for one read, or what to wait for before it.
func (d *drained) begin(ctx context.Context) (until context.Context, held chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held != nil {
		return nil, d.held
	}
	until, d.stop = context.WithCancel(ctx)
	return until, nil
}

// Read implements stream.Log.
func (d *drained) Read(ctx context.Context, dst []stream.Record) (int, error) {
	for d.told.Err() == nil {
		until, held := d.begin(ctx)
		if held != nil {
			select {
			case <-held:
			case <-d.told.Done():
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			continue
		}
		unhook := context.AfterFunc(d.told, d.stop)
		n, err := d.read(until, dst)
		unhook()
		stopped := until.Err() != nil
		d.stop()
		if n > 0 || ctx.Err() != nil || !stopped {
			return n, err
		}
	}
	if d.last >= d.end {
		return 0, io.EOF
	}
	return d.read(ctx, dst)
}

func (d *drained) read(ctx context.Context, dst []stream.Record) (int, error) {
	n, err := d.Log.Read(ctx, dst)
	if n > 0 {
		d.last = dst[n-1].Offset
	}
	return n, err
}

// Seek implements stream.Seeker.
func (d *drained) Seek(ctx context.Context, after, known int64) error {
	s, ok := d.Log.(stream.Seeker)
	if !ok {
		return nil // the engine passes over what it has applied
	}
	if err := s.Seek(ctx, after, known); err != nil {
		return err
	}
	d.last = after // nothing up to there is read again
	return nil
}

// Idle implements stream.Idler.
func (d *drained) Idle(ctx context.Context, after int64) (now int64, ok bool, err error) {
	d.mu.Lock()
	held := d.held != nil
	d.mu.Unlock()
	if held {
		return 0, false, nil
	}
	if l, is := d.Log.(stream.Idler); is {
		return l.Idle(ctx, after)
	}
	return 0, false, nil
}

// Identity implements stream.Identified.
func (d *drained) Identity() string {
	if l, ok := d.Log.(stream.Identified); ok {
		return l.Identity()
	}
	return ""
}
