package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

	"misstep/stream"
)

// The lengths of a lease.
const (
	DefaultLease = 10 * time.Second
	MinLease     = time.Second
	MaxLease     = 5 * time.Minute
)

const (
	leaseVersion   = 1
	releaseTimeout = 2 * time.Second
)

// LeaseOptions say how partitions are owned by lease.
type LeaseOptions struct {
	Name string // of this process, for readers; need not be unique
	// Lease is how long the partition stays this process's own without a sign
	// of life. 0 means DefaultLease.
	Lease time.Duration
	// Subject is what of the log is read, as in LogOptions. A lease is for the
	// whole log, so OnError is told of an owner that reads something else.
	Subject string
	// Identity tells the log that is owned from others that had its name. It
	// is kept with the lease. nil: there is no such thing.
	Identity func(ctx context.Context) (string, error)
	// OnStanding is told for whom Acquire waits, and each time that changes. It
	// is called within Acquire.
	OnStanding func(holder string)
	// OnError is told why a lease cannot be had or renewed for now; it is tried
	// again. It may be called by any goroutine.
	OnError func(err error)
}

// Leases is the ownership of partitions by processes that share a bucket. The
// holder of a lease renews it each third of its length. Others judge by what
// they see themselves, so clocks need not agree: a lease that shows the same
// revision for its whole length is over, and the first to replace that revision
// has it. The holder counts from before it sent what it wrote, and gives up a
// fifth early: so it knows first. A pause can let it find out late, and then
// Results refuses what it writes.
//
// Its methods may be called by any goroutine.
type Leases struct {
	store leaseStore
	opts  LeaseOptions
	owner string // unique

	standing atomic.Pointer[string] // who has what Acquire waits for
}

// leaseStore is the little that is needed of a bucket.
type leaseStore interface {
	// get gives the newest entry that is known here, the zero entry when there
	// is none or it was deleted.
	get(ctx context.Context, key string) (leaseEntry, error)
	// put replaces the entry with the revision given, 0 when there must be
	// none, and gives the new one; errReplaced when there is another.
	put(ctx context.Context, key string, value []byte, rev uint64) (uint64, error)
	// watch signals changes of a key until ctx ends. It may signal too often,
	// and may lose signals.
	watch(ctx context.Context, key string) (<-chan struct{}, error)
}

type leaseEntry struct {
	rev   uint64
	value []byte
}

var errReplaced = errors.New("somebody else has written the lease")

// leaseBody is what a partition's key holds.
type leaseBody struct {
	Version  int    `json:"v"`
	Owner    string `json:"owner,omitempty"` // absent when it was released
	Name     string `json:"name"`            // of the last owner
	Lease    int64  `json:"lease_ms"`
	Subject  string `json:"subject,omitempty"`
	Identity string `json:"log,omitempty"`
}

func newLeases(store leaseStore, opts LeaseOptions) *Leases {
	if opts.Lease <= 0 {
		opts.Lease = DefaultLease
	}
	return &Leases{store: store, opts: opts, owner: nuid.Next()}
}

// Standing gives the name of who has the partition that an Acquire waits for;
// false when none waits.
func (l *Leases) Standing() (holder string, ok bool) {
	if p := l.standing.Load(); p != nil {
		return *p, true
	}
	return "", false
}

func leaseKey(source string, partition int32) string {
	return keyToken(source) + "." + strconv.Itoa(int(partition))
}

