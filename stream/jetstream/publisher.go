package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StepMessage is a message of step events: one, an array, or one a line, all of
// one workflow.
type StepMessage struct {
	Workflow string // empty: none
	Value    []byte // not changed, and kept until Publish returns
}

// PublisherOptions say how step messages are published. The zero value is good.
type PublisherOptions struct {
	// MaxPending is how many messages may wait for their acknowledgement, of
	// all calls together. 0 means DefaultMaxPending.
	MaxPending int
	// Timeout is how long an acknowledgement may take. 0 means DefaultAckTimeout.
	Timeout time.Duration
	// Stream must have taken each message. Empty means StepsStream, AnyStream
	// that any may.
	Stream string
	// Subject takes the messages without a workflow, those with one go to
	// Subject.WORKFLOW. Empty means StepsSubject.
	Subject string
}

// Defaults of a publisher.
const (
	DefaultMaxPending = 1024
	DefaultAckTimeout = 10 * time.Second
)

// AnyStream is no stream's name.
const AnyStream = "*"

// Publisher puts step messages into a stream. Its methods may be called by
// any goroutine.
type Publisher struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	timeout time.Duration
	stream  string
	subject string
	room    chan struct{} // holds one for each message under way
}

// NewPublisher makes a publisher on a connection.
func NewPublisher(nc *nats.Conn, opts PublisherOptions) (*Publisher, error) {
	if opts.MaxPending <= 0 {
		opts.MaxPending = DefaultMaxPending
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultAckTimeout
	}
	if opts.Stream == "" {
		opts.Stream = StepsStream
	}
	if opts.Subject == "" {
		opts.Subject = StepsSubject
	}
	// The client's own bound is never met: what a call that has ended left
	// under way is counted there still, but not here.
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4*opts.MaxPending), jetstream.WithPublishAsyncTimeout(opts.Timeout))
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	return &Publisher{
		nc: nc, js: js, timeout: opts.Timeout, stream: opts.Stream, subject: opts.Subject, room: make(chan struct{}, opts.MaxPending),
	}, nil
}

// Publish stores msgs in order and returns when the server has acknowledged
// them all. After an error some of them may be stored; publishing all again is
// right when their events carry ids. The error is ErrUnavailable, ErrStorage or
// ErrTooLarge where it is one of those.
func (p *Publisher) Publish(ctx context.Context, msgs []StepMessage) error {
	futures := make([]jetstream.PubAckFuture, 0, min(len(msgs), cap(p.room)))
	defer func() {
		for range futures {
			<-p.room
		}
	}()
	for len(msgs) > 0 {
		n, err := p.send(ctx, msgs, &futures)
		if err != nil {
			return err
		}
		msgs = msgs[n:]
		if len(msgs) > 0 {
			// There is no room: wait for the oldest of our own.
			if err := p.await(ctx, futures[0]); err != nil {
				return err
			}
			futures = futures[1:]
			<-p.room
		}
	}
	for len(futures) > 0 {
		if err := p.await(ctx, futures[0]); err != nil {
			return err
		}
		futures = futures[1:]
		<-p.room
	}
	return nil
}

// send publishes messages while there is room, one at least, and gives their
// number.
func (p *Publisher) send(ctx context.Context, msgs []StepMessage, futures *[]jetstream.PubAckFuture) (int, error) {
	for i := range msgs {
		select {
		case p.room <- struct{}{}:
		default:
			if len(*futures) > 0 {
				return i, nil
			}
			// Others have it all.
			select {
			case p.room <- struct{}{}:
			case <-ctx.Done():
				return i, ctx.Err()
			}
		}
		f, err := p.publish(&msgs[i])
		if err != nil {
			<-p.room
			return i, err
		}
		*futures = append(*futures, f)
	}
	return len(msgs), nil
}

func (p *Publisher) publish(m *StepMessage) (jetstream.PubAckFuture, error) {
	if !p.nc.IsConnected() {
		return nil, fmt.Errorf("publish steps: %w", ErrUnavailable)
	}
	if limit := p.nc.MaxPayload(); int64(len(m.Value)) > limit {
		return nil, fmt.Errorf("publish steps: %w: %d bytes, limit %d", ErrTooLarge, len(m.Value), limit)
	}
	// Not tried again by the client: one that is would come after those behind.
	f, err := p.js.PublishMsgAsync(&nats.Msg{Subject: workflowSubject(p.subject, m.Workflow), Data: m.Value},
		jetstream.WithStallWait(p.timeout), jetstream.WithRetryAttempts(0))
	if err != nil {
		return nil, fmt.Errorf("publish steps: %w", classify(err))
	}
	return f, nil
}

func (p *Publisher) await(ctx context.Context, f jetstream.PubAckFuture) error {
	select {
	case ack := <-f.Ok():
		if ack.Stream != p.stream && p.stream != AnyStream {
			return fmt.Errorf("publish steps: the subject belongs to the stream %q, want %s", ack.Stream, p.stream)
		}
		return nil
	case err := <-f.Err():
		if errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
			err = errors.Join(ErrUnavailable, err)
		}
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) {
			err = fmt.Errorf("no stream takes %s, or its server is away: %w", p.subject, err)
		}
		return fmt.Errorf("publish steps: %w", classify(err))
	case <-ctx.Done():
		return ctx.Err()
	}
}
