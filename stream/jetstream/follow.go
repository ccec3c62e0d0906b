package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"misstep/stream"
)

// NotifyBucket is the key-value bucket of the followers' positions. Whoever
// writes one there is its reader.
const NotifyBucket = "AGENT_NOTIFY"

const (
	notifyStream = "KV_" + NotifyBucket
	notifyPrefix = "$KV." + NotifyBucket + "."
)

func notifyConfig(replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: NotifyBucket, Description: "how far each sink has followed the results", History: 1, Storage: jetstream.FileStorage, Replicas: max(replicas, 1),
	}
}

// FollowOptions say who follows ResultsStream. Name is required.
type FollowOptions struct {
	Name  string
	Owner string // tells a reader which process this is
	// Lease is how long a reader that says nothing stays the reader. 0 means
	// DefaultLease.
	Lease time.Duration
	// Alone says that no other process can be the reader: nobody is waited for.
	Alone bool
	// OnStanding is told of the process that is waited for.
	OnStanding func(owner string)
}

// Follower reads ResultsStream at a position in NotifyBucket.
type Follower struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	kv   jetstream.KeyValue
	opts FollowOptions
	id   string

	mu       chan struct{} // held by who uses what follows
	revision uint64
	held     position
	lost     atomic.Bool
	msgs     jetstream.MessagesContext
	got      chan stream.Entry
	stop     context.CancelFunc
	renewed  chan struct{} // closed when the goroutine that renews has ended
	consumer atomic.Pointer[jetstream.Consumer]
}

// position is the value of a key in NotifyBucket.
type position struct {
	ID     string          `json:"id"` // of the reader; empty: there is none
	Owner  string          `json:"owner,omitempty"`
	Stream string          `json:"stream"` // identity
	At     stream.Progress `json:"at"`
}

// followed are the subjects that are read, and what is there.
var followed = map[string]stream.Topic{
	"failures": stream.Failures, "directives": stream.Directives, "budgets": stream.Budgets, "verdicts": stream.Verdicts, "incidents": stream.Incidents,
}

// EnsureNotify creates the bucket of the followers' positions if it does not
// exist.
func EnsureNotify(ctx context.Context, nc *nats.Conn, replicas int) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", NotifyBucket, err)
	}
	_, err = js.KeyValue(ctx, NotifyBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		_, err = js.CreateKeyValue(ctx, notifyConfig(replicas))
		if errors.Is(err, jetstream.ErrBucketExists) {
			err = nil // another process was quicker
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", NotifyBucket, classify(err))
	}
	return nil
}

// OpenFollower makes a follower, whose connection is its caller's to close.
// EnsureNotify makes the bucket.
func OpenFollower(ctx context.Context, nc *nats.Conn, opts FollowOptions) (*Follower, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", ResultsStream, err)
	}
	kv, err := js.KeyValue(ctx, NotifyBucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", NotifyBucket, denied(nc, missing(err)))
	}
	if opts.Lease == 0 {
		opts.Lease = DefaultLease
	}
	return &Follower{nc: nc, js: js, kv: kv, opts: opts, id: nuid.Next(), mu: make(chan struct{}, 1)}, nil
}

// Acquire implements stream.Follower.
func (f *Follower) Acquire(ctx context.Context) (map[stream.Place]stream.Progress, error) {
	f.end()
	made, err := StreamIdentity(ctx, f.nc, ResultsStream)
	if err != nil {
		return nil, err
	}
	p, revision, err := f.take(ctx, made)
	if err != nil {
		return nil, err
	}
	f.held, f.revision = p, revision
	f.lost.Store(false)
	if err := f.open(ctx); err != nil {
		return nil, err
	}
	if p.At.Next == 0 {
		return map[stream.Place]stream.Progress{}, nil
	}
	return map[stream.Place]stream.Progress{{Log: ResultsStream}: p.At}, nil
}

// take waits for the lease of the one before to end, and writes this reader's.
func (f *Follower) take(ctx context.Context, made string) (position, uint64, error) {
	key := keyToken(f.opts.Name)
	var seen uint64
	var since time.Time
	for {
		e, err := f.kv.Get(ctx, key)
		var p position
		revision := uint64(0)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
		case err != nil:
			return p, 0, fmt.Errorf("position of %s: %w", f.opts.Name, classify(err))
		default:
			revision = e.Revision()
			if err := json.Unmarshal(e.Value(), &p); err != nil {
				return p, 0, fmt.Errorf("position of %s in the bucket %s: %w; delete the key to begin anew", f.opts.Name, NotifyBucket, err)
			}
		}
		if p.ID == "" || p.ID == f.id || f.opts.Alone || seen == revision && time.Since(since) >= f.opts.Lease {
			if p.Stream != made {
				p.At = stream.Progress{} // it is another stream
			}
			p.ID, p.Owner, p.Stream = f.id, f.opts.Owner, made
			value, err := json.Marshal(p)
			if err != nil {
				return p, 0, err
			}
			written, err := f.kv.Update(ctx, key, value, revision)
			if err == nil {
				return p, written, nil
			}
			if !wrongRevision(err) {
				return p, 0, fmt.Errorf("position of %s: %w", f.opts.Name, classify(err))
			}
			continue // another was quicker
		}
		if seen != revision {
			if seen == 0 && f.opts.OnStanding != nil {
				f.opts.OnStanding(p.Owner)
			}
			seen, since = revision, time.Now()
		}
		t := time.NewTimer(f.opts.Lease / 5)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return p, 0, ctx.Err()
		}
	}
}

