package facts

import (
	"fmt"

	"misstep/event"
)

// SectionVersion is the version of the encoded facts. Fields are only added
// within one; facts of another version are dropped.
const SectionVersion = 1

// Table collects what the trajectories of a shard share while their state is
// encoded, and gives it back while it is restored: tools and catalogues, each
// under its number in the order of first use.
type Table struct {
	Tools      []ToolState      `cbor:"1,keyasint,omitempty"`
	Catalogues []CatalogueState `cbor:"2,keyasint,omitempty"`

	w          *Workspace
	tools      map[*Tool]int
	catalogues map[*Catalogue]int
	madeTools  []*Tool
	made       []*Catalogue
}

// ToolState is one tool: by its ToolSpec, or by its name alone.
type ToolState struct {
	Name string `cbor:"1,keyasint"`
	Spec []byte `cbor:"2,keyasint,omitempty"`
}

// CatalogueState is one catalogue, its tools by number.
type CatalogueState struct {
	Complete bool  `cbor:"1,keyasint,omitempty"`
	Tools    []int `cbor:"2,keyasint,omitempty"`
}

// NewTable begins to encode.
func NewTable() *Table {
	return &Table{tools: map[*Tool]int{}, catalogues: map[*Catalogue]int{}}
}

// Restore makes the tools and catalogues of a decoded table.
func (t *Table) Restore(w *Workspace) error {
	t.w = w
	for _, s := range t.Tools {
		tool := otherTools
		switch {
		case s.Spec != nil:
			c := &Catalogue{tools: map[string]*Tool{}}
			array := append(append([]byte{'['}, s.Spec...), ']')
			v, err := event.JSONValue(array)
			if err == nil {
				err = w.addTools(c, v)
			}
			if tool = c.tools[s.Name]; err != nil || tool == nil {
				return fmt.Errorf("state: tool %q: %w", s.Name, err)
			}
		case s.Name != otherTools.Name:
			tool = w.loose([]byte(s.Name))
		}
		t.madeTools = append(t.madeTools, tool)
	}
	for _, s := range t.Catalogues {
		c := &Catalogue{Complete: s.Complete, tools: map[string]*Tool{}}
		for _, i := range s.Tools {
			tool, err := t.toolAt(i)
			if err != nil {
				return err
			}
			c.Names = append(c.Names, tool.Name)
			c.tools[tool.Name] = tool
		}
		t.made = append(t.made, c)
	}
	return nil
}

func (t *Table) tool(tool *Tool) int {
	if tool == nil {
		return -1
	}
	i, ok := t.tools[tool]
	if !ok {
		i = len(t.Tools)
		t.tools[tool] = i
		t.Tools = append(t.Tools, ToolState{Name: tool.Name, Spec: tool.spec})
	}
	return i
}

func (t *Table) toolAt(i int) (*Tool, error) {
	if i < 0 || i >= len(t.madeTools) {
		return nil, fmt.Errorf("state: tool %d of %d", i, len(t.madeTools))
	}
	return t.madeTools[i], nil
}

func (t *Table) catalogue(c *Catalogue) int {
	if c == nil {
		return -1
	}
	i, ok := t.catalogues[c]
	if !ok {
		s := CatalogueState{Complete: c.Complete}
		for _, n := range c.Names {
			s.Tools = append(s.Tools, t.tool(c.tools[n]))
		}
		i = len(t.Catalogues)
		t.catalogues[c] = i
		t.Catalogues = append(t.Catalogues, s)
	}
	return i
}

// TrajectoryState is the facts of one trajectory.
type TrajectoryState struct {
	Labels       event.Labels `cbor:"1,keyasint"`
	Ordinal      int64        `cbor:"2,keyasint"`
	Now          int64        `cbor:"3,keyasint"`
	Partial      bool         `cbor:"4,keyasint,omitempty"`
	Agents       []AgentState `cbor:"5,keyasint,omitempty"`
	Catalogue    int          `cbor:"6,keyasint"`
	Users        uint32       `cbor:"7,keyasint"`
	Writes       uint32       `cbor:"8,keyasint"`
	Tokens       int64        `cbor:"9,keyasint"`
	CostMicroUSD int64        `cbor:"10,keyasint"`
	Task         TaskState    `cbor:"11,keyasint"`
	SeenIDs      []uint64     `cbor:"12,keyasint,omitempty"`
	SeenNext     int          `cbor:"13,keyasint"`
	Waiting      int64        `cbor:"14,keyasint"`
	Current      int          `cbor:"15,keyasint"` // agent of the latest step, -1 for none
}

