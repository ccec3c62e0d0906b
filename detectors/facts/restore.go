package facts

import (
	"fmt"

	"misstep/detectors/state"
	"misstep/event"
)

// Restore sets the facts to what was read. What cannot be is an error, and
// leaves t in no state to be used.
func (t *Trajectory) Restore(w *Workspace, table *Table, s *TrajectoryState) error {
	t.Reset()
	l := &s.Labels
	t.Labels = event.Labels{
		TrajectoryID: l.TrajectoryID, TaskID: l.TaskID, Workflow: w.share(l.Workflow), Agent: w.share(l.Agent),
		Release: w.share(l.Release), Model: w.share(l.Model), Tenant: w.share(l.Tenant),
	}
	t.Ordinal, t.Now, t.Partial = s.Ordinal, s.Now, s.Partial
	t.Users, t.Writes, t.Tokens, t.CostMicroUSD = s.Users, s.Writes, s.Tokens, s.CostMicroUSD
	t.waiting = s.Waiting
	var err error
	if t.Tools, err = table.catalogueAt(s.Catalogue); err != nil {
		return err
	}
	if err := t.seen.restore(s.SeenIDs, s.SeenNext); err != nil {
		return err
	}
	if err := t.restoreTask(table, &s.Task); err != nil {
		return err
	}
	if len(s.Agents) > maxAgents || s.Current < 0 || s.Current > len(s.Agents) {
		return fmt.Errorf("state: %d agents, the current one is number %d; at most %d are kept", len(s.Agents), s.Current, maxAgents)
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
	}
	if s.Plans != nil {
		if t.plans, err = restorePlans(s.Plans); err != nil {
			return err
		}
	}
	t.Compactions = s.Compacted
	if s.Progress != nil {
		if t.progress, err = restoreProgress(s.Progress); err != nil {
			return err
		}
	}
	if s.Resources != nil {
		observations := 0
		if t.plans != nil {
			observations = len(t.plans.Observations)
		}
		if err := t.resources.restore(s.Resources, observations); err != nil {
			return err
		}
	}
	if s.Current > 0 {
		t.cur = t.Agents[s.Current-1]
	}
	if s.Slots != nil {
		if err := t.slots(w).restore(s.Slots); err != nil {
			return err
		}
	}
	if s.Provenance != nil {
		t.provenance = new(Provenance)
		if err := t.provenance.restore(s.Provenance); err != nil {
			return err
		}
	}
	if s.Decisions != nil {
		return t.decide(w).restore(s.Decisions)
	}
	return nil
}

func (t *Trajectory) restoreTask(table *Table, k *TaskState) error {
	if len(k.Tools) > maxToolCounts {
		return fmt.Errorf("state: %d tools are counted; at most %d are", len(k.Tools), maxToolCounts)
	}
	t.Task = Task{
		Open: k.Open, Missing: k.Missing, Number: k.Number, Steps: k.Steps, Calls: k.Calls, Start: k.Start, Last: k.Last,
		HumanWait: k.HumanWait, Tokens: k.Tokens, Cost: k.Cost,
		Limits: Limits{state.Maybe(k.MaxSteps), state.Maybe(k.MaxCost), state.Maybe(k.MaxDuration)},
		Tools:  t.Task.Tools[:0], Counts: t.Task.Counts[:0],
	}
	for i := range t.Task.Escalated {
		t.Task.Escalated[i] = k.Escalated&(1<<i) != 0
	}
	for _, c := range k.Tools {
		tool, err := table.toolAt(c.Tool)
		if err != nil {
			return err
		}
		t.Task.Tools = append(t.Task.Tools, tool)
		t.Task.Counts = append(t.Task.Counts, ToolCount{
			Calls: c.Calls, OK: c.OK, AgentFault: c.AgentFault, ToolFault: c.ToolFault,
			UserFault: c.UserFault, Timeout: c.Timeout, Denied: c.Denied, Unknown: c.Unknown,
		})
	}
	return nil
}

// restore sets the agent to what was read; counts is how many counters the task
// has for its calls.
func (a *Agent) restore(w *Workspace, table *Table, s *AgentState, counts int32) error {
	if len(s.Calls) > RingSize || len(s.Open) > RingSize || s.First < 0 {
		return fmt.Errorf("state: agent %q has %d calls from number %d, %d open; at most %d are kept", s.Name, len(s.Calls), s.First, len(s.Open), RingSize)
	}
	a.reset(w.share(s.Name))
	a.calls.Reset(s.First)
	a.turn, a.turnKey, a.turnOpen = s.Turn, s.TurnKey, s.TurnOpen
	a.Context = Context{s.Context.Last, s.Context.High, s.Context.Fell}
	for _, o := range s.Open {
		a.open = append(a.open, openCall{o.Index, o.ID})
	}
	for i := range s.Calls {
		cs := &s.Calls[i]
		tool, err := table.toolAt(cs.Tool)
		if err != nil {
			return err
		}
		index := s.First + int64(i)
		if len(cs.ID) > event.MaxName || len(cs.ResultID) > event.MaxName || cs.Count < 0 || cs.Count >= counts ||
			cs.BackKey < 0 || cs.BackKey > index || cs.BackError < 0 || cs.BackError > index {
			return fmt.Errorf("state: agent %q: call %d is not whole", s.Name, index)
		}
		*a.calls.Push() = Call{
			Index: index, Key: cs.Key, Shape: cs.Shape, Result: cs.Result, Error: cs.Error,
			PrevKey: before(index, cs.BackKey), PrevError: before(index, cs.BackError),
			Tool: tool, Status: cs.Status, Done: cs.Flags&doneFlag != 0, Silent: cs.Flags&silentFlag != 0, Misfit: cs.Flags&misfitFlag != 0,
			FromUser: cs.Flags&userFlag != 0, Echo: cs.Flags&echoFlag != 0, Unlisted: cs.Flags&unlistedFlag != 0,
			Class: cs.Class, Fault: cs.Fault, RetryAfter: cs.RetryAfter,
			Turn: cs.Turn, Users: cs.Users, Writes: cs.Writes, After: cs.After, Compactions: cs.Compacted, Time: cs.Time, ResultTime: cs.ResultTime,
			Seq: state.Maybe(cs.Seq), ResultSeq: state.Maybe(cs.ResultSeq), Tokens: cs.Tokens, Cost: cs.Cost,
			id: a.ids.add(cs.ID), resultID: a.ids.add(cs.ResultID), count: cs.Count,
		}
		a.keyTags[index%RingSize] = uint8(cs.Key)
		a.errorTags[index%RingSize] = uint8(cs.Error)
	}
	return nil
}

func before(i, back int64) int64 {
	if back == 0 {
		return None
	}
	return i - back
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
