package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"misstep/stream"
)

const (
	// pullMessages and pullBytes are what a pull request asks for; the next one
	// goes out when half has come, so the server need not wait for it.
	pullMessages = 2048
	pullBytes    = 32 << 20
	pullExpires  = 30 * time.Second
	// heartbeat is how often the server says that there is nothing to say.
	heartbeat = 2 * time.Second

	// lookEvery is how often the reader of some subjects asks at most what the
	// stream holds.
	lookEvery = 50 * time.Millisecond

	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second

	inactiveThreshold = time.Minute
)

// LogOptions say what of a stream is read.
type LogOptions struct {
	Stream string // empty is StepsStream
	// Subject says which messages are read, wildcards included; empty is all.
	// With one, what the stream does not hold any more is told only where it
	// lies before the stream's first message, as seen now and then: other gaps
	// cannot be told from messages of other subjects.
	Subject string
	// From is the first sequence that is read; below 1 the stream's first.
	From int64
	// OnGap is told of sequences that the stream does not hold any more, or
	// never did: from and to, both included. It is called within Read.
	OnGap func(from, to int64)
	// OnError is told why the log cannot read for now; it goes on trying. It is
	// called within Read.
	OnError func(err error)
}

// Log reads a stream in order of its sequences, which are the offsets; the
// messages' times in the stream are the log times. The stream's name is the
// source, and its only partition is 0.
//
// It mends by itself what breaks: connections, consumers that are gone,
// messages that did not arrive. It ends with an error only when the stream is
// not the one that was read before.
type Log struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	opts LogOptions
	next uint64 // sequence
	made time.Time
	look time.Time // when to look for the stream's first sequence next, with a Subject

	consumer string // empty: none
	inbox    string
	msgs     chan *nats.Msg
	got      uint64 // messages of the consumer
	asked    int    // messages that may come yet
	retry    time.Duration

	up     chan nats.Status // the connection is back, or closed
	closed chan struct{}

	mu   sync.Mutex
	sub  *nats.Subscription // nil: none
	done bool
}

// OpenLog opens a stream, which must exist and keep its messages by limits.
func OpenLog(ctx context.Context, nc *nats.Conn, opts LogOptions) (*Log, error) {
	if opts.Stream == "" {
		opts.Stream = StepsStream
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", opts.Stream, err)
	}
	s, err := js.Stream(ctx, opts.Stream)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", opts.Stream, denied(nc, missing(err)))
	}
	if err := replayable(s.CachedInfo().Config); err != nil {
		return nil, err
	}
	return &Log{
		nc: nc, js: js, opts: opts, next: uint64(max(opts.From, 1)), made: s.CachedInfo().Created, retry: firstRetry,
		up: nc.StatusChanged(nats.CONNECTED, nats.CLOSED), closed: make(chan struct{}),
	}, nil
}

// Source is the stream's name.
func (l *Log) Source() string { return l.opts.Stream }

// Partition is 0: a stream is one partition.
func (l *Log) Partition() int32 { return 0 }

// Identity tells the stream from others that had its name: when it was made.
func (l *Log) Identity() string { return identity(l.made) }

// StreamIdentity is the Identity of a log of the stream that has the name now.
func StreamIdentity(ctx context.Context, nc *nats.Conn, name string) (string, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return "", fmt.Errorf("stream %s: %w", name, err)
	}
	s, err := js.Stream(ctx, name)
	if err != nil {
		return "", fmt.Errorf("stream %s: %w", name, classify(err))
	}
	return identity(s.CachedInfo().Created), nil
}

func identity(made time.Time) string { return made.UTC().Format(time.RFC3339Nano) }

