package kafka

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// topicID tells a topic from others that had its name.
type topicID [16]byte

func (t topicID) String() string { return hex.EncodeToString(t[:]) }

// topicInfo is what the brokers say of a topic.
type topicInfo struct {
	id      topicID
	leaders []string // host:port by partition, empty while there is none
}

const (
	apiMetadata     = 3
	versionMetadata = 12 // the first that asks by name and tells ids
)

// topic asks for one topic's id and leaders. kafka-go speaks a version of the
// request that does not tell ids.
func (c *Cluster) topic(ctx context.Context, name string) (*topicInfo, error) {
	conn, err := c.dialAny(ctx)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn}
	defer w.close()
	defer w.until(ctx, answerTimeout)()
	t, err := w.topic(name)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", name, err)
	}
	return t, nil
}

func (w *wire) topic(name string) (*topicInfo, error) {
	b := w.request(apiMetadata, versionMetadata)
	b = append(b, 2)                   // one topic
	b = append(b, make([]byte, 16)...) // by its name, not its id
	b = binary.AppendUvarint(b, uint64(len(name)+1))
	b = append(b, name...)
	b = append(b, 0, 0, 0, 0) // no tags; do not make it; do not tell the rights; no tags
	if err := w.send(b); err != nil {
		return nil, err
	}
	r, err := w.receive(w.id)
	if err != nil {
		if err == io.EOF {
			err = fmt.Errorf("%w; Kafka 4 is needed", io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	r.tags()
	r.int32() // throttled for
	brokers := map[int32]string{}
	for n := r.compact(); n > 0 && r.err == nil; n-- {
		id := r.int32()
		host := r.compactString()
		brokers[id] = net.JoinHostPort(host, strconv.Itoa(int(r.int32())))
		r.compactString() // rack
		r.tags()
	}
	r.compactString() // cluster
	r.int32()         // controller
	if n := r.compact(); n != 1 {
		return nil, fmt.Errorf("broker tells of %d topics, want 1: %w", n, r.err)
	}
	if code := r.int16(); code != 0 {
		return nil, kafka.Error(code)
	}
	r.compactString()
	t := &topicInfo{}
	copy(t.id[:], r.take(len(t.id)))
	r.int8() // internal
	for n := r.compact(); n > 0 && r.err == nil; n-- {
		code, index, leader := r.int16(), int(r.int32()), r.int32()
		r.int32() // epoch
		for range 3 {
			r.take(4 * max(r.compact(), 0))
		}
		r.tags()
		if index < 0 || index > maxPartitions {
			return nil, fmt.Errorf("broker tells of partition %d", index)
		}
		for len(t.leaders) <= index {
			t.leaders = append(t.leaders, "")
		}
		if code == 0 || kafka.Error(code) == kafka.ReplicaNotAvailable {
			t.leaders[index] = brokers[leader]
		}
	}
	return t, r.err
}

const maxPartitions = 1 << 20

// leader gives the broker that has a partition.
func (t *topicInfo) leader(partition int32) (string, error) {
	if int(partition) >= len(t.leaders) {
		return "", fmt.Errorf("there are %d partitions, and %d is asked for: %w", len(t.leaders), partition, kafka.UnknownTopicOrPartition)
	}
	if t.leaders[partition] == "" {
		return "", kafka.LeaderNotAvailable
	}
	return t.leaders[partition], nil
}
