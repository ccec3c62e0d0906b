package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/stream"
	"misstep/stream/jetstream"
	"misstep/stream/kafka"
)

// kafkaBackend is the user's Kafka cluster: this process works on the partitions
// that its group gives it.
type kafkaBackend struct {
	config      *config.Kafka
	cluster     *kafka.Cluster
	logger      zerolog.Logger
	compression kafka.Compression
	producer    *kafka.Producer
	gaps        gaps
	assigned    prometheus.Gauge
	rebalances  prometheus.Counter

	joined   atomic.Bool // there was a generation
	owned    atomic.Int64
	stopping atomic.Bool

	mu      sync.Mutex
	workers map[int32]*kafkaWorker
	idle    chan struct{} // signalled when one has ended
}

// openKafka connects to the cluster and looks whether all is there.
func openKafka(ctx context.Context, c *config.Config, log zerolog.Logger) (*kafkaBackend, error) {
	k := &c.Kafka
	cluster, err := connectKafka(ctx, k, log)
	if err != nil {
		return nil, err
	}
	b := &kafkaBackend{
		config: k, cluster: cluster, logger: log, workers: map[int32]*kafkaWorker{}, idle: make(chan struct{}, 1),
		assigned: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "misstep_partitions", Help: "Partitions of the log of steps that this process works on.",
		}),
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "misstep_rebalances_total", Help: "Times that the group gave this process partitions, the same ones included.",
		}),
	}
	if b.compression, err = kafka.CompressionOf(k.Compression); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.gaps = gaps{log: log, source: k.Topics.Steps, now: time.Now, publish: func(ctx context.Context, partition int32, from, to int64) error {
		return kafka.PublishGap(ctx, cluster, k.Topics.Gaps, kafka.Gap{Time: time.Now().UTC(), Source: k.Topics.Steps, Partition: partition, From: from, To: to})
	}}
	if err := kafka.CheckTopics(ctx, cluster, KafkaNames(k)); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.producer, err = kafka.NewProducer(ctx, cluster, kafka.ProducerOptions{Topic: k.Topics.Steps, Partitioner: kafka.Partitioner(k.Partitioner), Compression: k.Compression})
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	if k.Checkpoint == "" {
		log.Warn().Stringer("replay", k.Replay).Msg("no checkpoints are kept: a start reads again what is younger than replay, and what a trajectory did before that is not known")
	}
	return b, nil
}

// connectKafka connects, and waits for a cluster that does not answer just now.
func connectKafka(ctx context.Context, k *config.Kafka, log zerolog.Logger) (*kafka.Cluster, error) {
	for end := time.Now().Add(startPatience); ; {
		c, err := kafka.Connect(ctx, KafkaOptions(k, log))
		if err == nil || !errors.Is(err, kafka.ErrUnavailable) || time.Now().After(end) {
			return c, err
		}
		log.Warn().Err(err).Msg("cannot start yet; trying again")
		if err := pause(ctx, startRetry); err != nil {
			return nil, err
		}
	}
}

func (b *kafkaBackend) first(context.Context, *app) error { return nil }

// work is a member of the group until ctx ends, or a partition's engine ends for
// a reason that does not pass.
func (b *kafkaBackend) work(ctx context.Context, a *app) error {
	member, err := kafka.Join(b.cluster, kafka.GroupOptions{
		ID: b.config.Group, Topic: b.config.Topics.Steps, Session: b.config.Session, Heartbeat: b.config.Heartbeat,
		OnError: func(err error) { b.logger.Warn().Err(err).Msg("trying again") },
		OnAssigned: func(generation int, partitions []int32) {
			b.rebalances.Inc()
			b.assigned.Set(float64(len(partitions)))
			b.owned.Store(int64(len(partitions)))
			b.joined.Store(true)
			a.share(len(partitions))
			b.logger.Info().Int("generation", generation).Ints32("partitions", partitions).Msg("the group gives partitions of the log of steps")
		},
	})
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err = member.Run(ctx, &kafkaHandler{backend: b, app: a, ctx: ctx, fail: fail})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (b *kafkaBackend) standingBy() error {
	switch {
	case !b.joined.Load():
		return fmt.Errorf("joining the group %s", b.config.Group)
	case b.owned.Load() == 0:
		return fmt.Errorf("standing by: other members of the group %s have all partitions", b.config.Group)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, w := range b.workers {
		if err := w.trouble(); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}

func (b *kafkaBackend) lag(ctx context.Context, t *term) (int64, error) {
	l, ok := t.log.Log.(interface {
		Lag(ctx context.Context, position int64) (int64, error)
	})
	if !ok {
		return 0, nil
	}
	position, ok := t.engine.Position()
	if !ok {
		position = -1
	}
	return l.Lag(ctx, position)
}

// drain ends all terms where they are, with a checkpoint: what they have not
// read is in the topic, for whoever has the partition next.
func (b *kafkaBackend) drain(ctx context.Context, a *app, _ chan error) error {
	b.stopping.Store(true)
	for _, t := range a.terms.all() {
		t.log.endAt(-1)
	}
	for {
		b.mu.Lock()
		n := 0
		for _, w := range b.workers {
			if w.running.Load() {
				n++
			}
		}
		b.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-b.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// space is that of the brokers, which is their own concern.
func (b *kafkaBackend) space() jetstream.Space { return jetstream.Space{Free: -1} }
func (b *kafkaBackend) degraded() error        { return nil }
func (b *kafkaBackend) keyed() bool            { return true }

// Publish implements httpd.Publisher.
func (b *kafkaBackend) Publish(ctx context.Context, messages []httpd.Message) error {
	out := make([]kafka.StepMessage, len(messages))
	for i, m := range messages {
		out[i] = kafka.StepMessage{Key: []byte(m.Key), Value: m.Data}
	}
	return b.producer.Publish(ctx, out)
}

func (b *kafkaBackend) where(r *Running) {
	r.Kafka, r.Stream, r.Group = strings.Join(b.config.Brokers, ","), b.config.Topics.Steps, b.config.Group
}

func (b *kafkaBackend) register(r prometheus.Registerer) error {
	return errors.Join(b.gaps.register(r), r.Register(b.assigned), r.Register(b.rebalances))
}

func (b *kafkaBackend) close() error {
	b.cluster.Close()
	return nil
}

// topics are where outputs go.
func (b *kafkaBackend) topics() map[stream.Topic]string {
	t := &b.config.Topics
	return map[stream.Topic]string{
		stream.Failures: t.Failures, stream.Tasks: t.Tasks, stream.Directives: t.Directives, stream.DeadLetter: t.DeadLetter,
	}
}
