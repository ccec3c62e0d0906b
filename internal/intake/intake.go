// Package intake turns what other programs recorded into step events: one file
// per format, each a streaming reader that holds one unit of its input (a
// transcript) at a time.
package intake

import (
	"errors"
	"fmt"

	"misstep/event"
)

// Refusal says what a reader could not take, where it stands and why. A
// refusal never ends the reading: what can be read beside it is read.
type Refusal struct {
	Line    int64  // where the unit begins, counted from 1
	At      int    // byte in the unit, -1 when only the field is known
	Field   string // path of the field in the unit, empty for the unit itself
	Reason  string // a bounded enumeration: the Reason constants
	Message string // what was found, and what would be right
}

// The reasons of a Refusal.
const (
	ReasonSyntax = "syntax" // no JSON
	ReasonUTF8   = "utf8"   // not UTF-8
	ReasonSize   = "size"   // longer than MaxUnit
	ReasonType   = "type"   // JSON, but not what the format has there
	ReasonValue  = "value"  // of the right type, but nothing that can be taken
	ReasonRole   = "role"   // a message of a role that is not known
)

// MaxUnit is how long one unit of an input, a transcript, may be in bytes.
const MaxUnit = 64 << 20

// Reader takes one input apart into step events.
type Reader interface {
	// Next reads the next unit and hands its step events to emit in order,
	// which may be none. A step and all that it refers to are valid during the
	// call only. Next ends with io.EOF after the last unit; an error of emit or
	// of the input ends the reading and is returned.
	Next(emit func(*event.Step) error) error
	// Line is where the unit that Next read last begins, counted from 1.
	Line() int64
}

// errRefused ends a unit that was refused; Next goes on with the next one.
var errRefused = errors.New("unit was refused")

// refuser hands refusals on.
type refuser struct {
	line   int64
	refuse func(Refusal)
}

func (r *refuser) at(offset int, field, reason, format string, args ...any) error {
	if r.refuse != nil {
		r.refuse(Refusal{Line: r.line, At: offset, Field: field, Reason: reason, Message: fmt.Sprintf(format, args...)})
	}
	return errRefused
}
