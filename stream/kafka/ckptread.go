package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

// at reads the record at an offset of a place's partition. That there is none is
// damage.
func (c *Checkpoints) at(ctx context.Context, of place, offset int64) (*record, error) {
	partition, err := c.partition(ctx, of)
	if err != nil {
		return nil, err
	}
	f := c.reader[partition]
	if f == nil {
		f = newFetcher(c.cluster, c.opts.Topic, partition)
		f.most = 1 // one batch comes whole, and no more
		c.reader[partition] = f
	}
	rec, err := c.tryAt(ctx, f, offset)
	if err != nil && !errors.Is(err, stream.ErrDamaged) && ctx.Err() == nil {
		f.close() // the leader may be another
		rec, err = c.tryAt(ctx, f, offset)
	}
	return rec, err
}

func (c *Checkpoints) tryAt(ctx context.Context, f *fetcher, offset int64) (*record, error) {
	if f.wire == nil {
		info, err := c.cluster.topic(ctx, c.opts.Topic)
		if err != nil {
			return nil, missing(err)
		}
		if err := f.connect(ctx, info); err != nil {
			return nil, missing(err)
		}
	}
	got, err := f.fetch(ctx, offset, 0)
	if err != nil {
		return nil, err
	}
	gone := fmt.Errorf("topic %s has nothing at offset %d any more: %w", c.opts.Topic, offset, stream.ErrDamaged)
	switch {
	case errors.Is(got.err, kafka.OffsetOutOfRange):
		return nil, gone
	case got.err != nil:
		return nil, missing(got.err)
	}
	for rest := got.records; len(rest) > 0; {
		var x batch
		if x, rest, err = nextBatch(rest); err != nil {
			break
		}
		var found *record
		if _, err := each(&x, nil, offset, offset+1, func(r *record) error {
			r.key, r.value, r.headers = slices.Clone(r.key), append([]byte{}, r.value...), slices.Clone(r.headers)
			found = &record{}
			*found = *r
			return nil
		}); err != nil {
			return nil, fmt.Errorf("topic %s: %w: %w", c.opts.Topic, err, stream.ErrDamaged)
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, gone
}

// part reads a part that is to be at an offset.
func (c *Checkpoints) part(ctx context.Context, of place, id string, n int, at part) ([]byte, error) {
	rec, err := c.at(ctx, of, at.offset)
	if err != nil {
		return nil, err
	}
	if have, _ := rec.header(headerCheckpoint); string(rec.key) != c.key(of, at.slot, n) || string(have) != id {
		return nil, fmt.Errorf("part %d of checkpoint %s is at offset %d of %s no longer: %w", n, id, at.offset, c.opts.Topic, stream.ErrDamaged)
	}
	return rec.value, nil
}

// scan reads all that is known of a place's checkpoints; log is told of the log
// that each is of.
func (c *Checkpoints) scan(ctx context.Context, of place, log func(string)) error {
	partition, err := c.partition(ctx, of)
	if err != nil {
		return err
	}
	first, end, err := c.cluster.offsets(ctx, c.opts.Topic, partition)
	if err != nil {
		return missing(err)
	}
	type key struct{ slot, n int }
	type value struct {
		id     string
		offset int64
		log    string
	}
	latest := map[key]value{}
	err = c.cluster.scan(ctx, c.opts.Topic, partition, first, end, fetchBytes, func(r *record) error {
		slot, n, ok := c.slotOf(of, r.key)
		if !ok {
			return nil
		}
		id, ok := r.header(headerCheckpoint)
		if r.value == nil || !ok {
			delete(latest, key{slot, n})
			return nil
		}
		l, _ := r.header(headerLog)
		latest[key{slot, n}] = value{string(id), r.offset, string(l)}
		return nil
	})
	if err != nil {
		return missing(err)
	}
	s := c.store(of)
	s.parts, s.scanned, s.doubtful = map[string]map[int]part{}, true, false
	for k, v := range latest {
		s.put(v.id, k.n, part{k.slot, v.offset})
		if log != nil {
			log(v.log)
		}
	}
	return nil
}
