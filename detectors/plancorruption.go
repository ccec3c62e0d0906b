package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

const needPlan = facts.NeedPlan | facts.NeedResources

// Rules of plan_corruption.
var (
	staleStep = &Rule{
		Name: "stale_step", Code: "L1", Family: "stale", Fault: event.FaultAgent,
		Doc:       "The agent carries out a step of its plan that what it has come to know since made pointless.",
		Threshold: "A call that belongs to an item of the plan, after an error for good (not found, gone, closed, cancelled, expired, out of stock, not eligible, denied) or a result that says the same, or after its tool was taken away, with no new plan since: error, critical for an irreversible tool, warning where nobody says that the tool changes anything.",
		Guards:    "A transient error makes nothing pointless, nor does a state that the agent brought about itself. A version of the plan that only ticks items off is no new plan; one that drops, rewords or adds items is. What is made anew, or is shown to be there again, lives. Items that bring it back, look for another or tell of it stay. Reads count from the third on, as a warning.",
		Source:    "PLANEX (conditions of steps are checked at run time); AgentRx: plan adherence is 197 of 295 labels and 7 of 44 root causes, so only acting on what is over counts as an error.",
		Needs:     needPlan | facts.NeedPlanSeen | facts.NeedPlainArguments,
	}
	noReplan = &Rule{
		Name: "no_replan", Code: "L2", Family: "stale", Fault: event.FaultAgent,
		Doc:       "The agent learned that an item of its plan is pointless, goes on, and leaves the item in the plan.",
		Threshold: "3 calls after the observation, warning.",
		Guards:    "Any new plan answers the observation. Of an agent that never ticks anything off, a message since does too, and after 10 calls its plan counts as forgotten.",
		Source:    "browser-use and Magentic-One replan after 3 failures.",
		Needs:     needPlan | facts.NeedPlanSeen,
	}
	oldGoal = &Rule{
		Name: "old_goal", Code: "L3", Family: "goal", Fault: event.FaultAgent,
		Doc:       "The user has changed the goal, and the agent goes on doing what was planned for the old one.",
		Threshold: "A call that may change something and that belongs to an item from before the user's change of mind, with no new plan since: error.",
		Guards:    "A wish beside the others (also, as well) is no change. A call that carries what only the new wish names, or whose tool the user asks for now, follows the new goal. A user who says to go ahead after all takes the change back.",
		Source:    "MAST FM-2.3 (task derailment).",
		Needs:     needPlan | facts.NeedPlanSeen | facts.NeedPlainArguments,
	}
	falseDone = &Rule{
		Name: "false_done", Code: "L4", Family: "done", Fault: event.FaultAgent,
		Doc:       "The agent ticks off an item of its plan that was never done.",
		Threshold: "An item that moves to done and whose tool was not called with success, or whose calls all failed: warning. Also an item that names a thing to act on, where each call since the version before belongs to another item.",
		Guards:    "Other items that name no tool and that no call belongs to are not judged, nor those that are done when the plan first names them. A call without a result is waited for.",
		Source:    "AgentRx (plan adherence), MAST FM-3.2.",
		Needs:     needPlan | facts.NeedPlanSeen,
	}
	unfinishedPlan = &Rule{
		Name: "unfinished_plan", Code: "L4s", Family: "done", Fault: event.FaultAgent,
		Doc:       "The task ends as a success while items of the plan are still to be done.",
		Threshold: "At the task's end, of items that are pending and that no call did: warning when only the agent calls it a success, info when a check, a person or a judge does.",
		Guards:    "Only of agents that tick their plans off. Items that became pointless are not missed.",
		Source:    "MAST FM-3.1 (premature termination).",
		Needs:     needPlan | facts.NeedPlanSeen,
	}
	orderViolation = &Rule{
		Name: "order_violation", Code: "L5", Family: "order", Fault: event.FaultAgent,
		Doc:       "The agent begins an item of its plan before one that it depends on.",
		Threshold: "Dependences that the plan declares (depends_on, or \"after step 2\" in its text): warning.",
		Guards:    "The order of the list alone says nothing: items without a declared dependence may come in any order. A dependence that no call can show and that is never ticked off is not judged.",
		Source:    "detection by declared order as in AgentSpec's rules.",
		Needs:     needPlan | facts.NeedPlanSeen,
	}
	planChurn = &Rule{
		Name: "plan_churn", Code: "L6", Family: "churn", Fault: event.FaultAgent,
		Doc:       "The agent writes its plan again and again without doing anything of it.",
		Threshold: "3 versions on end, with no new call between them that worked and no item that moved on: info.",
		Guards:    "Wording does not count, only how far the items are. A user message in between does.",
		Source:    "openclaw reduces update_plan to the items' status.",
		Needs:     needPlan | facts.NeedPlanSeen,
	}
	reasonActMismatch = &Rule{
		Name: "reason_act_mismatch", Code: "L7", Family: "intent", Fault: event.FaultAgent,
		Doc:       "The agent says that it will call one tool and calls another.",
		Threshold: "The message right before the call names one tool of the catalogue as what comes next: info.",
		Guards:    "Only names that no prose holds (with an underscore), after a verb that says so; not where several tools are named, or one is named with a condition or in the past, nor where the call is code that calls it.",
		Source:    "MAST FM-2.6 (reasoning-action mismatch, 13.2 %).",
		Needs:     needPlan | facts.NeedCatalogue,
	}
)

