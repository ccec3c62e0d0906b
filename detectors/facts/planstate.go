package facts

import (
	"fmt"
	"unsafe"

	"misstep/detectors/state"
	"misstep/event"
)

// ResourcesState is Resources; a zero member is left out.
type ResourcesState struct {
	List []ResourceState `cbor:"1,keyasint,omitempty"`
	Next int             `cbor:"2,keyasint,omitempty"`
}

// ResourceState is one thing that is over.
type ResourceState struct {
	Name uint64 `cbor:"1,keyasint,omitempty"`
	Tool uint64 `cbor:"2,keyasint,omitempty"`
	At   int64  `cbor:"3,keyasint,omitempty"`
	Seen int    `cbor:"4,keyasint,omitempty"`
}

// PlansState is Plans, as they are read.
type PlansState struct {
	All          []PlanState        `cbor:"1,keyasint,omitempty"`
	Observations []ObservationState `cbor:"2,keyasint,omitempty"`
	Stale        int32              `cbor:"3,keyasint,omitempty"`
	Replan       int32              `cbor:"4,keyasint,omitempty"`
	Change       ChangeState        `cbor:"5,keyasint,omitempty"`
	Pending      []PendingState     `cbor:"6,keyasint,omitempty"`
	Intent       IntentState        `cbor:"7,keyasint,omitempty"`
}

// PlanState is one plan.
type PlanState struct {
	Agent   string       `cbor:"1,keyasint,omitempty"`
	Source  PlanSource   `cbor:"2,keyasint,omitempty"`
	Version int32        `cbor:"3,keyasint,omitempty"`
	Items   []ItemState  `cbor:"4,keyasint,omitempty"`
	Made    int64        `cbor:"5,keyasint,omitempty"`
	Updated int64        `cbor:"6,keyasint,omitempty"`
	Calls   int32        `cbor:"7,keyasint,omitempty"`
	Matched int32        `cbor:"8,keyasint,omitempty"`
	Since   int32        `cbor:"9,keyasint,omitempty"`
	Moved   bool         `cbor:"10,keyasint,omitempty"`
	Churn   int32        `cbor:"11,keyasint,omitempty"`
	Fresh   bool         `cbor:"12,keyasint,omitempty"`
	Order   []byte       `cbor:"13,keyasint,omitempty"`
	Evident []CitedState `cbor:"14,keyasint,omitempty"`
	Fitting int32        `cbor:"15,keyasint,omitempty"`
}

// CitedState is a step that may become evidence.
type CitedState struct {
	Seq  int64  `cbor:"1,keyasint,omitempty"` // as state.Some gives it
	ID   string `cbor:"2,keyasint,omitempty"`
	Note string `cbor:"3,keyasint,omitempty"`
}

// ItemState is one item; its words follow from its text.
type ItemState struct {
	Text   string     `cbor:"1,keyasint,omitempty"`
	Tool   string     `cbor:"2,keyasint,omitempty"`
	Status ItemStatus `cbor:"3,keyasint,omitempty"`
	Deps   uint64     `cbor:"4,keyasint,omitempty"`
	Since  int64      `cbor:"5,keyasint,omitempty"`
	Tried  int32      `cbor:"6,keyasint,omitempty"`
	Worked int32      `cbor:"7,keyasint,omitempty"`
	Stale  int        `cbor:"8,keyasint,omitempty"`
	Doubt  int        `cbor:"9,keyasint,omitempty"`
	ID     uint64     `cbor:"10,keyasint,omitempty"`
}

// ObservationState is one observation.
type ObservationState struct {
	At    int64           `cbor:"1,keyasint,omitempty"`
	Seq   int64           `cbor:"2,keyasint,omitempty"` // as state.Some gives it
	ID    string          `cbor:"3,keyasint,omitempty"`
	Kind  ObservationKind `cbor:"4,keyasint,omitempty"`
	What  string          `cbor:"5,keyasint,omitempty"`
	Tool  string          `cbor:"6,keyasint,omitempty"`
	Calls int32           `cbor:"7,keyasint,omitempty"`
	Reads int32           `cbor:"8,keyasint,omitempty"`
	Over  bool            `cbor:"9,keyasint,omitempty"`
	Told  bool            `cbor:"10,keyasint,omitempty"`
}

// ChangeState is the user's last change of mind.
type ChangeState struct {
	At     int64    `cbor:"1,keyasint,omitempty"`
	Seen   int      `cbor:"2,keyasint,omitempty"`
	Whole  bool     `cbor:"3,keyasint,omitempty"`
	Wanted []uint32 `cbor:"4,keyasint,omitempty"`
	Not    []uint32 `cbor:"5,keyasint,omitempty"`
}