// Read fills dst with the next records.
func (l *Log) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if len(dst) == 0 {
		return 0, errors.New("read: no room for a record")
	}
	for {
		select {
		case <-l.closed:
			return 0, stream.ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if l.consumer == "" {
			if err := l.attach(ctx); err != nil {
				if errors.Is(err, ErrOtherStream) || errors.Is(err, stream.ErrClosed) || l.nc.IsClosed() {
					return 0, err
				}
				if err := l.pause(ctx, err); err != nil {
					return 0, err
				}
				continue
			}
		}
		n, err := l.take(ctx, dst)
		if n > 0 {
			l.retry = firstRetry
			return n, nil
		}
		switch {
		case err == nil:
		case errors.Is(err, stream.ErrClosed) || ctx.Err() != nil || l.nc.IsClosed():
			return 0, err
		default:
			l.detach()
			if err := l.pause(ctx, err); err != nil {
				return 0, err
			}
		}
	}
}

func (l *Log) report(err error) {
	if l.opts.OnError != nil {
		l.opts.OnError(fmt.Errorf("read stream %s: %w", l.opts.Stream, err))
	}
}

// pause reports an error and waits, longer each time.
func (l *Log) pause(ctx context.Context, err error) error {
	l.report(err)
	t := time.NewTimer(l.retry)
	defer t.Stop()
	l.retry = min(2*l.retry, lastRetry)
	select {
	case <-t.C:
		return nil
	case <-l.closed:
		return stream.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrOtherStream says that a stream lacks what was read of it before: it was
// made anew, or restored from an older copy.
var ErrOtherStream = errors.New("stream is not the one that was read before")

// attach makes a consumer that begins at l.next.
func (l *Log) attach(ctx context.Context) error {
	ctx, stop := answered(ctx, l.nc, answerTimeout)
	defer stop()
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err != nil {
		return classify(why(ctx, err))
	}
	info := s.CachedInfo()
	if !info.Created.Equal(l.made) {
		return fmt.Errorf("%w: %s is the one made at %s, and the one made at %s was read", ErrOtherStream, l.opts.Stream, identity(info.Created), l.Identity())
	}
	if last := info.State.LastSeq; last+1 < l.next {
		return fmt.Errorf("%w: %s ends at sequence %d, and %d was to be read next", ErrOtherStream, l.opts.Stream, last, l.next)
	}
	if err := replayable(info.Config); err != nil {
		return err
	}
	if l.opts.Subject != "" {
		l.behind(info.State, math.MaxUint64)
	}
	name := "misstep-" + nuid.Next()
	_, err = s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              name,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       l.next,
		FilterSubject:     l.opts.Subject,
		AckPolicy:         jetstream.AckNonePolicy,
		MaxWaiting:        8,
		InactiveThreshold: inactiveThreshold,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return classify(why(ctx, err))
	}
	// Two requests' messages and what the server says besides: so the channel
	// is never full, which would lose messages.
	msgs := make(chan *nats.Msg, 2*pullMessages+64)
	inbox := l.nc.NewInbox()
	sub, err := l.nc.ChanSubscribe(inbox, msgs)
	if err != nil {
		return classify(err)
	}
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		_ = sub.Unsubscribe() // as in detach
		return stream.ErrClosed
	}
	l.sub = sub
	l.mu.Unlock()
	l.consumer, l.inbox, l.msgs, l.got, l.asked = name, inbox, msgs, 0, 0
	return l.pull()
}

// detach gives the consumer up. The server removes it for want of interest.
func (l *Log) detach() {
	l.consumer, l.msgs = "", nil
	l.unsubscribe()
}

func (l *Log) unsubscribe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sub != nil {
		_ = l.sub.Unsubscribe() // without a connection there is no subscription either
		l.sub = nil
	}
}

type pullRequest struct {
	Batch     int           `json:"batch"`
	MaxBytes  int           `json:"max_bytes"`
	Expires   time.Duration `json:"expires"`
	Heartbeat time.Duration `json:"idle_heartbeat"`
}

// pull asks for more when half of what was asked for has come.
func (l *Log) pull() error {
	if l.asked > pullMessages/2 {
		return nil
	}
	req, err := json.Marshal(pullRequest{Batch: pullMessages, MaxBytes: pullBytes, Expires: pullExpires, Heartbeat: heartbeat})
	if err != nil {
		return err
	}
	if err := l.nc.PublishRequest(apiNext+l.opts.Stream+"."+l.consumer, l.inbox, req); err != nil {
		return classify(err)
	}
	l.asked += pullMessages
	return nil
}

