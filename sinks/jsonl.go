package sinks

import (
	"context"
	"fmt"
	"io"
)

// JSONL writes records as they stand on the wire, one a line.
type JSONL struct {
	w      io.Writer
	keep   func(any) bool
	buf    []byte
	closed bool
}

// NewJSONL writes the records whose value keep accepts to w; a nil keep accepts
// all. Close does not close w.
func NewJSONL(w io.Writer, keep func(value any) bool) *JSONL {
	return &JSONL{w: w, keep: keep}
}

// Name is jsonl.
func (j *JSONL) Name() string { return "jsonl" }

// Write hands all lines of one call to the writer at once.
func (j *JSONL) Write(ctx context.Context, records []Record) error {
	if j.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.buf = j.buf[:0]
	for _, r := range records {
		if len(r.Encoded) > 0 && (j.keep == nil || j.keep(r.Value)) {
			j.buf = append(append(j.buf, r.Encoded...), '\n')
		}
	}
	if len(j.buf) == 0 {
		return nil
	}
	if _, err := j.w.Write(j.buf); err != nil {
		return fmt.Errorf("write JSON lines: %w", err)
	}
	return nil
}

// Close ends the sink; everything was written already.
func (j *JSONL) Close() error {
	j.closed = true
	return nil
}
