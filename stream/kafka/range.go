package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"misstep/stream"
)

// Bound is one end of a range: an offset or a time. The zero value is neither.
type Bound struct {
	Offset int64
	Is     bool // Offset counts
	Time   time.Time
}

// ParseBound reads an offset or an RFC 3339 time.
func ParseBound(s string) (Bound, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return Bound{Offset: n, Is: true}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return Bound{Time: t}, nil
	}
	return Bound{}, fmt.Errorf("found %q; give an offset from 0 on, or an RFC 3339 time such as 2026-03-02T09:00:00Z", s)
}

// After reports whether b is certain to lie after c: both are offsets, or both
// times.
func (b Bound) After(c Bound) bool {
	if !b.Time.IsZero() && !c.Time.IsZero() {
		return b.Time.After(c.Time)
	}
	return b.Is && c.Is && b.Offset > c.Offset
}

// RangeOptions say what of a topic is meant. Both bounds are in the range, in
// each partition.
type RangeOptions struct {
	Topic     string
	Partition int // -1: all
	From      Bound
	To        Bound // neither: to what is the last record now
}

// Range is a part of a topic that does not grow any more.
type Range struct {
	opts  RangeOptions
	parts []rangePart
}

// rangePart is that of one partition: from first on, below end.
type rangePart struct {
	partition         int32
	asked, first, end int64 // asked is -1 for no offset
}

// Partitions is how many partitions the range is of.
func (r *Range) Partitions() int { return len(r.parts) }

// FindRange finds a range in a topic.
func FindRange(ctx context.Context, c *Cluster, opts RangeOptions) (*Range, error) {
	states, err := c.topicsOf(ctx, opts.Topic)
	if err != nil {
		return nil, err
	}
	if opts.Partition >= states {
		return nil, fmt.Errorf("topic %s has %d partitions, from 0 on, and %d is asked for", opts.Topic, states, opts.Partition)
	}
	r := &Range{opts: opts}
	for p := range states {
		if opts.Partition >= 0 && p != opts.Partition {
			continue
		}
		part, err := findPart(ctx, c, opts, int32(p))
		if err != nil {
			return nil, err
		}
		r.parts = append(r.parts, part)
	}
	return r, nil
}

// topicsOf gives the number of a topic's partitions.
func (c *Cluster) topicsOf(ctx context.Context, topic string) (n int, err error) {
	err = c.Do(ctx, "topic "+topic, func(ctx context.Context) error {
		info, err := c.topic(ctx, topic)
		if err != nil {
			return err
		}
		n = len(info.leaders)
		return nil
	})
	return n, err
}

func findPart(ctx context.Context, c *Cluster, opts RangeOptions, partition int32) (rangePart, error) {
	r := rangePart{partition: partition, asked: -1}
	err := c.Do(ctx, "offsets of "+opts.Topic, func(ctx context.Context) (err error) {
		r.first, r.end, err = c.offsets(ctx, opts.Topic, partition)
		return err
	})
	if err != nil {
		return r, err
	}
	since := func(t time.Time) (int64, error) {
		o, ok, err := c.Since(ctx, opts.Topic, int(partition), t)
		if !ok {
			o = r.end
		}
		return o, err
	}
	switch {
	case opts.From.Is:
		r.asked = opts.From.Offset
		r.first = max(r.first, r.asked)
	case !opts.From.Time.IsZero():
		// The broker knows milliseconds: what is of a part of one is of the next.
		at := opts.From.Time.Add(time.Millisecond - 1).Truncate(time.Millisecond)
		o, err := since(at)
		if err != nil {
			return r, err
		}
		r.first = max(r.first, o)
	}
	switch {
	case opts.To.Is:
		r.end = min(r.end, opts.To.Offset+1)
	case !opts.To.Time.IsZero():
		o, err := since(opts.To.Time.Truncate(time.Millisecond).Add(time.Millisecond))
		if err != nil {
			return r, err
		}
		r.end = min(r.end, o)
	}
	return r, nil
}

// RangeLog is the finite log of a range: the records of all its partitions, each
// in order, merged by their log times. Where the range is of one partition, its
// offsets are that one's, else they count the records.
type RangeLog struct {
	heads []*head
	next  int64 // of what is given, with several partitions
	bytes int64
}

// head is what was read of one partition and not given yet.
type head struct {
	part  rangePart
	log   *Log
	room  []stream.Record
	ready []stream.Record
	done  bool
}

const (
	headRecords = 512
	// lookAgain is how long a range waits for a record before it looks whether
	// those that are left are to be seen at all.
	lookAgain = 300 * time.Millisecond
)

// OpenRange opens the log of a range. onGap is told of offsets in the range that
// a partition does not hold, as LogOptions.OnGap.
func OpenRange(ctx context.Context, c *Cluster, r *Range, onGap func(from, to int64)) (*RangeLog, error) {
	out := &RangeLog{}
	for _, p := range r.parts {
		log, err := OpenLog(ctx, c, LogOptions{
			Topic: r.opts.Topic, Partition: p.partition, OnGap: func(from, to int64) {
				if to = min(to, p.end-1); onGap != nil && from <= to {
					onGap(from, to)
				}
			},
		})
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		log.next = p.first
		out.heads = append(out.heads, &head{part: p, log: log, room: make([]stream.Record, headRecords), done: p.first >= p.end})
		if onGap != nil && p.asked >= 0 && p.asked < p.first && p.first < p.end {
			onGap(p.asked, p.first-1)
		}
	}
	return out, nil
}

// Read fills dst with the next records, and gives io.EOF after the range's last.
func (l *RangeLog) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if len(dst) == 0 {
		return 0, errors.New("read: no room for a record")
	}
	// What is given is valid until the next Read, so a partition is only read
	// from here, not when what it gave has been passed on.
	for _, h := range l.heads {
		if err := h.fill(ctx); err != nil {
			return 0, err
		}
	}
	n := 0
	for n < len(dst) {
		h := l.first()
		if h == nil {
			break
		}
		dst[n] = h.ready[0]
		h.ready = h.ready[1:]
		l.bytes += int64(len(dst[n].Value))
		if len(l.heads) > 1 {
			dst[n].Offset = l.next
			l.next++
		}
		n++
		if len(h.ready) == 0 && !h.done {
			break
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// first gives the head with the earliest record, nil when there is none.
func (l *RangeLog) first() *head {
	var best *head
	for _, h := range l.heads {
		if len(h.ready) > 0 && (best == nil || h.ready[0].Time < best.ready[0].Time) {
			best = h
		}
	}
	return best
}

// fill reads on when nothing is ready and there is more.
func (h *head) fill(ctx context.Context) error {
	for len(h.ready) == 0 && !h.done {
		if h.log.next >= h.part.end {
			h.done = true
			return nil
		}
		short, cancel := context.WithTimeout(ctx, lookAgain)
		n, err := h.log.Read(short, h.room)
		cancel()
		for n > 0 && h.room[n-1].Offset >= h.part.end {
			n--
			h.done = true
		}
		switch {
		case n > 0:
			h.ready = h.room[:n]
			h.done = h.done || h.ready[n-1].Offset == h.part.end-1
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
	return nil
}

// Progress gives how many bytes were read. Of how many is not known.
func (l *RangeLog) Progress() (done, total int64) { return l.bytes, l.bytes }

// Close ends the reading.
func (l *RangeLog) Close() error {
	var errs []error
	for _, h := range l.heads {
		errs = append(errs, h.log.Close())
	}
	return errors.Join(errs...)
}