// PendingState is a call without a result.
type PendingState struct {
	Agent int      `cbor:"1,keyasint,omitempty"`
	Call  int64    `cbor:"2,keyasint,omitempty"`
	Plan  int      `cbor:"3,keyasint,omitempty"`
	Item  int      `cbor:"4,keyasint,omitempty"`
	Names []uint64 `cbor:"5,keyasint,omitempty"`
	IDs   int      `cbor:"6,keyasint,omitempty"`
}

// IntentState is the tool that a message named as the next one.
type IntentState struct {
	Agent string `cbor:"1,keyasint,omitempty"`
	Tool  string `cbor:"2,keyasint,omitempty"`
	Seq   int64  `cbor:"3,keyasint,omitempty"` // as state.Some gives it
	ID    string `cbor:"4,keyasint,omitempty"`
}

func (r *Resources) append(w *state.Writer) {
	if len(r.list) == 0 {
		return
	}
	w.Key(19)
	m := w.Open()
	w.Array(1, len(r.list))
	for i := range r.list {
		e := &r.list[i]
		one := w.Open()
		w.Uint(1, e.name)
		w.Uint(2, e.tool)
		w.Int(3, e.at)
		w.Int(4, int64(e.seen))
		w.Close(one)
	}
	w.Int(2, int64(r.next))
	w.Close(m)
}

func (ps *Plans) append(w *state.Writer) {
	if ps == nil {
		return
	}
	w.Key(20)
	m := w.Open()
	if w.Array(1, len(ps.All)) {
		for _, p := range ps.All {
			p.append(w)
		}
	}
	if w.Array(2, len(ps.Observations)) {
		for i := range ps.Observations {
			ps.Observations[i].append(w)
		}
	}
	w.Int(3, int64(ps.Stale))
	w.Int(4, int64(ps.Replan))
	if ch := &ps.change; ch.at > 0 {
		w.Key(5)
		c := w.Open()
		w.Int(1, ch.at)
		w.Int(2, int64(ch.seen))
		w.Bool(3, ch.whole)
		appendHashes(w, 4, ch.wanted)
		appendHashes(w, 5, ch.not)
		w.Close(c)
	}
	if w.Array(6, len(ps.pending)) {
		for i := range ps.pending {
			q := &ps.pending[i]
			one := w.Open()
			w.Int(1, int64(q.agent))
			w.Int(2, q.call)
			w.Int(3, int64(q.plan))
			w.Int(4, int64(q.item))
			if w.Array(5, len(q.names)) {
				for _, n := range q.names {
					w.PutUint(n)
				}
			}
			w.Int(6, int64(q.ids))
			w.Close(one)
		}
	}
	if i := &ps.intent; i.tool != "" {
		w.Key(7)
		one := w.Open()
		w.Text(1, i.agent)
		w.Text(2, i.tool)
		w.Int(3, state.Some(i.seq))
		w.Text(4, i.id)
		w.Close(one)
	}
	w.Close(m)
}

func (p *Plan) append(w *state.Writer) {
	m := w.Open()
	w.Text(1, p.Agent)
	w.Uint(2, uint64(p.Source))
	w.Int(3, int64(p.Version))
	if w.Array(4, len(p.Items)) {
		for i := range p.Items {
			it := &p.Items[i]
			one := w.Open()
			w.Text(1, it.Text)
			w.Text(2, it.Tool)
			w.Uint(3, uint64(it.Status))
			w.Uint(4, it.Deps)
			w.Int(5, it.Since)
			w.Int(6, int64(it.Tried))
			w.Int(7, int64(it.Worked))
			w.Int(8, int64(it.Stale))
			w.Int(9, int64(it.Doubt))
			w.Uint(10, it.id)
			w.Close(one)
		}
	}
	w.Int(5, p.Made)
	w.Int(6, p.Updated)
	w.Int(7, int64(p.Calls))
	w.Int(8, int64(p.Matched))
	w.Int(9, int64(p.Since))
	w.Bool(10, p.Moved)
	w.Int(11, int64(p.Churn))
	w.Bool(12, p.fresh)
	w.Bytes(13, p.order)
	w.Array(14, len(p.evident))
	for i := range p.evident {
		e := &p.evident[i]
		one := w.Open()
		w.Int(1, state.Some(e.Seq))
		w.Text(2, e.ID)
		w.Text(3, e.Note)
		w.Close(one)
	}
	w.Int(15, int64(p.Fitting))
	w.Close(m)
}

func (o *Observation) append(w *state.Writer) {
	m := w.Open()
	w.Int(1, o.At)
	w.Int(2, state.Some(o.Seq))
	w.Text(3, o.ID)
	w.Uint(4, uint64(o.Kind))
	w.Text(5, o.What)
	w.Text(6, o.Tool)
	w.Int(7, int64(o.Calls))
	w.Int(8, int64(o.Reads))
	w.Bool(9, o.Over)
	w.Bool(10, o.Told)
	w.Close(m)
}