// TaskState is the current task.
type TaskState struct {
	Open      bool                       `cbor:"1,keyasint,omitempty"`
	Number    int64                      `cbor:"2,keyasint"`
	Start     int64                      `cbor:"3,keyasint"`
	Last      int64                      `cbor:"4,keyasint"`
	Steps     int64                      `cbor:"5,keyasint"`
	Calls     int64                      `cbor:"6,keyasint"`
	HumanWait int64                      `cbor:"7,keyasint"`
	Tokens    int64                      `cbor:"8,keyasint"`
	Cost      int64                      `cbor:"9,keyasint"`
	Missing   Needs                      `cbor:"10,keyasint"`
	Escalated [event.NumEscalations]bool `cbor:"11,keyasint"`
	Limits    Limits                     `cbor:"12,keyasint"`
	Tools     []ToolCountState           `cbor:"13,keyasint,omitempty"`
}

// ToolCountState counts the calls of one tool.
type ToolCountState struct {
	Tool   int       `cbor:"1,keyasint"`
	Counts ToolCount `cbor:"2,keyasint"`
}

// AgentState is one agent and its calls, oldest first.
type AgentState struct {
	Name     string      `cbor:"1,keyasint"`
	First    int64       `cbor:"2,keyasint"` // number of the first call held
	Calls    []CallState `cbor:"3,keyasint,omitempty"`
	Open     []int64     `cbor:"4,keyasint,omitempty"`
	OpenIDs  []uint64    `cbor:"8,keyasint,omitempty"`
	Turn     uint32      `cbor:"5,keyasint"`
	TurnKey  uint64      `cbor:"6,keyasint"`
	TurnOpen bool        `cbor:"7,keyasint,omitempty"`
}

// CallState is one call.
type CallState struct {
	Call     Call   `cbor:"1,keyasint"` // all that is exported but Tool
	Tool     int    `cbor:"2,keyasint"`
	ID       []byte `cbor:"3,keyasint,omitempty"`
	ResultID []byte `cbor:"4,keyasint,omitempty"`
	Count    int32  `cbor:"6,keyasint"`
}

// State gives the facts for encoding.
func (t *Trajectory) State(table *Table) TrajectoryState {
	s := TrajectoryState{
		Labels: t.Labels, Ordinal: t.Ordinal, Now: t.Now, Partial: t.Partial, Catalogue: table.catalogue(t.Tools),
		Users: t.Users, Writes: t.Writes, Tokens: t.Tokens, CostMicroUSD: t.CostMicroUSD,
		SeenIDs: t.seen.list(), SeenNext: int(t.seen.next), Waiting: t.waiting, Current: -1,
	}
	k := &t.Task
	s.Task = TaskState{
		k.Open, k.Number, k.Start, k.Last, k.Steps, k.Calls, k.HumanWait, k.Tokens, k.Cost, k.Missing, k.Escalated, k.Limits, nil,
	}
	for i, tool := range k.Tools {
		s.Task.Tools = append(s.Task.Tools, ToolCountState{table.tool(tool), k.Counts[i]})
	}
	for i, a := range t.Agents {
		if a == t.cur {
			s.Current = i
		}
		s.Agents = append(s.Agents, a.state(table))
	}
	return s
}

func (a *Agent) state(table *Table) AgentState {
	s := AgentState{Name: a.Name, First: a.calls.First(), Turn: a.turn, TurnKey: a.turnKey, TurnOpen: a.turnOpen}
	for _, o := range a.open {
		s.Open, s.OpenIDs = append(s.Open, o.index), append(s.OpenIDs, o.id)
	}
	for i := range a.calls.Len() {
		c := a.calls.At(i)
		plain := *c
		plain.Tool = nil
		s.Calls = append(s.Calls, CallState{plain, table.tool(c.Tool), a.ids.get(c.id), a.ids.get(c.resultID), c.count})
	}
	return s
}

