// Package sinks holds the destinations that follow what the detect program puts
// out: the terminal, Prometheus, files.
package sinks

import (
	"context"
	"errors"
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
}

// Sink is a destination. One goroutine at a time calls it.
type Sink interface {
	// Name is what the sink is called in logs and metrics: lower-case letters,
	// digits and underscores, always the same.
	Name() string
	// Write takes records in the order in which they were put out, and does not
	// keep the slice. It may block until ctx ends. After an error some of the
	// records may have been taken. Writing nothing is no error.
	Write(ctx context.Context, records []Record) error
	// Close gives what is still held to the destination. It may be called more
	// than once; a Write after it fails with ErrClosed.
	Close() error
}
