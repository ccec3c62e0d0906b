package replay

import (
	"cmp"
	"context"
	"io"
	"slices"

	"misstep/event"
	"misstep/internal/intake"
	"misstep/stream"
)

// collector takes what the detect program puts out: it writes the records that
// were asked for, and counts the rest. The engine's flusher calls Append, and
// the engine's reader calls refuse; each touches its own half.
type collector struct {
	failures io.Writer // nil when not asked for
	tasks    io.Writer
	fail     func(error) // ends the run when a writer fails
	locate   func(offset int64) (string, int64)
	inputs   []Input
	order    map[string]int // of the inputs, by name
	onTask   func(*event.TaskRecord)
	onFail   func(*event.Failure)

	fold        *folder
	counts      TaskCounts
	abstained   abstentions
	dead        Refused // by the decoder
	read        Refused // by a reader of another format
	writeFailed bool
}

func newCollector(in *Inputs) *collector {
	c := &collector{fold: newFolder(), abstained: abstentions{}, inputs: in.Files, order: map[string]int{}}
	for i, f := range in.Files {
		c.order[f.Name] = i
	}
	return c
}

// Append implements stream.Results.
func (c *collector) Append(_ context.Context, outs []stream.Output) error {
	for i := range outs {
		c.take(&outs[i])
	}
	return nil
}

// Last implements stream.Results: a replay begins at the beginning.
func (c *collector) Last(context.Context, string, int32) (stream.Origin, bool, error) {
	return stream.Origin{}, false, nil
}

func (c *collector) take(o *stream.Output) {
	switch v := o.Record.(type) {
	case *event.Failure:
		c.write(c.failures, o.Value)
		c.fold.add(v)
		if c.onFail != nil {
			c.onFail(v)
		}
	case *event.TaskRecord:
		c.write(c.tasks, o.Value)
		c.task(v)
	case *event.DeadLetter:
		c.refused(v.Offset, v.At, v.Field, v.Reason, v.Message)
	}
}

// refused notes what the decoder did not take. Where the record is a step that
// was made of something else, a byte in it is no place in the input.
func (c *collector) refused(offset int64, at int, field, reason, message string) {
	file, line := c.locate(offset)
	if c.inputs[c.order[file]].Format != intake.Steps {
		at = 0
	}
	c.dead.add(Refusal{
		File: file, Line: line, At: at, Field: field, Reason: reason, Message: message,
		order: c.place(file, line),
	})
}

// place orders refusals: by input, then by line.
func (c *collector) place(file string, line int64) int64 {
	return int64(c.order[file])<<40 | min(line, 1<<40-1)
}

func (c *collector) task(r *event.TaskRecord) {
	if r.Rev > 0 {
		// A later outcome: the task is counted under it.
		c.counts.Outcome[r.Was.Outcome]--
		c.counts.Outcome[r.Now.Outcome]++
		return
	}
	c.counts.Total++
	c.counts.Outcome[r.Now.Outcome]++
	c.counts.Alerted[c.fold.taskOver(&r.Labels)]++
	if r.Partial {
		c.counts.Partial++
	}
	for _, a := range r.Coverage {
		c.abstained.add(a)
	}
	if c.onTask != nil {
		c.onTask(r)
	}
}

func (c *collector) write(w io.Writer, line []byte) {
	if w == nil || c.writeFailed {
		return
	}
	if _, err := w.Write(append(line[:len(line):len(line)], '\n')); err != nil {
		c.writeFailed = true
		c.fail(err)
	}
}

// refuse notes what a reader could not take.
func (c *collector) refuse(file string, r intake.Refusal) {
	c.read.add(Refusal{
		File: file, Line: r.Line, At: max(r.At, 0), Field: r.Field, Reason: r.Reason, Message: r.Message,
		order: c.place(file, r.Line),
	})
}

// ruleCounts gives the counts by class and rule.
func (f *folder) ruleCounts() []RuleCount {
	out := make([]RuleCount, 0, len(f.rules))
	for _, c := range f.rules {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(a.Class.String(), b.Class.String()), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
