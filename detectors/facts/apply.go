package facts

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// maxText is how much of an error or message is looked at.
const maxText = 2048

// Admit reports whether step s is new to the trajectory: false for a
// redelivery, which must not be applied.
func (t *Trajectory) Admit(w *Workspace, s *event.Step) bool {
	if len(s.ID) > 0 && t.seen.add(nonZero(xxhash.Sum64(s.ID))) {
		w.Counts.Duplicates++
		return false
	}
	return true
}

// Apply takes one admitted step into account and leaves what it found in
// w.Cur. at is the step's event time, monotone, event.None without one.
func (t *Trajectory) Apply(w *Workspace, s *event.Step, at int64) {
	now := at
	if at == event.None {
		now = 0
	}
	t.Ordinal++
	t.Now = now
	t.label(w, s)
	a := t.agent(w, s.Agent)
	c := &w.Cur
	c.Step, c.Now, c.Time, c.Agent, c.Call, c.Catalogue, c.ErrorText, c.Leaves, c.Asks = s, now, at, a, nil, nil, nil, nil, nil
	c.Violations.Reset()
	c.Output.Reset()
	c.Grounds = c.Grounds[:0]
	c.Said, c.ScalarFlip, c.Shift = nil, nil, nil
	c.Lacks = 0
	if t.Partial {
		c.Lacks = NeedBeginning
	}
	t.Task.Steps++
	t.Task.Last = now
	if s.Usage.Has {
		t.spend(w, s)
	}
	switch s.Kind {
	case event.ToolCall:
		t.call(w, a, s)
	case event.ToolResult:
		t.result(w, a, s)
	case event.TaskStart:
		t.offer(w, s.Task.Tools)
		t.Task.Limits = Limits{s.Task.MaxSteps, s.Task.MaxCostMicroUSD, s.Task.DeadlineMS}
	case event.ToolsChanged:
		t.change(w, s)
	case event.ModelCall:
		a.turnOpen = false
		t.offer(w, s.ModelCall.Tools)
	case event.UserMessage:
		t.Users++
		for _, b := range t.Agents { // a user speaks to all of them
			b.turnOpen = false
		}
		if t.waiting != 0 {
			t.Task.HumanWait += max(0, now-t.waiting)
			t.waiting = 0
		}
	case event.AgentMessage:
		a.turnOpen = false
		if w.needs&NeedProvenance != 0 {
			t.unseen(w, s.Text)
		}
		t.waiting = now // until the next step tells: a user message, or more work
		if !s.Text.Present() || s.Cut.Truncated {
			c.Lacks |= NeedMessages
		}
	case event.SystemMessage, event.PlanUpdate, event.HandedOff:
		a.turnOpen = false
	case event.Escalated:
		t.Task.Escalated[s.Escalation.To] = true
	case event.GuardrailActed:
		if string(s.Guardrail.Action) == "blocked" {
			t.Task.Escalated[event.EscalationGuardrail] = true
		}
	}
	if s.Kind != event.AgentMessage {
		t.waiting = 0
	}
	if w.needs&NeedDecisions != 0 {
		w.flips = w.flips[:0]
		t.judgeDecisions(w, s)
		c.Flips = w.flips
	}
	if w.needs&NeedSlots != 0 {
		t.slot(w, s)
	}
	if w.needs&NeedProvenance != 0 {
		if s.Kind != event.ToolCall && s.Kind != event.ToolResult {
			t.show(w, s)
		}
		if v := t.provenance; v != nil && v.Holes && s.Kind == event.ToolCall {
			c.Lacks |= NeedProvenanceWhole
		}
	}
	if w.needs&NeedProgress != 0 {
		t.watchProgress(w, a, s)
	}
	if w.needs&NeedPlan != 0 {
		t.watchPlan(w, a, s)
	}
	t.Task.Missing |= c.Lacks
}