// take waits for messages and gives those that are there. 0 and no error: what
// came were no messages.
func (l *Log) take(ctx context.Context, dst []stream.Record) (int, error) {
	if err := l.pull(); err != nil {
		return 0, err
	}
	t := time.NewTimer(2 * heartbeat)
	defer t.Stop()
	var msg *nats.Msg
	select {
	case msg = <-l.msgs:
	case _, open := <-l.up:
		switch {
		case l.nc.IsClosed():
			return 0, fmt.Errorf("read stream %s: %w", l.opts.Stream, nats.ErrConnectionClosed)
		case !open:
			return 0, stream.ErrClosed
		}
		return 0, errors.New("connection was lost and is back")
	case <-t.C:
		return 0, fmt.Errorf("%w: nothing was heard for %v", ErrUnavailable, 2*heartbeat)
	case <-l.closed:
		return 0, stream.ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	n := 0
	for {
		ok, err := l.handle(msg, &dst[n])
		if err != nil {
			if n > 0 {
				l.report(err) // Read gives what has come, and no error
				l.detach()
			}
			return n, err
		}
		if ok {
			if n++; n == len(dst) {
				return n, nil
			}
		}
		select {
		case msg = <-l.msgs:
		default:
			return n, nil
		}
	}
}

// handle makes a record of a message. false: it was none.
func (l *Log) handle(msg *nats.Msg, rec *stream.Record) (bool, error) {
	m, ok := parseAck(msg.Reply)
	if !ok {
		if status := msg.Header.Get("Status"); status != "" {
			return false, l.status(status, msg.Header)
		}
		return false, fmt.Errorf("message with the unknown reply subject %q", msg.Reply)
	}
	l.asked--
	if l.got++; m.delivery != l.got {
		return false, fmt.Errorf("message %d of the consumer came where %d was due", m.delivery, l.got)
	}
	if m.sequence < l.next {
		return false, fmt.Errorf("sequence %d came where %d was due", m.sequence, l.next)
	}
	if m.sequence > l.next {
		l.skipped(m.sequence)
	}
	l.next = m.sequence + 1
	*rec = stream.Record{Offset: int64(m.sequence), Time: m.time, Value: msg.Data}
	return true, nil
}

// skipped tells of the sequences from l.next on that the consumer left out.
func (l *Log) skipped(sequence uint64) {
	if l.opts.Subject == "" {
		l.gap(sequence)
		return
	}
	now := time.Now()
	if now.Before(l.look) {
		return
	}
	l.look = now.Add(lookEvery)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s, err := l.js.Stream(ctx, l.opts.Stream); err == nil { // else the next look tells
		l.behind(s.CachedInfo().State, sequence)
	}
}

// behind goes to the stream's first sequence when that lies ahead, but not
// beyond one that there is.
func (l *Log) behind(state jetstream.StreamState, sequence uint64) {
	if first := min(state.FirstSeq, sequence); first > l.next {
		l.gap(first)
		l.next = first
	}
}

// gap tells that the next record there is has this sequence.
func (l *Log) gap(sequence uint64) {
	if l.opts.OnGap != nil {
		l.opts.OnGap(int64(l.next), int64(sequence-1))
	}
}

// status deals with what the server says besides messages.
func (l *Log) status(status string, h nats.Header) error {
	const (
		idle      = "100"
		noMore    = "404"
		expired   = "408"
		conflict  = "409"
		remaining = "Nats-Pending-Messages"
	)
	switch status {
	case idle:
		return nil
	case noMore, expired, conflict:
		// A request has ended, and with it what it asked for and did not get.
		if n, err := strconv.Atoi(h.Get(remaining)); err == nil {
			l.asked = max(0, l.asked-n)
			return nil
		}
	}
	return fmt.Errorf("server says %s %s", status, h.Get("Description"))
}

// Close gives the log up. It may be called while Read blocks.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return nil
	}
	l.done = true
	l.mu.Unlock()
	close(l.closed)
	l.nc.RemoveStatusListener(l.up)
	l.unsubscribe()
	return nil
}
