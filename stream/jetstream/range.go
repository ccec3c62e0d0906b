package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// Bound is one end of a range: a sequence or a time. The zero value is neither.
type Bound struct {
	Sequence int64
	Time     time.Time
}

// ParseBound reads a sequence or an RFC 3339 time.
func ParseBound(s string) (Bound, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 1 {
		return Bound{Sequence: n}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return Bound{Time: t}, nil
	}
	return Bound{}, fmt.Errorf("found %q; give a sequence from 1 on, or an RFC 3339 time such as 2026-03-02T09:00:00Z", s)
}

// After reports whether b is certain to lie after c: both are sequences, or both
// times.
func (b Bound) After(c Bound) bool {
	if !b.Time.IsZero() && !c.Time.IsZero() {
		return b.Time.After(c.Time)
	}
	return c.Sequence > 0 && b.Sequence > c.Sequence
}

// RangeOptions say what of a stream is meant. Both bounds are in the range.
type RangeOptions struct {
	Stream  string
	Subject string // empty: all
	From    Bound  // neither: from the stream's first message on
	To      Bound  // neither: to what is the last message now
}

// Range is a part of a stream that does not grow any more.
type Range struct {
	opts        RangeOptions
	made        time.Time
	first, last uint64
	from        uint64 // that was asked for, 0 for none
	bytes       int64
	beyond      bool
	end         uint64 // the stream's last message, 0 when it has none
}

// Beyond reports whether the range is empty since it begins behind the last
// message of the stream, and which that is; 0 when there is none.
func (r *Range) Beyond() (last uint64, beyond bool) { return r.end, r.beyond }

// Empty reports whether the range holds no message.
func (r *Range) Empty() bool { return r.first > r.last }

// Bytes is about how many bytes the messages of the range have.
func (r *Range) Bytes() int64 { return r.bytes }

// FindRange finds a range in a stream.
func FindRange(ctx context.Context, nc *nats.Conn, opts RangeOptions) (*Range, error) {
	fail := func(err error) (*Range, error) {
		return nil, fmt.Errorf("stream %s: %w", opts.Stream, err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return fail(err)
	}
	s, err := js.Stream(ctx, opts.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fail(errors.New("there is no such stream; `nats stream ls` lists those there are"))
	}
	if err != nil {
		return fail(denied(nc, classify(err)))
	}
	state := s.CachedInfo().State
	r := &Range{opts: opts, made: s.CachedInfo().Created, first: max(state.FirstSeq, 1)}
	if r.last, err = lastThere(ctx, s, opts.Subject); err != nil {
		return fail(denied(nc, classify(err)))
	}
	r.end = r.last
	if r.last == 0 {
		r.beyond = opts.From != Bound{}
		return r, nil
	}
	switch {
	case opts.From.Sequence > 0:
		r.from = uint64(opts.From.Sequence)
		r.first = max(r.first, r.from)
	case !opts.From.Time.IsZero():
		if r.first, err = since(ctx, s, opts.From.Time, r.last+1); err != nil {
			return fail(denied(nc, classify(err)))
		}
	}
	r.beyond = opts.From != Bound{} && r.first > r.last
	switch {
	case opts.To.Sequence > 0:
		r.last = min(r.last, uint64(opts.To.Sequence))
	case !opts.To.Time.IsZero():
		after, err := since(ctx, s, opts.To.Time.Add(1), r.last+1)
		if err != nil {
			return fail(denied(nc, classify(err)))
		}
		r.last = min(r.last, after-1)
	}
	if all := state.LastSeq - state.FirstSeq + 1; all > 0 && !r.Empty() {
		r.bytes = int64(float64(state.Bytes) / float64(all) * float64(r.last-r.first+1))
	}
	return r, nil
}

// lastThere gives the sequence of the last message that a stream holds, 0 when
// there is none. The stream's last sequence may be that of a message that is
// gone, which would be waited for in vain.
func lastThere(ctx context.Context, s jetstream.Stream, subject string) (uint64, error) {
	if subject != "" && subject != ">" {
		m, err := s.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return m.Sequence, nil
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return 0, nil
	}
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1); seq-- {
		if _, err := s.GetMsg(ctx, seq); err == nil {
			return seq, nil
		} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, err
		}
	}
	return 0, nil
}

// since gives the sequence of the first message that is not before t, none when
// there is none.
func since(ctx context.Context, s jetstream.Stream, t time.Time, none uint64) (uint64, error) {
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &t, AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: inactiveThreshold, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	if info.NumPending == 0 {
		return none, nil
	}
	m, err := c.Next(jetstream.FetchMaxWait(answerTimeout))
	if err != nil {
		return 0, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return 0, err
	}
	return meta.Sequence.Stream, nil
}

// RangeLog is the finite log of a range. Its offsets are the sequences.
type RangeLog struct {
	*Log
	r    *Range
	done atomic.Int64
}

// OpenRange opens the log of a range on a connection that reaches the same
// stream. onGap is told of messages in the range that the stream does not hold,
// as LogOptions.OnGap.
func OpenRange(ctx context.Context, nc *nats.Conn, r *Range, onGap func(from, to int64), onError func(error)) (*RangeLog, error) {
	log, err := OpenLog(ctx, nc, LogOptions{
		Stream: r.opts.Stream, Subject: r.opts.Subject, From: int64(r.first), OnError: onError,
		OnGap: func(from, to int64) {
			if to = min(to, int64(r.last)); onGap != nil && from <= to {
				onGap(from, to)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	log.made = r.made // the stream that was looked at
	if onGap != nil && r.from > 0 && r.from < r.first && !r.Empty() {
		onGap(int64(r.from), int64(r.first-1))
	}
	return &RangeLog{Log: log, r: r}, nil
}

// lookAgain is how long a range waits for a message before it looks whether the
// stream holds any more of it.
const lookAgain = 2 * time.Second

// Read fills dst with the next records, and gives io.EOF after the range's last.
func (l *RangeLog) Read(ctx context.Context, dst []stream.Record) (int, error) {
	for {
		if l.next > l.r.last {
			return 0, io.EOF
		}
		short, cancel := context.WithTimeout(ctx, lookAgain)
		n, err := l.Log.Read(short, dst)
		cancel()
		for n > 0 && dst[n-1].Offset > int64(l.r.last) {
			n--
		}
		for i := range dst[:n] {
			l.done.Add(int64(len(dst[i].Value)))
		}
		switch {
		case n > 0:
			return n, nil
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			if s, serr := l.js.Stream(ctx, l.r.opts.Stream); serr == nil && s.CachedInfo().State.FirstSeq > l.r.last {
				l.gap(l.r.last + 1)
				return 0, io.EOF
			}
		case err != nil:
			return 0, err
		}
	}
}

// Progress gives how many bytes were read, of about how many.
func (l *RangeLog) Progress() (done, total int64) {
	done = l.done.Load()
	return done, max(done, l.r.bytes)
}
