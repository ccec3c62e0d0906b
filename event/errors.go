package event

import (
	"fmt"
	"strconv"
)

// Reason says in one word why an event was refused.
type Reason uint8

// The reasons for which an event is refused.
const (
	ReasonNone    Reason = iota
	ReasonSyntax         // no JSON, or no object where events stand
	ReasonUTF8           // invalid UTF-8
	ReasonDepth          // nested too deep
	ReasonSize           // too long
	ReasonVersion        // v is of a version that came later
	ReasonMissing        // a required field is not there
	ReasonType           // a field holds another type of JSON
	ReasonValue          // a field holds the right type, but nothing that it can hold
	ReasonKey            // not of its record's key, or in a partition that is not the key's
	numReasons
)

// NumReasons is the number of reasons; for arrays of counters.
const NumReasons = int(numReasons)

var reasonNames = [numReasons]string{
	"none", "syntax", "utf8", "depth", "size", "version", "missing", "type", "value", "key",
}

// String gives the name as it stands in metrics and dead letters.
func (r Reason) String() string {
	if r < numReasons {
		return reasonNames[r]
	}
	return reasonNames[ReasonNone]
}

// DecodeError says why an event was refused, where, and how to mend it. It
// holds nothing of the event's content but the names of its known fields.
type DecodeError struct {
	Reason Reason
	Field  string // path of the field, as call.tool; empty when it is about none
	Offset int    // in the payload, in bytes
	Index  int    // of the event in the payload, from 0
	Msg    string // what was wanted and what was found
	Mend   string // what to do; empty when Msg says it
}

// Error gives field, message, place and mend in one line.
func (e *DecodeError) Error() string {
	s := e.Msg + " at byte " + strconv.Itoa(e.Offset)
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Mend != "" {
		s += "; " + e.Mend
	}
	return s
}

// fail notes why the event is refused. It gives -1, which the parsing functions
// return instead of a place.
func (d *Decoder) fail(r Reason, field string, at int, msg, mend string) int {
	d.err = &DecodeError{Reason: r, Field: field, Offset: at, Index: d.index, Msg: msg, Mend: mend}
	return -1
}

// Refused is the error of the event that Next gave last, which is refused for
// something outside it.
func (d *Decoder) Refused(r Reason, field, msg, mend string) error {
	return &DecodeError{Reason: r, Field: field, Offset: d.start, Index: d.index - 1, Msg: msg, Mend: mend}
}

// failSyntax is fail for JSON that is none: want was expected at i.
func (d *Decoder) failSyntax(b []byte, i int, field, want string) int {
	if i >= len(b) {
		if d.cut {
			return d.fail(ReasonSize, "", d.start, fmt.Sprintf("the event is longer than %d bytes", d.maxEvent()),
				"cut its text and content to 32 KiB with truncated, content_len and content_hash")
		}
		if len(b) < len(d.payload) {
			return d.fail(ReasonSyntax, field, len(b), "want "+want+", found the end of the line", "")
		}
		return d.fail(ReasonSyntax, field, len(b), "want "+want+", found the end", "")
	}
	return d.fail(ReasonSyntax, field, i, "want "+want+", found "+found(b, i), "")
}

// failString is fail for a string that did not scan.
func (d *Decoder) failString(b []byte, i int, m marks, field string) int {
	switch m {
	case rawControl:
		return d.fail(ReasonSyntax, field, i, "want a closing quote, found a control character in a string",
			"escape it, as in \\n or \\u0007")
	case badEscape:
		return d.fail(ReasonSyntax, field, i, "want one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four hexadecimal digits, found another escape", "")
	case badUTF8:
		return d.fail(ReasonUTF8, field, i, "want UTF-8, found a byte that is none", "encode the event as UTF-8")
	default:
		return d.failSyntax(b, len(b), field, "a closing quote")
	}
}

// failType is fail for a value of another type than the field has.
func (d *Decoder) failType(b []byte, i int, field, want, mend string) int {
	if i >= len(b) || !startsValue(b, i) {
		return d.failSyntax(b, i, field, want)
	}
	return d.fail(ReasonType, field, i, "want "+want+", found "+found(b, i), mend)
}

func startsValue(b []byte, i int) bool {
	switch b[i] {
	case '{', '[', '"', '-':
		return true
	}
	return b[i]-'0' <= 9 || literal(b, i, "true") || literal(b, i, "false") || literal(b, i, "null")
}

// found names what stands at i, without its content.
func found(b []byte, i int) string {
	switch c := b[i]; {
	case c == '{' && couldHide(b, i):
		return "a hidden value"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case literal(b, i, "true"), literal(b, i, "false"):
		return "a boolean"
	case literal(b, i, "null"):
		return "null"
	case c-'0' <= 9 || c == '-':
		return "a number"
	case c == '}' || c == ']' || c == ',' || c == ':':
		return "'" + string(rune(c)) + "'"
	case c == '\n' || c == '\r':
		return "a line break"
	case c == '\'':
		return "a single quote"
	case c < ' ' || c == 0x7f:
		return "a control character"
	case c >= 0x80:
		return "a character that is no ASCII"
	default:
		return "something else"
	}
}
