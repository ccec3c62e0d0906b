package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// StepMessage is a message of one trajectory's steps.
type StepMessage struct {
	Key   []byte
	Value []byte
}

// Producer stores steps in a topic, each in the partition of its key. It may be
// used by any goroutine.
type Producer struct {
	cluster     *Cluster
	topic       string
	partitioner Partitioner
	compression kafka.Compression

	mu    sync.Mutex
	count topicCount
}

// ProducerOptions say where steps go.
type ProducerOptions struct {
	Topic       string
	Partitioner Partitioner // empty: murmur2
	Compression string      // one of Compressions; empty: none
}

// CompressionOf gives the method of a name in Compressions.
func CompressionOf(name string) (kafka.Compression, error) {
	switch name {
	case "", "none":
		return 0, nil
	case "gzip":
		return kafka.Gzip, nil
	case "snappy":
		return kafka.Snappy, nil
	case "lz4":
		return kafka.Lz4, nil
	case "zstd":
		return kafka.Zstd, nil
	}
	return 0, fmt.Errorf("compression %q is not known; there are none, gzip, snappy, lz4, zstd", name)
}

// NewProducer gives a producer for a topic, which must exist.
func NewProducer(ctx context.Context, c *Cluster, opts ProducerOptions) (*Producer, error) {
	compression, err := CompressionOf(opts.Compression)
	if err != nil {
		return nil, err
	}
	if opts.Partitioner == "" {
		opts.Partitioner = Murmur2
	}
	if err := opts.Partitioner.Check(); err != nil {
		return nil, err
	}
	n, err := c.topicsOf(ctx, opts.Topic)
	if err != nil {
		return nil, err
	}
	return &Producer{cluster: c, topic: opts.Topic, partitioner: opts.Partitioner, compression: compression, count: topicCount{n, time.Now()}}, nil
}

// maxProduced is how many bytes of messages are sent in one batch: brokers take
// 1 MiB by default.
const maxProduced = 900 << 10

// Publish stores messages and returns when all in-sync replicas have them, or
// with an error, when any of them may be there or not. Those of a key stay in
// order. What fails for a reason that passes is sent again, so a message may be
// there twice.
func (p *Producer) Publish(ctx context.Context, msgs []StepMessage) error {
	n, err := p.partitions(ctx)
	if err != nil {
		return err
	}
	parts := make([][]StepMessage, n)
	for _, m := range msgs {
		i := p.partitioner.Of(m.Key, n)
		parts[i] = append(parts[i], m)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(parts))
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		wg.Go(func() { errs[i] = p.publish(ctx, i, part) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// partitions is how many the topic has, which may become more.
func (p *Producer) partitions(ctx context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.count.asked) >= countFor {
		n, err := p.cluster.topicsOf(ctx, p.topic)
		if err != nil {
			return 0, err
		}
		p.count = topicCount{n, time.Now()}
	}
	return p.count.partitions, nil
}

// publish stores messages of one partition, one batch after the other.
func (p *Producer) publish(ctx context.Context, partition int, msgs []StepMessage) error {
	for len(msgs) > 0 {
		n, size := 0, 0
		for n < len(msgs) && (n == 0 || size+len(msgs[n].Key)+len(msgs[n].Value) <= maxProduced) {
			size += len(msgs[n].Key) + len(msgs[n].Value)
			n++
		}
		batch := msgs[:n]
		msgs = msgs[n:]
		err := p.cluster.Do(ctx, fmt.Sprintf("produce to %s/%d", p.topic, partition), func(ctx context.Context) error {
			records := make([]kafka.Record, len(batch))
			for i, m := range batch {
				records[i] = kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value)}
			}
			r, err := p.cluster.Client.Produce(ctx, &kafka.ProduceRequest{
				Topic: p.topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: p.compression,
				Records: kafka.NewRecordReader(records...),
			})
			if err != nil {
				return err
			}
			return r.Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}
