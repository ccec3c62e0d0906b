package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	apiFetch      = 1
	versionFetch  = 13
	readCommitted = 1
	// fetchBytes is how much is fetched at a time, before it is decompressed;
	// one batch that is larger comes all the same.
	fetchBytes = 2 << 20
	// fetchWait is how long a broker waits for records that it has not yet.
	fetchWait = 500 * time.Millisecond
)

// fetcher fetches from one partition. The next answer is under way while the one
// before is read. One goroutine uses it.
type fetcher struct {
	cluster   *Cluster
	topic     string
	partition int32
	most      int // bytes

	id topicID // of what is read

	wire *wire // nil: not connected
	buf  []byte
	sent int64 // offset that was asked for and not answered, -1 for none
}

func newFetcher(c *Cluster, topic string, partition int32) *fetcher {
	return &fetcher{cluster: c, topic: topic, partition: partition, most: fetchBytes, sent: -1}
}

// fetched is one answer, valid until the next one is read.
type fetched struct {
	err     error // a kafka.Error
	high    int64 // offset after the last record
	stable  int64 // offset after the last record that is not of an open transaction
	start   int64 // of the log
	aborted []abortedTransaction
	records []byte
}

type abortedTransaction struct {
	producer, first int64
}

// connect dials the partition's leader.
func (f *fetcher) connect(ctx context.Context, t *topicInfo) error {
	f.close()
	addr, err := t.leader(f.partition)
	if err != nil {
		return fmt.Errorf("topic %s: %w", f.topic, err)
	}
	f.id = t.id
	conn, err := f.cluster.dial(ctx, addr)
	if err != nil {
		return err
	}
	f.wire, f.sent = &wire{conn: conn, buf: f.buf}, -1
	return nil
}

func (f *fetcher) close() {
	if f.wire != nil {
		f.buf = f.wire.buf
		f.wire.close()
		f.wire = nil
	}
}

// ask sends a request for the records from an offset on. It asks by the topic's
// id, which kafka-go's version of the request does not know: so a topic that was
// made anew is told from the one that was read.
func (f *fetcher) ask(offset int64, wait time.Duration) error {
	f.sent = offset
	b := f.wire.request(apiFetch, versionFetch)
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // no replica
	b = binary.BigEndian.AppendUint32(b, uint32(wait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, 1) // byte at least
	b = binary.BigEndian.AppendUint32(b, uint32(f.most))
	b = append(b, readCommitted)
	b = binary.BigEndian.AppendUint32(b, 0)              // no session
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // nor one to begin
	b = append(b, 2)                                     // one topic
	b = append(b, f.id[:]...)
	b = append(b, 2) // one partition
	b = binary.BigEndian.AppendUint32(b, uint32(f.partition))
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // whatever the epoch of the leader
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // or that of what was fetched
	b = binary.BigEndian.AppendUint64(b, math.MaxUint64) // no start of a log of ours
	b = binary.BigEndian.AppendUint32(b, uint32(f.most))
	b = append(b, 0, 0) // no tags of the partition, nor the topic
	b = append(b, 1)    // no topic to forget
	b = append(b, 1, 0) // no rack, no tags
	return f.wire.send(b)
}

// fetch gives the records from an offset on, and waits that long until there are
// some. After an error the connection is closed.
func (f *fetcher) fetch(ctx context.Context, offset int64, wait time.Duration) (*fetched, error) {
	got, err := f.try(ctx, offset, wait)
	if err != nil {
		f.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("fetch %s/%d at offset %d: %w", f.topic, f.partition, offset, err)
	}
	return got, nil
}

func (f *fetcher) try(ctx context.Context, offset int64, wait time.Duration) (*fetched, error) {
	defer f.wire.until(ctx, answerTimeout+wait)()
	if f.sent >= 0 && f.sent != offset {
		return nil, fmt.Errorf("offset %d was asked for", f.sent)
	}
	if f.sent < 0 {
		if err := f.ask(offset, wait); err != nil {
			return nil, err
		}
	}
	r, err := f.wire.receive(f.wire.id)
	f.sent = -1
	if err != nil {
		return nil, err
	}
	return f.parse(r)
}

// ahead asks for what comes next, while the answer before is taken apart.
func (f *fetcher) ahead(offset int64) error {
	if f.wire == nil {
		return nil
	}
	_ = f.wire.conn.SetDeadline(time.Now().Add(answerTimeout)) // fails only where the write does
	return f.ask(offset, fetchWait)
}

func (f *fetcher) parse(r *reader) (*fetched, error) {
	r.tags()
	r.int32() // throttled for
	if code := r.int16(); code != 0 {
		return nil, kafka.Error(code)
	}
	r.int32() // session
	if n := r.compact(); n != 1 && r.err == nil {
		return nil, fmt.Errorf("broker answers for %d topics", n)
	}
	if id := r.take(len(f.id)); r.err == nil && topicID(id) != f.id {
		return nil, fmt.Errorf("broker answers for the topic %x", id)
	}
	if n := r.compact(); n != 1 && r.err == nil {
		return nil, fmt.Errorf("broker answers for %d partitions", n)
	}
	if p := r.int32(); p != f.partition && r.err == nil {
		return nil, fmt.Errorf("broker answers for the partition %d", p)
	}
	got := &fetched{}
	if code := r.int16(); code != 0 {
		got.err = kafka.Error(code)
	}
	got.high, got.stable, got.start = r.int64(), r.int64(), r.int64()
	for n := r.compact(); n > 0 && r.err == nil; n-- {
		got.aborted = append(got.aborted, abortedTransaction{r.int64(), r.int64()})
		r.tags()
	}
	r.int32() // replica to read from instead
	got.records = r.take(max(r.compact(), 0))
	return got, r.err
}

// visible takes batches of one partition in order and says which are to be seen.
type visible struct {
	aborted []abortedTransaction
	hidden  map[int64]bool // producers of an aborted transaction
}

// begin takes note of what an answer says of transactions.
func (v *visible) begin(aborted []abortedTransaction) { v.aborted, v.hidden = aborted, nil }

// sees reports whether the records of a batch are data that was committed.
func (v *visible) sees(x *batch) bool {
	rest := v.aborted[:0]
	for _, a := range v.aborted {
		if a.first > x.last {
			rest = append(rest, a)
			continue
		}
		if v.hidden == nil {
			v.hidden = map[int64]bool{}
		}
		v.hidden[a.producer] = true
	}
	v.aborted = rest
	if x.attributes&attrControl != 0 {
		if x.aborts() {
			delete(v.hidden, x.producer)
		}
		return false
	}
	return x.attributes&attrTransactional == 0 || !v.hidden[x.producer]
}

// temporary reports whether to ask again, or another broker, may help.
func temporary(err error) bool {
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Temporary() || code == kafka.UnknownTopicOrPartition || code == kafka.LeaderNotAvailable
	}
	return true
}