// PlanCorruption finds agents that hold on to a plan that has become wrong.
var PlanCorruption = &Detector{
	Name: "plan_corruption", Version: 1, Class: event.PlanCorruption,
	Doc:   "The agent holds on to a plan that has become wrong.\nPlans come from plan_update steps, from tools that keep one (TodoWrite, update_plan) and from numbered lists that a message calls a plan; they are held against what results and users say later.",
	Rules: []*Rule{staleStep, noReplan, oldGoal, falseDone, unfinishedPlan, orderViolation, planChurn, reasonActMismatch},
	Kinds: []event.Kind{event.ToolCall, event.PlanUpdate, event.AgentMessage, event.ModelCall, event.TaskEnd},
	New:   func(*Config) Watcher { return planCorruption{} },
}

type planCorruption struct{}

// Observe implements Watcher.
func (planCorruption) Observe(p *Pass) {
	plans := p.T.Planned()
	if plans == nil {
		return
	}
	if p.Step.Kind == event.TaskEnd {
		unfinished(p, plans)
		return
	}
	m := &p.Plan
	switch {
	case m.NewPlan:
		newPlan(p, plans, m)
	case p.Step.Kind == event.ToolCall && p.Call != nil:
		planned(p, plans, m)
	}
}

// planned looks at a call that does not tell a plan.
func planned(p *Pass, plans *facts.Plans, m *facts.Matched) {
	c := p.Call
	if m.Meant != "" && p.Sees(reasonActMismatch, c.Tool.Name, event.Info) {
		p.Report(Finding{
			Rule: reasonActMismatch, Subject: c.Tool.Name, Severity: event.Info, Confidence: 600,
			Message:  fmt.Sprintf("The agent said that it would call %s and called %s.", m.Meant, c.Tool.Name),
			Evidence: []event.Evidence{m.MeantStep, p.Here("calls " + c.Tool.Name)},
			Tokens:   c.Tokens, CostMicroUSD: c.Cost,
		})
	}
	if m.Plan == nil {
		return
	}
	goal := m.Stale > 0 && plans.Observations[m.Stale-1].Kind == facts.ObservedGoal
	switch {
	case m.Item >= 0 && (m.Against || goal) && !c.Tool.Reads:
		pursued(p, plans, m)
	case m.Stale > 0 && !goal:
		stale(p, plans, m)
	}
	if m.Item >= 0 {
		outOfOrder(p, plans, m)
	}
	left(p, plans, m.Plan)
}

// itemName is an item as failures name it.
func itemName(it *facts.PlanItem) string {
	const longest = 80
	name := it.Text
	if name == "" {
		name = it.Tool
	}
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") + "..."
	}
	return name
}

// minReads is from how many reads of what is over on they are no verification.
const minReads = 3

