package config

import (
	"slices"
	"strings"
	"time"

	"misstep/detectors"
	"misstep/detectors/facts"
	"misstep/event"
)

func (d *decoder) policy(n node, c *detectors.Config) {
	var p detectors.Policy
	d.mapping(
		n,
		field{"tool", func(n node) { d.glob(n, &p.Tool, "a tool's name, or a glob such as refund_*") }},
		field{"workflow", func(n node) { d.glob(n, &p.Workflow, "a workflow's name, or a glob") }},
		field{"grounded", func(n node) {
			var word string
			d.choice(n, &word, groundings[1:]...)
			for i, w := range groundings {
				if w == word {
					p.Grounded = facts.Grounding(i)
				}
			}
		}},
		field{"confirm", func(n node) { d.boolean(n, &p.Confirm) }},
		field{"after", func(n node) { d.words(n, &p.After, "a tool's name") }},
		field{"bounds", func(n node) { d.list(n, func(n node) { d.bound(n, &p) }) }},
	)
	d.require(n, p.Tool, "tool")
	c.Policies = append(c.Policies, p)
}

// groundings are the words for facts.Grounding; the first is never written.
var groundings = []string{"", "strict", "soft", "off"}

func (d *decoder) words(n node, p *[]string, want string) {
	d.list(n, func(n node) {
		if s, ok := d.text(n, want); ok {
			*p = append(*p, s)
		}
	})
}

func (d *decoder) bound(n node, p *detectors.Policy) {
	var b facts.Bound
	var low, high bool // they stand there, right or wrong
	d.mapping(
		n,
		field{"param", func(n node) {
			if s, ok := d.text(n, "a parameter's name, with dots into objects"); ok {
				b.Param = s
			}
		}},
		field{"min", func(n node) {
			low = true
			b.HasMin = d.decimal(n, &b.Min)
		}},
		field{"max", func(n node) {
			high = true
			b.HasMax = d.decimal(n, &b.Max)
		}},
		field{"in", func(n node) { d.words(n, &b.In, "a value that is allowed") }},
	)
	d.require(n, b.Param, "param")
	if b.HasMin && b.HasMax && b.Min > b.Max {
		d.fail(n, "min is above max; swap them")
	}
	if !low && !high && len(b.In) == 0 {
		d.fail(n, "the bound says nothing; add min, max or in")
	}
	p.Bounds = append(p.Bounds, b)
}

// decimal sets p to a number in millionths, which may be negative.
func (d *decoder) decimal(n node, p *int64) bool {
	text := ""
	if n.ast != nil {
		text = n.ast.GetToken().Value
	}
	digits, negative := strings.CutPrefix(text, "-")
	m, ok := parseMillionths(digits)
	if !ok {
		d.fail(n, "found %s; give a number such as 500 or -0.25, at most 1000000, with six decimals at the most", n.found())
		return false
	}
	if negative {
		m = -m
	}
	*p = m
	return true
}

func (d *decoder) suppression(n node, c *detectors.Config) {
	var s detectors.Suppression
	most := ""
	text := func(p *string, want string) func(node) {
		return func(n node) {
			if v, ok := d.text(n, want); ok {
				*p = v
			}
		}
	}
	until, named := false, false
	d.mapping(
		n,
		field{"detector", func(n node) {
			named = true
			d.known(n, &s.Detector, "a detector's name", "no such detector", detectorNames())
		}},
		field{"rule", func(n node) { named = true; d.known(n, &s.Rule, "a rule's name", "no such rule", allRules()) }},
		field{"workflow", func(n node) { d.glob(n, &s.Workflow, "a workflow's name, or a glob") }},
		field{"subject", func(n node) { d.glob(n, &s.Subject, "the subject of the failure, or a glob") }},
		field{"until", func(n node) {
			until = true
			d.date(n, &s.Until)
		}},
		field{"max_severity", func(n node) { d.choice(n, &most, "none", "info", "warning", "error") }},
		field{"reason", text(&s.Reason, "why it is accepted")},
	)
	for _, v := range []event.Severity{event.Info, event.Warning, event.Error} {
		if v.String() == most {
			s.MaxSeverity = v
		}
	}
	if !until {
		d.fail(n, "until is missing; say until when, so that it is not forgotten: until: 2027-01-31")
	}
	if !named && s.Workflow == "" && s.Subject == "" {
		d.fail(n, "this would quiet everything; name a detector, rule, workflow or subject, or use observe_until")
	}
	c.Suppressions = append(c.Suppressions, s)
}

