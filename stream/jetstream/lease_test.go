package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"misstep/stream"
)

// fakeBucket is what all processes of a test share.
type fakeBucket struct {
	mu       sync.Mutex
	rev      uint64
	entries  map[string]leaseEntry
	watchers []chan struct{}
}

// link is one process's way to it.
type link struct {
	b    *fakeBucket
	cut  bool // nothing comes through
	deaf bool // what is written lands, but the answer does not come
	mute bool // nothing is signalled
}

var errCut = errors.New("cut")

func (l *link) get(ctx context.Context, key string) (leaseEntry, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.cut {
		return leaseEntry{}, errCut
	}
	return l.b.entries[key], ctx.Err()
}

func (l *link) put(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	switch {
	case l.cut:
		return 0, errCut
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case l.b.entries[key].rev != rev:
		return 0, errReplaced
	}
	l.b.rev++
	l.b.entries[key] = leaseEntry{l.b.rev, value}
	for _, w := range l.b.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	if l.deaf {
		l.deaf = false
		return 0, errCut
	}
	return l.b.rev, nil
}

func (l *link) watch(context.Context, string) (<-chan struct{}, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.mute {
		return nil, errCut
	}
	c := make(chan struct{}, 1)
	l.b.watchers = append(l.b.watchers, c)
	return c, nil
}

func (l *link) set(f func(*link)) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	f(l)
}

func newFake() *fakeBucket { return &fakeBucket{entries: map[string]leaseEntry{}} }

type process struct {
	*Leases
	link  *link
	claim stream.Claim
	err   error
	done  chan struct{} // of acquire
}

func (b *fakeBucket) process(name string, opts LeaseOptions) *process {
	l := &link{b: b}
	opts.Name = name
	return &process{Leases: newLeases(l, opts), link: l}
}

// acquire begins to.
func (p *process) acquire(ctx context.Context) *process {
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		p.claim, p.err = p.Acquire(ctx, "S", 0)
	}()
	synctest.Wait()
	return p
}

func (p *process) owns() bool {
	select {
	case <-p.done:
		return p.err == nil && !p.lost()
	default:
		return false
	}
}

func (p *process) lost() bool {
	select {
	case <-p.claim.Lost():
		return true
	default:
		return false
	}
}

const second = time.Second

// leaseTest runs in a bubble with a context that ends before it.
func leaseTest(t *testing.T, f func(t *testing.T, ctx context.Context, b *fakeBucket)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		f(t, ctx, newFake())
	})
}

func TestLeaseIsKept(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		a := b.process("a", LeaseOptions{}).acquire(ctx)
		if !a.owns() {
			t.Fatal("a free lease was not taken")
		}
		c := b.process("c", LeaseOptions{}).acquire(ctx)
		for range 600 {
			time.Sleep(second)
			if !a.owns() || c.owns() {
				t.Fatal("a lease that is renewed is lost")
			}
		}
		if holder, ok := c.Standing(); !ok || holder != "a" {
			t.Errorf("c stands by for %q, %t", holder, ok)
		}
		if _, ok := a.Standing(); ok {
			t.Error("a owns and stands by")
		}
		if n := b.rev; n < 600*3/10 || n > 700*3/10 {
			t.Errorf("%d writes in 600 s, want one each third of 10 s", n)
		}
		begin := time.Now()
		if err := errors.Join(a.claim.Release(), a.claim.Release()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if !c.owns() || time.Since(begin) > 0 {
			t.Error("a lease that was released is not taken at once")
		}
		if err := c.claim.Release(); err != nil {
			t.Error(err)
		}
	})
}

