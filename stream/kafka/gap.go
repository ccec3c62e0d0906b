package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Gap is a run of records that a partition does not hold any more: what they
// were part of is judged without them. It is an event on a topic of its own.
type Gap struct {
	Version   int       `json:"v"`
	Time      time.Time `json:"time"` // when it was found
	Source    string    `json:"source"`
	Partition int32     `json:"partition"`
	From      int64     `json:"from"` // first and last offset
	To        int64     `json:"to"`
}

// PublishGap writes the event of a gap.
func PublishGap(ctx context.Context, c *Cluster, topic string, g Gap) error {
	g.Version = 1
	data, err := json.Marshal(g)
	if err == nil {
		_, err = c.produce(ctx, topic, 0, []kafka.Record{{Value: kafka.NewBytes(data)}}, 0)
	}
	if err != nil {
		return fmt.Errorf("publish data gap: %w", err)
	}
	return nil
}

// Compression is a way to compress what is written; the zero value is none.
type Compression = kafka.Compression
