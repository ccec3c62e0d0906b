package facts

import (
	"misstep/detectors/state"
	"misstep/event"
)

// SectionVersion is the version of the encoded facts. Fields are only added
// within one; facts of another version are dropped.
const SectionVersion = 1

// TrajectoryState is the facts of one trajectory, as they are read. Append
// writes the same members; a zero member is left out. Numbers of tools,
// catalogues and agents count from 1.
type TrajectoryState struct {
	Labels       LabelsState  `cbor:"1,keyasint,omitempty"`
	Ordinal      int64        `cbor:"2,keyasint,omitempty"`
	Now          int64        `cbor:"3,keyasint,omitempty"`
	Partial      bool         `cbor:"4,keyasint,omitempty"`
	Agents       []AgentState `cbor:"5,keyasint,omitempty"`
	Catalogue    int          `cbor:"6,keyasint,omitempty"`
	Users        uint32       `cbor:"7,keyasint,omitempty"`
	Writes       uint32       `cbor:"8,keyasint,omitempty"`
	Tokens       int64        `cbor:"9,keyasint,omitempty"`
	CostMicroUSD int64        `cbor:"10,keyasint,omitempty"`
	Task         TaskState    `cbor:"11,keyasint,omitempty"`
	SeenIDs      []uint64     `cbor:"12,keyasint,omitempty"`
	SeenNext     int          `cbor:"13,keyasint,omitempty"`
	Waiting      int64        `cbor:"14,keyasint,omitempty"`
	Current      int          `cbor:"15,keyasint,omitempty"` // agent of the latest step

	Provenance *ProvenanceState `cbor:"16,keyasint,omitempty"`
	Slots      *SlotsState      `cbor:"17,keyasint,omitempty"`
	Decisions  *DecisionsState  `cbor:"18,keyasint,omitempty"`
	Resources  *ResourcesState  `cbor:"19,keyasint,omitempty"`
	Plans      *PlansState      `cbor:"20,keyasint,omitempty"`
	Progress   *ProgressState   `cbor:"21,keyasint,omitempty"`
	Compacted  uint32           `cbor:"22,keyasint,omitempty"`
}

// LabelsState is event.Labels.
type LabelsState struct {
	TrajectoryID string `cbor:"1,keyasint,omitempty"`
	TaskID       string `cbor:"2,keyasint,omitempty"`
	Workflow     string `cbor:"3,keyasint,omitempty"`
	Agent        string `cbor:"4,keyasint,omitempty"`
	Release      string `cbor:"5,keyasint,omitempty"`
	Model        string `cbor:"6,keyasint,omitempty"`
	Tenant       string `cbor:"7,keyasint,omitempty"`
}

// TaskState is the current task; its numbers that may be absent are as
// state.Some gives them.
type TaskState struct {
	Open        bool             `cbor:"1,keyasint,omitempty"`
	Number      int64            `cbor:"2,keyasint,omitempty"`
	Start       int64            `cbor:"3,keyasint,omitempty"`
	Last        int64            `cbor:"4,keyasint,omitempty"`
	Steps       int64            `cbor:"5,keyasint,omitempty"`
	Calls       int64            `cbor:"6,keyasint,omitempty"`
	HumanWait   int64            `cbor:"7,keyasint,omitempty"`
	Tokens      int64            `cbor:"8,keyasint,omitempty"`
	Cost        int64            `cbor:"9,keyasint,omitempty"`
	Missing     Needs            `cbor:"10,keyasint,omitempty"`
	Escalated   uint64           `cbor:"11,keyasint,omitempty"` // bit i: to event.EscalationTo(i)
	MaxSteps    int64            `cbor:"12,keyasint,omitempty"`
	MaxCost     int64            `cbor:"13,keyasint,omitempty"`
	MaxDuration int64            `cbor:"14,keyasint,omitempty"`
	Tools       []ToolCountState `cbor:"15,keyasint,omitempty"`
}

// ToolCountState counts the calls of one tool.
type ToolCountState struct {
	Tool       int   `cbor:"1,keyasint,omitempty"`
	Calls      int32 `cbor:"2,keyasint,omitempty"`
	OK         int32 `cbor:"3,keyasint,omitempty"`
	AgentFault int32 `cbor:"4,keyasint,omitempty"`
	ToolFault  int32 `cbor:"5,keyasint,omitempty"`
	UserFault  int32 `cbor:"6,keyasint,omitempty"`
	Timeout    int32 `cbor:"7,keyasint,omitempty"`
	Denied     int32 `cbor:"8,keyasint,omitempty"`
	Unknown    int32 `cbor:"9,keyasint,omitempty"`
}

