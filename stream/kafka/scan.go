package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// scan gives each record of a partition from an offset on to below another one
// to see. A topic that is not there has none.
func (c *Cluster) scan(ctx context.Context, topic string, partition int32, from, to int64, most int, see func(*record) error) error {
	if from >= to {
		return nil
	}
	info, err := c.topic(ctx, topic)
	if err != nil {
		return err
	}
	f := newFetcher(c, topic, partition)
	f.most = most
	defer f.close()
	if err := f.connect(ctx, info); err != nil {
		return err
	}
	var arena []byte
	var seen visible
	for next := from; next < to; {
		got, err := f.fetch(ctx, next, fetchWait)
		if err == nil && got.err != nil {
			err = got.err
		}
		if errors.Is(err, kafka.OffsetOutOfRange) && got != nil && got.start > next {
			next = got.start
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
		if len(got.records) == 0 && got.stable <= next {
			return nil // its end is gone
		}
		seen.begin(got.aborted)
		for rest := got.records; len(rest) > 0; {
			var x batch
			x, rest, err = nextBatch(rest)
			if errors.Is(err, errPart) {
				break
			}
			if err != nil {
				return fmt.Errorf("read %s/%d: %w", topic, partition, err)
			}
			if x.last < next {
				continue
			}
			if seen.sees(&x) {
				if arena, err = each(&x, arena[:0], next, to, see); err != nil {
					return fmt.Errorf("read %s/%d: %w", topic, partition, err)
				}
			}
			next = x.last + 1
		}
	}
	return nil
}

// each gives the records of a batch to see.
func each(x *batch, arena []byte, from, to int64, see func(*record) error) ([]byte, error) {
	recs, arena, err := x.open(arena)
	if err != nil {
		return arena, err
	}
	for rec := (record{}); recs.next(&rec); {
		if rec.offset < from || rec.offset >= to {
			continue
		}
		if err := see(&rec); err != nil {
			return arena, err
		}
	}
	return arena, recs.err
}

// end is the offset after the last record of a partition, and its first.
func (c *Cluster) end(ctx context.Context, topic string, partition int32) (first, end int64, err error) {
	first, end, err = c.offsets(ctx, topic, partition)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return 0, 0, nil
	}
	return first, end, err
}
