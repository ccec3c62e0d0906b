package kafka

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

// Headers of the messages on the topic of checkpoints.
const (
	headerCheckpoint = "misstep-checkpoint" // id
	headerParts      = "misstep-parts"      // of a manifest: offsets of the other parts
	headerLog        = "misstep-log"        // of a manifest: identity of the log
)

// CheckpointsOptions say where checkpoints are kept.
type CheckpointsOptions struct {
	Topic string // compacted
	Group string
	// Owner fences what is written.
	Owner Owner
	// Log is the log of the partition, for its identity and the number of its
	// partitions; nil: there is none.
	Log *Log
	// OnReset is told, within Head, that somebody else has committed an offset
	// for the group.
	OnReset func(offset int64)
}

// Owner is who may write for a partition. Tenure is one.
type Owner interface {
	// Membership is what commits are fenced by.
	Membership() (generation int, member string)
	// Verify asks the coordinator; its error is stream.ErrFenced when it is the
	// owner no longer.
	Verify(ctx context.Context) error
	// Gate waits until the owner may write, and may verify.
	Gate(ctx context.Context) error
}

// Checkpoints keeps the parts of checkpoints in a compacted topic, and the head
// in the metadata of the group's committed offset: a swing is a commit, which
// Kafka refuses from who is no member of the present generation.
//
// The keys are bounded: group, source, partition, one of four slots, and the
// number of the part. The slot of a new checkpoint is one that no head names
// which may be current, so nothing that is needed is written over. A part is
// found by its offset, which the manifest tells, and the manifest by its own,
// which the head's commit tells; so a restart reads what it needs and no more.
// Where the commit is gone the topic's partition is read from its beginning.
//
// A stale owner that writes in the moment between the check of its membership
// and the write could put a part into a slot that is in use. Parts are verified
// by their checksums, so that costs a fall-back to the checkpoint before, and
// nothing else.
//
// Its methods may be called by any goroutine.
type Checkpoints struct {
	cluster *Cluster
	opts    CheckpointsOptions
	results *Results

	forget bool // where things are is always looked for; in tests

	mu     sync.Mutex
	count  int // of the topic's partitions, 0: not known yet
	reader map[int32]*fetcher
	stores map[place]*store
}

const numSlots = 4

// NewCheckpoints keeps checkpoints beside results, in whose topics it has the
// outputs found again.
func NewCheckpoints(c *Cluster, results *Results, opts CheckpointsOptions) *Checkpoints {
	return &Checkpoints{cluster: c, opts: opts, results: results, reader: map[int32]*fetcher{}, stores: map[place]*store{}}
}

// Close ends its connections.
func (c *Checkpoints) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.reader {
		f.close()
	}
}

func (c *Checkpoints) store(of place) *store {
	s := c.stores[of]
	if s == nil {
		s = &store{parts: map[string]map[int]part{}}
		c.stores[of] = s
	}
	return s
}

// partition is the topic's partition that has a place's checkpoints.
func (c *Checkpoints) partition(ctx context.Context, of place) (int32, error) {
	if c.count == 0 {
		info, err := c.cluster.topic(ctx, c.opts.Topic)
		if err != nil {
			return 0, missing(err)
		}
		if len(info.leaders) == 0 {
			return 0, fmt.Errorf("topic %s: %w", c.opts.Topic, kafka.LeaderNotAvailable)
		}
		c.count = len(info.leaders)
	}
	return of.partition % int32(c.count), nil
}

// missing: that the topic is gone is damage.
func missing(err error) error {
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return fmt.Errorf("%w: %w", err, stream.ErrDamaged)
	}
	return err
}

func (c *Checkpoints) prefix(of place) string {
	return percent(c.opts.Group) + "/" + percent(of.source) + "/" + strconv.Itoa(int(of.partition)) + "/"
}

func (c *Checkpoints) key(of place, slot, n int) string {
	return c.prefix(of) + string(rune('A'+slot)) + "/" + strconv.Itoa(n)
}

