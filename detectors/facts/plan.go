package facts

import (
	"misstep/event"
)

// Bounds of the plans of one trajectory. Plans come from models.
const (
	maxPlans        = 4 // of as many agents; those of further ones are not kept
	MaxPlanItems    = 64
	maxItemText     = 160
	maxItemWords    = 20
	maxObservations = 16
)

// PlanSource says where a plan comes from.
type PlanSource uint8

// Where plans come from.
const (
	PlanFromStep PlanSource = iota // a plan_update
	PlanFromTool                   // a call of a tool that keeps a plan
	PlanFromText                   // a numbered list in what the agent said
)

// ItemStatus is how far the agent says it is with an item.
type ItemStatus uint8

// How far an item is.
const (
	ItemPending ItemStatus = iota
	ItemInProgress
	ItemDone
	ItemDropped
)

// PlanItem is one thing that an agent planned to do.
type PlanItem struct {
	Text   string // cut at maxItemText
	Tool   string // that the plan names for it; empty without one
	Status ItemStatus
	Deps   uint64 // bit i: on item i
	Since  int64  // ordinal of the step that first planned it so
	Tried  int32  // calls that belong to it
	Worked int32  // those of them that did their work
	// Stale is 1 + the place of the observation that made it pointless, 0 for
	// none; Doubt the same of a change of mind that may mean it.
	Stale, Doubt int

	id    uint64 // hash of the producer's id, 0 without one
	words []uint32
	names []uint32 // those of the words that name a thing
}

// Finished reports whether nothing is left to do for it.
func (i *PlanItem) Finished() bool { return i.Status >= ItemDone }

// Plan is what one agent planned, in its latest version.
type Plan struct {
	Agent   string
	Source  PlanSource
	Version int32 // from 1
	Items   []PlanItem
	Updated int64 // ordinal of the step with the latest version
	Made    int64 // ordinal of the step with the first one
	Calls   int32 // calls since the first version, of tools that keep no plan
	Matched int32 // those of them that belong to an item
	Since   int32 // calls since the latest version
	Fitting int32 // those of them that belong to an item
	Moved   bool  // a later version moved an item on: the agent maintains it
	Churn   int32 // versions on end without any progress
	fresh   bool  // something new succeeded since the latest version
	order   []uint8
	evident [maxChurn]event.Evidence // of the versions that churn
}

// maxChurn is how many versions without progress are remembered as evidence.
const maxChurn = 3

// ObservationKind says what made a plan pointless.
type ObservationKind uint8

// What makes a plan pointless.
const (
	ObservedError   ObservationKind = iota // a call failed since what it is about is over
	ObservedRefusal                        // a call was refused for good
	ObservedState                          // a result says that something is over
	ObservedGoal                           // the user wants something else
	ObservedTool                           // a tool was taken away
)

// Observation is something that the agent came to know and that makes items
// of a plan pointless.
type Observation struct {
	At    int64 // ordinal of its step
	Seq   int64
	ID    string
	Kind  ObservationKind
	What  string // what was seen, in a few words
	Tool  string // that showed it, or that was taken away
	Calls int32  // since then, of tools that keep no plan
	Reads int32  // those of them that read what it is about
	Over  bool   // the plan was changed for it
	Told  bool   // the agent has said something since
}

// Evidence cites the observation.
func (o *Observation) Evidence() event.Evidence {
	return event.Evidence{Seq: o.Seq, ID: o.ID, Note: o.What}
}

// Plans is what is known of the plans of one task.
type Plans struct {
	All          []*Plan
	Observations []Observation
	// Stale and Replan count for the task record: calls that did what was
	// pointless, and the most calls from an observation to a changed plan.
	Stale, Replan int32

	change  change
	pending []pendingCall
	intent  intent
}

// intent is the tool that a message named as the next one.
type intent struct {
	agent string
	tool  string
	seq   int64
	id    string
}