func (r *Resources) restore(s *ResourcesState, observations int) error {
	if len(s.List) > maxResources || s.Next < 0 || s.Next >= maxResources {
		return fmt.Errorf("state: %d resources, the next at %d; at most %d are kept", len(s.List), s.Next, maxResources)
	}
	*r = Resources{next: s.Next}
	for _, e := range s.List {
		if e.Seen < 0 || e.Seen > observations {
			return fmt.Errorf("state: a resource cites observation %d of %d", e.Seen, observations)
		}
		r.list = append(r.list, resource{e.Name, e.Tool, e.At, e.Seen})
	}
	return nil
}

func restorePlans(s *PlansState) (*Plans, error) {
	if len(s.All) > maxPlans || len(s.Observations) > maxObservations || len(s.Pending) > maxPending ||
		len(s.Change.Wanted) > maxChangeWords || len(s.Change.Not) > maxChangeWords ||
		s.Change.Seen < 0 || s.Change.Seen > len(s.Observations) || (s.Change.At > 0) != (s.Change.Seen > 0) {
		return nil, fmt.Errorf("state: %d plans, %d observations, %d open calls; at most %d, %d and %d are kept",
			len(s.All), len(s.Observations), len(s.Pending), maxPlans, maxObservations, maxPending)
	}
	ps := &Plans{
		Stale: s.Stale, Replan: s.Replan,
		change: change{s.Change.At, s.Change.Seen, s.Change.Whole, s.Change.Wanted, s.Change.Not},
		intent: intent{s.Intent.Agent, s.Intent.Tool, state.Maybe(s.Intent.Seq), s.Intent.ID},
	}
	for i := range s.All {
		p, err := restorePlan(&s.All[i], len(s.Observations))
		if err != nil {
			return nil, err
		}
		ps.All = append(ps.All, p)
	}
	for _, o := range s.Observations {
		ps.Observations = append(ps.Observations, Observation{o.At, state.Maybe(o.Seq), o.ID, o.Kind, o.What, o.Tool, o.Calls, o.Reads, o.Over, o.Told})
	}
	for _, q := range s.Pending {
		if len(q.Names) > 2*maxCallNames+1 || q.IDs < 0 || q.IDs > len(q.Names) || q.Plan < 0 || q.Plan > len(ps.All) || q.Item < 0 {
			return nil, fmt.Errorf("state: an open call of a plan is not whole")
		}
		ps.pending = append(ps.pending, pendingCall{q.Agent, q.Call, q.Plan, q.Item, q.Names, q.IDs})
	}
	return ps, nil
}

func restorePlan(s *PlanState, observations int) (*Plan, error) {
	if len(s.Items) > MaxPlanItems || len(s.Order) > MaxPlanItems || len(s.Evident) != maxChurn || s.Churn < 0 {
		return nil, fmt.Errorf("state: a plan of %d items, %d of them begun; at most %d are kept", len(s.Items), len(s.Order), MaxPlanItems)
	}
	p := &Plan{
		Agent: s.Agent, Source: s.Source, Version: s.Version, Made: s.Made, Updated: s.Updated, Calls: s.Calls, Matched: s.Matched,
		Since: s.Since, Fitting: s.Fitting, Moved: s.Moved, Churn: s.Churn, fresh: s.Fresh, order: s.Order,
	}
	for i, e := range s.Evident {
		p.evident[i] = event.Evidence{Seq: state.Maybe(e.Seq), ID: e.ID, Note: e.Note}
	}
	for _, o := range s.Order {
		if int(o) >= len(s.Items) {
			return nil, fmt.Errorf("state: a plan of %d items began item %d", len(s.Items), o)
		}
	}
	for _, it := range s.Items {
		if len(it.Text) > maxItemText || it.Stale < 0 || it.Doubt < 0 || max(it.Stale, it.Doubt) > observations {
			return nil, fmt.Errorf("state: an item of a plan cites observation %d of %d", max(it.Stale, it.Doubt), observations)
		}
		item := PlanItem{
			Text: it.Text, Tool: it.Tool, Status: it.Status, Deps: it.Deps, Since: it.Since, Tried: it.Tried, Worked: it.Worked,
			Stale: it.Stale, Doubt: it.Doubt, id: it.ID,
		}
		item.setWords()
		p.Items = append(p.Items, item)
	}
	return p, nil
}

// size is how many bytes the plans take.
func (ps *Plans) size() int64 {
	if ps == nil {
		return 0
	}
	n := int64(unsafe.Sizeof(*ps)) + int64(cap(ps.Observations))*int64(unsafe.Sizeof(Observation{})+100) +
		int64(len(ps.pending))*(int64(unsafe.Sizeof(pendingCall{}))+100)
	for _, p := range ps.All {
		n += int64(unsafe.Sizeof(*p)) + 100
		for i := range p.Items {
			it := &p.Items[i]
			n += int64(unsafe.Sizeof(*it)) + int64(len(it.Text)) + int64(cap(it.words)+cap(it.names))*4
		}
	}
	return n
}
