package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// StepMessage is one message of steps, all of one key.
type StepMessage struct {
	Key   string // trajectory
	Value []byte
}

// Publisher writes steps, each to the partition of its key.
type Publisher struct {
	cluster     *Cluster
	topic       string
	partitioner Partitioner
	compression kafka.Compression

	mu    sync.Mutex
	count topicCount
}

// NewPublisher makes one. It asks nothing of the brokers.
func NewPublisher(c *Cluster, topic string, p Partitioner, compression kafka.Compression) *Publisher {
	return &Publisher{cluster: c, topic: topic, partitioner: p, compression: compression}
}

// Publish returns when all messages are stored, with all in-sync replicas. After
// an error some may be there.
func (p *Publisher) Publish(ctx context.Context, messages []StepMessage) error {
	n, err := p.partitions(ctx)
	if err != nil {
		return fmt.Errorf("publish steps: %w", err)
	}
	by := map[int32][]StepMessage{}
	for _, m := range messages {
		to := p.partitioner.Of([]byte(m.Key), n)
		by[to] = append(by[to], m)
	}
	errs := make(chan error, len(by))
	for to, all := range by {
		go func() { errs <- p.write(ctx, to, all) }()
	}
	for range by {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return fmt.Errorf("publish steps: %w", Classify(err))
	}
	return nil
}

func (p *Publisher) write(ctx context.Context, to int32, all []StepMessage) error {
	for len(all) > 0 {
		n, size := 0, 0
		var recs []kafka.Record
		for n < len(all) && (n == 0 || size+len(all[n].Value)+len(all[n].Key) <= maxBatchBytes) {
			size += len(all[n].Value) + len(all[n].Key)
			recs = append(recs, kafka.Record{Key: kafka.NewBytes([]byte(all[n].Key)), Value: kafka.NewBytes(all[n].Value)})
			n++
		}
		if _, err := p.cluster.produce(ctx, p.topic, to, recs, p.compression); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (p *Publisher) partitions(ctx context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count.partitions > 0 && time.Since(p.count.asked) < countFor {
		return p.count.partitions, nil
	}
	info, err := p.cluster.topic(ctx, p.topic)
	if err != nil {
		return 0, err
	}
	if len(info.leaders) == 0 {
		return 0, fmt.Errorf("topic %s: %w", p.topic, kafka.LeaderNotAvailable)
	}
	p.count = topicCount{len(info.leaders), time.Now()}
	return p.count.partitions, nil
}
