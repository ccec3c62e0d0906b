package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

const (
	// What a batch of outputs holds at most: brokers take 1 MiB by default.
	maxBatchBytes   = 768 << 10
	maxBatchRecords = 4096
	// The windows in which a partition of results is searched from its end, where
	// nothing says from where on.
	firstWindow = 10000
	lastWindow  = 1 << 24
)

// ResultsOptions say where outputs go.
type ResultsOptions struct {
	// Topics are the topics by what goes there; there must be one for each that
	// the program writes, and several may be the same.
	Topics map[stream.Topic]string
	// Compression is that of what is written.
	Compression kafka.Compression
	// Gate is waited for before anything is written; its error is Append's. nil:
	// nothing is waited for.
	Gate func(ctx context.Context) error
	// Group is asked where the outputs were when it committed last; empty: they
	// are looked for from the end of their topics backwards.
	Group string
}

// Results takes outputs to topics of their own, each with all in-sync replicas.
// The output partition is the input partition, modulo the number of the topic's
// partitions; each topic has one batch under way at a time, so that the outputs
// of an input partition keep their order in each topic.
//
// Topics are written beside each other, so a flush that is cut off may have
// reached more of one than of another. What is published is therefore known by
// topic (stream.Parallel): of each topic, the outputs of an input partition up
// to the highest origin there. It is found in the topics themselves, by the
// header misstep-origin, from where the last commit says on: so a topic that
// several input partitions share, such as that of tasks, needs nothing besides.
//
// Kafka cannot refuse what a stale owner publishes. What it repeats has the same
// origin and the same bytes, and never leaves a hole: whoever reads a topic drops
// an output whose origin is not above the highest of its source and partition.
type Results struct {
	cluster *Cluster
	opts    ResultsOptions

	mu     sync.Mutex
	places map[place]map[string]*written // by topic
	counts map[string]topicCount
}

// written is what is known of an input partition's outputs in one topic.
type written struct {
	Partition int32         `json:"p"`
	Next      int64         `json:"next"` // all outputs from there on are yet to be looked at
	Origin    string        `json:"origin,omitempty"`
	last      stream.Origin // Origin, if it is not empty
}

// parse sets last.
func (w *written) parse() (err error) {
	if w.Origin != "" {
		w.last, err = stream.ParseOrigin(w.Origin)
	}
	return err
}

type topicCount struct {
	partitions int
	asked      time.Time
}

// countFor is how long the number of a topic's partitions is believed.
const countFor = time.Minute

// NewResults makes one. It asks nothing of the brokers.
func NewResults(c *Cluster, opts ResultsOptions) *Results {
	return &Results{cluster: c, opts: opts, places: map[place]map[string]*written{}, counts: map[string]topicCount{}}
}

// outputPartition is the partition of a topic that an input partition's outputs
// go to.
func (r *Results) outputPartition(ctx context.Context, topic string, input int32) (int32, error) {
	r.mu.Lock()
	c := r.counts[topic]
	r.mu.Unlock()
	if c.partitions == 0 || time.Since(c.asked) > countFor {
		info, err := r.cluster.topic(ctx, topic)
		if err != nil {
			return 0, err
		}
		if len(info.leaders) == 0 {
			return 0, fmt.Errorf("topic %s: %w", topic, kafka.LeaderNotAvailable)
		}
		c = topicCount{len(info.leaders), time.Now()}
		r.mu.Lock()
		r.counts[topic] = c
		r.mu.Unlock()
	}
	return input % int32(c.partitions), nil
}

// Append implements stream.Results.
func (r *Results) Append(ctx context.Context, outs []stream.Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.opts.Gate != nil {
		if err := r.opts.Gate(ctx); err != nil {
			return err
		}
	}
	type target struct {
		topic string
		of    place
	}
	var order []target
	byTarget := map[target][]stream.Output{}
	for _, o := range outs {
		topic, ok := r.opts.Topics[o.Topic]
		if !ok {
			return fmt.Errorf("no topic for %s is configured", o.Topic)
		}
		t := target{topic, place{o.Origin.Source, o.Origin.Partition}}
		if byTarget[t] == nil {
			order = append(order, t)
		}
		byTarget[t] = append(byTarget[t], o)
	}
	errs := make([]error, len(order))
	var wg sync.WaitGroup
	for i, t := range order[min(1, len(order)):] {
		wg.Go(func() { errs[i+1] = r.produceAll(ctx, t.topic, t.of, byTarget[t]) })
	}
	if len(order) > 0 {
		errs[0] = r.produceAll(ctx, order[0].topic, order[0].of, byTarget[order[0]])
	}
	wg.Wait()
	return errors.Join(errs...)
}

// produceAll writes an input partition's outputs to one topic, batch by batch.
func (r *Results) produceAll(ctx context.Context, topic string, of place, outs []stream.Output) error {
	partition, err := r.outputPartition(ctx, topic, of.partition)
	if err != nil {
		return err
	}
	for len(outs) > 0 {
		n, size := 0, 0
		var recs []kafka.Record
		for n < len(outs) && n < maxBatchRecords && (n == 0 || size+outputSize(&outs[n]) <= maxBatchBytes) {
			size += outputSize(&outs[n])
			recs = append(recs, outputRecord(&outs[n]))
			n++
		}
		base, err := r.cluster.produce(ctx, topic, partition, recs, r.opts.Compression)
		if err != nil {
			return err
		}
		last := outs[n-1].Origin
		r.mu.Lock()
		if r.places[of] == nil {
			r.places[of] = map[string]*written{}
		}
		r.places[of][topic] = &written{Partition: partition, Next: base + int64(n), Origin: last.String(), last: last}
		r.mu.Unlock()
		outs = outs[n:]
	}
	return nil
}

