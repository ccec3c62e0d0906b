package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second

	// lookEvery is how often a log looks whether its topic is still the one it
	// reads, and how many partitions it has.
	lookEvery = 10 * time.Second

	// DefaultMaxRecord is the length in bytes up to which a record is given.
	DefaultMaxRecord = 8 << 20
)

// ErrOtherTopic says that a topic lacks what was read of it before: it was made
// anew, or lost its end.
var ErrOtherTopic = errors.New("topic is not the one that was read before")

// LogOptions say what is read. Topic is required.
type LogOptions struct {
	Topic     string
	Partition int32
	// Partitioner is what producers decide the partition of a key by; each
	// record's partition is checked against it. Empty: nothing is checked, and
	// the records' keys are not given.
	Partitioner Partitioner
	// Partitions are the numbers of partitions that the topic had earlier: a
	// record may be where one of them, or the present one, says.
	Partitions []int
	// MaxRecord is the length in bytes up to which a record's value is given. 0
	// means DefaultMaxRecord.
	MaxRecord int
	// Latest begins at the end, where neither Seek nor Begin say where.
	Latest bool
	// Begin gives an offset below which nothing is read, asked for once before
	// the first record; below 0: there is none. Where it lies beyond where Seek
	// said, what is passed over is a gap.
	Begin func(ctx context.Context) (int64, error)
	// OnGap is told of offsets that the topic does not hold any more: from and
	// to, both included. It is called within Read.
	OnGap func(from, to int64)
	// OnError is told why the log cannot read for now; it goes on trying. It is
	// called within Read.
	OnError func(err error)
	// OnPartitions is told that the topic has more partitions than before, so
	// that keys belong to others from now on. It is called within Read.
	OnPartitions func(before, now int)
}

// Log reads one partition of a topic: records that were committed, in order of
// their offsets, each batch's checksum verified. The topic's name is the source.
// The log time is when the broker took a record, in a topic that keeps that
// (LogAppendTime), else the time its producer gave, under a guard.
//
// It mends by itself what breaks: connections, leaders that move. It ends with
// an error only when the topic is not the one that was read before.
type Log struct {
	cluster *Cluster
	opts    LogOptions
	id      topicID
	counts  []int // of partitions, the present one last; the reader's own
	fetcher *fetcher

	next    int64 // offset to fetch; -1: the log's first
	begun   bool  // next is decided
	rest    []byte
	fresh   bool // nothing was taken off rest yet
	visible visible
	recs    records
	open    bool // recs may have more
	arenas  [2][]byte
	arena   int // that recs may be in
	guard   guard
	look    time.Time
	retry   time.Duration

	given  atomic.Int64 // offset of the last record that was given
	passed atomic.Int64 // all below was given, or is not to be seen

	once    sync.Once
	closed  chan struct{}
	reading sync.Mutex            // held by Read
	told    atomic.Pointer[[]int] // counts, for others
}

// OpenLog opens a partition of a topic, which must exist.
func OpenLog(ctx context.Context, c *Cluster, opts LogOptions) (*Log, error) {
	if opts.MaxRecord == 0 {
		opts.MaxRecord = DefaultMaxRecord
	}
	info, err := c.topic(ctx, opts.Topic)
	if err != nil {
		return nil, err
	}
	if int(opts.Partition) >= len(info.leaders) {
		return nil, fmt.Errorf("topic %s has %d partitions, and %d is to be read", opts.Topic, len(info.leaders), opts.Partition)
	}
	l := &Log{
		cluster: c, opts: opts, id: info.id, fetcher: newFetcher(c, opts.Topic, opts.Partition),
		next: -1, retry: firstRetry, closed: make(chan struct{}), guard: guard{clock: stream.NoTime},
	}
	l.counts = append(slices.Clone(opts.Partitions), len(info.leaders))
	l.counted(len(info.leaders))
	l.given.Store(-1)
	l.passed.Store(-1)
	return l, nil
}

// Source is the topic's name.
func (l *Log) Source() string { return l.opts.Topic }

// Partition is the number of the partition.
func (l *Log) Partition() int32 { return l.opts.Partition }

// Identity tells the topic from others that had its name.
func (l *Log) Identity() string { return l.id.String() }

// Partitions are the numbers of partitions that the topic has and had. It may be
// called by any goroutine.
func (l *Log) Partitions() []int { return *l.told.Load() }

// counted notes how many partitions there are.
func (l *Log) counted(n int) {
	l.counts = slices.DeleteFunc(l.counts, func(c int) bool { return c == n })
	l.counts = append(l.counts, n)
	told := slices.Clone(l.counts)
	l.told.Store(&told)
}

