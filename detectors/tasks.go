package detectors

import (
	"slices"
	"strconv"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// closeTask ends the open task: its failures are resolved, its record leaves.
func (s *Shard) closeTask(t *trajectory, o event.Outcome, now int64, emit func(Output)) {
	f := &t.facts
	t.episodes.close(f, now, &s.env, func(f *event.Failure) { emit(failureOutput(f)) })
	r := &event.TaskRecord{
		ID:     event.TaskRecordID(f.Labels.Tenant, f.Labels.TrajectoryID, taskName(f)),
		Labels: f.Labels,
		Now:    verdict(o, now),
		Steps:  f.Task.Steps, CostMicroUSD: f.Task.Cost, Tokens: f.Task.Tokens,
		WallMS:   (f.Task.Last - f.Task.Start) / 1_000_000,
		ActiveMS: (f.Task.Last - f.Task.Start - f.Task.HumanWait) / 1_000_000,
		Partial:  f.Partial, Time: now,
		Escalated: escalations(f, o), Tools: toolUses(f),
		Classes: classes(t.episodes.classes),
		Plan:    planUse(f),
	}
	missing := f.Task.Missing
	if r.Plan == nil {
		missing |= facts.NeedPlanSeen
	}
	r.Coverage = s.coverage(lack{missing, t.blind, t.capped})
	t.record = r
	f.EndTask(s.w)
	emit(taskOutput(r))
}

// taskName is what tells the tasks of a trajectory apart: the producer's id and
// a running number, since a step that comes after its task's end opens another
// task of the same id.
func taskName(f *facts.Trajectory) string {
	return f.Labels.TaskID + "#" + strconv.FormatInt(f.Task.Number, 10)
}

// verdict is the outcome that counts. What an agent says of itself is never
// success; its own failure, abort or escalation counts.
func verdict(o event.Outcome, now int64) event.TaskVerdict {
	v := event.TaskVerdict{Outcome: o.Status, ScoredBy: o.ScoredBy, Bucket: floorMinute(now)}
	if !o.Has {
		v.Outcome = event.OutcomeUnknown
	}
	if v.Outcome == event.OutcomeSuccess && o.ScoredBy == event.ScoredByAgent {
		v.Outcome = event.OutcomeUnknown
	}
	return v
}

func floorMinute(ns int64) int64 {
	if ns == event.None {
		return 0
	}
	const minute = 60_000_000_000
	m := ns / minute
	if ns%minute < 0 {
		m--
	}
	return m * 60
}

// lateOutcome takes a verdict that came after the task's end, by the priority
// of who gives it; the task's bucket stays.
func (s *Shard) lateOutcome(t *trajectory, st *event.Step, emit func(Output)) {
	r, o := t.record, &st.Outcome
	if r == nil || len(st.TaskID) > 0 && string(st.TaskID) != r.TaskID {
		s.counts.Late++
		return
	}
	if !o.Has || o.ScoredBy < r.Now.ScoredBy {
		return
	}
	next := verdict(*o, 0)
	next.Bucket = r.Now.Bucket
	if next == r.Now {
		return
	}
	was := r.Now
	rev := *r
	rev.Rev++
	rev.Was, rev.Now = &was, next
	t.record = &rev
	emit(taskOutput(&rev))
}

func taskOutput(r *event.TaskRecord) Output {
	const size = 1024 // of most records, in bytes
	return Output{
		Topic: Tasks, Workflow: r.Workflow, Key: r.TrajectoryID,
		Value: event.AppendTask(make([]byte, 0, size), r), Record: r,
	}
}

func escalations(f *facts.Trajectory, o event.Outcome) []string {
	var to []string
	for i, yes := range f.Task.Escalated {
		if yes {
			to = append(to, event.EscalationTo(i).String())
		}
	}
	if len(to) == 0 && o.Has && o.Status == event.OutcomeEscalated {
		to = append(to, event.EscalationUnknown.String())
	}
	slices.Sort(to)
	return to
}

// planUse adds up how the agents of a task kept to their plans, nil without any.
func planUse(f *facts.Trajectory) *event.PlanUse {
	plans := f.Planned()
	if plans == nil || len(plans.All) == 0 {
		return nil
	}
	u := &event.PlanUse{Stale: int64(plans.Stale), Replan: int64(plans.Replan)}
	for _, p := range plans.All {
		u.Versions += int64(p.Version)
		u.Items += int64(len(p.Items))
		u.Begun += int64(p.Begun())
		u.Ordered += int64(p.Ordered())
		u.Calls += int64(p.Calls)
		u.Planned += int64(p.Matched)
	}
	return u
}

// UnlistedTool stands in task records for all tools that no catalogue lists,
// where one was seen: their names are the model's invention.
const UnlistedTool = "__unknown__"

func toolUses(f *facts.Trajectory) []event.ToolUse {
	uses := make([]event.ToolUse, 0, len(f.Task.Tools))
	var unlisted *event.ToolUse
	for i, tool := range f.Task.Tools {
		c := &f.Task.Counts[i]
		u := event.ToolUse{
			Tool: tool.Name, OK: int64(c.OK), AgentFault: int64(c.AgentFault), ToolFault: int64(c.ToolFault),
			UserFault: int64(c.UserFault), Timeout: int64(c.Timeout), Denied: int64(c.Denied),
			Unknown: int64(c.Unknown) + int64(c.Open()),
		}
		if f.Tools == nil || tool.Listed || c.OK > 0 {
			uses = append(uses, u)
			continue
		}
		if unlisted == nil {
			unlisted = &event.ToolUse{Tool: UnlistedTool}
		}
		unlisted.AgentFault += u.OK + u.AgentFault + u.ToolFault + u.UserFault
		unlisted.Timeout += u.Timeout
		unlisted.Denied += u.Denied
		unlisted.Unknown += u.Unknown
	}
	if unlisted != nil {
		uses = append(uses, *unlisted)
	}
	slices.SortFunc(uses, func(a, b event.ToolUse) int { return strings.Compare(a.Tool, b.Tool) })
	return uses
}

func classes(set uint8) []string {
	var names []string
	for c := range event.NumClasses {
		if set&(1<<c) != 0 {
			names = append(names, event.Class(c).String())
		}
	}
	slices.Sort(names)
	return names
}

// coverage lists the rules that could not judge all of a task. The list is
// shared by all tasks that lacked the same.
func (s *Shard) coverage(of lack) []event.Abstention {
	if of == (lack{}) {
		return nil
	}
	if out, ok := s.abstained[of]; ok {
		return out
	}
	var out []event.Abstention
	for i, d := range s.rules.detectors {
		for _, r := range d.Rules {
			if s.rules.rules[r].off {
				continue
			}
			reason := (r.Needs & of.missing).Reason()
			switch {
			case of.capped:
				reason = capped
			case of.blind&(1<<i) != 0:
				reason = upgraded
			}
			if reason != "" {
				out = append(out, event.Abstention{Detector: d.Name, Rule: r.Name, Reason: reason})
			}
		}
	}
	s.abstained[of] = out
	return out
}

// lack is what of a task could not be judged, and why.
type lack struct {
	missing facts.Needs
	blind   uint8
	capped  bool
}

// upgraded is the reason of a detector whose memory of the task was of another
// version.
const upgraded = "upgrade"
