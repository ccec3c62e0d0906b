// Package facts keeps what is known of one trajectory: its calls and their
// results, its tools, its errors and its usage, computed once a step before
// the detectors and read-only for them.
package facts

import (
	"misstep/event"
)

// Trajectory is what is known of one run or conversation while a task of it is
// open. Between tasks it is kept as a Past. Its fields stand in the order in
// which a step needs them, most of them in place: that spares waits for memory.
// It must not be copied.
type Trajectory struct {
	Ordinal int64 // steps applied, the current one included
	Now     int64 // event time of the latest step, monotone, ns
	cur     *Agent
	Tools   *Catalogue // nil while none was seen
	Users   uint32     // user messages
	Writes  uint32     // successful writes, each call key once
	// Compactions is how often the agents' contexts were compacted.
	Compactions uint32
	// Tokens and CostMicroUSD are totals over all steps.
	Tokens, CostMicroUSD int64
	waiting              int64 // event time at which a human was last asked, 0 when none is
	Task                 Task
	Labels               event.Labels // of the latest step; TaskID is the current task's
	Agents               []*Agent     // in order of appearance
	Partial              bool         // its beginning was not seen
	short                int          // calls that an agent remembers, 0 for RingSize
	decisions            *Decisions   // nil until something was said
	Slots                *Slots       // what users pinned, nil while they pinned nothing

	plans      *Plans    // nil before the first plan
	progress   *Progress // nil before the first call or message
	resources  Resources
	provenance *Provenance // nil while nothing is known

	seen   seen
	main   Agent // the first of Agents
	agents [2]*Agent
	tools  [fewTools]*Tool
	counts [fewTools]ToolCount
}

// fewTools is how many tools of a task are counted in place.
const fewTools = 4

// Task counts the current task of a trajectory.
type Task struct {
	Open        bool
	Missing     Needs // what some step of it lacked
	Number      int64 // from 1
	Steps       int64
	Calls       int64
	Start, Last int64 // event times of its first and latest step, ns
	HumanWait   int64 // ns spent waiting for a human
	Tokens      int64
	Cost        int64 // micro-USD
	Escalated   [event.NumEscalations]bool
	Limits      Limits
	Tools       []*Tool     // that were called, in order of appearance
	Counts      []ToolCount // Counts[i] is about Tools[i]
}

// Limits are the caps of a task, event.None when there are none.
type Limits struct{ MaxSteps, MaxCostMicroUSD, DeadlineMS int64 }

// ToolCount counts the calls of one tool in one task. Each call that has a
// result stands under one heading.
type ToolCount struct {
	Calls                                                          int32
	OK, AgentFault, ToolFault, UserFault, Timeout, Denied, Unknown int32
}

// Open is how many of the calls have no result.
func (n *ToolCount) Open() int32 {
	return n.Calls - n.OK - n.AgentFault - n.ToolFault - n.UserFault - n.Timeout - n.Denied - n.Unknown
}

// Reset makes t a new trajectory; it keeps its memory.
func (t *Trajectory) Reset() {
	t.Ordinal, t.Now, t.cur, t.Tools, t.Users, t.Writes, t.Tokens, t.CostMicroUSD = 0, 0, nil, nil, 0, 0, 0, 0
	t.waiting, t.Partial, t.short, t.Labels, t.Slots, t.provenance = 0, false, 0, event.Labels{}, nil, nil
	t.decisions = nil
	t.Task = Task{Tools: t.Task.Tools[:0], Counts: t.Task.Counts[:0]}
	if cap(t.Task.Tools) == 0 {
		t.Task.Tools, t.Task.Counts = t.tools[:0], t.counts[:0]
	}
	t.Agents = t.agents[:0]
	t.seen.reset()
	t.plans, t.progress, t.resources, t.Compactions = nil, nil, Resources{}, 0
}

// Touch reads what the Apply of a step of kind k will need, so that the waits for
// memory of several trajectories overlap: nothing that it reads hangs on another
// read. Its value means nothing.
func (t *Trajectory) Touch(k event.Kind) int64 {
	n := t.Ordinal + t.Task.Steps + t.Task.Limits.MaxSteps + int64(len(t.Labels.TaskID)+len(t.Labels.Agent)+len(t.Agents)) +
		int64(t.seen.first[0]) + int64(t.main.turn) + int64(len(t.main.Name))
	if k == event.ToolCall || k == event.ToolResult {
		n += int64(t.main.keyTags[0]) + int64(t.counts[0].Calls) + int64(t.counts[fewTools-1].Unknown)
	}
	return n
}