// Acquire blocks until this process has the partition. Its error is ctx's, or
// ErrOtherStream when the lease is for another log of the same name.
func (l *Leases) Acquire(ctx context.Context, source string, partition int32) (stream.Claim, error) {
	defer l.standing.Store(nil)
	l.standing.Store(new("nobody known yet"))
	key := leaseKey(source, partition)
	watchCtx, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	var changed <-chan struct{}
	var seen leaseEntry
	var body leaseBody
	var since time.Time // when seen was seen first
	for first := true; ; first = false {
		if changed == nil {
			var err error
			if changed, err = l.store.watch(watchCtx, key); err != nil {
				l.report(fmt.Errorf("watch lease %s: %w", key, err)) // it is looked at without, if later
			}
		}
		e, err := l.store.get(ctx, key)
		if err != nil && ctx.Err() == nil {
			l.report(fmt.Errorf("read lease %s: %w", key, err))
		}
		if err == nil && (first || since.IsZero() || e.rev != seen.rev) {
			seen, body, since = e, l.parse(e.value), time.Now()
		}
		over := body.Owner == "" || body.Owner == l.owner || time.Since(since) >= body.length()
		if err == nil && over {
			c, err := l.take(ctx, source, partition, seen, body)
			if err == nil {
				return c, nil
			}
			if errors.Is(err, ErrOtherStream) {
				return nil, err
			}
			if ctx.Err() == nil && !errors.Is(err, errReplaced) { // else somebody was quicker
				l.report(fmt.Errorf("take lease %s: %w", key, err))
			}
		}
		if name := body.Name; !since.IsZero() && body.Owner != "" {
			if before := l.standing.Swap(&name); *before != name {
				if l.opts.OnStanding != nil {
					l.opts.OnStanding(name)
				}
				if body.Version == leaseVersion && body.Subject != l.opts.Subject {
					l.report(fmt.Errorf("lease %s: its owner %s reads the subject %q of %s, and this process %q; one stream has one owner, so what only one of them reads is lost when it changes: give all the same subject, or a stream of its own to each",
						key, name, body.Subject, source, l.opts.Subject))
				}
			}
		}
		if err := wait(ctx, l.pause(since, body, over), changed); err != nil {
			return nil, err
		}
	}
}

// pause is how long a lease is not looked at again, unless it changes.
func (l *Leases) pause(since time.Time, body leaseBody, over bool) time.Duration {
	p := l.opts.Lease / 6
	if !over && !since.IsZero() {
		p = min(p, time.Until(since.Add(body.length())))
	}
	return max(p, time.Millisecond)
}