// Head implements stream.Checkpoints.
func (c *Checkpoints) Head(ctx context.Context, source string, partition int32) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	got, err := c.cluster.committed(ctx, c.opts.Group, of)
	if err != nil {
		return nil, err
	}
	s.heads, s.manifests, s.asked = nil, nil, true
	if got.pointer == nil {
		if got.offset >= 0 && c.opts.OnReset != nil {
			c.opts.OnReset(got.offset)
		}
		return nil, c.otherLog(ctx, of)
	}
	head := got.pointer.Head
	if at := got.pointer.HeadAt; at != nil {
		rec, err := c.at(ctx, of, *at)
		if err != nil {
			return nil, fmt.Errorf("head of %v: %w", of, err)
		}
		head = rec.value
	}
	if info, err := stream.ReadHead(head); err == nil {
		s.heads, s.manifests = []stream.HeadInfo{info}, got.pointer.Manifests
	}
	return head, nil
}

// otherLog says whether there are checkpoints of another log that had the name,
// whose outputs would count as those of this one.
func (c *Checkpoints) otherLog(ctx context.Context, of place) error {
	if c.opts.Log == nil {
		return nil
	}
	have := c.opts.Log.Identity()
	var other string
	if err := c.scan(ctx, of, func(log string) {
		if log != "" && log != have {
			other = log
		}
	}); err != nil && !errors.Is(err, stream.ErrDamaged) {
		return err
	}
	if other != "" {
		return fmt.Errorf("topic %s was made anew: it is %s now, and there are checkpoints of %s, whose outputs would count as this one's; name another group and other topics for results to begin anew: %w",
			of.source, have, other, stream.ErrOtherLog)
	}
	return nil
}

