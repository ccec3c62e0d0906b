package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// The times of a group, where its options give no others.
const (
	DefaultSession = 10 * time.Second
	// DefaultHeartbeat is short, since a member learns by it that the group
	// changes: so long the partitions of one that died wait after its session.
	DefaultHeartbeat = 300 * time.Millisecond

	rebalanceTimeout = 30 * time.Second
	joinBackoff      = 500 * time.Millisecond
	// drainTimeout is how long the partitions may take to be given up when the
	// group changes. All members wait for it, and what it leaves undone costs
	// whoever is next no more than a crash would.
	drainTimeout = 5 * time.Second
	// watchEvery is how often a member looks for new partitions.
	watchEvery = 5 * time.Second
)

// GroupOptions say which group is joined. ID and Topic are required.
type GroupOptions struct {
	ID, Topic string
	// Session is how long a process that says nothing keeps its partitions, and
	// Heartbeat how often it says something. 0 means the default.
	Session, Heartbeat time.Duration
	// OnError is told why the group cannot be joined for now; it goes on trying.
	OnError func(err error)
	// OnAssigned is told of each generation's partitions.
	OnAssigned func(generation int, partitions []int32)
}

// Handler works on the partitions that this process has. Its methods are called
// by one goroutine, but for Drain.
type Handler interface {
	// Begin starts work on a partition, and does not wait for it.
	Begin(t *Tenure)
	// Drain stops reading, and makes durable what was read, as far as that is
	// possible until ctx ends. It may be called for several at once.
	Drain(ctx context.Context, t *Tenure)
	// Resume goes on reading, after Drain: the partition came back, and nobody
	// else had it.
	Resume(t *Tenure)
	// End waits until there is no work on a partition that was lost.
	End(t *Tenure)
}

// Member is a member of a consumer group, which shares the partitions of a topic.
type Member struct {
	cluster *Cluster
	opts    GroupOptions
	members members
	sticky  *sticky

	again chan struct{} // asks for the next generation

	tenures    map[int32]*Tenure
	generation int
}

// members is the little of kafka-go's group that is needed. Who would speak
// another protocol implements it anew.
type members interface {
	// Next blocks until there is a new generation, once the one before has
	// ended and all that was started in it.
	Next(ctx context.Context) (*kafka.Generation, error)
	Close() error
}

// Join makes a member. It joins within Run.
func Join(c *Cluster, opts GroupOptions) (*Member, error) {
	if opts.Session == 0 {
		opts.Session = DefaultSession
	}
	if opts.Heartbeat == 0 {
		opts.Heartbeat = DefaultHeartbeat
	}
	g := &Member{cluster: c, opts: opts, sticky: &sticky{}, again: make(chan struct{}, 1), tenures: map[int32]*Tenure{}}
	var err error
	g.members, err = kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: opts.ID, Brokers: c.Brokers, Dialer: c.Dialer, Topics: []string{opts.Topic},
		GroupBalancers: []kafka.GroupBalancer{g.sticky}, HeartbeatInterval: opts.Heartbeat,
		SessionTimeout: opts.Session, RebalanceTimeout: rebalanceTimeout, JoinGroupBackoff: joinBackoff,
		WatchPartitionChanges: true, PartitionWatchInterval: watchEvery,
	})
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", opts.ID, err)
	}
	return g, nil
}

// Run has the handler work on what this process is assigned until ctx ends. It
// then leaves the group, and all tenures end. Whatever is to be made durable is
// so before that: Run does not drain at its end.
func (g *Member) Run(ctx context.Context, h Handler) error {
	// Somebody must always wait for the next generation: a member that was
	// evicted joins again only then.
	for ctx.Err() == nil {
		gen, err := g.members.Next(ctx)
		switch {
		case err == nil:
			g.begin(ctx, gen, h)
		case ctx.Err() == nil && g.opts.OnError != nil:
			g.opts.OnError(fmt.Errorf("group %s: %w", g.opts.ID, err))
		}
	}
	for p := range g.tenures {
		g.end(p, h)
	}
	return g.members.Close()
}

// begin takes over what a generation gives this process.
func (g *Member) begin(ctx context.Context, gen *kafka.Generation, h Handler) {
	var assigned []int32
	has, owned := map[int32]bool{}, []int{}
	for _, a := range gen.Assignments[g.opts.Topic] {
		assigned = append(assigned, int32(a.ID))
		owned = append(owned, a.ID)
		has[int32(a.ID)] = true
	}
	g.sticky.own(int(gen.ID), owned)
	if g.opts.OnAssigned != nil {
		g.opts.OnAssigned(int(gen.ID), assigned)
	}
	for p, t := range g.tenures {
		// In the generation after the one that had it nobody else can have had
		// it, so the state in memory is as good as the checkpoint.
		if has[p] && int(gen.ID) == g.generation+1 && !t.failed() {
			t.resume(int(gen.ID), gen.MemberID)
			h.Resume(t)
			continue
		}
		g.end(p, h)
	}
	g.generation = int(gen.ID)
	for _, p := range assigned {
		if g.tenures[p] != nil {
			continue
		}
		t := newTenure(g.cluster, g.opts.ID, p, g.opts.Session/3)
		t.rejoin = g.rejoin
		t.resume(int(gen.ID), gen.MemberID)
		g.tenures[p] = t
		h.Begin(t)
	}
	// Another goroutine may have work on them until the generation ends.
	all := make([]*Tenure, 0, len(g.tenures))
	for _, t := range g.tenures {
		all = append(all, t)
	}
	gen.Start(func(genCtx context.Context) {
		select {
		case <-genCtx.Done():
		case <-g.again:
		case <-ctx.Done():
			return // Run leaves the group
		}
		g.drain(ctx, gen, all, h)
	})
}

// rejoin has this member end the generation.
func (g *Member) rejoin() {
	select {
	case g.again <- struct{}{}:
	default:
	}
}

// end gives a partition up.
func (g *Member) end(p int32, h Handler) {
	t := g.tenures[p]
	delete(g.tenures, p)
	t.end()
	h.End(t)
}

// drain has all partitions given up in order, because the group changes. While
// that takes, the coordinator is told that this member lives.
func (g *Member) drain(ctx context.Context, gen *kafka.Generation, all []*Tenure, h Handler) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	alive := make(chan struct{})
	defer func() { <-alive }()
	defer cancel()
	go func() {
		defer close(alive)
		g.keepAlive(ctx, gen)
	}()
	var wg sync.WaitGroup
	for _, t := range all {
		wg.Go(func() {
			h.Drain(ctx, t)
			t.pause()
		})
	}
	wg.Wait()
}

// keepAlive sends heartbeats until ctx ends.
func (g *Member) keepAlive(ctx context.Context, gen *kafka.Generation) {
	tick := time.NewTicker(g.opts.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		resp, err := g.cluster.Client.Heartbeat(ctx, &kafka.HeartbeatRequest{GroupID: gen.GroupID, GenerationID: gen.ID, MemberID: gen.MemberID})
		if err == nil && errors.Is(heartbeatError(resp), ErrStale) {
			return
		}
	}
}
