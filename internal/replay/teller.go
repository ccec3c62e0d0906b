package replay

import (
	"fmt"
	"strconv"

	"misstep/detectors"
	"misstep/detectors/facts"
	"misstep/event"
)

// teller takes the steps of one trajectory through a shard of its own and notes
// what each was and what became known with it.
type teller struct {
	shard   *detectors.Shard
	entry   *Entry
	notes   map[string]string // of the evidence, by step id
	clock   int64             // log clock, event.None while there is none
	ordinal int64
	steps   []Step
}

func newTeller(shard *detectors.Shard, e *Entry) *teller {
	t := &teller{shard: shard, entry: e, clock: event.None, notes: map[string]string{}}
	for _, v := range e.Last.Evidence {
		t.notes[v.ID] = v.Note
	}
	return t
}

func (t *teller) wants(s *event.Step) bool {
	l := &t.entry.Last.Labels
	return string(s.TrajectoryID) == l.TrajectoryID && string(s.Tenant) == l.Tenant
}

// nowhere takes the outputs of a replay that was run before.
type nowhere struct{}

func (nowhere) Event(int32, int32, detectors.Output)            {}
func (nowhere) Deadline(int32, int64, string, detectors.Output) {}

func (t *teller) tell(s *event.Step, file string, line int64) {
	cur := t.shard.Current()
	cur.Step = nil
	duplicates := t.shard.Counts().Duplicates
	batch := detectors.Batch{Steps: []event.Step{*s}, At: []int32{0}, Hash: []uint64{detectors.Key(s)}, Clock: []int64{t.clock}}
	t.shard.Step(&batch, []int32{0}, nowhere{})

	v := Step{Seq: s.Seq, ID: string(s.ID), Time: s.Time, Text: stepText(s, t.entry.Last.Agent), File: file, Line: line}
	switch {
	case cur.Step != nil:
		if v.ID == "" {
			v.ID = strconv.FormatInt(t.ordinal, 10)
		}
		t.ordinal++
		v.Facts = factsOf(cur)
		v.Evidence, v.Marked = t.notes[v.ID]
	case s.Kind == event.KindUnknown:
		v.Facts = []string{"of an unknown kind, skipped"}
	}
	if t.shard.Counts().Duplicates > duplicates {
		v.Facts = append(v.Facts, "a redelivery, dropped")
	}
	t.steps = append(t.steps, v)
}

// factsOf says what became known with a step, as the detectors see it.
func factsOf(cur *facts.Current) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	c := cur.Call
	switch {
	case cur.Step.Kind == event.ToolCall && c != nil:
		if cur.Catalogue != nil && !c.Tool.Listed {
			add("not in the catalogue of %s", count(int64(cur.Catalogue.Len()), "tool", "tools"))
		}
		if c.Tool.Effect.Writes() {
			add("effect %s", c.Tool.Effect)
		}
		if c.Tool.Polls {
			add("a tool that polls")
		}
		if p := cur.Agent.Call(c.PrevKey); p != nil {
			add("the same call as %s", name(cur.Agent.Step(p, "")))
		}
		for i := range cur.Violations.Found {
			add("against the schema: %s", foreign(cur.Violations.Found[i].String(), maxText))
		}
		for i := range cur.Violations.Unknown {
			add("not in the schema: %s", foreign(cur.Violations.Unknown[i].Path, maxName))
		}
	case cur.Step.Kind == event.ToolResult && c != nil:
		out = append(out, resultFacts(cur, c)...)
	case cur.Step.Kind == event.ToolResult:
		add("answers no call that is open")
	}
	if cur.Lacks != 0 {
		add("not known: %s", cur.Lacks)
	}
	return out
}

func resultFacts(cur *facts.Current, c *facts.Call) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	add("answers %s", name(cur.Agent.Step(c, "")))
	if c.Silent {
		add("the body reports an error")
	}
	if c.Failed() {
		kind := "neither transient nor permanent"
		switch {
		case c.Class.Permanent():
			kind = "permanent"
		case c.Class.Transient():
			kind = "transient"
		}
		add("error %s, %s, fault %s", c.Class, kind, c.Fault)
		if p := cur.Agent.Call(c.PrevError); p != nil {
			add("the same error as %s", name(cur.Agent.ResultStep(p, "")))
		}
	} else if p := cur.Agent.Call(c.PrevKey); p != nil && c.Result != 0 && p.Result == c.Result {
		add("the same result as %s", name(cur.Agent.ResultStep(p, "")))
	}
	return out
}

func name(e event.Evidence) string { return stepName(e.Seq, e.ID) }
