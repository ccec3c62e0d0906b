package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

// opened opens partition 0 of a topic.
func opened(t *testing.T, c *Cluster, opts LogOptions) *Log {
	t.Helper()
	if opts.OnError == nil {
		opts.OnError = func(err error) { t.Log(err) }
	}
	l, err := OpenLog(t.Context(), c, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// next reads until there are n records.
func next(t *testing.T, l stream.Log, n int) (recs []stream.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(recs) < n {
		dst := make([]stream.Record, n-len(recs))
		m, err := l.Read(ctx, dst)
		if err != nil {
			t.Fatalf("after %d of %d records: %v", len(recs), n, err)
		}
		for _, r := range dst[:m] {
			r.Value, r.Key = slices.Clone(r.Value), slices.Clone(r.Key)
			recs = append(recs, r)
		}
	}
	return recs
}

func numbered(from, to int) (values [][]byte) {
	for i := from; i < to; i++ {
		values = append(values, fmt.Appendf(nil, "v%d", i))
	}
	return values
}

// deleteBefore deletes the records of partition 0 below an offset, as retention
// does; kafka-go does not speak the request.
func deleteBefore(t *testing.T, tool func(ctx context.Context, class string, args ...string) (string, error), addr, topic, file string, offset int64) {
	t.Helper()
	writeFile(t, file, fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":0,"offset":%d}],"version":1}`, topic, offset))
	if out, err := tool(t.Context(), "org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", addr, "--offset-json-file", file); err != nil || !strings.Contains(out, "low_watermark: ") {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestRecordsThatAreGone: what retention or an operator deletes before it is
// read is a data gap that is told, and reading goes on behind it.
func TestRecordsThatAreGone(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("gone"), 1, appendTime)
	writeTo(t, c, topic, 0, 0, numbered(0, 10)...)
	var gaps [][2]int64
	l := opened(t, c, LogOptions{Topic: topic, OnGap: func(from, to int64) { gaps = append(gaps, [2]int64{from, to}) }})
	next(t, l, 10)
	writeTo(t, c, topic, 0, 0, numbered(10, 30)...)
	// Another reader, that stands where this one stood.
	again := opened(t, c, LogOptions{Topic: topic, OnGap: func(from, to int64) { gaps = append(gaps, [2]int64{from, to}) }})
	if err := again.Seek(t.Context(), 4, 9); err != nil {
		t.Fatal(err)
	}
	deleteBefore(t, b.Tool, b.Addr(), topic, t.TempDir()+"/delete.json", 20)
	if recs := next(t, again, 10); recs[0].Offset != 20 || string(recs[0].Value) != "v20" {
		t.Errorf("goes on at %d", recs[0].Offset)
	}
	if !slices.Equal(gaps, [][2]int64{{5, 19}}) {
		t.Errorf("gaps are %v, want 5 to 19", gaps)
	}
	// A group without a position begins with what there is, and that is no gap.
	fresh := opened(t, c, LogOptions{Topic: topic, OnGap: func(from, to int64) { t.Errorf("gap %d to %d", from, to) }})
	if recs := next(t, fresh, 1); recs[0].Offset != 20 {
		t.Errorf("begins at %d", recs[0].Offset)
	}
}

// TestTopicMadeAnew: a topic that was deleted and made again is not the one that
// was read, and so is one that ends before what was read.
func TestTopicMadeAnew(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("anew"), 1, nil)
	writeTo(t, c, topic, 0, 0, numbered(0, 5)...)
	l := opened(t, c, LogOptions{Topic: topic})
	next(t, l, 5)
	if _, err := c.Client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{topic}}); err != nil {
		t.Fatal(err)
	}
	for b.CreateTopic(t.Context(), topic, 1, nil) != nil {
		<-time.After(50 * time.Millisecond) // until it is deleted
	}
	// It holds more than was read of the other one, so its length does not tell.
	writeTo(t, c, topic, 0, 0, numbered(0, 20)...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if n, err := l.Read(ctx, make([]stream.Record, 10)); !errors.Is(err, ErrOtherTopic) {
		t.Errorf("Read gave %d, %v", n, err)
	}
	short := opened(t, c, LogOptions{Topic: topic})
	if err := short.Seek(t.Context(), 10, 20); !errors.Is(err, stream.ErrAhead) {
		t.Errorf("Seek beyond the end gave %v", err)
	}
	if err := short.Seek(t.Context(), 10, 19); err != nil {
		t.Errorf("Seek to the end gave %v", err)
	}
}

// TestOffsetsThatSomebodySet: an offset that an operator set forward passes over
// records, which is a gap; one that was set back changes nothing.
func TestOffsetsThatSomebodySet(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("reset"), 1, nil)
	writeTo(t, c, topic, 0, 0, numbered(0, 20)...)
	for _, tt := range []struct {
		set, want int64
		gaps      [][2]int64
	}{{12, 12, [][2]int64{{5, 11}}}, {2, 5, nil}, {5, 5, nil}} {
		var gaps [][2]int64
		l := opened(t, c, LogOptions{
			Topic: topic, OnGap: func(from, to int64) { gaps = append(gaps, [2]int64{from, to}) },
			Begin: func(context.Context) (int64, error) { return tt.set, nil },
		})
		if err := l.Seek(t.Context(), 4, 4); err != nil {
			t.Fatal(err)
		}
		if recs := next(t, l, 1); recs[0].Offset != tt.want || !slices.Equal(gaps, tt.gaps) {
			t.Errorf("set to %d: goes on at %d with the gaps %v", tt.set, recs[0].Offset, gaps)
		}
	}
	l := opened(t, c, LogOptions{Topic: topic, Latest: true})
	if _, err := read(t, l, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("latest gave %v", err)
	}
	writeTo(t, c, topic, 0, 0, []byte("new"))
	if recs := next(t, l, 1); string(recs[0].Value) != "new" {
		t.Errorf("latest begins with %q", recs[0].Value)
	}
}

func read(t *testing.T, l *Log, most time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	return l.Read(ctx, make([]stream.Record, 10))
}

// TestKeys: the key of each record comes with it, and whether it is where the
// partitioner has it; after partitions were added, what is where it belonged
// before is well.
func TestKeys(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("keys"), 4, nil)
	of := map[int32]string{}
	for i := 0; len(of) < 4; i++ {
		key := fmt.Sprint("k", i)
		of[Murmur2.Of([]byte(key), 4)] = key
	}
	for _, key := range []string{of[0], of[1], ""} {
		rec := kafka.Record{Value: kafka.NewBytes([]byte("x"))}
		if key != "" {
			rec.Key = kafka.NewBytes([]byte(key))
		}
		if _, err := c.produce(t.Context(), topic, 0, []kafka.Record{rec}, 0); err != nil {
			t.Fatal(err)
		}
	}
	more := make(chan [2]int, 1)
	l := opened(t, c, LogOptions{Topic: topic, Partitioner: Murmur2, OnPartitions: func(before, now int) { more <- [2]int{before, now} }})
	recs := next(t, l, 3)
	for i, want := range []struct {
		key       string
		misplaced bool
	}{{of[0], false}, {of[1], true}} {
		if r := recs[i]; !r.Keyed || string(r.Key) != want.key || r.Misplaced != want.misplaced {
			t.Errorf("record %d: key %q, misplaced %v", i, r.Key, r.Misplaced)
		}
	}
	if !recs[2].Keyed || len(recs[2].Key) > 0 {
		t.Errorf("a record without a key has %q", recs[2].Key)
	}
	if _, err := c.Client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 7}}}); err != nil {
		t.Fatal(err)
	}
	l.look = time.Time{} // now
	l.fetcher.close()
	now := ""
	for i := 0; now == ""; i++ {
		if key := fmt.Sprint("n", i); Murmur2.Of([]byte(key), 7) == 0 && Murmur2.Of([]byte(key), 4) != 0 {
			now = key
		}
	}
	for _, key := range []string{of[0], now} {
		if _, err := c.produce(t.Context(), topic, 0, []kafka.Record{{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes([]byte("x"))}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range next(t, l, 2) {
		if r.Misplaced {
			t.Errorf("key %q is misplaced, though it was right before or is now", r.Key)
		}
	}
	if got := <-more; got != [2]int{4, 7} {
		t.Errorf("told %v", got)
	}
	if !slices.Equal(l.Partitions(), []int{4, 7}) {
		t.Errorf("partitions are %v", l.Partitions())
	}
}

// TestTransactions: what a transaction wrote that was aborted is not seen, nor
// are the marks that end transactions, and neither is a gap.
func TestTransactions(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("txn"), 1, nil)
	writeTo(t, c, topic, 0, 0, []byte("before"))
	for i, commit := range []bool{false, true, false, true} {
		transaction(t, c, topic, fmt.Sprint("t", i), commit, fmt.Sprintf("%v%d", commit, i))
	}
	writeTo(t, c, topic, 0, 0, []byte("after"))
	l := opened(t, c, LogOptions{Topic: topic, OnGap: func(from, to int64) { t.Errorf("gap %d to %d", from, to) }})
	var got []string
	for _, r := range next(t, l, 4) {
		got = append(got, string(r.Value))
	}
	if want := []string{"before", "true1", "true3", "after"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// All was seen that is to be seen, so time passes, and nothing lags behind,
	// although the last record is not the last offset.
	transaction(t, c, topic, "t9", false, "x")
	if _, err := read(t, l, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	last := l.given.Load()
	if _, ok, err := l.Idle(t.Context(), last); !ok || err != nil {
		t.Errorf("Idle gave %v, %v", ok, err)
	}
	if _, ok, _ := l.Idle(t.Context(), last-1); ok {
		t.Error("idle, though a record was given that is not applied")
	}
	if lag, err := l.Lag(t.Context(), last); lag != 0 || err != nil {
		t.Errorf("Lag gave %d, %v", lag, err)
	}
	writeTo(t, c, topic, 0, 0, numbered(0, 3)...)
	if lag, err := l.Lag(t.Context(), last); lag != 3 || err != nil {
		t.Errorf("Lag gave %d, %v, want 3", lag, err)
	}
	if _, ok, _ := l.Idle(t.Context(), last); ok {
		t.Error("idle, though there are records")
	}
}

// eventually does something again until it works.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	var err error
	for range 200 {
		if err = do(); err == nil {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}