func outputSize(o *stream.Output) int { return len(o.Value) + 2*len(o.Key) + len(o.Origin.Source) + 96 }

func outputRecord(o *stream.Output) kafka.Record {
	rec := kafka.Record{
		Value:   kafka.NewBytes(o.Value),
		Headers: []kafka.Header{{Key: HeaderOrigin, Value: []byte(o.Origin.String())}},
	}
	if o.Key != "" {
		rec.Key = kafka.NewBytes([]byte(o.Key))
		rec.Headers = append(rec.Headers, kafka.Header{Key: HeaderTrajectory, Value: []byte(o.Key)})
	}
	return rec
}

// produce writes one batch, with all in-sync replicas, and gives the offset of
// its first record.
func (c *Cluster) produce(ctx context.Context, topic string, partition int32, recs []kafka.Record, compression kafka.Compression) (int64, error) {
	what := fmt.Sprintf("write to %s/%d", topic, partition)
	resp, err := call(ctx, c, what, func(ctx context.Context) (*kafka.ProduceResponse, error) {
		return c.Client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: int(partition), RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(recs...), Compression: compression,
		})
	})
	if err != nil {
		return 0, err
	}
	if resp.Error != nil {
		return 0, fmt.Errorf("%s: %w", what, resp.Error)
	}
	return resp.BaseOffset, nil
}

// Last implements stream.Results.
func (r *Results) Last(ctx context.Context, source string, partition int32) (stream.Origin, bool, error) {
	by, err := r.LastOf(ctx, source, partition)
	var last stream.Origin
	found := false
	for _, o := range by {
		if !found || o.Compare(last) > 0 {
			last, found = o, true
		}
	}
	return last, found, err
}

// LastOf implements stream.Parallel.
func (r *Results) LastOf(ctx context.Context, source string, partition int32) (map[stream.Topic]stream.Origin, error) {
	of := place{source, partition}
	if err := r.askGroup(ctx, of); err != nil {
		return nil, err
	}
	found := map[string]*written{}
	for _, topic := range r.opts.Topics {
		if found[topic] != nil {
			continue
		}
		w, err := r.find(ctx, topic, of)
		if err != nil {
			return nil, err
		}
		found[topic] = w
	}
	r.mu.Lock()
	r.places[of] = found
	r.mu.Unlock()
	by := map[stream.Topic]stream.Origin{}
	for name, topic := range r.opts.Topics {
		if w := found[topic]; w.Origin != "" {
			by[name] = w.last
		}
	}
	return by, nil
}

// askGroup learns where the outputs were at the last commit, unless more is known
// already.
func (r *Results) askGroup(ctx context.Context, of place) error {
	r.mu.Lock()
	known := r.places[of] != nil
	r.mu.Unlock()
	if known || r.opts.Group == "" {
		return nil
	}
	c, err := r.cluster.committed(ctx, r.opts.Group, of)
	if err != nil || c.pointer == nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[of] = c.pointer.Outputs
	return nil
}

// known gives where the outputs of an input partition are, for the commit.
func (r *Results) known(of place) map[string]*written {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]*written{}
	for topic, w := range r.places[of] {
		out[topic] = w
	}
	return out
}

// find looks for the highest origin of an input partition in a topic.
func (r *Results) find(ctx context.Context, topic string, of place) (*written, error) {
	partition, err := r.outputPartition(ctx, topic, of.partition)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	w := r.places[of][topic]
	r.mu.Unlock()
	now := &written{Partition: partition}
	look := func(p int32, from, to int64) error {
		return r.cluster.scan(ctx, topic, p, from, to, fetchBytes, func(rec *record) error {
			if o, ok := originOf(rec, of); ok && (now.Origin == "" || o.Compare(now.last) > 0) {
				now.last, now.Origin = o, o.String()
			}
			return nil
		})
	}
	first, end, err := r.cluster.end(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	now.Next = end
	if w != nil && w.Origin != "" {
		now.last, now.Origin = w.last, w.Origin
	}
	if w != nil && w.Next <= end && w.Partition == partition {
		return now, look(partition, w.Next, end)
	}
	if w != nil && w.Partition != partition {
		// The topic has more partitions than when it was written last.
		_, oldEnd, err := r.cluster.end(ctx, topic, w.Partition)
		if err != nil {
			return nil, err
		}
		if err := look(w.Partition, w.Next, oldEnd); err != nil {
			return nil, err
		}
	}
	// From the end backwards, and one window further than where there is one: a
	// stale owner may have repeated some after it.
	more := 2
	for window, to := int64(firstWindow), end; to > first && more > 0; window = min(window*10, lastWindow) {
		from := max(first, to-window)
		if err := look(partition, from, to); err != nil {
			return nil, err
		}
		if now.Origin != "" {
			more--
		}
		to = from
	}
	return now, nil
}

// originOf gives the origin of an output of an input partition.
func originOf(rec *record, of place) (stream.Origin, bool) {
	v, ok := rec.header(HeaderOrigin)
	if !ok {
		return stream.Origin{}, false
	}
	o, err := stream.ParseOrigin(string(v))
	return o, err == nil && o.Source == of.source && o.Partition == of.partition
}