// Read fills dst with the next records.
func (l *Log) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if len(dst) == 0 {
		return 0, errors.New("read: no room for a record")
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	select {
	case <-l.closed:
		return 0, stream.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := l.deliver(dst)
	if n > 0 {
		return n, nil
	}
	until, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer func() { <-ended }()
	defer cancel()
	go func() {
		defer close(ended)
		select {
		case <-l.closed:
			cancel()
		case <-until.Done():
		}
	}()
	for {
		if err == nil {
			if n, err = l.fetch(until, dst); n > 0 {
				return n, nil
			}
		}
		select {
		case <-l.closed:
			return 0, stream.ErrClosed
		default:
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if errors.Is(err, ErrOtherTopic) {
			return 0, err
		}
		if err != nil {
			l.drop()
			if l.opts.OnError != nil {
				l.opts.OnError(fmt.Errorf("read %s/%d: %w", l.opts.Topic, l.opts.Partition, err))
			}
			l.pause(until)
			err = nil
		}
	}
}

// pause waits, longer each time.
func (l *Log) pause(ctx context.Context) {
	t := time.NewTimer(l.retry)
	defer t.Stop()
	l.retry = min(2*l.retry, lastRetry)
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// fetch asks the leader for more and gives what came; 0 and no error: nothing
// that is to be seen.
func (l *Log) fetch(ctx context.Context, dst []stream.Record) (int, error) {
	if err := l.attach(ctx); err != nil {
		return 0, err
	}
	got, err := l.fetcher.fetch(ctx, l.next, fetchWait)
	if err != nil {
		return 0, err
	}
	if errors.Is(got.err, kafka.OffsetOutOfRange) {
		return 0, l.outOfRange(ctx)
	}
	if got.err != nil {
		return 0, got.err
	}
	l.retry = firstRetry
	l.rest, l.fresh = got.records, true
	l.visible.begin(got.aborted)
	return l.deliver(dst)
}

// attach connects to the leader, and looks at the topic now and then.
func (l *Log) attach(ctx context.Context) error {
	if l.fetcher.wire != nil && time.Now().Before(l.look) {
		return nil
	}
	info, err := l.cluster.topic(ctx, l.opts.Topic)
	if err != nil {
		return err
	}
	l.look = time.Now().Add(lookEvery)
	if info.id != l.id {
		return fmt.Errorf("%w: %s is %s now, and %s was read", ErrOtherTopic, l.opts.Topic, info.id, l.id)
	}
	if before := l.counts[len(l.counts)-1]; len(info.leaders) != before {
		l.counted(len(info.leaders))
		if l.opts.OnPartitions != nil {
			l.opts.OnPartitions(before, len(info.leaders))
		}
	}
	if l.fetcher.wire != nil {
		return nil
	}
	if err := l.begin(ctx); err != nil {
		return err
	}
	return l.fetcher.connect(ctx, info)
}

// begin decides where to read first.
func (l *Log) begin(ctx context.Context) error {
	if l.begun {
		return nil
	}
	from := int64(-1)
	if l.opts.Begin != nil {
		var err error
		if from, err = l.opts.Begin(ctx); err != nil {
			return err
		}
	}
	first, end, err := l.cluster.offsets(ctx, l.opts.Topic, l.opts.Partition)
	if err != nil {
		return err
	}
	from = min(from, end)
	switch {
	case l.next < 0 && from < 0 && l.opts.Latest:
		l.next = end
	case l.next < 0:
		l.next = max(first, from)
	case from > l.next:
		l.gap(from)
	}
	l.begun = true
	l.passed.Store(l.next)
	return nil
}

// outOfRange finds out why the partition does not have the offset that is next.
func (l *Log) outOfRange(ctx context.Context) error {
	l.look = time.Time{} // the topic may be another one
	l.fetcher.close()
	if err := l.attach(ctx); err != nil {
		return err
	}
	first, end, err := l.cluster.offsets(ctx, l.opts.Topic, l.opts.Partition)
	if err != nil {
		return err
	}
	switch {
	case l.next < first:
		l.gap(first)
	case l.next > end:
		return fmt.Errorf("%w: %w: %s/%d ends at offset %d, and %d was to be read next", ErrOtherTopic, stream.ErrAhead, l.opts.Topic, l.opts.Partition, end-1, l.next)
	}
	return nil
}

// gap tells that the next record there is has this offset.
func (l *Log) gap(first int64) {
	if l.opts.OnGap != nil {
		l.opts.OnGap(l.next, first-1)
	}
	l.next = first
}

// Seek implements stream.Seeker.
func (l *Log) Seek(ctx context.Context, after, known int64) error {
	if known < 0 {
		return nil
	}
	_, end, err := l.cluster.offsets(ctx, l.opts.Topic, l.opts.Partition)
	if err != nil {
		return err
	}
	if known >= end {
		return fmt.Errorf("%w: %w: %s/%d ends at offset %d; if it was made anew, or its end was lost, name another group and other topics for results to begin anew",
			ErrOtherTopic, stream.ErrAhead, l.opts.Topic, l.opts.Partition, end-1)
	}
	if after >= 0 {
		l.next = max(l.next, after+1)
	}
	return nil
}

// Idle implements stream.Idler. The present time is this process's, whose clock
// agrees with the brokers' within the engine's grace.
func (l *Log) Idle(ctx context.Context, after int64) (now int64, ok bool, err error) {
	_, end, err := l.cluster.offsets(ctx, l.opts.Topic, l.opts.Partition)
	if err != nil {
		return 0, false, err
	}
	now = time.Now().UnixNano()
	return now, l.given.Load() <= after && l.passed.Load() >= end, nil
}

// Lag is how many offsets lie between the last record that was applied, at the
// position, and the end of the partition. Those of records that are not to be
// seen count only while it is not known that they are that. It may be called by
// any goroutine.
func (l *Log) Lag(ctx context.Context, position int64) (int64, error) {
	_, end, err := l.cluster.offsets(ctx, l.opts.Topic, l.opts.Partition)
	if err != nil {
		return 0, err
	}
	next := position + 1
	if l.given.Load() <= position {
		next = max(next, l.passed.Load())
	}
	return max(end-max(next, 0), 0), nil
}

// Close gives the log up. It may be called while Read blocks.
func (l *Log) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.reading.Lock()
		defer l.reading.Unlock()
		l.drop()
	})
	return nil
}