// TouchMore reads what Touch has only led to; see there.
func (t *Trajectory) TouchMore(k event.Kind) int64 {
	n := int64(0)
	if i := t.seen.n; i < fewIDs {
		n += int64(t.seen.few[i])
	} else if m := t.seen.many; m != nil {
		f := &m.filters
		n += int64(f.half[0][0] + f.half[0][8] + f.half[1][0] + f.half[1][8] + f.fading[0] + f.fading[8])
	}
	a := t.cur
	if a == nil || k != event.ToolCall && k != event.ToolResult {
		return n
	}
	c := a.calls.Spare()
	if k == event.ToolResult && len(a.open) > 0 {
		c = a.Call(a.open[0].index)
	}
	if c != nil {
		n += c.Index + c.Time + c.Cost
	}
	if k := len(a.ids.buf); k > 0 {
		n += int64(a.ids.buf[k-1])
	}
	return n
}

// agent gives the agent of that name, newly made when it is the first step.
func (t *Trajectory) agent(w *Workspace, name []byte) *Agent {
	if t.cur != nil && t.cur.Name == string(name) {
		return t.cur
	}
	for _, a := range t.Agents {
		if a.Name == string(name) {
			t.cur = a
			return a
		}
	}
	if len(t.Agents) == maxAgents { // the last one stands for all further ones
		t.cur = t.Agents[maxAgents-1]
		return t.cur
	}
	var a *Agent
	if len(t.Agents) == 0 {
		a = &t.main
	} else if n := len(w.spare); n > 0 {
		a, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		a = new(Agent)
	}
	a.reset(w.intern(name))
	if t.short > 0 {
		a.calls.Init(t.short)
	}
	t.Agents = append(t.Agents, a)
	t.cur = a
	return a
}

// maxAgents bounds the call rings of one trajectory.
const maxAgents = 16

// StartTask opens the next task. What the agents did before does not count
// against it.
func (t *Trajectory) StartTask(now int64) {
	if now == event.None {
		now = 0
	}
	t.Task = Task{
		Open: true, Number: t.Task.Number + 1, Start: now, Last: now,
		Limits: Limits{event.None, event.None, event.None},
		Tools:  t.Task.Tools[:0], Counts: t.Task.Counts[:0],
	}
	t.waiting = 0
}

// EndTask closes the task and gives the memory of further agents' calls back to
// the workspace.
func (t *Trajectory) EndTask(w *Workspace) {
	t.Task.Open = false
	t.dropSlots(w)
	t.plans, t.progress, t.resources, t.Compactions = nil, nil, Resources{}, 0
	t.Partial = false // the next task is seen from its beginning
	t.forget(w)
	if len(t.Agents) > 1 {
		w.spare = append(w.spare, t.Agents[1:]...)
	}
	t.dropDecisions(w)
	clear(t.Agents)
	t.Agents, t.cur = t.agents[:0], nil
}

// CallsOf is how often the current task called a tool.
func (t *Trajectory) CallsOf(c *Call) int64 { return int64(t.Task.Counts[c.count].Calls) }

// count gives the place of a tool's counters.
func (k *Task) count(tool *Tool) int32 {
	for i, t := range k.Tools {
		if t == tool {
			return int32(i)
		}
	}
	for i, t := range k.Tools { // the same tool of another catalogue
		if t.Name == tool.Name {
			return int32(i)
		}
	}
	if len(k.Tools) == maxToolCounts {
		k.Tools[maxToolCounts-1] = otherTools
		return maxToolCounts - 1
	}
	k.Tools = append(k.Tools, tool)
	k.Counts = append(k.Counts, ToolCount{})
	return int32(len(k.Tools) - 1)
}

// maxToolCounts bounds the tools that a task record lists; the last entry
// takes all further ones under the name "__other__".
const maxToolCounts = 128

var otherTools = &Tool{Name: "__other__", Effect: event.EffectRead}

// Past is what is kept of a trajectory while no task of it is open: what a
// late step, or the next task, needs.
type Past struct {
	labels               event.Labels
	ordinal, now, number int64
	users, writes        uint32
	tokens, cost         int64
	tools                *Catalogue
	seen                 []uint64
	seenNext             int
}

// Rest puts what is to be kept of a trajectory without an open task into p.
func (t *Trajectory) Rest(p *Past) {
	*p = Past{
		labels: t.Labels, ordinal: t.Ordinal, now: t.Now, number: t.Task.Number, users: t.Users, writes: t.Writes,
		tokens: t.Tokens, cost: t.CostMicroUSD, tools: t.Tools,
		seen: append(p.seen[:0], t.seen.list()...), seenNext: int(t.seen.next),
	}
}

// Resume sets t to what Rest kept.
func (t *Trajectory) Resume(p *Past) {
	t.Reset()
	t.Labels, t.Ordinal, t.Now, t.Task.Number = p.labels, p.ordinal, p.now, p.number
	t.Users, t.Writes, t.Tokens, t.CostMicroUSD, t.Tools = p.users, p.writes, p.tokens, p.cost, p.tools
	t.seen.set(p.seen, p.seenNext)
}
