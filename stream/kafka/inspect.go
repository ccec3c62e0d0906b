package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// TopicState is what a cluster says of a topic.
type TopicState struct {
	Name       string
	Err        error // ErrNoTopic, ErrDenied, ...; nil: it is there
	Partitions []PartitionState
	// Allowed is what this client may do. Told is false where the broker does
	// not say.
	Allowed []Operation
	Told    bool
	// Settings are all of them, unless SettingsErr says why there are none.
	Settings    map[string]string
	SettingsErr error
}

// PartitionState is what a cluster says of a partition.
type PartitionState struct {
	Led              bool // it has a leader
	Replicas, InSync int
}

// authorized are the operations as bits of what a broker tells.
var authorized = map[Operation]int32{Read: 1 << 3, Write: 1 << 4, Describe: 1 << 8, DescribeConfigs: 1 << 10}

// untold is what a broker without authorization tells.
const untold = -1 << 31

func allowed(bits int32) (ops []Operation, told bool) {
	if bits == untold {
		return nil, false
	}
	for _, op := range []Operation{Read, Write, Describe, DescribeConfigs} {
		if bits&authorized[op] != 0 {
			ops = append(ops, op)
		}
	}
	return ops, true
}

// Inspect asks what there is to know of topics, of the broker and not of what
// the pool remembers.
func (c *Cluster) Inspect(ctx context.Context, names ...string) ([]TopicState, error) {
	var r *metadata.Response
	err := c.Do(ctx, "metadata", func(ctx context.Context) (err error) {
		r, err = c.metadata(ctx, names)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []TopicState
	for _, t := range r.Topics {
		s := TopicState{Name: t.Name}
		if t.ErrorCode != 0 {
			s.Err = Classify(kafka.Error(t.ErrorCode))
			out = append(out, s)
			continue
		}
		s.Allowed, s.Told = allowed(t.TopicAuthorizedOperations)
		s.Partitions = make([]PartitionState, len(t.Partitions))
		for _, p := range t.Partitions {
			if i := int(p.PartitionIndex); i >= 0 && i < len(s.Partitions) {
				s.Partitions[i] = PartitionState{Led: p.LeaderID >= 0, Replicas: len(p.ReplicaNodes), InSync: len(p.IsrNodes)}
			}
		}
		s.SettingsErr = c.Do(ctx, "settings of "+t.Name, func(ctx context.Context) (err error) {
			s.Settings, err = settings(ctx, c.Client, t.Name)
			return err
		})
		out = append(out, s)
	}
	return out, nil
}

// metadata asks one broker, since the pool answers from what it remembers, and
// does not ask for rights.
func (c *Cluster) metadata(ctx context.Context, names []string) (*metadata.Response, error) {
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	m, err := conn.RoundTrip(&metadata.Request{TopicNames: names, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, err
	}
	r, ok := m.(*metadata.Response)
	if !ok {
		return nil, fmt.Errorf("the broker answers a request for metadata with %T", m)
	}
	return r, nil
}

// connection connects to the first broker that answers, past the pool.
func (c *Cluster) connection(ctx context.Context) (*protocol.Conn, error) {
	var errs []error
	for _, addr := range c.Brokers {
		conn, err := c.connectTo(ctx, addr)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (c *Cluster) connectTo(ctx context.Context, addr string) (*protocol.Conn, error) {
	below, err := c.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := protocol.NewConn(below, c.Dialer.ClientID)
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // fails only where the next request does
	}
	m, err := conn.RoundTrip(&apiversions.Request{})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	versions := map[protocol.ApiKey]int16{}
	if r, ok := m.(*apiversions.Response); ok {
		for _, k := range r.ApiKeys {
			key := protocol.ApiKey(k.ApiKey)
			versions[key] = key.SelectVersion(k.MinVersion, k.MaxVersion)
		}
	}
	conn.SetVersions(versions)
	return conn, nil
}

// GroupState is what a cluster says of a consumer group.
type GroupState struct {
	Err     error
	State   string // Stable, Empty, Dead, ...; Dead also when there never was one
	Members int
	Allowed []Operation
	Told    bool
}

// InspectGroup asks for a group.
func (c *Cluster) InspectGroup(ctx context.Context, group string) (GroupState, error) {
	var s GroupState
	err := c.Do(ctx, "group "+group, func(ctx context.Context) error {
		m, err := c.RoundTrip(ctx, &describegroups.Request{Groups: []string{group}, IncludeAuthorizedOperations: true})
		if err != nil {
			return err
		}
		r, ok := m.(*describegroups.Response)
		if !ok || len(r.Groups) != 1 {
			return fmt.Errorf("the broker tells of no group: %T", m)
		}
		g := r.Groups[0]
		if err := Classify(kafka.Error(g.ErrorCode)); g.ErrorCode != 0 {
			if errors.Is(err, ErrUnavailable) {
				return err
			}
			s.Err = err
			return nil
		}
		s = GroupState{State: g.GroupState, Members: len(g.Members)}
		s.Allowed, s.Told = allowed(g.AuthorizedOperations)
		return nil
	})
	return s, err
}

// Extent is what a partition holds, and where a group is in it.
type Extent struct {
	First, End int64 // of its records; End is the offset of the next one
	Committed  int64 // by the group; -1: nothing
}

// Extents asks for all n partitions of a topic.
func (c *Cluster) Extents(ctx context.Context, topic, group string, n int) ([]Extent, error) {
	out := make([]Extent, n)
	partitions := make([]int, n)
	var ask []kafka.OffsetRequest
	for i := range n {
		partitions[i] = i
		ask = append(ask, kafka.FirstOffsetOf(i), kafka.LastOffsetOf(i))
	}
	err := c.Do(ctx, "offsets of "+topic, func(ctx context.Context) error {
		r, err := c.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
		if err != nil {
			return err
		}
		for _, p := range r.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			if p.Partition >= 0 && p.Partition < n {
				out[p.Partition] = Extent{First: p.FirstOffset, End: p.LastOffset, Committed: -1}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if group == "" {
		return out, nil
	}
	err = c.Do(ctx, "positions of the group "+group, func(ctx context.Context) error {
		r, err := c.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
		if err == nil {
			err = r.Error
		}
		if err != nil {
			return err
		}
		for _, p := range r.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			if p.Partition >= 0 && p.Partition < n {
				out[p.Partition].Committed = p.CommittedOffset
			}
		}
		return nil
	})
	return out, err
}

// Since gives the offset of the first record of a partition whose time is not
// before t; false when there is none.
func (c *Cluster) Since(ctx context.Context, topic string, partition int, t time.Time) (offset int64, ok bool, err error) {
	what := "offset at a time in " + topic + "/" + strconv.Itoa(partition)
	err = c.Do(ctx, what, func(ctx context.Context) error {
		r, err := c.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
			Topics: map[string][]kafka.OffsetRequest{topic: {kafka.TimeOffsetOf(partition, t)}},
		})
		if err != nil {
			return err
		}
		for _, p := range r.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			for o := range p.Offsets {
				if ok = o >= 0; ok {
					offset = o
				}
			}
		}
		return nil
	})
	return offset, ok, err
}

// Sampled is a record of a sample.
type Sampled struct {
	Partition  int32
	Offset     int64
	Key, Value []byte // nil: none
}

// Sample reads about most records of a partition from an offset on, as far as
// one answer of the broker goes.
func (c *Cluster) Sample(ctx context.Context, topic string, partition int, from int64, most int) ([]Sampled, error) {
	var out []Sampled
	err := c.Do(ctx, "fetch "+topic+"/"+strconv.Itoa(partition), func(ctx context.Context) error {
		out = out[:0]
		r, err := c.Client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: from, MaxBytes: 4 << 20, MaxWait: 100 * time.Millisecond})
		if err == nil {
			err = r.Error
		}
		if err != nil {
			return err
		}
		for len(out) < most {
			rec, err := r.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			s := Sampled{Partition: int32(partition), Offset: rec.Offset}
			if s.Key, err = kafka.ReadAll(rec.Key); err == nil {
				s.Value, err = kafka.ReadAll(rec.Value)
			}
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	return out, err
}