// Matched is how the call of a step fits the plan.
type Matched struct {
	Plan *Plan
	Item int // in Plan.Items, -1 for none
	// Dead is 1 + the place of the observation that the call runs into because
	// of what it is about, Stale that of the one that made its item pointless, by
	// what it is about or otherwise; 0 for none.
	Dead, Stale int
	// Against tells that the call does what the user has just turned from.
	Against bool
	// Meant is the tool that the agent said it would call; empty when it said
	// nothing, or calls it.
	Meant     string
	MeantStep event.Evidence
	// NewPlan tells that the step brought a version of the plan; Done are the
	// items that it moved to done, bit i for item i; Whole tells that between the
	// version before and this one there were calls, all of which belong to items.
	NewPlan, Whole bool
	Done           uint64
}

// Planned gives what a step did to the plan, nil without one.
func (t *Trajectory) Planned() *Plans { return t.plans }

// planOf gives the plan that an agent follows: its own or, where only one agent
// plans, that one's.
func (ps *Plans) planOf(agent string) *Plan {
	for _, p := range ps.All {
		if p.Agent == agent {
			return p
		}
	}
	if len(ps.All) == 1 {
		return ps.All[0]
	}
	return nil
}

// planning gives the plans, made if there are none.
func (t *Trajectory) planning() *Plans {
	if t.plans == nil {
		t.plans = new(Plans)
	}
	return t.plans
}

// Waits reports whether a call that belongs to item i of a plan has no result
// yet.
func (ps *Plans) Waits(p *Plan, i int) bool {
	for k := range ps.pending {
		if q := &ps.pending[k]; q.item == i+1 && q.plan > 0 && ps.All[q.plan-1] == p {
			return true
		}
	}
	return false
}

// Speaks reports whether an item speaks of all that a tool's name says, and not
// of looking at it or telling of it: of a tool whose name says enough.
func (i *PlanItem) Speaks(tool *Tool) bool {
	n := len(tool.meaning)
	return n >= 2 && shared(tool.meaning, i.words) == n && !hasWord(i.words, getWord) && !i.survives("")
}

// Acts reports whether an item names a thing and, by its verb, what is to be
// done with it that takes a call.
func (i *PlanItem) Acts() bool { return len(i.names) > 0 && shared(actWords, i.words) > 0 }

// adopt makes items the next version of an agent's plan. It takes them over.
func (ps *Plans) adopt(t *Trajectory, s *event.Step, agent string, source PlanSource, items []PlanItem, m *Matched) {
	if len(items) == 0 {
		return
	}
	var p *Plan
	for _, q := range ps.All {
		if q.Agent == agent {
			p = q
		}
	}
	if p != nil && source == PlanFromText && p.Source != PlanFromText {
		return // what a message lists beside a kept plan is an excerpt of it
	}
	if p == nil {
		if len(ps.All) == maxPlans {
			return
		}
		p = &Plan{Agent: agent, Source: source, Made: t.Ordinal}
		ps.All = append(ps.All, p)
	}
	m.Plan, m.NewPlan, m.Whole = p, true, p.Since > 0 && p.Since == p.Fitting
	old := p.Items
	added, moved, reworded := false, false, false
	used := uint64(0)
	var place [MaxPlanItems]uint8 // 1 + where an item of before is now
	for i := range items {
		it := &items[i]
		it.Since = t.Ordinal
		j := sameItem(old, it, i, used)
		if j < 0 {
			added = true
			continue
		}
		used |= 1 << j
		place[j] = uint8(i + 1)
		was := &old[j]
		it.Tried, it.Worked = was.Tried, was.Worked
		if it.Tool == "" {
			it.Tool = was.Tool
		}
		if it.Status > was.Status {
			moved = true
			if it.Status == ItemDone {
				m.Done |= 1 << i
			}
		}
		if it.Text == was.Text || it.Finished() {
			it.Since, it.Stale, it.Doubt = was.Since, was.Stale, was.Doubt
		} else {
			reworded = true
		}
	}
	p.Version++
	ps.replanned(p, items, added || reworded)
	if p.Version > 1 && moved {
		p.Moved = true
	}
	switch {
	case moved || p.fresh || p.Version == 1:
		p.Churn = 0
	default:
		p.Churn++
	}
	p.evident[int(p.Churn)%maxChurn] = t.cite(s, "plan rewritten")
	p.fresh = false
	kept := p.order[:0]
	for _, j := range p.order {
		if place[j] > 0 {
			kept = append(kept, place[j]-1)
		}
	}
	p.order = kept
	p.Items, p.Source, p.Updated, p.Since, p.Fitting = items, source, t.Ordinal, 0, 0
}

