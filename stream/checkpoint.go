package stream

import (
	"context"
	"errors"
	"time"
)

// MaxChunk is the length in bytes up to which a Checkpoints takes a part.
const MaxChunk = 512 << 10

// ManifestPart is the number of the part of a checkpoint that describes the
// others, which are numbered from 1.
const ManifestPart = 0

// ErrDamaged says that a part of a checkpoint is not there or cannot be read,
// and that to ask again would not help. Test for it with errors.Is.
var ErrDamaged = errors.New("checkpoint is damaged")

// ErrAhead says that a log ends before what was read of it earlier: it was made
// anew, or restored from an older copy. Test for it with errors.Is.
var ErrAhead = errors.New("log ends before what was read of it earlier")

// ErrOtherLog says that a checkpoint is of another log that had the name. Test
// for it with errors.Is.
var ErrOtherLog = errors.New("log is not the one that the checkpoint was taken of")

// Checkpoints is where an engine keeps its checkpoints: parts, which are
// written once, and for each partition one small head, which says what is
// current. What parts and heads hold is the engine's business. Its methods may
// be called by any goroutine.
//
// Where another process may take a partition over, it is a Fencer, or fenced by
// the Results beside it.
type Checkpoints interface {
	// Head gives what Swing stored last, nil when that was nothing.
	Head(ctx context.Context, source string, partition int32) ([]byte, error)
	// Swing replaces the head, durably and as a whole. It fails with ErrFenced,
	// and changes nothing, when a later owner has taken the partition over.
	// After any other error the new head may be there or not.
	Swing(ctx context.Context, source string, partition int32, head []byte) error
	// Put makes a part of a checkpoint durable; data is at most MaxChunk bytes
	// and not kept. To put the same again changes nothing; to put something
	// else in its place is refused.
	Put(ctx context.Context, source string, partition int32, id string, part int, data []byte) error
	// Get gives a part, or an error that is ErrDamaged.
	Get(ctx context.Context, source string, partition int32, id string, part int) ([]byte, error)
	// List gives the ids of all checkpoints of which a part is there, sorted.
	List(ctx context.Context, source string, partition int32) ([]string, error)
	// Delete removes all parts of a checkpoint; it may be gone already.
	Delete(ctx context.Context, source string, partition int32, id string) error
}

// Seeker is a Log that can begin anywhere.
type Seeker interface {
	// Seek has the first Read give the first record whose offset is above
	// after. known is an offset that the log held once; the error is ErrAhead
	// when the log ends before it. It is called before the first Read.
	Seek(ctx context.Context, after, known int64) error
}

// Identified is a Log that may be made anew under its name.
type Identified interface {
	// Identity tells it from others that had its name.
	Identity() string
}

// Idler is a Log with a present time, by which time passes while no record
// comes.
type Idler interface {
	// Idle gives the log's present time in Unix nanoseconds, on the same clock
	// as the log times of its records: a record that comes later has this log
	// time or a later one, give or take the grace of the engine. ok is false
	// while a record with an offset above after may be unread. It may be called
	// while Read blocks.
	Idle(ctx context.Context, after int64) (now int64, ok bool, err error)
}

// Checkpointing says how an engine keeps its state. The zero value takes no
// checkpoints: a restart applies the log from its beginning.
//
// How often: a checkpoint costs the encoding of the whole state, and saves a
// restart the work that was done since the one before. Work bounds what a
// restart has to repeat, Spacing what the encoding may cost; where a state is
// so large that both cannot hold, Spacing wins, and a restart repeats up to
// Spacing times the cost of one encoding.
type Checkpointing struct {
	Store Checkpoints
	// Ruleset names what makes the program put out what it does. It is in force
	// from the position where the engine begins with it.
	Ruleset string
	// Work is the time spent on applying records after which a checkpoint is
	// due, summed over all workers. 0 means DefaultWork; a negative one has a
	// checkpoint due whenever a record was applied.
	Work time.Duration
	// Every is the time after which one is due when anything was applied. 0
	// means DefaultEvery.
	Every time.Duration
	// Spacing holds the next checkpoint back until Spacing times the cost of
	// the last encoding has been spent on applying records. 0 means
	// DefaultSpacing, a negative one holds nothing back.
	Spacing int
	// PartBytes is about how much of a shard is encoded without a break. 0
	// means DefaultPartBytes.
	PartBytes int
	// Tick is how long no record comes before the log is asked for its present
	// time, if it is an Idler. 0 means DefaultTick.
	Tick time.Duration
	// Grace is how far behind the log's present time the log clock is left when
	// it is advanced without a record. 0 means DefaultGrace; a negative one has
	// it never advanced.
	Grace time.Duration

	// OnRestore is told where the engine begins; OnFallback, before it, why
	// that is not where it should have been. OnTaken is told of each checkpoint
	// that became current, or why it did not. Each may be nil, and must not
	// block. OnTaken is called by a goroutine of the engine's.
	OnRestore  func(Restored)
	OnFallback func(reason error)
	OnTaken    func(Taken)

	// At is called before each step of the algorithm; an error ends the run
	// there, as a crash would. It is for tests, and may be called by several
	// goroutines.
	At func(Step) error
}

// Defaults of Checkpointing.
const (
	DefaultWork      = 2 * time.Second
	DefaultEvery     = time.Minute
	DefaultSpacing   = 25
	DefaultPartBytes = 256 << 10
	DefaultTick      = time.Second
	DefaultGrace     = 10 * time.Second
)

// Restored says where an engine begins.
type Restored struct {
	ID      string // of the checkpoint, empty when there is none
	Offset  int64  // of the last record that it holds, -1 when there is none
	Ruleset string // that was in force there
	Bytes   int64
}

// Taken says what became of one checkpoint.
type Taken struct {
	ID     string
	Offset int64 // of the last record that it holds, -1 when there is none
	Bytes  int64
	Parts  int
	Took   time.Duration // from the freeze until it was current
	Cost   time.Duration // spent on encoding, summed over all workers
	Err    error         // nil: it is current
}

// Step is a step of the algorithm, before which a crash is of interest.
type Step int

// The steps, in the order in which they happen.
const (
	StepRestore  Step = iota + 1 // the head is read
	StepLoad                     // a part is loaded
	StepBegin                    // all is loaded; reading begins
	StepFreeze                   // the shards are frozen at a position
	StepChunk                    // a chunk is put
	StepOutputs                  // all chunks are durable; the outputs up to the position are waited for
	StepManifest                 // the outputs are durable; the manifest is put
	StepSwing                    // the manifest is durable; the head is swung
	StepDelete                   // the head is swung; an old checkpoint is deleted
	StepDone                     // all old ones are deleted
	StepAdvance                  // the log clock is to advance; the head is swung
	StepAdvanced                 // the advance is durable; its outputs leave
	StepSwitch                   // a checkpoint with the new ruleset is current; the new shards take over
	numSteps
)

// withDefaults fills in what is 0.
func (c Checkpointing) withDefaults() Checkpointing {
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{{&c.Work, DefaultWork}, {&c.Every, DefaultEvery}, {&c.Tick, DefaultTick}, {&c.Grace, DefaultGrace}} {
		if *d.of == 0 {
			*d.of = d.is
		}
	}
	if c.Spacing == 0 {
		c.Spacing = DefaultSpacing
	}
	if c.PartBytes == 0 {
		c.PartBytes = DefaultPartBytes
	}
	return c
}
