// Package sinks holds the destinations that follow what the detect program puts
// out: the terminal, Prometheus, files.
package sinks

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is what a closed sink gives for a Write.
var ErrClosed = errors.New("sink is closed")

// Record is one output of the detect program. Sinks only read it.
type Record struct {
	// Value is a *event.Failure, a *event.TaskRecord or a *event.DeadLetter. A
	// sink passes over what it does not know.
	Value any
	// Encoded is the same as it stands on the wire, one JSON object.
	Encoded []byte

	// The rest is set for sinks that follow the log of results.

	// Note is what the record tells, nil for what followers do not read.
	Note *Note
	// Log, Partition and Offset say where the record is.
	Log       string
	Partition int32
	Offset    int64
	// Again says that the destination has the record from an earlier run. Only a
	// Keeper is given such records, for its state; it tells nobody of them.
	Again bool
}

// Sink is a destination. One goroutine at a time calls it.
type Sink interface {
	// Name is what the sink is called in logs and metrics: lower-case letters,
	// digits and underscores, always the same.
	Name() string
	// Write takes records in the order in which they were put out, and does not
	// keep the slice. It may block until ctx ends. After an error some of the
	// records may have been taken, and the same may be written again: the
	// destination must be able to tell, by a record's id and rev. A *WriteError
	// says more. Writing nothing is no error.
	Write(ctx context.Context, records []Record) error
	// Close gives what is still held to the destination. It may be called more
	// than once; a Write after it fails with ErrClosed.
	Close() error
}

// Grouper is a sink that can tell of several records in one message.
type Grouper interface {
	Sink
	// WriteGroup is Write with one message for all records.
	WriteGroup(ctx context.Context, records []Record) error
}

// Keeper is a sink with a state, that depends on records which it was given
// earlier. A restart gives it again, as Again, what it still needs.
type Keeper interface {
	Sink
	// Needs calls yield with the place of each record that the state depends on.
	Needs(yield func(log string, partition int32, offset int64))
	// Tick is called every now and then, from the goroutine that calls Write.
	Tick(ctx context.Context) error
	// Every is how often.
	Every() time.Duration
}