// AgentState is one agent and its calls, oldest first.
type AgentState struct {
	Name     string          `cbor:"1,keyasint,omitempty"`
	First    int64           `cbor:"2,keyasint,omitempty"` // number of the first call held
	Calls    []CallState     `cbor:"3,keyasint,omitempty"`
	Open     []OpenCallState `cbor:"4,keyasint,omitempty"`
	Turn     uint32          `cbor:"5,keyasint,omitempty"`
	TurnKey  uint64          `cbor:"6,keyasint,omitempty"`
	TurnOpen bool            `cbor:"7,keyasint,omitempty"`
	Context  ContextState    `cbor:"8,keyasint,omitempty"`
}

// OpenCallState is one call without a result.
type OpenCallState struct {
	Index int64  `cbor:"1,keyasint,omitempty"`
	ID    uint64 `cbor:"2,keyasint,omitempty"`
}

// CallState is one call. What may be absent is as state.Some gives it; Back
// numbers are how many calls before this one another is, 0 for none.
type CallState struct {
	Key        uint64       `cbor:"1,keyasint,omitempty"`
	Shape      uint64       `cbor:"2,keyasint,omitempty"`
	Result     uint64       `cbor:"3,keyasint,omitempty"`
	Error      uint64       `cbor:"4,keyasint,omitempty"`
	BackKey    int64        `cbor:"5,keyasint,omitempty"`
	BackError  int64        `cbor:"6,keyasint,omitempty"`
	Tool       int          `cbor:"7,keyasint,omitempty"`
	Count      int32        `cbor:"8,keyasint,omitempty"`
	Status     event.Status `cbor:"9,keyasint,omitempty"`
	Flags      uint64       `cbor:"10,keyasint,omitempty"` // 1 done, 2 silent, 4 misfit
	Class      ErrorClass   `cbor:"11,keyasint,omitempty"`
	Fault      event.Fault  `cbor:"12,keyasint,omitempty"`
	RetryAfter int64        `cbor:"13,keyasint,omitempty"`
	Turn       uint32       `cbor:"14,keyasint,omitempty"`
	Users      uint32       `cbor:"15,keyasint,omitempty"`
	Writes     uint32       `cbor:"16,keyasint,omitempty"`
	After      uint32       `cbor:"17,keyasint,omitempty"`
	Time       int64        `cbor:"18,keyasint,omitempty"`
	ResultTime int64        `cbor:"19,keyasint,omitempty"`
	Seq        int64        `cbor:"20,keyasint,omitempty"`
	ResultSeq  int64        `cbor:"21,keyasint,omitempty"`
	Tokens     int64        `cbor:"22,keyasint,omitempty"`
	Cost       int64        `cbor:"23,keyasint,omitempty"`
	ID         []byte       `cbor:"24,keyasint,omitempty"`
	ResultID   []byte       `cbor:"25,keyasint,omitempty"`
	Compacted  uint32       `cbor:"26,keyasint,omitempty"`
}

const (
	doneFlag = 1 << iota
	silentFlag
	misfitFlag
	userFlag
	echoFlag
	unlistedFlag
)

// Append writes the facts as TrajectoryState reads them.
func (t *Trajectory) Append(w *state.Writer, table *Table) {
	m := w.Open()
	w.Key(1)
	appendLabels(w, &t.Labels)
	w.Int(2, t.Ordinal)
	w.Int(3, t.Now)
	w.Bool(4, t.Partial)
	current := 0
	if w.Array(5, len(t.Agents)) {
		for i, a := range t.Agents {
			a.append(w, table)
			if a == t.cur {
				current = i + 1
			}
		}
	}
	w.Uint(6, table.catalogue(t.Tools))
	w.Uint(7, uint64(t.Users))
	w.Uint(8, uint64(t.Writes))
	w.Int(9, t.Tokens)
	w.Int(10, t.CostMicroUSD)
	w.Key(11)
	t.Task.append(w, table)
	appendSeen(w, t.seen.list(), int(t.seen.next))
	w.Int(14, t.waiting)
	w.Int(15, int64(current))
	if t.provenance != nil {
		w.Key(16)
		t.provenance.append(w)
	}
	if t.Slots != nil {
		w.Key(17)
		t.Slots.append(w)
	}
	if t.decisions != nil {
		w.Key(18)
		t.decisions.append(w)
	}
	t.resources.append(w)
	t.plans.append(w)
	t.progress.append(w)
	w.Uint(22, uint64(t.Compactions))
	w.Close(m)
}

// Append writes what is kept as TrajectoryState reads it: as the facts of a
// trajectory without an open task.
func (p *Past) Append(w *state.Writer, table *Table) {
	m := w.Open()
	w.Key(1)
	appendLabels(w, &p.labels)
	w.Int(2, p.ordinal)
	w.Int(3, p.now)
	w.Uint(6, table.catalogue(p.tools))
	w.Uint(7, uint64(p.users))
	w.Uint(8, uint64(p.writes))
	w.Int(9, p.tokens)
	w.Int(10, p.cost)
	w.Key(11)
	task := w.Open()
	w.Int(2, p.number)
	w.Close(task)
	appendSeen(w, p.seen, p.seenNext)
	w.Close(m)
}

