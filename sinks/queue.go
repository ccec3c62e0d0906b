package sinks

import (
	"context"
	"sync"
	"sync/atomic"
)

// Queue stands between the engine and a sink that may be slow: its Write never
// blocks. What does not fit is skipped and counted; it is in the primary log.
type Queue struct {
	sink    Sink
	failed  func(error)
	records chan Record
	ctx     context.Context // of the sink's Write, ends when Close gives up
	cancel  context.CancelFunc
	done    chan struct{}
	once    sync.Once
	closed  atomic.Bool
	skipped atomic.Int64
	err     error // of the sink's Close, set before done is closed
}

// NewQueue starts a goroutine that hands records to sink, up to size of them
// waiting; Close ends it. failed is told, from that goroutine, of each error of
// the sink's Write, whose records are not tried again.
func NewQueue(sink Sink, size int, failed func(error)) *Queue {
	q := &Queue{
		sink: sink, failed: failed,
		records: make(chan Record, max(size, 1)),
		done:    make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

// Name is the sink's.
func (q *Queue) Name() string { return q.sink.Name() }

// Skipped is how many records did not fit. It may be called by any goroutine.
func (q *Queue) Skipped() int64 { return q.skipped.Load() }

// Write hands over what fits and skips the rest.
func (q *Queue) Write(ctx context.Context, records []Record) error {
	if q.closed.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, r := range records {
		select {
		case q.records <- r:
		default:
			q.skipped.Add(int64(len(records) - i))
			return nil
		}
	}
	return nil
}

// Close waits until the sink took what was waiting, and closes it.
func (q *Queue) Close() error {
	return q.CloseWithin(context.Background())
}

// CloseWithin is Close, but gives up on a sink that has not finished when ctx
// ends, with ctx's error.
func (q *Queue) CloseWithin(ctx context.Context) error {
	q.once.Do(func() {
		q.closed.Store(true)
		close(q.records)
	})
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		q.cancel()
		return ctx.Err()
	}
}

func (q *Queue) run() {
	defer close(q.done)
	defer q.cancel()
	batch := make([]Record, 0, 64)
	for r := range q.records {
		batch = append(batch[:0], r)
	more:
		for len(batch) < cap(batch) {
			select {
			case r, ok := <-q.records:
				if !ok {
					break more
				}
				batch = append(batch, r)
			default:
				break more
			}
		}
		if err := q.sink.Write(q.ctx, batch); err != nil && q.failed != nil {
			q.failed(err)
		}
		clear(batch)
	}
	q.err = q.sink.Close()
}
