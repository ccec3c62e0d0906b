package stream

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
)

// MemoryLog is a log in memory. Its methods may be called by any goroutine.
type MemoryLog struct {
	source string
	part   int32

	mu     sync.Mutex
	recs   []Record
	ended  bool
	now    int64         // present time, NoTime when there is none
	change chan struct{} // closed and replaced when something is appended
}

// NewMemoryLog makes an empty log; offsets begin at 0.
func NewMemoryLog(source string, partition int32) *MemoryLog {
	return &MemoryLog{source: source, part: partition, now: NoTime, change: make(chan struct{})}
}

// Append adds a record with the given log time, NoTime for none, and gives its
// offset. It copies value.
func (l *MemoryLog) Append(time int64, value []byte) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset := int64(len(l.recs))
	l.recs = append(l.recs, Record{Offset: offset, Time: time, Value: slices.Clone(value)})
	l.changed()
	return offset
}

// End says that no record will follow.
func (l *MemoryLog) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.changed()
}

// SetNow sets the log's present time, by which time passes while nothing is
// appended. Without it the log has none.
func (l *MemoryLog) SetNow(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = now
}

func (l *MemoryLog) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

// Open gives a reader that begins with the record at offset from.
func (l *MemoryLog) Open(from int64) Log {
	return &memoryReader{log: l, next: int(max(from, 0)), closed: make(chan struct{})}
}

type memoryReader struct {
	log    *MemoryLog
	next   int
	once   sync.Once
	closed chan struct{}
}

func (r *memoryReader) Source() string   { return r.log.source }
func (r *memoryReader) Partition() int32 { return r.log.part }

func (r *memoryReader) Read(ctx context.Context, dst []Record) (int, error) {
	for {
		select {
		case <-r.closed:
			return 0, ErrClosed
		case <-ctx.Done():
			return 0, ctx.Err()
		default:
		}
		l := r.log
		l.mu.Lock()
		n := 0
		if r.next < len(l.recs) {
			n = copy(dst, l.recs[r.next:])
		}
		ended, change := l.ended, l.change
		l.mu.Unlock()
		if n > 0 {
			r.next += n
			return n, nil
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-change:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-r.closed:
			return 0, ErrClosed
		}
	}
}

// Seek implements Seeker.
func (r *memoryReader) Seek(_ context.Context, after, known int64) error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if end := int64(len(r.log.recs)); known >= end {
		return fmt.Errorf("log %s/%d ends before offset %d: %w", r.log.source, r.log.part, end, ErrAhead)
	}
	r.next = max(r.next, int(after)+1)
	return nil
}

// Idle implements Idler.
func (r *memoryReader) Idle(_ context.Context, after int64) (int64, bool, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.now, r.log.now != NoTime && int64(len(r.log.recs)) <= after+1, nil
}

func (r *memoryReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// MemoryResults keeps outputs in memory. Its methods may be called by any
// goroutine.
type MemoryResults struct {
	mu   sync.Mutex
	outs []Output
	last map[partition]Origin
}

type partition struct {
	source string
	number int32
}

// NewMemoryResults makes an empty one.
func NewMemoryResults() *MemoryResults {
	return &MemoryResults{last: map[partition]Origin{}}
}

// Append keeps outs.
func (r *MemoryResults) Append(ctx context.Context, outs []Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outs = append(r.outs, outs...)
	noteLast(r.last, outs)
	return nil
}

// noteLast raises the highest origins to those of outs.
func noteLast(last map[partition]Origin, outs []Output) {
	for _, o := range outs {
		p := partition{o.Origin.Source, o.Origin.Partition}
		if was, ok := last[p]; !ok || was.Compare(o.Origin) < 0 {
			last[p] = o.Origin
		}
	}
}

// Last gives the highest origin of a partition.
func (r *MemoryResults) Last(_ context.Context, source string, number int32) (Origin, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, ok := r.last[partition{source, number}]
	return o, ok, nil
}

// Outputs gives what was appended so far, in order.
func (r *MemoryResults) Outputs() []Output {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.outs)
}
