package detectors

import (
	"slices"
	"strconv"

	"misstep/detectors/facts"
	"misstep/event"
)

// Pass is what a watcher is given to look at one step. It is valid during
// Observe only.
type Pass struct {
	*facts.Current
	T      *facts.Trajectory
	Memory *Memory

	ruleset  *Ruleset
	rules    map[*Rule]*setting
	episodes *episodes
	findings []Finding
	reading  reading
}

// stepID is the id of the current step; one without goes by its ordinal.
func (p *Pass) stepID() string {
	if len(p.Step.ID) > 0 {
		return string(p.Step.ID)
	}
	return strconv.FormatInt(p.T.Ordinal-1, 10)
}

// Here is the current step as evidence.
func (p *Pass) Here(note string) event.Evidence {
	return event.Evidence{Seq: p.Step.Seq, ID: p.stepID(), Note: note}
}

// agentPlace is the current agent's place in the trajectory.
func (p *Pass) agentPlace() int64 {
	return int64(slices.Index(p.T.Agents, p.Agent))
}

// Sees says that a rule sees its trouble with the subject at this step, and
// reports whether the finding would change anything, so that gathering its
// evidence for Report pays. Where an open failure already stands at this
// severity with this rule, the step is counted into it. It is false for a rule
// that is off, or that lacks the facts it needs: then the detector abstains.
func (p *Pass) Sees(r *Rule, subject string, s event.Severity) bool {
	set := p.rules[r]
	if set.off || r.Needs&p.Lacks != 0 {
		return false
	}
	if s = p.limit(r, subject, s); s == event.SeverityNone {
		return false
	}
	e := p.episodes.find(set.detector.Class, subject)
	if e == nil {
		return true
	}
	if s > e.severity || !e.has(r) {
		e.touch(p)
		return true
	}
	if e.touch(p) {
		e.cite(p.Here(again))
	}
	return false
}

// limit gives what the ruleset leaves of a severity.
func (p *Pass) limit(r *Rule, subject string, s event.Severity) event.Severity {
	return p.ruleset.severity(r, subject, p.T.Labels.Workflow, p.Now, s)
}

// Recount brings count and message of an open failure up to date, where Sees
// was false: the trouble goes on. The message is taken from the rule alone that
// gave the one before.
func (p *Pass) Recount(r *Rule, subject string, n int, message string) {
	if e := p.episodes.find(p.rules[r].detector.Class, subject); e != nil && !p.rules[r].off {
		e.count = max(e.count, n)
		if e.teller == r {
			e.message = message
		}
	}
}

// Report hands in a finding for which Sees was true.
func (p *Pass) Report(f Finding) { p.findings = append(p.findings, f) }

// Troubled reports whether any failure of the class is open.
func (p *Pass) Troubled(c event.Class) bool {
	for i := range p.episodes.open {
		if p.episodes.open[i].class == c {
			return true
		}
	}
	return false
}

// Resolve ends the failures of the class that the function accepts by opening rule and subject:
// the agent put them right.
func (p *Pass) Resolve(c event.Class, over func(opener *Rule, subject string) bool) {
	for i := range p.episodes.open {
		if e := &p.episodes.open[i]; e.class == c && over(e.rules[0], e.subject) {
			e.over = true
		}
	}
}

// lastCall is how many calls the task had made when the open failure was last
// seen, 0 for none.
func (p *Pass) lastCall(c event.Class, subject string) int64 {
	if e := p.episodes.find(c, subject); e != nil {
		return e.lastCall
	}
	return 0
}

// Fade ends the failures of the class that the agent has turned away from: it
// made n calls since the last one that belongs to them, and the function accepts
// the opening rule.
func (p *Pass) Fade(c event.Class, n int64, fades func(opener *Rule) bool) {
	calls := p.T.Task.Calls
	for i := range p.episodes.open {
		if e := &p.episodes.open[i]; e.class == c && calls-e.lastCall >= n && fades(e.rules[0]) {
			e.over, e.faded = true, true
		}
	}
}