func wait(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parse reads a lease. One that cannot be read counts as somebody's, who does
// not renew it.
func (l *Leases) parse(value []byte) leaseBody {
	if value == nil {
		return leaseBody{}
	}
	var b leaseBody
	if err := json.Unmarshal(value, &b); err != nil || b.Version != leaseVersion || b.Lease <= 0 {
		return leaseBody{Owner: "unknown", Name: "an owner whose lease cannot be read", Lease: l.opts.Lease.Milliseconds()}
	}
	return b
}

// length is how long the lease lasts, as its owner said.
func (b *leaseBody) length() time.Duration {
	return min(time.Duration(b.Lease)*time.Millisecond, MaxLease)
}

// take replaces a lease that is over.
func (l *Leases) take(ctx context.Context, source string, partition int32, e leaseEntry, old leaseBody) (*leaseClaim, error) {
	body := leaseBody{Version: leaseVersion, Owner: l.owner, Name: l.opts.Name, Lease: l.opts.Lease.Milliseconds(), Subject: l.opts.Subject}
	if l.opts.Identity != nil {
		var err error
		if body.Identity, err = l.opts.Identity(ctx); err != nil {
			return nil, err
		}
		if old.Identity != "" && old.Identity != body.Identity {
			return nil, fmt.Errorf("%w: %s is the one made at %s, and results of the one made at %s were published under its name, so that those of this one would count as published: give the stream another name, or delete the stream %s and the key %s of the bucket %s to begin anew",
				ErrOtherStream, source, body.Identity, old.Identity, ResultsStream, leaseKey(source, partition), OwnersBucket)
		}
	}
	c := &leaseClaim{leases: l, key: leaseKey(source, partition), body: body, lost: make(chan struct{}), ended: make(chan struct{})}
	sent := time.Now()
	putCtx, cancel := context.WithTimeout(ctx, l.opts.Lease/3)
	defer cancel()
	rev, err := c.put(putCtx, e.rev)
	if err != nil {
		return nil, err
	}
	c.rev, c.until = rev, sent.Add(c.grace())
	var keepCtx context.Context
	keepCtx, c.stop = context.WithCancel(context.Background())
	go c.keep(keepCtx)
	return c, nil
}

func (l *Leases) report(err error) {
	if l.opts.OnError != nil {
		l.opts.OnError(err)
	}
}

// leaseClaim is a lease that is held. Its goroutine alone has rev and until,
// until it has ended.
type leaseClaim struct {
	leases *Leases
	key    string
	body   leaseBody
	rev    uint64
	until  time.Time // this process's own until then
	lost   chan struct{}
	stop   context.CancelFunc // ends keep
	ended  chan struct{}      // closed by keep
	once   sync.Once
	err    error // of the release
}

// Lost is closed when the lease could not be renewed in time, or somebody else
// has it.
func (c *leaseClaim) Lost() <-chan struct{} { return c.lost }

// grace is how long a holder counts on a lease: a fifth less than others do.
func (c *leaseClaim) grace() time.Duration { return c.leases.opts.Lease / 5 * 4 }

// put writes the lease over a revision.
func (c *leaseClaim) put(ctx context.Context, rev uint64) (uint64, error) {
	value, err := json.Marshal(c.body)
	if err != nil {
		return 0, err
	}
	return c.leases.store.put(ctx, c.key, value, rev)
}

// keep renews the lease until it is lost or released.
func (c *leaseClaim) keep(ctx context.Context) {
	defer close(c.ended)
	length := c.leases.opts.Lease
	next := time.NewTimer(length / 3)
	defer next.Stop()
	over := time.NewTimer(time.Until(c.until))
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			c.lose(fmt.Errorf("lease %s could not be renewed in time", c.key))
			return
		case <-next.C:
		}
		if !time.Now().Before(c.until) {
			continue // over fires: the process was held up
		}
		pause := length / 3
		switch err := c.renew(ctx); {
		case ctx.Err() != nil:
			return
		case err == nil:
			over.Reset(time.Until(c.until))
		case errors.Is(err, errReplaced):
			c.lose(fmt.Errorf("lease %s: %w", c.key, err))
			return
		default:
			c.leases.report(fmt.Errorf("renew lease %s: %w", c.key, err))
			pause = length / 20
		}
		next.Reset(pause)
	}
}

func (c *leaseClaim) lose(err error) {
	c.leases.report(err)
	close(c.lost)
}

// renew writes the lease once more.
func (c *leaseClaim) renew(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, c.until)
	defer cancel()
	for {
		// One answer that does not come must not cost the lease.
		try, cancelTry := context.WithTimeout(ctx, c.leases.opts.Lease/5)
		sent := time.Now()
		rev, err := c.put(try, c.rev)
		cancelTry()
		if err == nil {
			c.rev, c.until = rev, sent.Add(c.grace())
			return nil
		}
		if !errors.Is(err, errReplaced) {
			return err
		}
		// Perhaps it was this process, and the answer did not come.
		if err := c.reread(ctx); err != nil {
			return err
		}
	}
}

// reread learns the revision of a lease of this process's own.
func (c *leaseClaim) reread(ctx context.Context) error {
	e, err := c.leases.store.get(ctx, c.key)
	if err != nil {
		return err
	}
	if body := c.leases.parse(e.value); body.Owner != c.leases.owner || e.rev == c.rev {
		return errReplaced
	}
	c.rev = e.rev
	return nil
}

// Release gives the lease to whoever waits for it. A lease that was lost has
// nothing to release.
func (c *leaseClaim) Release() error {
	c.once.Do(func() {
		c.stop()
		<-c.ended
		select {
		case <-c.lost:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		c.body.Owner = ""
		_, err := c.put(ctx, c.rev)
		if errors.Is(err, errReplaced) {
			// A renewal was under way when it was stopped.
			if err = c.reread(ctx); err == nil {
				_, err = c.put(ctx, c.rev)
			}
		}
		if err != nil {
			c.err = fmt.Errorf("release lease %s: %w", c.key, err)
		}
	})
	return c.err
}