// Swing implements stream.Checkpoints.
func (c *Checkpoints) Swing(ctx context.Context, source string, partition int32, head []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.opts.Owner.Gate(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	p := pointer{Version: pointerVersion, Head: head, Outputs: c.results.known(of)}
	info, err := stream.ReadHead(head)
	if err == nil {
		p.Manifests = map[string]int64{}
		for _, id := range []string{info.Current, info.Previous} {
			if at, ok := s.parts[id][stream.ManifestPart]; ok {
				p.Manifests[id] = at.offset
			} else if at, ok := s.manifests[id]; ok {
				p.Manifests[id] = at
			}
		}
	} else {
		info = stream.HeadInfo{Offset: -1}
	}
	if l := c.opts.Log; l != nil {
		p.Partitions, p.Log = l.Partitions(), l.Identity()
	}
	metadata, err := json.Marshal(p)
	if err == nil && len(metadata) > maxMetadata {
		metadata, err = c.putHead(ctx, of, p)
	}
	if err != nil {
		return err
	}
	generation, member := c.opts.Owner.Membership()
	err = c.cluster.commit(ctx, c.opts.Group, generation, member, of, info.Offset+1, string(metadata))
	if now, _ := c.opts.Owner.Membership(); errors.Is(err, stream.ErrFenced) && now != generation {
		return fmt.Errorf("the group changed meanwhile: %w", ErrUnavailable) // not of what is true now
	}
	switch {
	case err == nil:
		s.heads, s.asked = []stream.HeadInfo{info}, true
	case !errors.Is(err, stream.ErrFenced):
		s.heads, s.asked = append(s.heads, info), false // either may be current
	}
	return err
}

// putHead makes a record of a head that is too long for a commit.
func (c *Checkpoints) putHead(ctx context.Context, of place, p pointer) ([]byte, error) {
	partition, err := c.partition(ctx, of)
	if err != nil {
		return nil, err
	}
	// Of two, so that the one that is current stays.
	key := c.prefix(of) + "head/" + strconv.Itoa(int(time.Now().UnixNano()/1000%2))
	at, err := c.cluster.produce(ctx, c.opts.Topic, partition, []kafka.Record{{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes(p.Head)}}, 0)
	if err != nil {
		return nil, err
	}
	p.Head, p.HeadAt = nil, &at
	return json.Marshal(p)
}

// Put implements stream.Checkpoints.
func (c *Checkpoints) Put(ctx context.Context, source string, partition int32, id string, n int, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(data) > stream.MaxChunk {
		return fmt.Errorf("part %d of %d bytes is larger than %d", n, len(data), stream.MaxChunk)
	}
	if err := errors.Join(c.opts.Owner.Gate(ctx), c.opts.Owner.Verify(ctx)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	if at, ok := s.parts[id][n]; ok {
		if rec, err := c.part(ctx, of, id, n, at); err != nil {
			return err
		} else if !bytes.Equal(rec, data) {
			return fmt.Errorf("part %d of checkpoint %s is there already, with other content", n, id)
		}
		return nil
	}
	slot, err := c.slot(ctx, of, s, id)
	if err != nil {
		return err
	}
	to, err := c.partition(ctx, of)
	if err != nil {
		return err
	}
	rec := kafka.Record{
		Key: kafka.NewBytes([]byte(c.key(of, slot, n))), Value: kafka.NewBytes(data),
		Headers: []kafka.Header{{Key: headerCheckpoint, Value: []byte(id)}},
	}
	if n == stream.ManifestPart {
		rec.Headers = append(rec.Headers, kafka.Header{Key: headerParts, Value: s.offsets(id)})
		if c.opts.Log != nil {
			rec.Headers = append(rec.Headers, kafka.Header{Key: headerLog, Value: []byte(c.opts.Log.Identity())})
		}
	}
	at, err := c.cluster.produce(ctx, c.opts.Topic, to, []kafka.Record{rec}, 0)
	if err != nil {
		c.count = 0 // the topic may be another one
		return err
	}
	s.put(id, n, part{slot, at})
	return nil
}

// List implements stream.Checkpoints.
func (c *Checkpoints) List(ctx context.Context, source string, partition int32) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	if !s.scanned && (len(s.parts) == 0 || s.doubtful) {
		if err := c.scan(ctx, of, nil); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(s.parts)), nil
}

// Get implements stream.Checkpoints.
func (c *Checkpoints) Get(ctx context.Context, source string, partition int32, id string, n int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	if s.parts[id] == nil {
		err := c.open(ctx, of, s, id)
		if errors.Is(err, stream.ErrDamaged) && !s.scanned {
			err = c.scan(ctx, of, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	at, ok := s.parts[id][n]
	if !ok {
		s.doubtful = true
		return nil, fmt.Errorf("part %d of checkpoint %s is not there: %w", n, id, stream.ErrDamaged)
	}
	b, err := c.part(ctx, of, id, n, at)
	if errors.Is(err, stream.ErrDamaged) {
		s.doubtful, s.scanned = true, false
	}
	return b, err
}

// Delete implements stream.Checkpoints.
func (c *Checkpoints) Delete(ctx context.Context, source string, partition int32, id string) error {
	if err := errors.Join(c.opts.Owner.Gate(ctx), c.opts.Owner.Verify(ctx)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	of := place{source, partition}
	s := c.store(of)
	if s.parts[id] == nil && !s.scanned {
		if err := c.scan(ctx, of, nil); err != nil {
			return err
		}
	}
	to, err := c.partition(ctx, of)
	if err != nil {
		return err
	}
	var gone []kafka.Record
	for n, p := range s.parts[id] {
		gone = append(gone, kafka.Record{Key: kafka.NewBytes([]byte(c.key(of, p.slot, n)))})
	}
	for some := range slices.Chunk(gone, maxBatchRecords) {
		if _, err := c.cluster.produce(ctx, c.opts.Topic, to, some, 0); err != nil {
			return fmt.Errorf("delete checkpoint %s: %w", id, err)
		}
	}
	delete(s.parts, id)
	return nil
}
