package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"misstep/event"
	"misstep/stream"
)

// Converted is what a conversion did.
type Converted struct {
	Steps   int64
	Refused Refused
	Skipped []string
}

// Convert writes the steps of the inputs to w, one JSON object a line, with
// their members in the order of the format; members that it does not know are
// left out.
func Convert(ctx context.Context, in *Inputs, w io.Writer, progress *Progress) (*Converted, error) {
	return Lines(ctx, in, progress, func(line []byte) error {
		_, err := w.Write(append(line, '\n'))
		return err
	})
}

// Lines is Walk with each step as JSON, which is do's during the call.
func Lines(ctx context.Context, in *Inputs, progress *Progress, do func(line []byte) error) (*Converted, error) {
	var line []byte
	return Walk(ctx, in, progress, func(s *event.Step) error {
		line = event.AppendStep(line[:0], s)
		return do(line)
	})
}

// Walk hands each step of the inputs to do, in their order, until an error of
// do, which it returns. A step is valid during the call only.
func Walk(ctx context.Context, in *Inputs, progress *Progress, do func(*event.Step) error) (*Converted, error) {
	out := &Converted{Skipped: in.Skipped}
	c := newCollector(in)
	log := NewChain(in, c.refuse)
	defer func() { _ = log.Close() }() // read only
	c.locate = log.Locate
	var done atomic.Int64
	stop := progress.watch(func() (records, bytes int64) { return done.Load(), log.Done() }, in.Total())
	defer stop()

	err := c.steps(ctx, log, func(_ *stream.Record, s *event.Step) error {
		if err := do(s); err != nil {
			return err
		}
		done.Add(1)
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("interrupted after %d steps", done.Load())
	case err != nil:
		return nil, err
	}
	out.Steps = done.Load()
	out.Refused = c.dead
	out.Refused.merge(&c.read)
	return out, nil
}

// steps hands each step of a log to do, until its end or an error. What is
// refused is noted.
func (c *collector) steps(ctx context.Context, log *Chain, do func(*stream.Record, *event.Step) error) error {
	dec := event.Decoder{MaxEvent: stream.DefaultMaxRecord}
	recs := make([]stream.Record, stream.DefaultBatchRecords)
	for {
		n, err := log.Read(ctx, recs)
		for i := range recs[:n] {
			rec := &recs[i]
			if rec.Oversize > 0 {
				c.deadLetter(rec.Offset, &event.DecodeError{
					Reason: event.ReasonSize, Msg: fmt.Sprintf("a record of %d bytes is too long; at most %d are read", rec.Oversize, stream.DefaultMaxRecord),
				})
				continue
			}
			if err := c.record(&dec, rec, do); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// record hands each step of a record to do.
func (c *collector) record(dec *event.Decoder, rec *stream.Record, do func(*stream.Record, *event.Step) error) error {
	dec.Reset(rec.Value)
	defer dec.Release()
	for {
		var s event.Step
		err := dec.Next(&s)
		var refused *event.DecodeError
		if errors.As(err, &refused) {
			c.deadLetter(rec.Offset, refused)
			continue
		}
		if err != nil {
			return nil // the record's end
		}
		if err := do(rec, &s); err != nil {
			return err
		}
	}
}

// deadLetter notes what the decoder refused.
func (c *collector) deadLetter(offset int64, e *event.DecodeError) {
	msg := e.Msg
	if e.Mend != "" {
		msg += "; " + e.Mend
	}
	c.refused(offset, e.Offset, e.Field, e.Reason.String(), msg)
}

// WriteSummary says what was converted and what was refused.
func (v *Converted) WriteSummary(w io.Writer, s Style) error {
	p := &printer{w: w, style: s}
	p.line("wrote %s", count(v.Steps, "step", "steps"))
	p.skipped(v.Skipped)
	p.refused(&v.Refused)
	return p.err
}
