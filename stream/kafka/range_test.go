package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"misstep/stream"
)

// read gives the values of a range, and its gaps.
func read(t *testing.T, c *Cluster, opts RangeOptions) (values, gaps string) {
	t.Helper()
	r, err := FindRange(t.Context(), c, opts)
	if err != nil {
		t.Fatal(err)
	}
	var lost []string
	log, err := OpenRange(t.Context(), c, r, func(from, to int64) { lost = append(lost, fmt.Sprintf("%d-%d", from, to)) })
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out []string
	dst := make([]stream.Record, 3)
	last := int64(-1)
	for {
		n, err := log.Read(ctx, dst)
		if errors.Is(err, io.EOF) {
			return strings.Join(out, " "), strings.Join(lost, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range dst[:n] {
			out = append(out, string(rec.Value))
			if rec.Offset <= last {
				t.Errorf("offset %d after %d", rec.Offset, last)
			}
			last = rec.Offset
		}
	}
}

func offset(n int64) Bound { return Bound{Offset: n, Is: true} }

func TestRange(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("range"), 2, nil)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i := range 6 {
		produceAt(t, c, topic, i%2, fmt.Sprint(i), at.Add(time.Duration(i)*time.Second))
	}
	for _, r := range []struct {
		name string
		opts RangeOptions
		want string
	}{
		{"all, by time", RangeOptions{Partition: -1}, "0 1 2 3 4 5"},
		{"one partition", RangeOptions{Partition: 1}, "1 3 5"},
		{"offsets of each", RangeOptions{Partition: -1, From: offset(1), To: offset(1)}, "2 3"},
		{"one record", RangeOptions{Partition: 0, From: offset(2), To: offset(2)}, "4"},
		{"after the end", RangeOptions{Partition: -1, From: offset(100)}, ""},
		{"times, both in it", RangeOptions{Partition: -1, From: Bound{Time: at.Add(2 * time.Second)}, To: Bound{Time: at.Add(4 * time.Second)}}, "2 3 4"},
		{"between milliseconds", RangeOptions{Partition: -1, From: Bound{Time: at.Add(2*time.Second + 1)}, To: Bound{Time: at.Add(4*time.Second - 1)}}, "3"},
		{"before all", RangeOptions{Partition: -1, To: Bound{Time: at.Add(-time.Second)}}, ""},
		{"after all", RangeOptions{Partition: -1, From: Bound{Time: at.Add(time.Hour)}}, ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			r.opts.Topic = topic
			if got, gaps := read(t, c, r.opts); got != r.want || gaps != "" {
				t.Errorf("got %q, gaps %q; want %q", got, gaps, r.want)
			}
		})
	}
	if _, err := FindRange(t.Context(), c, RangeOptions{Topic: topic, Partition: 2}); err == nil || !strings.Contains(err.Error(), "has 2 partitions, from 0 on, and 2 is asked for") {
		t.Errorf("got %v", err)
	}
	// What comes later is not of the range, and what is gone is told.
	r, err := FindRange(t.Context(), c, RangeOptions{Topic: topic, Partition: 0, From: offset(0)})
	if err != nil {
		t.Fatal(err)
	}
	produceAt(t, c, topic, 0, "later", at)
	deleteBefore(t, c, topic, 0, 2)
	var gap string
	log, err := OpenRange(t.Context(), c, r, func(from, to int64) { gap += fmt.Sprintf("%d-%d", from, to) })
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	dst := make([]stream.Record, 10)
	if n, err := log.Read(t.Context(), dst); err != nil || n != 1 || string(dst[0].Value) != "4" {
		t.Errorf("%d records, %v", n, err)
	}
	if n, err := log.Read(t.Context(), dst); n != 0 || !errors.Is(err, io.EOF) || gap != "0-1" {
		t.Errorf("%d records, %v, gap %s", n, err, gap)
	}
	if got, gaps := read(t, c, RangeOptions{Topic: topic, Partition: 0, From: offset(1)}); got != "4 later" || gaps != "1-1" {
		t.Errorf("got %q, gaps %q", got, gaps)
	}
}

// TestRangeOfTransactions: what was aborted is not there, nor are the markers of
// transactions, and a range that ends with either ends.
func TestRangeOfTransactions(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("transactions"), 1, nil)
	now := time.Now()
	produceAt(t, c, topic, 0, "a", now)
	tx := begin(t, c, topic)
	tx.produce("aborted")
	tx.end(false)
	tx.produce("committed")
	tx.end(true)
	produceAt(t, c, topic, 0, "b", now)
	tx.produce("aborted too")
	tx.end(false)
	if got, gaps := read(t, c, RangeOptions{Topic: topic, Partition: -1}); got != "a committed b" || gaps != "" {
		t.Errorf("got %q, gaps %q", got, gaps)
	}
}

func produceAt(t *testing.T, c *Cluster, topic string, partition int, value string, at time.Time) {
	t.Helper()
	err := c.Do(t.Context(), "produce", func(ctx context.Context) error {
		r, err := c.Client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value)), Time: at}),
		})
		if err != nil {
			return err
		}
		return r.Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deleteBefore removes what is before an offset, as retention does.
