package facts

import "unsafe"

const (
	callSize  = int64(unsafe.Sizeof(Call{}))
	agentSize = int64(unsafe.Sizeof(Agent{}))
	manySize  = int64(unsafe.Sizeof(manyIDs{}))
	toolSize  = int64(unsafe.Sizeof(ToolCount{}) + unsafe.Sizeof((*Tool)(nil)))
	openSize  = int64(unsafe.Sizeof(openCall{}))

	provenanceSize = int64(unsafe.Sizeof(Provenance{}))
	touchedSize    = int64(unsafe.Sizeof(touched{}))
)

// Extra is how many bytes hang on the trajectory beside its own.
func (t *Trajectory) Extra() int64 {
	n := int64(0)
	for i, a := range t.Agents {
		if i > 0 {
			n += agentSize
		}
		n += int64(a.calls.Cap())*callSize + int64(cap(a.ids.buf))
		if k := cap(a.open); k > len(a.few) {
			n += int64(k) * openSize
		}
	}
	if t.Slots != nil {
		n += t.Slots.size()
	}
	n += t.plans.size() + t.progress.size() + int64(cap(t.resources.list))*int64(unsafe.Sizeof(resource{}))
	if v := t.provenance; v != nil {
		n += provenanceSize + int64(cap(v.runs)+cap(v.amounts))*8 + int64(cap(v.touches))*touchedSize + int64(cap(v.said.set))*4 + int64(cap(v.kinds))*8
	}
	if t.seen.many != nil {
		n += manySize
	}
	n += t.decisions.size()
	if k := cap(t.Task.Tools); k > fewTools {
		n += int64(k) * toolSize
	}
	return n
}

// Extra is how many bytes hang on what is kept beside its own.
func (p *Past) Extra() int64 { return int64(cap(p.seen)) * int64(unsafe.Sizeof(p.seen[0])) }

// Shorten makes every agent of the trajectory, those to come included, remember
// only so many calls, and gives up what memory that frees.
func (t *Trajectory) Shorten(w *Workspace, calls int) {
	t.short = calls
	for _, a := range t.Agents {
		a.calls.SetLimit(calls)
		a.ids.buf = a.ids.buf[:len(a.ids.buf):len(a.ids.buf)]
		a.tidy(w, 0)
	}
}