// TestLeaseOfTheDead: a holder that is gone is followed when its lease is over,
// and not before.
func TestLeaseOfTheDead(t *testing.T) {
	for _, own := range []time.Duration{10 * second, 3 * second, 30 * second} {
		leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
			a := b.process("a", LeaseOptions{Lease: 10 * second}).acquire(ctx)
			c := b.process("c", LeaseOptions{Lease: own}).acquire(ctx)
			time.Sleep(25 * second)
			lastRenewal := time.Now().Add(-25 * second % (10 * second / 3))
			a.link.set(func(l *link) { l.cut = true })
			<-a.claim.Lost()
			gaveUp := time.Since(lastRenewal)
			if gaveUp > 8*second+second/2 || gaveUp < 6*second {
				t.Errorf("gave up %v after the last renewal, want 8 s", gaveUp)
			}
			if c.owns() {
				t.Error("taken while it was another's")
			}
			<-c.done
			if took := time.Since(lastRenewal); took < 10*second-second/10 || took > 10*second+second/10 {
				t.Errorf("own lease %v: taken over %v after the last renewal, want 10 s", own, took)
			}
			if err := a.claim.Release(); err != nil {
				t.Errorf("releasing what is lost: %v", err)
			}
			if !c.owns() {
				t.Error("releasing what is lost takes it from the owner")
			}
			if err := c.claim.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLeaseRace: of many that wait for the same lease one gets it, again and
// again.
func TestLeaseRace(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		var all []*process
		for i := range 8 {
			p := b.process(fmt.Sprint(i), LeaseOptions{})
			p.link.mute = i%2 == 0 // half see it by looking alone
			all = append(all, p.acquire(ctx))
		}
		for range 40 {
			var owner *process
			for _, p := range all {
				if p.owns() {
					if owner != nil {
						t.Fatalf("%s and %s own it", owner.opts.Name, p.opts.Name)
					}
					owner = p
				}
			}
			if owner == nil {
				t.Fatal("nobody owns it")
			}
			if owner.opts.Name[0]%3 == 0 {
				owner.link.set(func(l *link) { l.cut = true })
				<-owner.claim.Lost()
				owner.link.set(func(l *link) { l.cut = false })
			} else if err := owner.claim.Release(); err != nil {
				t.Fatal(err)
			}
			owner.acquire(ctx)
			time.Sleep(12 * second)
		}
		for _, p := range all {
			if p.owns() {
				_ = p.claim.Release()
			}
		}
	})
}

// TestLeaseWithoutAnswers: an answer that did not come costs nothing.
func TestLeaseWithoutAnswers(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		a := b.process("a", LeaseOptions{})
		a.link.deaf = true
		a.acquire(ctx)
		time.Sleep(2 * second)
		if !a.owns() {
			t.Fatal("a lease whose answer did not come is not this process's own")
		}
		for range 20 {
			a.link.set(func(l *link) { l.deaf = true })
			time.Sleep(5 * second)
			if !a.owns() {
				t.Fatal("lost for want of one answer")
			}
		}
		// The last renewal landed, and nobody heard of it.
		a.link.set(func(l *link) { l.deaf = true })
		for heard := true; heard; time.Sleep(time.Millisecond) {
			a.link.set(func(l *link) { heard = l.deaf })
		}
		if err := a.claim.Release(); err != nil {
			t.Error(err)
		}
		if c := b.process("c", LeaseOptions{}).acquire(ctx); !c.owns() {
			t.Error("it was not released")
		} else if err := c.claim.Release(); err != nil {
			t.Error(err)
		}
	})
}

// TestLeaseAfterAnOutage: when the server was away for longer than the lease,
// nobody owns the partition, and then one.
func TestLeaseAfterAnOutage(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		var told syncBuffer
		a := b.process("a", LeaseOptions{OnError: func(err error) { fmt.Fprintln(&told, err) }}).acquire(ctx)
		c := b.process("c", LeaseOptions{}).acquire(ctx)
		cut := func(on bool) {
			for _, p := range []*process{a, c} {
				p.link.set(func(l *link) { l.cut = on })
			}
		}
		cut(true)
		time.Sleep(time.Minute)
		if a.owns() || c.owns() {
			t.Error("owned while nobody can write")
		}
		a.acquire(ctx)
		time.Sleep(time.Minute)
		cut(false)
		time.Sleep(12 * second)
		if a.owns() == c.owns() {
			t.Errorf("a owns: %t, c owns: %t", a.owns(), c.owns())
		}
		if !strings.Contains(told.String(), "lease S.0 could not be renewed in time") {
			t.Errorf("told %s", told.String())
		}
		for _, p := range []*process{a, c} {
			if p.owns() {
				_ = p.claim.Release()
			}
		}
	})
}

// TestLeaseTampered: what others write there does not stop the owner for ever,
// nor make two.
func TestLeaseTampered(t *testing.T) {
	for _, garbage := range []string{"", "{", `{"v":1,"owner":"x","name":"x","lease_ms":-1}`, `{"v":9,"owner":"x"}`, `{"v":1,"owner":"x","name":"eve","lease_ms":9223372036854775807}`} {
		leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
			a := b.process("a", LeaseOptions{}).acquire(ctx)
			if _, err := a.link.put(ctx, "S.0", []byte(garbage), b.rev); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * second)
			if a.owns() {
				t.Errorf("%q: still owns it", garbage)
			}
			a.acquire(ctx)
			time.Sleep(MaxLease + second)
			if !a.owns() {
				t.Errorf("%q: never owns it again", garbage)
			}
			_ = a.claim.Release()
		})
	}
}

