package kafka

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// offsets gives a partition's first offset and the one after its last record
// that is not of an open transaction.
func (c *Cluster) offsets(ctx context.Context, topic string, partition int32) (first, end int64, err error) {
	what := fmt.Sprintf("offsets of %s/%d", topic, partition)
	p := int(partition)
	resp, err := call(ctx, c, what, func(ctx context.Context) (*kafka.ListOffsetsResponse, error) {
		return c.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
			Topics:         map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p)}},
			IsolationLevel: kafka.ReadCommitted,
		})
	})
	if err != nil {
		return 0, 0, err
	}
	for _, o := range resp.Topics[topic] {
		if o.Partition != p {
			continue
		}
		if o.Error != nil {
			return 0, 0, fmt.Errorf("%s: %w", what, o.Error)
		}
		return o.FirstOffset, o.LastOffset, nil
	}
	return 0, 0, fmt.Errorf("%s: the broker says nothing", what)
}