// known sets p to one of several names.
func (d *decoder) known(n node, p *string, want, what string, names []string) {
	s, ok := d.text(n, want)
	switch {
	case !ok:
	case !slices.Contains(names, s):
		if near := suggest(s, names); near != "" {
			d.fail(n, "%s; did you mean %s?", what, near)
			return
		}
		d.fail(n, "found %s, %s; `detector rules` lists them", n.found(), what)
	default:
		*p = s
	}
}

func detectorNames() []string {
	var names []string
	for _, d := range detectors.All() {
		names = append(names, d.Name)
	}
	return names
}

func allRules() []string {
	var names []string
	for _, d := range detectors.All() {
		for _, r := range d.Rules {
			names = append(names, r.Name)
		}
	}
	return names
}

// date sets p to a day, from its beginning in UTC, or to a moment.
func (d *decoder) date(n node, p *time.Time) {
	text := ""
	if n.ast != nil {
		text = n.ast.GetToken().Value
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			*p = t.UTC()
			return
		}
	}
	d.fail(n, "found %s; give a day such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z", n.found())
}

func (d *decoder) feedback(n node, c *detectors.Config) {
	const most = 1_000_000_000
	var f detectors.Feedback
	d.mapping(
		n,
		field{"rule", func(n node) {
			d.known(n, &f.Rule, "a rule's name", "no such rule", allRules())
		}},
		field{"workflow", func(n node) { d.glob(n, &f.Workflow, "a workflow's name, or a glob") }},
		field{"true_positives", func(n node) { d.integer(n, &f.TruePositives, 0, most) }},
		field{"false_positives", func(n node) { d.integer(n, &f.FalsePositives, 0, most) }},
	)
	d.require(n, f.Rule, "rule")
	c.Feedback = append(c.Feedback, f)
}

// policyYAML writes what policy, suppression and feedback read.
func policyYAML(c *detectors.Config, p func(format string, args ...any)) {
	list := func(words []string) string {
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = quote(w)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	head := func(name string, n int) {
		if n == 0 {
			p("%s: []", name)
		} else {
			p("%s:", name)
		}
	}
	head("policies", len(c.Policies))
	for _, q := range c.Policies {
		p("  - tool: %s", quote(q.Tool))
		if q.Workflow != "" {
			p("    workflow: %s", quote(q.Workflow))
		}
		if q.Grounded != facts.GroundedDefault {
			p("    grounded: %s", quote(groundings[q.Grounded]))
		}
		if q.Confirm {
			p("    confirm: true")
		}
		if len(q.After) > 0 {
			p("    after: %s", list(q.After))
		}
		if len(q.Bounds) > 0 {
			p("    bounds:")
		}
		for _, b := range q.Bounds {
			p("      - param: %s", quote(b.Param))
			if b.HasMin {
				p("        min: %s", signed(b.Min))
			}
			if b.HasMax {
				p("        max: %s", signed(b.Max))
			}
			if len(b.In) > 0 {
				p("        in: %s", list(b.In))
			}
		}
	}
	head("suppressions", len(c.Suppressions))
	for _, s := range c.Suppressions {
		p("  - until: %s", quote(s.Until.UTC().Format(time.RFC3339Nano)))
		for _, f := range [][2]string{{"detector", s.Detector}, {"rule", s.Rule}, {"workflow", s.Workflow}, {"subject", s.Subject}, {"reason", s.Reason}} {
			if f[1] != "" {
				p("    %s: %s", f[0], quote(f[1]))
			}
		}
		most := "none"
		if s.MaxSeverity != event.SeverityNone {
			most = s.MaxSeverity.String()
		}
		p("    max_severity: %s", most)
	}
	head("feedback", len(c.Feedback))
	for _, f := range c.Feedback {
		p("  - rule: %s", quote(f.Rule))
		if f.Workflow != "" {
			p("    workflow: %s", quote(f.Workflow))
		}
		p("    true_positives: %d\n    false_positives: %d", f.TruePositives, f.FalsePositives)
	}
	if c.ObserveUntil.IsZero() {
		p("observe_until: none")
	} else {
		p("observe_until: %s", quote(c.ObserveUntil.UTC().Format(time.RFC3339Nano)))
	}
}

func signed(m int64) string {
	if m < 0 {
		return "-" + formatMillionths(-m)
	}
	return formatMillionths(m)
}

func (d *decoder) observe(n node, c *detectors.Config) {
	if n.ast != nil && n.ast.GetToken().Value == none {
		c.ObserveUntil = time.Time{}
		return
	}
	d.date(n, &c.ObserveUntil)
}
