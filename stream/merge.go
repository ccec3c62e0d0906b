package stream

import (
	"cmp"
	"slices"
)

// ref points at an entry of one of the emitters. Entries are compared often and
// are large.
type ref struct {
	record, event int32
	entry         *entry
}

func compareRefs(a, b ref) int {
	if c := cmp.Compare(a.record, b.record); c != 0 {
		return c
	}
	if c := cmp.Compare(a.event, b.event); c != 0 {
		return c // a deadline's event is -1
	}
	if a.event >= 0 {
		return 0
	}
	return cmp.Or(cmp.Compare(a.entry.deadline, b.entry.deadline), cmp.Compare(a.entry.key, b.entry.key))
}

// emit puts what the emitters hold into e.outs: in order, numbered, without
// what the primary has. goesOn says that recs[0] was emitted before and that
// its numbering goes on.
func (e *Engine[E]) emit(recs []Record, goesOn bool) {
	e.refs = e.refs[:0]
	// Dead letters first: where one has the place of the event after it, it
	// comes before that event's outputs.
	for _, w := range e.workers {
		e.refs = w.decoded.appendRefs(e.refs)
	}
	for _, w := range e.workers {
		e.refs = w.stepped.appendRefs(e.refs)
	}
	record, index := int32(0), int32(0)
	if goesOn {
		index = e.next
	}
	if len(e.refs) > 0 {
		slices.SortStableFunc(e.refs, compareRefs)
		for _, rf := range e.refs {
			if rf.record != record {
				record, index = rf.record, 0
			}
			o := rf.entry.out
			o.Origin = Origin{Source: e.source, Partition: e.part, Offset: recs[record].Offset, Index: index}
			index++
			if e.suppress {
				if e.published.holds(&o) || e.published.settles(&o, e.quiet) {
					e.counters.suppressed.Add(1)
					continue
				}
				e.suppress = !e.published.passed(&o, e.quiet)
			}
			e.outs = append(e.outs, o)
		}
		clear(e.refs)
		for _, w := range e.workers {
			w.decoded.reset()
			w.stepped.reset()
		}
	}
	if int(record) < len(recs)-1 {
		index = 0
	}
	e.next = index
}

func (e *Emitter) appendRefs(refs []ref) []ref {
	for i := range e.entries {
		en := &e.entries[i]
		refs = append(refs, ref{record: en.record, event: en.event, entry: en})
	}
	return refs
}

// reset forgets the entries, and what they refer to.
func (e *Emitter) reset() {
	clear(e.entries)
	e.entries = e.entries[:0]
}