func appendLabels(w *state.Writer, l *event.Labels) {
	m := w.Open()
	w.Text(1, l.TrajectoryID)
	w.Text(2, l.TaskID)
	w.Text(3, l.Workflow)
	w.Text(4, l.Agent)
	w.Text(5, l.Release)
	w.Text(6, l.Model)
	w.Text(7, l.Tenant)
	w.Close(m)
}

func appendSeen(w *state.Writer, ids []uint64, next int) {
	if w.Array(12, len(ids)) {
		for _, id := range ids {
			w.PutUint(id)
		}
	}
	w.Int(13, int64(next))
}

func (k *Task) append(w *state.Writer, table *Table) {
	m := w.Open()
	w.Bool(1, k.Open)
	w.Int(2, k.Number)
	w.Int(3, k.Start)
	w.Int(4, k.Last)
	w.Int(5, k.Steps)
	w.Int(6, k.Calls)
	w.Int(7, k.HumanWait)
	w.Int(8, k.Tokens)
	w.Int(9, k.Cost)
	w.Uint(10, uint64(k.Missing))
	to := uint64(0)
	for i, yes := range k.Escalated {
		if yes {
			to |= 1 << i
		}
	}
	w.Uint(11, to)
	w.Int(12, state.Some(k.Limits.MaxSteps))
	w.Int(13, state.Some(k.Limits.MaxCostMicroUSD))
	w.Int(14, state.Some(k.Limits.DeadlineMS))
	if w.Array(15, len(k.Tools)) {
		for i, tool := range k.Tools {
			n := &k.Counts[i]
			c := w.Open()
			w.Uint(1, table.tool(tool))
			for j, v := range [...]int32{n.Calls, n.OK, n.AgentFault, n.ToolFault, n.UserFault, n.Timeout, n.Denied, n.Unknown} {
				w.Int(uint8(2+j), int64(v))
			}
			w.Close(c)
		}
	}
	w.Close(m)
}

func (a *Agent) append(w *state.Writer, table *Table) {
	m := w.Open()
	w.Text(1, a.Name)
	w.Int(2, a.calls.First())
	if w.Array(3, a.calls.Len()) {
		for i := range a.calls.Len() {
			a.appendCall(w, table, a.calls.At(i))
		}
	}
	if w.Array(4, len(a.open)) {
		for _, o := range a.open {
			c := w.Open()
			w.Int(1, o.index)
			w.Uint(2, o.id)
			w.Close(c)
		}
	}
	w.Uint(5, uint64(a.turn))
	w.Uint(6, a.turnKey)
	w.Bool(7, a.turnOpen)
	if a.Context != (Context{}) {
		w.Key(8)
		c := w.Open()
		w.Int(1, a.Context.Last)
		w.Int(2, a.Context.High)
		w.Int(3, a.Context.Fell)
		w.Close(c)
	}
	w.Close(m)
}

func (a *Agent) appendCall(w *state.Writer, table *Table, c *Call) {
	back := func(i int64) int64 {
		if i == None {
			return 0
		}
		return c.Index - i
	}
	flags := uint64(0)
	for i, yes := range [...]bool{c.Done, c.Silent, c.Misfit, c.FromUser, c.Echo, c.Unlisted} {
		if yes {
			flags |= 1 << i
		}
	}
	m := w.Open()
	w.Uint(1, c.Key)
	w.Uint(2, c.Shape)
	w.Uint(3, c.Result)
	w.Uint(4, c.Error)
	w.Int(5, back(c.PrevKey))
	w.Int(6, back(c.PrevError))
	w.Uint(7, table.tool(c.Tool))
	w.Int(8, int64(c.count))
	w.Uint(9, uint64(c.Status))
	w.Uint(10, flags)
	w.Uint(11, uint64(c.Class))
	w.Uint(12, uint64(c.Fault))
	w.Int(13, c.RetryAfter)
	w.Uint(14, uint64(c.Turn))
	w.Uint(15, uint64(c.Users))
	w.Uint(16, uint64(c.Writes))
	w.Uint(17, uint64(c.After))
	w.Int(18, c.Time)
	w.Int(19, c.ResultTime)
	w.Int(20, state.Some(c.Seq))
	w.Int(21, state.Some(c.ResultSeq))
	w.Int(22, c.Tokens)
	w.Int(23, c.Cost)
	w.Bytes(24, a.ids.get(c.id))
	w.Bytes(25, a.ids.get(c.resultID))
	w.Uint(26, uint64(c.Compactions))
	w.Close(m)
}
