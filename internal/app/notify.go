package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/nats-io/nats.go"

	"misstep/event"
	"misstep/internal/notify"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// notifiers feed the sinks of the configuration.
type notifiers struct {
	all    []*notify.Notifier
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// openNotifiers makes them; nothing is read yet.
func (a *app) openNotifiers(ctx context.Context) (*notifiers, error) {
	n := &notifiers{}
	c := a.opts.Config
	for i := range c.Sinks {
		s := &c.Sinks[i]
		sink, err := notify.Open(s)
		if err != nil {
			return nil, err
		}
		follower, dead, err := a.broker.follow(ctx, s.Name)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		n.all = append(n.all, notify.New(notify.Options{
			Sink: sink, Follower: follower,
			Filter: notify.Filter{
				Kinds: s.Kinds, Classes: s.Classes, Rules: s.Rules, States: s.States,
				Workflows: s.Workflows, Tenants: s.Tenants, MinSeverity: s.MinSeverity,
			},
			PerMinute: s.PerMinute, GroupWait: s.GroupWait, GroupMost: s.GroupMost,
			FirstRetry: s.FirstRetry, LastRetry: s.LastRetry, MaxAge: s.MaxAge,
			Dead: dead, Random: rand.Float64, Log: a.opts.Log,
		}))
	}
	return n, nil
}

// start has all sinks follow until stop.
func (n *notifiers) start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, one := range n.all {
		n.wg.Go(func() { one.Run(ctx) })
	}
}

// stop ends all, and returns once they have ended.
func (n *notifiers) stop() {
	n.cancel()
	n.wg.Wait()
}

// deadLetter writes what a sink did not take.
type deadLetter = func(ctx context.Context, d event.DeadLetter) error

func (b *broker) follow(ctx context.Context, name string) (stream.Follower, deadLetter, error) {
	if err := b.openNotify(ctx); err != nil {
		return nil, nil, err
	}
	f, err := jetstream.OpenFollower(ctx, b.notify, jetstream.FollowOptions{
		Name: name, Owner: processName(), Lease: b.config.Lease, Alone: b.server != nil,
		OnStanding: func(owner string) {
			b.logger.Info().Str("sink", name).Str("owner", owner).Msg("another process feeds the sink")
		},
	})
	return f, func(ctx context.Context, d event.DeadLetter) error {
		return jetstream.PublishDeadLetter(ctx, b.notify, event.AppendDeadLetter(nil, &d))
	}, err
}

// openNotify connects, so that what sinks read holds nothing else up.
func (b *broker) openNotify(ctx context.Context) (err error) {
	if b.notify != nil {
		return nil
	}
	var nc *nats.Conn
	if nc, err = b.connect("misstep notify"); err != nil {
		return err
	}
	b.notify = nc
	if b.server != nil || b.config.Create {
		return jetstream.EnsureNotify(ctx, nc, b.config.Replicas)
	}
	return nil
}

func (b *kafkaBackend) follow(context.Context, string) (stream.Follower, deadLetter, error) {
	return nil, nil, errors.New("sinks follow the results on NATS alone so far, and the steps are on Kafka; remove sinks, and consume the topics of results")
}
