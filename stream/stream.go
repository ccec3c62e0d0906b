// Package stream runs a keyed state machine over a partitioned log: records in,
// outputs out, each output with the origin that makes it the same output
// wherever and however often it is computed. It knows programs, not detectors.
package stream

import (
	"cmp"
	"context"
	"math"
)

// NoTime is the log time of a record whose log assigns none.
const NoTime = math.MinInt64

// Record is one entry of a log. Value is valid until the log's next Read.
type Record struct {
	Offset int64
	Time   int64 // log time in Unix nanoseconds, NoTime when the log assigns none
	Value  []byte
}

// Log is one input partition, read by one goroutine from a position on.
type Log interface {
	// Source names the log in origins; it is the same in every run.
	Source() string
	Partition() int32
	// Read fills dst with the next records, one at least, and gives their
	// number. It blocks until there is one, and ends with io.EOF after the last
	// record of a finite log.
	Read(ctx context.Context, dst []Record) (int, error)
	Close() error
}

// Results is the log that takes what a program puts out; exactly one is the
// primary, and it holds the engine back.
type Results interface {
	// Append makes outs durable in order before it returns. After an error a
	// prefix of them may be there; Last tells which.
	Append(ctx context.Context, outs []Output) error
	// Last gives the highest origin that was ever appended for a partition;
	// false when there is none.
	Last(ctx context.Context, source string, partition int32) (Origin, bool, error)
}

// Ownership says whether this process may read a partition.
type Ownership interface {
	// Acquire blocks until this process owns the partition.
	Acquire(ctx context.Context, source string, partition int32) (Claim, error)
}

// Claim is one owned partition.
type Claim interface {
	// Lost is closed when the partition is owned no longer.
	Lost() <-chan struct{}
	Release() error
}

// Origin is where an output comes from: the record that caused it, and the
// running number of the outputs that this record caused. Origins of a
// partition are strictly increasing.
type Origin struct {
	Source    string
	Partition int32
	Offset    int64
	Index     int32
}

// Compare orders origins of one partition.
func (o Origin) Compare(p Origin) int {
	return cmp.Or(cmp.Compare(o.Offset, p.Offset), cmp.Compare(o.Index, p.Index))
}

// Topic is one of the logs that a program writes.
type Topic string

// The topics of the detect program.
const (
	Failures   Topic = "failures"
	Tasks      Topic = "tasks"
	Directives Topic = "directives"
	DeadLetter Topic = "deadletter"
)

// Output is one record that a program puts out.
type Output struct {
	Origin   Origin
	Topic    Topic
	Class    string // subject token of failures, else empty
	Workflow string // subject token, empty when the producer gave none
	Key      string // trajectory
	Value    []byte // the encoded record, owned by the output
	Record   any    // the same, typed, for followers in this process
}

// Program is a keyed state machine over a log. For one key its outputs are a
// function of the key's own events in log order and their log times.
type Program[E any] interface {
	// NewDecoder gives a decoder; each decoding goroutine has its own.
	NewDecoder() Decoder[E]
	// NewShard gives the state machine for a share of the keys. Shards share
	// nothing, each is run by one goroutine at a time.
	NewShard() Shard[E]
}

// Decoder takes records apart.
type Decoder[E any] interface {
	// Decode appends the events of record r (the index in b.Records) with
	// b.Add, sets b.Clock[r] when the record itself carries a log time, and
	// emits a dead letter for each that is refused. Events may borrow from the
	// record and from the decoder until Reset.
	Decode(b *Batch[E], r int32, out *Emitter)
	// Reset ends the life of all that was borrowed.
	Reset()
}

// Shard is the state of a share of the keys.
type Shard[E any] interface {
	// Step applies the events of b whose indices are in mine, in order. Before
	// an event of record r it fires what is due at b.Clock[r], and at the end
	// what is due at the last record's clock.
	Step(b *Batch[E], mine []int32, out *Emitter)
	// End closes all that is open, as if the partition had been idle for good.
	// Its outputs belong to the record r.
	End(r int32, out *Emitter)
	// AppendState and LoadState encode and restore the whole state. LoadState
	// is called on a new shard; keep says which keys are its own.
	AppendState(dst []byte) ([]byte, error)
	LoadState(state []byte, keep func(hash uint64) bool) error
}

// Batch is a run of records of one partition and the events in them.
type Batch[E any] struct {
	Records []Record
	Clock   []int64  // partition's log clock at each record, NoTime when it has none
	Events  []E      // in log order
	At      []int32  // At[i] is the index in Records of Events[i]
	Hash    []uint64 // of the key of each event; says which shard it belongs to
}

// Add appends one event of record r and gives the place to decode it into.
// Cancel takes it back.
func (b *Batch[E]) Add(r int32) *E {
	n := len(b.Events)
	if n < cap(b.Events) {
		b.Events = b.Events[:n+1]
	} else {
		var e E
		b.Events = append(b.Events, e)
	}
	b.At = append(b.At, r)
	b.Hash = append(b.Hash, 0)
	return &b.Events[n]
}

// Cancel removes the event that Add added last.
func (b *Batch[E]) Cancel() {
	n := len(b.Events) - 1
	b.Events, b.At, b.Hash = b.Events[:n], b.At[:n], b.Hash[:n]
}

// Emitter collects the outputs of one goroutine. The engine merges those of
// all and numbers them: the order is (record, deadlines before events,
// deadline, key, event, order of emission), whatever the shards.
type Emitter struct {
	entries []entry
}

type entry struct {
	record   int32
	event    int32 // -1 for a deadline
	deadline int64
	key      string
	out      Output
}

// Event emits an output that event i of record r caused.
func (e *Emitter) Event(r, i int32, o Output) {
	e.entries = append(e.entries, entry{record: r, event: i, out: o})
}

// Deadline emits an output of a deadline that record r's clock has passed.
func (e *Emitter) Deadline(r int32, deadline int64, key string, o Output) {
	e.entries = append(e.entries, entry{record: r, event: -1, deadline: deadline, key: key, out: o})
}