func TestLeaseOfAnotherLog(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		identity := func(s string, err error) LeaseOptions {
			return LeaseOptions{Identity: func(context.Context) (string, error) { return s, err }}
		}
		a := b.process("a", identity("monday", nil)).acquire(ctx)
		if err := a.claim.Release(); err != nil {
			t.Fatal(err)
		}
		c := b.process("c", identity("tuesday", nil)).acquire(ctx)
		if !errors.Is(c.err, ErrOtherStream) || !strings.Contains(c.err.Error(), "S is the one made at tuesday, and results of the one made at monday") {
			t.Errorf("got %v", c.err)
		}
		d := b.process("d", identity("", errCut)).acquire(ctx)
		time.Sleep(time.Minute)
		if d.owns() {
			t.Error("owns what cannot be identified")
		}
		again := b.process("again", identity("monday", nil)).acquire(ctx)
		if !again.owns() {
			t.Errorf("got %v", again.err)
		}
		_ = again.claim.Release()
	})
}

func TestLeaseNotWaitedFor(t *testing.T) {
	leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
		a := b.process("a", LeaseOptions{}).acquire(ctx)
		short, cancel := context.WithTimeout(ctx, second)
		defer cancel()
		c := b.process("c", LeaseOptions{}).acquire(short)
		<-c.done
		if c.err == nil || !errors.Is(c.err, context.DeadlineExceeded) {
			t.Errorf("got %v", c.err)
		}
		if _, ok := c.Standing(); ok {
			t.Error("stands by for what it does not wait for")
		}
		_ = a.claim.Release()
	})
}

// TestLeasesOnAServer does the same with a real bucket, in little time.
func TestLeasesOnAServer(t *testing.T) {
	s := natsServer(t, withJetStream)
	open := func(name string) *Leases {
		t.Helper()
		nc, err := Connect(t.Context(), ConnectOptions{URLs: []string{s.ClientURL()}, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		if _, err := OpenLeases(t.Context(), nc, LeaseOptions{}); name == "a" && (err == nil || !strings.Contains(err.Error(), "set nats.create to true")) {
			t.Errorf("without the bucket: %v", err)
		}
		if err := EnsureOwners(t.Context(), nc, 1); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLeases(t.Context(), nc, LeaseOptions{Name: name, Lease: second})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	// A source may be any text.
	const source = "steps of *, <all> é.>"
	a, err := open("a").Acquire(t.Context(), source, 0)
	if err != nil {
		t.Fatal(err)
	}
	type got struct {
		claim stream.Claim
		err   error
		at    time.Time
	}
	second := make(chan got, 1)
	c := open("c")
	go func() {
		claim, err := c.Acquire(t.Context(), source, 0)
		second <- got{claim, err, time.Now()}
	}()
	for deadline := time.Now().Add(patience); ; {
		if name, _ := c.Standing(); name == "a" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("does not stand by")
		}
	}
	begin := time.Now()
	if err := a.Release(); err != nil {
		t.Fatal(err)
	}
	g := <-second
	if g.err != nil {
		t.Fatal(g.err)
	}
	t.Logf("handed over in %v", g.at.Sub(begin))
	// Written over by hand, as an operator may.
	if _, err := open("d").store.put(t.Context(), leaseKey(source, 0), []byte("x"), g.claim.(*leaseClaim).rev); err == nil {
		<-g.claim.Lost()
	} else if err := g.claim.Release(); err != nil { // it was renewed meanwhile
		t.Error(err)
	}
}

// TestLeaseOfAnotherSubject: who waits for an owner that reads other messages of
// the stream is told so, and nobody else.
func TestLeaseOfAnotherSubject(t *testing.T) {
	for subject, warned := range map[string]bool{"steps.a": false, "steps.b": true, "": true} {
		leaseTest(t, func(t *testing.T, ctx context.Context, b *fakeBucket) {
			a := b.process("a", LeaseOptions{Subject: "steps.a"}).acquire(ctx)
			var told syncBuffer
			c := b.process("c", LeaseOptions{Subject: subject, OnError: func(err error) { fmt.Fprintln(&told, err) }}).acquire(ctx)
			time.Sleep(time.Minute)
			synctest.Wait()
			if c.owns() {
				t.Error("two owners")
			}
			if got := strings.Count(told.String(), `reads the subject "steps.a" of S, and this process "`+subject+`"`); got != map[bool]int{true: 1}[warned] {
				t.Errorf("subject %q: told %d times: %s", subject, got, told.String())
			}
			_ = a.claim.Release()
			time.Sleep(second)
			synctest.Wait()
			_ = c.claim.Release()
		})
	}
}
