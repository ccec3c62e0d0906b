package detectors

import (
	"fmt"
	"strconv"

	"misstep/event"
)

// budgets checks the caps of the task (R8) at each step that uses any.
func (r *retryLoop) budgets(p *Pass) {
	t := &p.T.Task
	if p.Step.Kind == event.ToolCall && p.Call != nil {
		if most := limit(t.Limits.MaxSteps, r.caps.MaxCalls); most > 0 {
			spent(p, "calls", t.Calls, most, fmt.Sprint)
		}
		if r.caps.MaxCallsPerTool > 0 {
			name := p.Call.Tool.Name
			if n := p.T.CallsOf(p.Call); n*4 >= r.caps.MaxCallsPerTool*3 {
				spent(p, "calls of "+name, n, r.caps.MaxCallsPerTool, fmt.Sprint)
			}
		}
	}
	if most := limit(t.Limits.MaxCostMicroUSD, r.caps.MaxCostMicroUSD); most > 0 && p.Step.Usage.Has {
		spent(p, "cost", t.Cost, most, dollars)
	}
	if most := r.caps.RunawaySteps; t.Steps >= most && p.Sees(runaway, "steps", event.Error) {
		p.Report(Finding{
			Rule: runaway, Subject: "steps", Severity: event.Error, Confidence: 900,
			Message:  fmt.Sprintf("The task went on for %d steps.", t.Steps),
			Evidence: []event.Evidence{p.Here("step " + strconv.FormatInt(t.Steps, 10))},
			Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
		})
	}
	if most := t.Limits.DeadlineMS; most > 0 {
		spent(p, "time", (t.Last-t.Start)/1_000_000, most, millis)
	}
}

// limit is the task's own cap, else the configured one, else 0.
func limit(own, configured int64) int64 {
	if own != event.None {
		return own
	}
	return configured
}

// spent reports the use of a cap from 75 % on. A cap below 4 has no such mark.
func spent(p *Pass, what string, used, most int64, show func(...any) string) {
	s := event.SeverityNone
	switch {
	case used > most:
		s = event.Error
	case most >= 4 && used >= most-most/4:
		s = event.Warning
	}
	if s == event.SeverityNone || !p.Sees(budget, what, s) {
		return
	}
	verb := "used"
	if s == event.Error {
		verb = "is over its cap:"
	}
	p.Report(Finding{
		Rule: budget, Subject: what, Severity: s, Confidence: 1000,
		Message:  fmt.Sprintf("The task %s %s of %s %s.", verb, show(used), show(most), what),
		Evidence: []event.Evidence{p.Here(what)},
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

func dollars(v ...any) string {
	n := v[0].(int64)
	return fmt.Sprintf("%d.%06d USD", n/1_000_000, n%1_000_000)
}

func millis(v ...any) string {
	n := v[0].(int64)
	return fmt.Sprintf("%d.%03d s", n/1000, n%1000)
}