func deleteBefore(t *testing.T, c *Cluster, topic string, partition int, offset int64) {
	t.Helper()
	b := secured.Start(t)
	file := write(t, "offsets.json", fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":%d,"offset":%d}],"version":1}`, topic, partition, offset))
	out, err := b.Tool(t.Context(), "org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", b.Addr(), "--offset-json-file", file)
	if err != nil {
		t.Fatal(err, out)
	}
}

// transaction is a transactional producer, of what kafka-go has for one.
type transaction struct {
	t        *testing.T
	c        *Cluster
	topic    string
	id       string
	producer *kafka.ProducerSession
	sequence uint32
}

func begin(t *testing.T, c *Cluster, topic string) *transaction {
	t.Helper()
	tx := &transaction{t: t, c: c, topic: topic, id: unique("tx")}
	tx.do("begin", func(ctx context.Context) error {
		r, err := c.Client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: tx.id, TransactionTimeoutMs: 60000})
		if err == nil {
			err = r.Error
		}
		if err == nil {
			tx.producer = r.Producer
		}
		return err
	})
	return tx
}

// do calls again while the coordinator is not ready.
func (tx *transaction) do(what string, call func(context.Context) error) {
	tx.t.Helper()
	err := tx.c.Do(tx.t.Context(), what, func(ctx context.Context) error {
		err := call(ctx)
		if errors.Is(err, kafka.ConcurrentTransactions) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	})
	if err != nil {
		tx.t.Fatal(err)
	}
}

func (tx *transaction) produce(value string) {
	tx.t.Helper()
	tx.do("add partitions", func(ctx context.Context) error {
		r, err := tx.c.Client.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: tx.id, ProducerID: tx.producer.ProducerID, ProducerEpoch: tx.producer.ProducerEpoch,
			Topics: map[string][]kafka.AddPartitionToTxn{tx.topic: {{Partition: 0}}},
		})
		if err != nil {
			return err
		}
		return r.Topics[tx.topic][0].Error
	})
	var b bytes.Buffer
	set := protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(protocol.Record{Value: protocol.NewBytes([]byte(value)), Time: time.Now()})}
	if _, err := set.WriteTo(&b); err != nil {
		tx.t.Fatal(err)
	}
	raw := b.Bytes()[4:] // what is before it is its length, which is sent as well
	attributes := binary.BigEndian.Uint16(raw[atAttributes:])
	binary.BigEndian.PutUint16(raw[atAttributes:], attributes|attrTransactional)
	binary.BigEndian.PutUint64(raw[atProducer:], uint64(tx.producer.ProducerID))
	binary.BigEndian.PutUint16(raw[atProducer+8:], uint16(tx.producer.ProducerEpoch))
	binary.BigEndian.PutUint32(raw[atProducer+10:], tx.sequence)
	binary.BigEndian.PutUint32(raw[atCRC:], crc32.Checksum(raw[atAttributes:], castagnoli))
	tx.sequence++
	tx.do("produce", func(ctx context.Context) error {
		r, err := tx.c.Client.RawProduce(ctx, &kafka.RawProduceRequest{
			Topic: tx.topic, RequiredAcks: kafka.RequireAll, TransactionalID: tx.id,
			RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(b.Bytes())},
		})
		if err != nil {
			return err
		}
		return r.Error
	})
}

func (tx *transaction) end(commit bool) {
	tx.t.Helper()
	tx.do("end", func(ctx context.Context) error {
		r, err := tx.c.Client.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: tx.id, ProducerID: tx.producer.ProducerID, ProducerEpoch: tx.producer.ProducerEpoch, Committed: commit})
		if err != nil {
			return err
		}
		return r.Error
	})
}

func TestParseBound(t *testing.T) {
	for s, want := range map[string]Bound{"0": offset(0), "12": offset(12), "2026-03-02T09:00:00.5Z": {Time: time.Date(2026, 3, 2, 9, 0, 0, 5e8, time.UTC)}} {
		if got, err := ParseBound(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-1", "x", "2026-03-02"} {
		if _, err := ParseBound(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	if !offset(2).After(offset(1)) || offset(1).After(offset(1)) || offset(1).After(Bound{}) || (Bound{}).After(offset(0)) {
		t.Error("offsets are compared wrongly")
	}
}

func TestProducer(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("producer"), 3, nil)
	for _, compression := range Compressions() {
		p, err := NewProducer(t.Context(), c, ProducerOptions{Topic: topic, Compression: compression})
		if err != nil {
			t.Fatal(err)
		}
		var msgs []StepMessage
		for i := range 50 {
			key := []byte(fmt.Sprint("key", i%7))
			msgs = append(msgs, StepMessage{Key: key, Value: fmt.Appendf(nil, "%s %04d %s", key, i, strings.Repeat("x", 40_000))})
		}
		if err := p.Publish(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for p := range int32(3) {
		last := map[string]string{}
		everything(t, c, topic, p, func(r *record) {
			if Murmur2.Of(r.key, 3) != p {
				t.Errorf("key %s is in partition %d", r.key, p)
			}
			key, number := string(r.key), string(r.value[5:9])
			if n++; number <= last[key] && number > "0006" {
				t.Errorf("%s: %s after %s", key, number, last[key])
			}
			last[key] = number
		})
	}
	if n != 250 {
		t.Errorf("found %d", n)
	}
	if _, err := NewProducer(t.Context(), c, ProducerOptions{Topic: topic, Compression: "lzma"}); err == nil {
		t.Error("lzma is taken")
	}
	p, err := NewProducer(t.Context(), c, ProducerOptions{Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Publish(t.Context(), []StepMessage{{Key: []byte("k"), Value: make([]byte, 2<<20)}})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "raise its max.message.bytes") {
		t.Errorf("got %v", err)
	}
}