// Restore sets the facts to what State gave.
func (t *Trajectory) Restore(w *Workspace, table *Table, s *TrajectoryState) error {
	t.Reset()
	t.Labels, t.Ordinal, t.Now, t.Partial = s.Labels, s.Ordinal, s.Now, s.Partial
	t.Users, t.Writes, t.Tokens, t.CostMicroUSD = s.Users, s.Writes, s.Tokens, s.CostMicroUSD
	t.waiting = s.Waiting
	if s.Catalogue >= 0 {
		if s.Catalogue >= len(table.made) {
			return fmt.Errorf("state: catalogue %d of %d", s.Catalogue, len(table.made))
		}
		t.Tools = table.made[s.Catalogue]
	}
	if err := t.seen.restore(s.SeenIDs, s.SeenNext); err != nil {
		return err
	}
	k := &s.Task
	t.Task = Task{
		Open: k.Open, Missing: k.Missing, Number: k.Number, Steps: k.Steps, Calls: k.Calls, Start: k.Start, Last: k.Last,
		HumanWait: k.HumanWait, Tokens: k.Tokens, Cost: k.Cost, Escalated: k.Escalated, Limits: k.Limits,
		Tools: t.Task.Tools[:0], Counts: t.Task.Counts[:0],
	}
	for _, c := range k.Tools {
		tool, err := table.toolAt(c.Tool)
		if err != nil {
			return err
		}
		t.Task.Tools, t.Task.Counts = append(t.Task.Tools, tool), append(t.Task.Counts, c.Counts)
	}
	for i := range s.Agents {
		a := &t.main
		if i > 0 {
			a = new(Agent)
		}
		if err := a.restore(w, table, &s.Agents[i], int32(len(t.Task.Counts))); err != nil {
			return err
		}
		t.Agents = append(t.Agents, a)
		if i == s.Current {
			t.cur = a
		}
	}
	return nil
}

// restore sets the agent to what state gave; counts is how many counters the
// task has for its calls.
func (a *Agent) restore(w *Workspace, table *Table, s *AgentState, counts int32) error {
	if len(s.Calls) > RingSize || len(s.Open) > RingSize || len(s.Open) != len(s.OpenIDs) || s.First < 0 {
		return fmt.Errorf("state: agent %q has %d calls from number %d, %d open; at most %d are kept", s.Name, len(s.Calls), s.First, len(s.Open), RingSize)
	}
	a.reset(w.intern([]byte(s.Name)))
	a.calls.Reset(s.First)
	a.turn, a.turnKey, a.turnOpen = s.Turn, s.TurnKey, s.TurnOpen
	for i, index := range s.Open {
		a.open = append(a.open, openCall{index, s.OpenIDs[i]})
	}
	for i := range s.Calls {
		cs := &s.Calls[i]
		tool, err := table.toolAt(cs.Tool)
		if err != nil {
			return err
		}
		if len(cs.ID) > event.MaxName || len(cs.ResultID) > event.MaxName || cs.Count < 0 || cs.Count >= counts {
			return fmt.Errorf("state: agent %q: call %d is not whole", s.Name, cs.Call.Index)
		}
		c := a.calls.Push()
		*c = cs.Call
		c.Tool, c.id, c.resultID, c.count = tool, a.ids.add(cs.ID), a.ids.add(cs.ResultID), cs.Count
		a.keyTags[c.Index%RingSize] = uint8(c.Key)
		a.errorTags[c.Index%RingSize] = uint8(c.Error)
	}
	return nil
}

// restore sets the ids seen; the filters follow from them.
func (s *seen) restore(ids []uint64, next int) error {
	switch {
	case len(ids) > seenSize, next < 0, next >= seenSize, len(ids) > fewIDs && len(ids) < seenSize && next != len(ids), len(ids) <= fewIDs && next != 0:
		return fmt.Errorf("state: %d ids seen, next at %d; at most %d are kept", len(ids), next, seenSize)
	}
	s.set(ids, next)
	return nil
}

// set takes ids that restore has checked.
func (s *seen) set(ids []uint64, next int) {
	s.reset()
	if len(ids) <= fewIDs {
		for _, id := range ids {
			word, bits := firstBits(id)
			s.first[word] |= bits
		}
		s.n = int32(copy(s.few[:], ids))
		return
	}
	if s.many == nil {
		s.many = new(manyIDs)
	}
	s.n, s.next = int32(copy(s.many.ids[:], ids)), int32(next)
	fs := &s.many.filters
	*fs = filters{}
	for i, id := range ids {
		word, bits := filterBits(id)
		f := &fs.half[i/(seenSize/2)]
		if len(ids) == seenSize && i >= next && i/(seenSize/2) == next/(seenSize/2) && next%(seenSize/2) != 0 {
			f = &fs.fading // of the half that is being overwritten
		}
		f[word] |= bits
	}
}
