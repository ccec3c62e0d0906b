//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/internal/gen"
	"misstep/internal/kafkatest"
	"misstep/stream"
	misstep "misstep/stream/kafka"
)

type bench struct {
	broker *kafkatest.Broker
}

// consume reads so many records of partition 0.
type consume func(ctx context.Context, topic string, n int) error

// cpu is the processor time of this process that something takes.
func cpu(do func() error) (time.Duration, error) {
	before, err := used()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := used()
	return after - before, err
}

func used() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

func (b *bench) connect(ctx context.Context) (*misstep.Cluster, error) {
	return misstep.Connect(ctx, misstep.ConnectOptions{Brokers: []string{b.broker.Addr()}, ClientID: "bench"})
}

// topics makes what one group needs besides the steps, and gives the names.
func (b *bench) topics(ctx context.Context, partitions int) (misstep.Names, error) {
	n, id := misstep.DefaultNames(), rand.Text()
	n.Group += "-" + id
	for _, t := range []*string{&n.Failures, &n.Tasks, &n.Directives, &n.DeadLetter, &n.Gaps, &n.Checkpoints} {
		*t += "-" + id
		settings, count := map[string]string{}, 1
		switch t {
		case &n.Checkpoints:
			settings["cleanup.policy"], count = "compact", partitions
		case &n.Failures, &n.Directives:
			count = partitions
		}
		if err := b.broker.CreateTopic(ctx, *t, count, settings); err != nil {
			return n, err
		}
	}
	return n, nil
}

// fill makes a topic of generated steps, keyed by their trajectories.
func (b *bench) fill(ctx context.Context, topic string, partitions int, compression string, s size) error {
	if err := b.broker.CreateTopic(ctx, topic, partitions, map[string]string{"message.timestamp.type": "LogAppendTime"}); err != nil {
		return err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := misstep.NewProducer(ctx, c, misstep.ProducerOptions{Topic: topic, Compression: compression})
	if err != nil {
		return err
	}
	g := gen.New(gen.Options{Seed: 1, Trajectories: s.live})
	var messages []misstep.StepMessage
	for n := range s.events {
		l, ok := g.Next()
		if !ok {
			return errors.New("the generator ended")
		}
		l = append([]byte(nil), l...)
		var d event.Decoder
		var step event.Step
		d.Reset(l)
		if err := d.Next(&step); err != nil {
			return err
		}
		messages = append(messages, misstep.StepMessage{Key: []byte(string(step.TrajectoryID)), Value: l})
		if len(messages) == 10_000 || n == s.events-1 {
			if err := p.Publish(ctx, messages); err != nil {
				return err
			}
			messages = messages[:0]
		}
	}
	return nil
}

// fetch is kafka-go's Client.Fetch, whose records are looked at and no more.
func (b *bench) fetch(ctx context.Context, topic string, n int) error {
	client, done := b.broker.Client()
	defer done()
	client.Timeout = time.Minute
	for offset := int64(0); offset < int64(n); {
		r, err := client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 2 << 20, MaxWait: time.Second})
		if err == nil {
			err = r.Error
		}
		if err != nil {
			if errors.Is(err, io.EOF) || offset == 0 {
				continue // the pool has not heard of the topic yet
			}
			return err
		}
		for {
			rec, err := r.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			offset = rec.Offset + 1
		}
	}
	return nil
}

// log is this program's log alone.
func (b *bench) log(ctx context.Context, topic string, n int) error {
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := misstep.OpenLog(ctx, c, misstep.LogOptions{Topic: topic, Partition: partition, Partitioner: misstep.Murmur2})
	if err != nil {
		return err
	}
	dst := make([]stream.Record, stream.DefaultBatchRecords)
	for got := 0; got < n; {
		m, err := l.Read(ctx, dst)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		got += m
	}
	return l.Close()
}

// detector is all of the detect program, with its outputs and checkpoints.
func (b *bench) detector(ctx context.Context, topic string, n int) error {
	names, err := b.topics(ctx, 1)
	if err != nil {
		return err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, done, err := engine(ctx, c, names, topic, 0, alone{}, stream.Checkpointing{})
	if err != nil {
		return err
	}
	defer done()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if e.Stats().Records >= int64(n) {
			cancel()
			<-ended
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("engine: %w", err)
		}
	}
}

// engine is one of the detect program.
func engine(ctx context.Context, c *misstep.Cluster, n misstep.Names, topic string, p int32, owner misstep.Owner, ck stream.Checkpointing) (*stream.Engine[event.Step], func(), error) {
	rules, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		return nil, nil, err
	}
	l, err := misstep.OpenLog(ctx, c, misstep.LogOptions{Topic: topic, Partition: p, Partitioner: misstep.Murmur2})
	if err != nil {
		return nil, nil, err
	}
	results := misstep.NewResults(c, misstep.ResultsOptions{Topics: map[stream.Topic]string{
		stream.Failures: n.Failures, stream.Tasks: n.Tasks, stream.Directives: n.Directives, stream.DeadLetter: n.DeadLetter,
	}})
	store := misstep.NewCheckpoints(c, results, misstep.CheckpointsOptions{Topic: n.Checkpoints, Group: n.Group, Owner: owner, Log: l})
	ck.Store, ck.Ruleset = store, rules.Hash()
	e, err := stream.New(stream.Options[event.Step]{Program: detect.NewProgram(rules, topic, p), Log: l, Results: results, Shards: 1, Checkpoint: ck})
	return e, func() { store.Close(); _ = l.Close() }, err
}

// alone owns what nobody else wants: commits without a member are taken while
// the group has none.
type alone struct{}

func (alone) Membership() (int, string)    { return -1, "" }
func (alone) Verify(context.Context) error { return nil }
func (alone) Gate(context.Context) error   { return nil }

// committed sums up what a group has committed of a topic.
func committed(ctx context.Context, client *kafka.Client, group, topic string, partitions int) (sum int64, err error) {
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	r, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
	if err != nil {
		return 0, err
	}
	for _, p := range r.Topics[topic] {
		sum += max(p.CommittedOffset, 0)
	}
	return sum, r.Error
}