// sameItem finds the item of the version before that an item goes on with: by
// the producer's id, the same text, else the same place and most of the words.
func sameItem(old []PlanItem, it *PlanItem, place int, used uint64) int {
	for j := range old {
		if used&(1<<j) == 0 && it.id != 0 && old[j].id == it.id {
			return j
		}
	}
	for j := range old {
		if used&(1<<j) == 0 && old[j].Text == it.Text {
			return j
		}
	}
	if place < len(old) && used&(1<<place) == 0 {
		was := &old[place]
		if n := shared(it.words, was.words); n > 0 && 3*n >= 2*max(len(it.words), len(was.words)) {
			return place
		}
	}
	return -1
}

// replanned closes the observations that a new version answers: items were
// added or reworded, or each item that one had made pointless was dropped.
func (ps *Plans) replanned(p *Plan, items []PlanItem, changed bool) {
	for i := range ps.Observations {
		o := &ps.Observations[i]
		if o.Over {
			continue
		}
		had, left, dropped := 0, 0, false
		for j := range p.Items {
			if it := &p.Items[j]; !it.Finished() && (it.Stale == i+1 || it.Doubt == i+1) {
				had++
			}
		}
		for j := range items {
			switch it := &items[j]; {
			case it.Stale != i+1 && it.Doubt != i+1:
			case it.Status == ItemDropped:
				dropped = true
			case !it.Finished():
				left++
			}
		}
		switch {
		case changed, had > 0 && left == 0:
		case o.Kind == ObservedGoal && (dropped || had > left && !p.ticks(items)):
			// What of the plan was meant the agent knows: it dropped that.
		default:
			continue
		}
		o.Over = true
		ps.Replan = max(ps.Replan, o.Calls)
		for j := range items {
			if it := &items[j]; it.Stale == i+1 {
				it.Stale = 0
			}
			if it := &items[j]; it.Doubt == i+1 {
				it.Doubt = 0
			}
		}
	}
}

// ticks reports whether a new version has as many items as the one before.
func (p *Plan) ticks(items []PlanItem) bool { return len(items) == len(p.Items) }

// Churned cites the versions of the plan that changed nothing, oldest first.
func (p *Plan) Churned() []event.Evidence {
	var out []event.Evidence
	for i := max(0, int(p.Churn)-maxChurn+1); i <= int(p.Churn); i++ {
		out = append(out, p.evident[i%maxChurn])
	}
	return out
}

// cite makes the current step evidence.
func (t *Trajectory) cite(s *event.Step, note string) event.Evidence {
	id := string(s.ID)
	if id == "" {
		id = string(appendInt(nil, t.Ordinal-1))
	}
	return event.Evidence{Seq: s.Seq, ID: id, Note: note}
}

// Ordered is how many of the items that calls belong to were begun in the
// order of the plan: the longest rising part of the order in which they were.
func (p *Plan) Ordered() int {
	var best [MaxPlanItems]int
	longest := 0
	for i, v := range p.order {
		best[i] = 1
		for j, u := range p.order[:i] {
			if u < v {
				best[i] = max(best[i], best[j]+1)
			}
		}
		longest = max(longest, best[i])
	}
	return longest
}

// Begun is how many items calls belong to.
func (p *Plan) Begun() int { return len(p.order) }
