// Package stream runs a keyed state machine over a partitioned log: records in,
// outputs out, each output with the origin that makes it the same output
// wherever and however often it is computed. It knows programs, not detectors.
package stream

import (
	"cmp"
	"context"
	"errors"
	"math"
)

// NoTime is the log time of a record whose log assigns none.
const NoTime = math.MinInt64

// The reasons for which an engine stops although its input goes on. Test for
// them with errors.Is.
var (
	// ErrLost says that this process owns the partition no longer.
	ErrLost = errors.New("partition is owned by this process no longer")
	// ErrFenced says that a later owner has taken the partition over, and that
	// nothing of the refused Append was stored.
	ErrFenced = errors.New("partition was taken over by a later owner")
	// ErrClosed says that a log was closed before or during a Read.
	ErrClosed = errors.New("log is closed")
)

// Record is one entry of a log. Value is valid until the log's next Read.
type Record struct {
	Offset int64
	Time   int64 // log time in Unix nanoseconds, NoTime when the log assigns none
	Value  []byte
	// Oversize is the length in bytes of a record that is longer than its log
	// holds in memory, else 0. Such a record has no Value; the decoder refuses
	// it with the reason size.
	Oversize int64
	// Keyed says that the log keeps each key in one partition, and Key, valid as
	// Value is, is the record's; the events in it must be of that key. Misplaced
	// says that the key belongs to another partition.
	Keyed, Misplaced bool
	Key              []byte
}

// Log is one input partition, read by one goroutine from a position on.
type Log interface {
	// Source names the log in origins; it is the same in every run.
	Source() string
	Partition() int32
	// Read fills dst with the next records, one at least, and gives their
	// number. It blocks until there is one, and ends with io.EOF after the last
	// record of a finite log. Offsets are strictly increasing; gaps are
	// allowed. A log mends what can be mended by itself, so an error other than
	// io.EOF and ctx's ends the run.
	Read(ctx context.Context, dst []Record) (int, error)
	Close() error
}

// Results is the log that takes what a program puts out; exactly one is the
// primary, and it holds the engine back.
type Results interface {
	// Append makes outs durable in order before it returns, and does not
	// keep the slice. After an error a prefix of them may be there;
	// Last tells which. ErrFenced is final, any other error is tried again.
	Append(ctx context.Context, outs []Output) error
	// Last gives the highest origin that was ever appended for a partition;
	// false when there is none. ErrFenced is final here as well.
	Last(ctx context.Context, source string, partition int32) (Origin, bool, error)
}

// Parallel is a Results whose topics are written beside each other: after an
// error of Append, or a crash, each topic holds a prefix of its own outputs, and
// Last gives the highest origin of all.
type Parallel interface {
	// LastOf is Last for each topic of its own; a topic without is absent.
	LastOf(ctx context.Context, source string, partition int32) (map[Topic]Origin, error)
}

// Fencer is a Results that refuses the writes of earlier owners.
type Fencer interface {
	// Fence takes a partition over. From its return on, an Append for that
	// partition by an earlier owner fails with ErrFenced and stores nothing.
	Fence(ctx context.Context, source string, partition int32) error
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

// The topics of the account program that followers read.
const (
	Budgets   Topic = "budgets"
	Verdicts  Topic = "verdicts"
	Incidents Topic = "incidents"
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
	// what is due at the last record's clock; due is a deadline that is not
	// after the clock. A deadline that is armed by an event of record r lies
	// after b.Clock[r]. b has at least one record, mine may be empty, and both
	// are valid until Step returns.
	Step(b *Batch[E], mine []int32, out *Emitter)
	// End closes all that is open, as if the partition had been idle for good.
	// Its outputs belong to the record r.
	End(r int32, out *Emitter)
	// NextDeadline gives the earliest deadline; false when there is none.
	NextDeadline() (deadline int64, ok bool)
	// Freeze begins a snapshot of the state as it is now. Step goes on
	// meanwhile, and encodes what it is about to change when the snapshot does
	// not hold it yet. There is at most one snapshot at a time.
	Freeze()
	// AppendFrozen appends the next part of the snapshot to dst, about most
	// bytes; done says that it was the last, with which the snapshot ends. Each
	// part can be loaded by itself, and in any order. It is called between
	// Steps.
	AppendFrozen(dst []byte, most int) (part []byte, done bool, err error)
	// Thaw gives up an unfinished snapshot, if there is one.
	Thaw()
	// LoadState adds a part of a snapshot to a shard that has not stepped yet.
	// It is given the parts of all shards of the engine that took them; keep
	// says which keys, by their hash, are this shard's own.
	LoadState(part []byte, keep func(hash uint64) bool) error
}

// Batch is a run of records of one partition and the events in them.
type Batch[E any] struct {
	Records []Record
	// Clock is the partition's log clock at each record, NoTime when it has
	// none yet. It never goes back. Before a decoder sets it, it is NoTime; a
	// time that the log itself assigned takes precedence over the decoder's.
	Clock  []int64
	Events []E      // in log order
	At     []int32  // At[i] is the index in Records of Events[i]
	Hash   []uint64 // of the key of each event; says which shard it belongs to
}

// Add appends one event of record r and gives the place to decode it into,
// which may still hold what an earlier event left there. The decoder then sets
// its hash, the last in b.Hash. Cancel takes the event back.
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

// Event emits an output that event i of record r caused; the i of an event
// that was refused is the number of events before it, len(b.Events).
func (e *Emitter) Event(r, i int32, o Output) {
	e.entries = append(e.entries, entry{record: r, event: i, out: o})
}

// Deadline emits an output of a deadline that record r's clock has reached.
// The output belongs to the first record whose clock had reached it, which is r
// or, when the shard looked later, one before it; where there is no log clock
// it belongs to r. key is the key of the state, so no two keys share one.
func (e *Emitter) Deadline(r int32, deadline int64, key string, o Output) {
	e.entries = append(e.entries, entry{record: r, event: -1, deadline: deadline, key: key, out: o})
}