func stale(p *Pass, plans *facts.Plans, m *facts.Matched) {
	it, o, c := &m.Plan.Items[m.Item], &plans.Observations[m.Stale-1], p.Call
	s, conf := event.Error, 700
	if m.Dead > 0 || o.Kind == facts.ObservedTool {
		conf = 900
	}
	switch {
	case c.Tool.Reads && o.Reads < minReads:
		return
	case !c.Tool.Changes:
		s = event.Warning
	case c.Tool.Effect == event.EffectIrreversible:
		s = event.Critical
	}
	name := itemName(it)
	if !p.Sees(staleStep, name, s) {
		return
	}
	p.Report(Finding{
		Rule: staleStep, Subject: name, Severity: s, Confidence: conf,
		Message:  fmt.Sprintf("The agent goes on with %s of its plan although it knows better: %s.", quoted(name), o.What),
		Evidence: []event.Evidence{o.Evidence(), p.Here("calls " + c.Tool.Name)},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// quoted is a text in quotes, its own turned.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, "'") + `"` }

func pursued(p *Pass, plans *facts.Plans, m *facts.Matched) {
	it, c := &m.Plan.Items[m.Item], p.Call
	seen := it.Stale
	if seen == 0 || plans.Observations[seen-1].Kind != facts.ObservedGoal {
		seen = it.Doubt
	}
	name := itemName(it)
	if seen == 0 || !p.Sees(oldGoal, name, event.Error) {
		return
	}
	o := &plans.Observations[seen-1]
	p.Report(Finding{
		Rule: oldGoal, Subject: name, Severity: event.Error, Confidence: 800,
		Message:  fmt.Sprintf("The user wants something else by now, and the agent still goes on with %s.", quoted(name)),
		Evidence: []event.Evidence{o.Evidence(), p.Here("calls " + c.Tool.Name)},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func outOfOrder(p *Pass, plans *facts.Plans, m *facts.Matched) {
	it := &m.Plan.Items[m.Item]
	if it.Deps == 0 {
		return
	}
	for i := range m.Plan.Items {
		dep := &m.Plan.Items[i]
		if it.Deps&(1<<i) == 0 || dep.Finished() || dep.Worked > 0 || dep.Tool == "" && dep.Tried == 0 && !m.Plan.Moved {
			continue
		}
		name := itemName(it)
		if !p.Sees(orderViolation, name, event.Warning) {
			return
		}
		p.Report(Finding{
			Rule: orderViolation, Subject: name, Severity: event.Warning, Confidence: 900,
			Message:  fmt.Sprintf("The agent began %s before %s was done, on which it depends.", quoted(name), quoted(itemName(dep))),
			Evidence: []event.Evidence{p.Here("calls " + p.Call.Tool.Name)},
			Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
		})
		return
	}
}

const (
	replanCalls = 3  // after which a plan should have been changed
	unkeptCalls = 10 // without any item ticked off, after which a plan is not kept
)

// left looks for items that have been pointless for a while.
func left(p *Pass, plans *facts.Plans, plan *facts.Plan) {
	if plan.Since >= unkeptCalls {
		return
	}
	for i := range plan.Items {
		it := &plan.Items[i]
		if it.Stale == 0 || it.Finished() {
			continue
		}
		o := &plans.Observations[it.Stale-1]
		if !plan.Moved && o.Told {
			continue // who does not keep the plan tells of the change in words
		}
		name := itemName(it)
		if o.Over || o.Calls < replanCalls || !p.Sees(noReplan, name, event.Warning) {
			continue
		}
		p.Report(Finding{
			Rule: noReplan, Subject: name, Severity: event.Warning, Confidence: 750,
			Message:  fmt.Sprintf("%d calls after it became pointless (%s), the plan still holds %s.", o.Calls, o.What, quoted(name)),
			Evidence: []event.Evidence{o.Evidence(), p.Here("call " + fmt.Sprint(o.Calls) + " since")},
			Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
		})
	}
}

// newPlan looks at a new version of a plan.
func newPlan(p *Pass, plans *facts.Plans, m *facts.Matched) {
	p.Resolve(event.PlanCorruption, func(opener *Rule, _ string) bool { return opener.Family == noReplan.Family || opener == oldGoal })
	const churned = 2 // rewritten so often, that is three versions
	if m.Plan.Churn >= churned && p.Sees(planChurn, "plan", event.Info) {
		p.Report(Finding{
			Rule: planChurn, Subject: "plan", Severity: event.Info, Confidence: 700, Count: int(m.Plan.Churn) + 1,
			Message:  fmt.Sprintf("The agent wrote its plan %d times on end without doing anything of it.", m.Plan.Churn+1),
			Evidence: m.Plan.Churned(),
			Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
		})
	}
	for i := range m.Plan.Items {
		if m.Done&(1<<i) != 0 {
			ticked(p, plans, m.Plan, i)
		}
	}
}

// ticked looks at an item that was just moved to done.
func ticked(p *Pass, plans *facts.Plans, plan *facts.Plan, i int) {
	it := &plan.Items[i]
	if it.Worked > 0 || plans.Waits(plan, i) {
		return
	}
	why, conf := "", 800
	switch {
	case it.Tried > 0:
		why = fmt.Sprintf("each of its %d calls failed", it.Tried)
		if it.Tried == 1 {
			why = "its only call failed"
		}
	case it.Tool != "":
		if wasCalled(p.T, it.Tool) {
			return // with other things than the item names
		}
		why = it.Tool + " was never called"
	default:
		tool := spokenOf(p.T, it)
		switch {
		case tool != nil && !wasCalled(p.T, tool.Name):
			why = tool.Name + " was never called"
		case p.Plan.Whole && it.Acts():
			why, conf = "each call since the version before belongs to another item", 600
		default:
			return
		}
	}
	name := itemName(it)
	if !p.Sees(falseDone, name, event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: falseDone, Subject: name, Severity: event.Warning, Confidence: conf,
		Message:  fmt.Sprintf("The agent ticked off %s, but %s.", quoted(name), why),
		Evidence: []event.Evidence{p.Here("ticked off")},
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

// wasCalled reports whether the task called a tool with success, or nobody knows.
func wasCalled(t *facts.Trajectory, name string) bool {
	for i, tool := range t.Task.Tools {
		if c := &t.Task.Counts[i]; tool.Name == name && c.OK+c.Unknown+c.Open() > 0 {
			return true
		}
	}
	return false
}

// spokenOf gives the tool of the catalogue that changes something and that an
// item speaks of, nil for none.
func spokenOf(t *facts.Trajectory, it *facts.PlanItem) *facts.Tool {
	if t.Tools == nil {
		return nil
	}
	for _, name := range t.Tools.Names {
		if tool := t.Tools.Tool([]byte(name)); tool.Changes && it.Speaks(tool) {
			return tool
		}
	}
	return nil
}

// unfinished looks at the plans at the task's end.
func unfinished(p *Pass, plans *facts.Plans) {
	o := &p.Step.Outcome
	if !o.Has || o.Status != event.OutcomeSuccess {
		return
	}
	s := event.Info
	if o.ScoredBy <= event.ScoredByAgent {
		s = event.Warning
	}
	for _, plan := range plans.All {
		if !plan.Moved || plan.Since >= unkeptCalls {
			continue
		}
		n, first := 0, -1
		for i := range plan.Items {
			if it := &plan.Items[i]; !it.Finished() && it.Worked == 0 && it.Stale == 0 && it.Doubt == 0 {
				if n++; first < 0 {
					first = i
				}
			}
		}
		if n == 0 {
			continue
		}
		name := itemName(&plan.Items[first])
		if !p.Sees(unfinishedPlan, name, s) {
			continue
		}
		p.Report(Finding{
			Rule: unfinishedPlan, Subject: name, Severity: s, Confidence: 700, Count: n,
			Message:  fmt.Sprintf("The task ended as a success with %d of %d items of the plan still to be done, the first of them %s.", n, len(plan.Items), quoted(name)),
			Evidence: []event.Evidence{p.Here("success")},
			Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
		})
	}
}