// label takes over the labels of a step, which nearly always are those of the
// step before.
func (t *Trajectory) label(w *Workspace, s *event.Step) {
	l := &t.Labels
	if len(s.Workflow) > 0 && l.Workflow != string(s.Workflow) {
		l.Workflow = w.intern(s.Workflow)
	}
	if len(s.Model) > 0 && l.Model != string(s.Model) {
		l.Model = w.intern(s.Model)
	}
	if len(s.Release) > 0 && l.Release != string(s.Release) {
		l.Release = w.intern(s.Release)
	}
	if l.Agent != string(s.Agent) && len(s.Agent) > 0 {
		l.Agent = w.intern(s.Agent)
	}
}

func (t *Trajectory) spend(w *Workspace, s *event.Step) {
	u := &s.Usage
	cost := u.CostMicroUSD
	if !u.HasCost {
		cost = w.price(t.Labels.Model, u)
	}
	tokens := u.InputTokens + u.OutputTokens
	t.Tokens += tokens
	t.CostMicroUSD += cost
	t.Task.Tokens += tokens
	t.Task.Cost += cost
}

// price is the cost in micro-USD of a usage without one; 0 for a model that
// has no price. InputTokens includes cache reads and writes.
func (w *Workspace) price(model string, u *event.Usage) int64 {
	for i := range w.prices {
		p := &w.prices[i]
		if !p.Match(model) {
			continue
		}
		plain := max(0, u.InputTokens-u.CacheReadTokens-u.CacheWriteTokens)
		sum := plain*p.Input + u.CacheReadTokens*p.CacheRead + u.CacheWriteTokens*p.CacheWrite + u.OutputTokens*p.Output
		return (sum + 500_000) / 1_000_000
	}
	return 0
}

// offer takes a whole catalogue over, if the step names one.
func (t *Trajectory) offer(w *Workspace, tools event.Value) {
	if tools.Form != event.Array {
		return
	}
	c, err := w.catalogue(tools)
	if err != nil {
		w.Counts.BadCatalogues++
		return
	}
	t.Tools = c
}

func (t *Trajectory) change(w *Workspace, s *event.Step) {
	c, err := w.changed(t.Tools, &s.Change)
	if err != nil {
		w.Counts.BadCatalogues++
		return
	}
	t.Tools = c
}

func (t *Trajectory) call(w *Workspace, a *Agent, s *event.Step) {
	cur := &w.Cur
	cur.Catalogue = t.Tools
	var tool *Tool
	if t.Tools != nil {
		tool = t.Tools.Tool(s.Call.Tool)
	}
	if tool == nil {
		tool = w.loose(s.Call.Tool)
	}
	if t.Tools == nil || !t.Tools.Complete || s.Call.ToolHidden {
		cur.Lacks |= NeedCatalogue
	}
	key, shape := w.keys(tool, &s.Call)
	if key == 0 {
		cur.Lacks |= NeedArguments
	}
	callID := uint64(0)
	if len(s.Call.ID) > 0 {
		callID = nonZero(xxhash.Sum64(s.Call.ID))
		if a.repeats(callID, key) {
			w.Counts.Duplicates++
			return
		}
	}
	a.beginTurn(s.Call.Turn)
	c := a.push(key)
	c.Shape, c.Tool = shape, tool
	c.Turn, c.Users, c.Writes, c.After, c.Compactions = a.turn, t.Users, t.Writes, t.Writes, t.Compactions
	c.Time, c.Seq = cur.Now, s.Seq
	c.Tokens, c.Cost = t.Tokens, t.CostMicroUSD
	c.id = a.keep(w, t, s)
	a.opened(c.Index, callID)
	cur.Call = c
	t.Task.Calls++
	c.count = t.Task.count(tool)
	t.Task.Counts[c.count].Calls++
	if w.needs&NeedProvenance != 0 {
		t.showCall(w, a, c, &s.Call)
	}
	if w.needs&NeedSchema == 0 {
		return
	}
	switch {
	case tool.Schema == nil:
		cur.Lacks |= NeedSchema
	case s.Call.Cut.Truncated:
		cur.Lacks |= NeedPlainArguments
	case s.Call.Raw.Form != event.Absent:
		cur.Violations.AddNotObject()
		c.Misfit = true
	default:
		if tool.Schema.Fallback() {
			w.Counts.Fallbacks++
		}
		tool.Schema.Validate(s.Call.Arguments, &cur.Violations)
		c.Unlisted = len(cur.Violations.Unknown) > 0
		c.Misfit = len(cur.Violations.Found)+len(cur.Violations.Unknown) > 0
		if cur.Violations.Unjudged { // what was found all the same stands
			t.Task.Missing |= NeedPlainArguments
		}
	}
}

