// Package facts keeps what is known of one trajectory: its calls and their
// results, its tools, its errors and its usage, computed once a step before
// the detectors and read-only for them.
package facts

import (
	"misstep/event"
)

// Trajectory is what is known of one run or conversation.
type Trajectory struct {
	Labels  event.Labels // of the latest step; TaskID is the current task's
	Ordinal int64        // steps applied, the current one included
	Now     int64        // event time of the latest step, monotone, ns
	Partial bool         // its beginning was not seen
	Agents  []*Agent     // in order of appearance
	Tools   *Catalogue   // nil while none was seen

	Users  uint32 // user messages
	Writes uint32 // successful writes, each call key once
	// Tokens and CostMicroUSD are totals over all steps.
	Tokens, CostMicroUSD int64
	Task                 Task

	cur     *Agent
	seen    seen
	waiting int64 // event time at which a human was last asked, 0 when none is
}

// Task counts the current task of a trajectory.
type Task struct {
	Open        bool
	Number      int64 // from 1
	Start, Last int64 // event times of its first and latest step, ns
	Steps       int64
	Calls       int64
	HumanWait   int64 // ns spent waiting for a human
	Tokens      int64
	Cost        int64 // micro-USD
	Missing     Needs // what some step of it lacked
	Escalated   [event.NumEscalations]bool
	Limits      Limits
	Tools       []ToolCount
}

// Open is how many of the calls have no result.
func (c *ToolCount) Open() int64 {
	u := &c.ToolUse
	return c.Calls - u.OK - u.AgentFault - u.ToolFault - u.UserFault - u.Timeout - u.Denied - u.Unknown
}

// Limits are the caps of a task, event.None when there are none.
type Limits struct{ MaxSteps, MaxCostMicroUSD, DeadlineMS int64 }

// ToolCount counts the calls of one tool in one task.
type ToolCount struct {
	Tool  *Tool
	Calls int64
	event.ToolUse
}

// Reset makes t a new trajectory; it keeps its memory.
func (t *Trajectory) Reset() {
	ids := t.seen
	ids.reset()
	tools := t.Task.Tools[:0]
	*t = Trajectory{Agents: t.Agents[:0], seen: ids}
	t.Task.Tools = tools
}

// Retire ends a trajectory's task and gives the memory of its calls back to
// the workspace. What a late step needs stays: the ids seen, the labels, the
// catalogue and the counters of the task.
func (t *Trajectory) Retire(w *Workspace) {
	t.Task.Open = false
	w.spare = append(w.spare, t.Agents...)
	t.Agents, t.cur = t.Agents[:0], nil
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
	if n := len(w.spare); n > 0 {
		a, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		a = new(Agent)
	}
	a.reset(w.intern(name))
	t.Agents = append(t.Agents, a)
	t.cur = a
	return a
}

// maxAgents bounds the call rings of one trajectory.
const maxAgents = 16

// StartTask opens the next task. What the agents did before does not count
// against it.
func (t *Trajectory) StartTask(now int64) {
	tools := t.Task.Tools[:0]
	t.Task = Task{
		Open: true, Number: t.Task.Number + 1, Start: now, Last: now, Tools: tools,
		Limits: Limits{event.None, event.None, event.None},
	}
	t.waiting = 0
}

// toolCount gives the counter of a tool in the current task.
func (t *Trajectory) toolCount(tool *Tool) *ToolCount {
	for i := range t.Task.Tools {
		if c := &t.Task.Tools[i]; c.Tool == tool || c.Tool.Name == tool.Name {
			return c
		}
	}
	if len(t.Task.Tools) == maxToolCounts {
		c := &t.Task.Tools[maxToolCounts-1]
		c.Tool, c.ToolUse.Tool = otherTools, otherTools.Name
		return c
	}
	t.Task.Tools = append(t.Task.Tools, ToolCount{Tool: tool, ToolUse: event.ToolUse{Tool: tool.Name}})
	return &t.Task.Tools[len(t.Task.Tools)-1]
}

// CallsOf is how often the current task called a tool.
func (t *Trajectory) CallsOf(tool *Tool) int64 { return t.toolCount(tool).Calls }

// maxToolCounts bounds the tools that a task record lists; the last entry
// takes all further ones under the name "__other__".
const maxToolCounts = 128

var otherTools = &Tool{Name: "__other__", Effect: event.EffectRead}
