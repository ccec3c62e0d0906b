package sinks

import (
	"errors"
	"fmt"
	"time"
)

// WriteError is an error of Write that says more than that it failed.
type WriteError struct {
	// Taken is how many of the records the destination has for certain; the one
	// after them failed.
	Taken int
	// Permanent says that the same record will never be taken.
	Permanent bool
	// After is how long the destination wants to be left alone; 0: it does not
	// say.
	After time.Duration
	Err   error
}

func (e *WriteError) Error() string { return e.Err.Error() }
func (e *WriteError) Unwrap() error { return e.Err }

// refuse is a permanent error.
func refuse(format string, args ...any) error {
	return &WriteError{Permanent: true, Err: fmt.Errorf(format, args...)}
}

// after says of an error how many records were taken before it.
func after(taken int, err error) error {
	e := &WriteError{Err: err}
	var inner *WriteError
	if errors.As(err, &inner) {
		*e = *inner
	}
	e.Taken = taken
	return e
}