// keys hashes a call: 0 for arguments that are cut without a hash, or of which
// something is hidden without a mac: they are equal to nothing.
func (w *Workspace) keys(tool *Tool, call *event.Call) (key, shape uint64) {
	b := w.args[:0]
	switch {
	case call.Cut.Truncated && len(call.Cut.Hash) == 0:
		return 0, 0
	case call.Cut.Truncated:
		b = append(append(b, 'h'), call.Cut.Hash...)
	case call.Raw.Form != event.Absent:
		b = call.Raw.AppendText(append(b, 'r'))
	case call.Arguments.Form == event.Hidden:
		h, ok := event.ParseHidden(call.Arguments)
		if !ok || len(h.MAC) == 0 {
			return 0, 0
		}
		b = append(append(append(append(b, 'm'), h.KID...), 0), h.MAC...)
	case !canCompare(call.Arguments):
		return 0, 0
	case tool.volatile != nil:
		w.dropFor = tool
		b = w.canon.Append(b, call.Arguments, w.drop)
	default:
		b = w.canon.Append(b, call.Arguments, nil)
	}
	w.args = b
	if w.needs&NeedShape != 0 && call.Raw.Form == event.Absent {
		shape = w.shape(tool, call.Arguments)
	}
	return nonZero(xxhash.Sum64(b) ^ tool.hash*0x9e3779b97f4a7c15), shape
}

// shape hashes a call's tool and the names of its arguments, sorted; the
// volatile ones count too. It is 0 for arguments that are no object.
func (w *Workspace) shape(tool *Tool, args event.Value) uint64 {
	if args.Form != event.Object && args.Form != event.Absent {
		return 0
	}
	w.argNames = w.argNames[:0]
	c := event.NewCursor(args)
	if args.Form == event.Object && c.Enter() {
		for c.More() {
			w.argNames = append(w.argNames, xxhash.Sum64(c.Key().Text(&w.text)))
			c.Skip()
		}
	}
	slices.Sort(w.argNames)
	h := tool.hash
	for i, n := range w.argNames {
		if i == 0 || n != w.argNames[i-1] {
			h = (h ^ n) * 0x9e3779b97f4a7c15
		}
	}
	return nonZero(h)
}

// repeats reports whether a call with the producer's call id waits for its
// result already and is the same: then it was told twice. Once there is a
// result, the same id is a new call, since real producers use ids again.
func (a *Agent) repeats(callID, key uint64) bool {
	for _, o := range a.open {
		if o.id != callID {
			continue
		}
		if c := a.Call(o.index); c != nil && c.Key == key {
			return true
		}
	}
	return false
}

// beginTurn says which turn a call belongs to.
func (a *Agent) beginTurn(turn []byte) {
	if len(turn) > 0 {
		if h := nonZero(xxhash.Sum64(turn)); h != a.turnKey {
			a.turn++
			a.turnKey = h
		}
	} else if !a.turnOpen {
		a.turn++
		a.turnKey = 0
	}
	a.turnOpen = true
}

// opened remembers that a call waits for its result.
func (a *Agent) opened(i int64, id uint64) {
	if len(a.open) == RingSize {
		a.open = append(a.open[:0], a.open[1:]...)
	}
	a.open = append(a.open, openCall{i, id})
}
