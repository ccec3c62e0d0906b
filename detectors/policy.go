package detectors

import (
	"fmt"
	"io"
	"time"

	"misstep/detectors/facts"
	"misstep/event"
)

// Policy is what an operator demands of the calls of some tools.
type Policy struct {
	Tool     string // name or glob
	Workflow string // name or glob, empty: all
	// Grounded says how strictly the tool's identifiers must come from
	// somewhere.
	Grounded facts.Grounding
	Confirm  bool     // the user must have confirmed
	After    []string // tools that must have worked before, in the same task
	Bounds   []facts.Bound
}

// Suppression quiets findings that are known and accepted, until a date.
type Suppression struct {
	Detector, Rule string // names, empty: all
	Workflow       string // name or glob, empty: all
	Subject        string // name or glob, empty: all
	// Until is the event time from which on it is no longer in force; it is
	// required, so that nothing is forgotten. A trajectory that shows no time is
	// suppressed.
	Until time.Time
	// MaxSeverity is what is left of it; SeverityNone: nothing.
	MaxSeverity event.Severity
	Reason      string // for a reader
}

// Feedback is how often people found a rule right and wrong in a workflow.
type Feedback struct {
	Rule           string
	Workflow       string // name or glob, empty: all
	TruePositives  int64
	FalsePositives int64
}

// suppression is a Suppression made ready.
type suppression struct {
	detector, rule    string
	workflow, subject func(string) bool // nil: all
	until             int64
	most              event.Severity
}

// policies makes ready what the configuration says of tools, what is suppressed
// and what people found.
func (r *Ruleset) policies() error {
	optional := func(pattern string) (func(string) bool, error) {
		if pattern == "" {
			return nil, nil
		}
		return matcher(pattern)
	}
	for i, p := range r.config.Policies {
		match, err := matcher(p.Tool)
		if err != nil {
			return fmt.Errorf("policies[%d].tool: %w", i, err)
		}
		workflow, err := optional(p.Workflow)
		if err != nil {
			return fmt.Errorf("policies[%d].workflow: %w", i, err)
		}
		for j, b := range p.Bounds {
			if b.Param == "" {
				return fmt.Errorf("policies[%d].bounds[%d].param: is empty; name the parameter", i, j)
			}
			if b.HasMin && b.HasMax && b.Min > b.Max {
				return fmt.Errorf("policies[%d].bounds[%d]: min is above max; swap them", i, j)
			}
		}
		r.options.Policies = append(r.options.Policies, facts.Policy{
			Match: match, Workflow: workflow, Grounded: p.Grounded, Confirm: p.Confirm, After: p.After, Bounds: p.Bounds,
		})
	}
	for i, s := range r.config.Suppressions {
		if s.Until.IsZero() {
			return fmt.Errorf("suppressions[%d].until: is missing; say until when, so that it is not forgotten", i)
		}
		if err := r.knows(s.Detector, s.Rule); err != nil {
			return fmt.Errorf("suppressions[%d].%w", i, err)
		}
		ready := suppression{detector: s.Detector, rule: s.Rule, until: s.Until.UnixNano(), most: s.MaxSeverity}
		var err error
		if ready.workflow, err = optional(s.Workflow); err != nil {
			return fmt.Errorf("suppressions[%d].workflow: %w", i, err)
		}
		if ready.subject, err = optional(s.Subject); err != nil {
			return fmt.Errorf("suppressions[%d].subject: %w", i, err)
		}
		r.suppressed = append(r.suppressed, ready)
	}
	for i, f := range r.config.Feedback {
		if f.Rule == "" {
			return fmt.Errorf("feedback[%d].rule: is empty; name the rule", i)
		}
		if err := r.knows("", f.Rule); err != nil {
			return fmt.Errorf("feedback[%d].%w", i, err)
		}
		if min(f.TruePositives, f.FalsePositives) < 0 {
			return fmt.Errorf("feedback[%d]: a count must not be negative", i)
		}
		workflow, err := optional(f.Workflow)
		if err != nil {
			return fmt.Errorf("feedback[%d].workflow: %w", i, err)
		}
		r.feedback = append(r.feedback, feedback{f, workflow})
	}
	return nil
}

type feedback struct {
	Feedback
	workflow func(string) bool
}

// knows reports whether there is such a detector with such a rule; an empty
// name stands for any.
func (r *Ruleset) knows(detector, rule string) error {
	for _, d := range All() {
		if detector != "" && d.Name != detector {
			continue
		}
		if rule == "" {
			return nil
		}
		for _, q := range d.Rules {
			if q.Name == rule {
				return nil
			}
		}
		if detector != "" {
			return fmt.Errorf("rule: %s has no rule %q; it has %s", detector, rule, ruleNames(d))
		}
	}
	if rule != "" {
		return fmt.Errorf("rule: there is no rule %q; `detector rules` lists them", rule)
	}
	return fmt.Errorf("detector: there is no detector %q; `detector rules` lists them", detector)
}

// severity gives what is left of a severity after the rule's limit, the
// observation that the ruleset begins with, and what is suppressed.
func (r *Ruleset) severity(rule *Rule, subject, workflow string, now int64, s event.Severity) event.Severity {
	set := r.rules[rule]
	s = set.limit(s)
	if now < r.observe {
		s = min(s, event.Info)
	}
	for i := range r.suppressed {
		q := &r.suppressed[i]
		if now < q.until && (q.rule == "" || q.rule == rule.Name) && (q.detector == "" || q.detector == set.detector.Name) &&
			(q.workflow == nil || q.workflow(workflow)) && (q.subject == nil || q.subject(subject)) {
			s = min(s, q.most)
		}
	}
	return s
}

// confidence gives the confidence of a rule, per mille, in the light of what
// people found: the mean of a Beta distribution whose prior is worth ten labels.
func (r *Ruleset) confidence(rule *Rule, workflow string, prior int) int {
	const worth = 10
	for i := range r.feedback {
		f := &r.feedback[i]
		if f.Rule == rule.Name && (f.workflow == nil || f.workflow(workflow)) {
			all := f.TruePositives + f.FalsePositives + worth
			return int((1000*f.TruePositives + worth*int64(prior) + all/2) / all)
		}
	}
	return prior
}

func (r *Ruleset) digestPolicies(h io.Writer) {
	for _, p := range r.config.Policies {
		fmt.Fprintf(h, "policy %q %q %d %t %q\n", p.Tool, p.Workflow, p.Grounded, p.Confirm, p.After)
		for _, b := range p.Bounds {
			fmt.Fprintf(h, "bound %q %t %d %t %d %q\n", b.Param, b.HasMin, b.Min, b.HasMax, b.Max, b.In)
		}
	}
	for _, s := range r.config.Suppressions {
		fmt.Fprintf(h, "suppression %q %q %q %q %d %s\n", s.Detector, s.Rule, s.Workflow, s.Subject, s.Until.UnixNano(), s.MaxSeverity)
	}
	for _, f := range r.config.Feedback {
		fmt.Fprintf(h, "feedback %q %q %d %d\n", f.Rule, f.Workflow, f.TruePositives, f.FalsePositives)
	}
	if r.observe != 0 {
		fmt.Fprintf(h, "observe %d\n", r.observe)
	}
}