func wrongRevision(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || errors.Is(err, jetstream.ErrKeyExists)
}

// open begins to read, and to renew the lease.
func (f *Follower) open(ctx context.Context) error {
	subjects := make([]string, 0, len(followed))
	for s := range followed {
		subjects = append(subjects, "agent."+s+".>")
	}
	c, err := f.js.OrderedConsumer(ctx, ResultsStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(max(f.held.At.From, 1)),
	})
	if err != nil {
		return fmt.Errorf("follow %s: %w", ResultsStream, denied(f.nc, classify(err)))
	}
	if f.msgs, err = c.Messages(jetstream.PullMaxMessages(256)); err != nil {
		return fmt.Errorf("follow %s: %w", ResultsStream, classify(err))
	}
	f.consumer.Store(&c)
	run, cancel := context.WithCancel(context.Background())
	f.stop, f.got, f.renewed = cancel, make(chan stream.Entry, 256), make(chan struct{})
	go f.pump(run, f.msgs, f.got)
	go f.renew(run)
	return nil
}

// pump hands over what comes. The ordered consumer mends by itself what breaks.
func (f *Follower) pump(ctx context.Context, msgs jetstream.MessagesContext, out chan<- stream.Entry) {
	defer close(out)
	for {
		m, err := msgs.Next()
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) || ctx.Err() != nil {
			return
		}
		if err != nil {
			t := time.NewTimer(firstRetry)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			continue // not of a stream
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(m.Subject(), "agent."), ".")
		e := stream.Entry{
			Place: stream.Place{Log: ResultsStream}, Offset: int64(meta.Sequence.Stream), Time: meta.Timestamp.UnixNano(),
			Topic: followed[kind], Value: m.Data(),
		}
		select {
		case out <- e:
		case <-ctx.Done():
			return
		}
	}
}

// renew says now and then that this process still reads.
func (f *Follower) renew(ctx context.Context) {
	defer close(f.renewed)
	t := time.NewTicker(f.opts.Lease / 3)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := f.write(ctx, nil)
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, stream.ErrLost):
			return
		case time.Since(last) >= f.opts.Lease && !f.opts.Alone:
			f.lost.Store(true) // another may read by now
			f.msgs.Stop()
			return
		}
	}
}

// Read implements stream.Follower.
func (f *Follower) Read(ctx context.Context, dst []stream.Entry) ([]stream.Entry, error) {
	if f.lost.Load() {
		return dst, stream.ErrLost
	}
	select {
	case e, ok := <-f.got:
		if !ok {
			return dst, stream.ErrLost
		}
		dst = append(dst, e)
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	for len(dst) < cap(dst) {
		select {
		case e, ok := <-f.got:
			if !ok {
				return dst, nil
			}
			dst = append(dst, e)
			continue
		default:
		}
		break
	}
	return dst, nil
}

// Commit implements stream.Follower.
func (f *Follower) Commit(ctx context.Context, at map[stream.Place]stream.Progress) error {
	to, ok := at[stream.Place{Log: ResultsStream}]
	if !ok {
		return nil
	}
	return f.write(ctx, func(p *position) { p.At = to })
}

// write puts the position where it is while nobody else has since.
func (f *Follower) write(ctx context.Context, change func(*position)) error {
	select {
	case f.mu <- struct{}{}:
		defer func() { <-f.mu }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.lost.Load() {
		return stream.ErrLost
	}
	p := f.held
	if change != nil {
		change(&p)
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	key := keyToken(f.opts.Name)
	revision, err := f.kv.Update(ctx, key, value, f.revision)
	if wrongRevision(err) {
		// Perhaps it was this process, and the answer was lost.
		var there position
		if e, gerr := f.kv.Get(ctx, key); gerr == nil && json.Unmarshal(e.Value(), &there) == nil && there.ID == f.id {
			f.revision = e.Revision()
			revision, err = f.kv.Update(ctx, key, value, f.revision)
		} else if gerr == nil {
			f.lost.Store(true)
			f.msgs.Stop()
			return stream.ErrLost
		}
	}
	if err != nil {
		return fmt.Errorf("position of %s: %w", f.opts.Name, classify(err))
	}
	f.held, f.revision = p, revision
	return nil
}

// Lag implements stream.Follower.
func (f *Follower) Lag(ctx context.Context) (int64, error) {
	c := f.consumer.Load()
	if c == nil {
		return 0, nil // another process reads
	}
	info, err := (*c).Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("follow %s: %w", ResultsStream, classify(err))
	}
	return int64(info.NumPending) + int64(info.NumAckPending), nil
}

// end ends reading; the lease stays.
func (f *Follower) end() {
	if f.stop == nil {
		return
	}
	f.consumer.Store(nil)
	f.stop()
	f.msgs.Stop()
	for range f.got { // the pump may wait for room
	}
	<-f.renewed
	f.stop = nil
}

// Close implements stream.Follower: it ends reading and gives the lease back.
func (f *Follower) Close() error {
	if f.stop == nil {
		return nil
	}
	f.end()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := f.write(ctx, func(p *position) { p.ID = "" }); err != nil && !errors.Is(err, stream.ErrLost) {
		return err
	}
	return nil
}
