package quality

import (
	"cmp"
	"slices"

	"misstep/event"
)

// Finding is one failure that was found, all its transitions together.
type Finding struct {
	ID         string
	Run        string
	Class      string
	Rule       string
	Rules      []string // that one and those that concur
	Subject    string
	Message    string
	Severity   event.Severity // the highest
	Confidence int            // per mille
	At         int            // place of the step with which it opened, -1 when it names none
	Steps      []int          // places of its evidence
	Recovered  bool
}

// Score says how well findings of a class fit its labels.
type Score struct {
	Class string `json:"class"`
	Group string `json:"group,omitempty"` // part of the labels: a family, or what else was chosen
	Level string `json:"level"`           // step or run
	// Runs are those that were judged. Precision is the share of the findings
	// that fit a label, recall the share of the labels that a finding fits.
	Runs      int             `json:"runs"`
	Precision Ratio           `json:"precision"`
	Recall    Ratio           `json:"recall"`
	F1        float64         `json:"f1"` // -1: neither label nor finding
	Low       float64         `json:"f1_low"`
	High      float64         `json:"f1_high"`
	Delay     *Delay          `json:"delay,omitempty"`
	Free      []BaselineScore `json:"free,omitempty"`
}

// Delay says how many steps after its evidence was complete a failure opened.
type Delay struct {
	N      int `json:"n"`
	Median int `json:"median"`
	P95    int `json:"p95"`
}

// BaselineScore is what a rule of one line reaches.
type BaselineScore struct {
	Name      string  `json:"name"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Case is one label or finding, for reading by eye.
type Case struct {
	Result   string `json:"result"` // matched, missed or false; clean: an alert on a clean run
	Class    string `json:"class"`
	Run      string `json:"trajectory_id"`
	Steps    []int  `json:"steps,omitempty"` // of the label, of the finding when it is false
	Rule     string `json:"rule,omitempty"`
	Severity string `json:"severity,omitempty"`
	Message  string `json:"message,omitempty"`
	Operator string `json:"operator,omitempty"`
	Family   string `json:"family,omitempty"`
	Note     string `json:"note,omitempty"`
	Delay    *int   `json:"delay,omitempty"`
	HeldOut  bool   `json:"held_out,omitempty"`
}

// question is one thing to score: which labels of a class count, in which runs.
type question struct {
	class     string
	group     string
	is        func(l *Label) bool // is this label a positive of the question
	scope     map[string]bool     // runs that are judged
	tolerance int
	from      event.Severity
	plain     bool // no interval is asked for
	rules     Rules
}

// Rules choose findings by their rules.
type Rules struct {
	Only string // findings of this rule alone; empty: of all of the class
	Also string // findings of this rule of another class too
	Not  string // no findings of this rule
}

// near reports whether two sets of steps come within a distance.
func near(a, b []int, within int) bool {
	for _, x := range a {
		for _, y := range b {
			if x-y <= within && y-x <= within {
				return true
			}
		}
	}
	return false
}

// fits reports whether a finding is one of what a label says. A label of a whole
// run fits any finding in it.
func fits(f *Finding, l *Label, tolerance int) bool {
	return f.Run == l.Run && (len(l.Steps) == 0 || near(f.Steps, l.Steps, tolerance))
}

// of reports whether a finding is of the class, or the rule, that is asked for.
// What a rule of one line finds is of any class.
func (q *question) of(f *Finding) bool {
	switch r := &q.rules; {
	case f.Class == "", r.Also != "" && f.Rule == r.Also:
		return true
	case f.Class != q.class, r.Not != "" && f.Rule == r.Not:
		return false
	default:
		return r.Only == "" || slices.Contains(f.Rules, r.Only)
	}
}

// byRun groups labels and findings of a question by run.
func (q *question) byRun(d *Data, findings []Finding) (map[string][]*Label, map[string][]*Finding) {
	labels, found := map[string][]*Label{}, map[string][]*Finding{}
	for i := range d.Labels.List {
		if l := &d.Labels.List[i]; q.scope[l.Run] && q.is(l) {
			labels[l.Run] = append(labels[l.Run], l)
		}
	}
	for i := range findings {
		f := &findings[i]
		if q.scope[f.Run] && q.of(f) && f.Severity >= q.from {
			found[f.Run] = append(found[f.Run], f)
		}
	}
	return labels, found
}

// steps scores by step: a finding fits a label when a step of its evidence is
// within the tolerance of one of the label's.
func (q *question) steps(d *Data, findings []Finding, cases func(Case)) Score {
	labels, found := q.byRun(d, findings)
	var tallies []tally
	var delays []int
	for _, run := range sortedRuns(q.scope) {
		var t tally
		for _, l := range labels[run] {
			c := Case{Result: "missed", Class: q.class, Run: run, Steps: l.Steps, Operator: l.Operator, Family: l.Family, Note: l.Note, HeldOut: l.HeldOut}
			var first *Finding
			for _, f := range found[run] {
				if fits(f, l, q.tolerance) && (first == nil || f.At < first.At) {
					first = f
				}
			}
			if first == nil {
				t.missed++
			} else {
				t.found++
				delay := first.At - l.At
				if len(l.Steps) > 0 {
					delays = append(delays, delay)
					c.Delay = &delay
				}
				c.Result, c.Rule, c.Severity, c.Message = "matched", first.Rule, first.Severity.String(), first.Message
			}
			cases(c)
		}
		for _, f := range found[run] {
			if slices.ContainsFunc(labels[run], func(l *Label) bool { return fits(f, l, q.tolerance) }) {
				t.right++
				continue
			}
			t.wrong++
			c := Case{Result: "false", Class: q.class, Run: run, Steps: f.Steps, Rule: f.Rule, Severity: f.Severity.String(), Message: f.Message}
			if l := d.plantedIn(run); l != nil {
				c.Operator, c.Family, c.HeldOut = l.Operator, l.Family, l.HeldOut
			}
			cases(c)
		}
		tallies = append(tallies, t)
	}
	s := q.score("step", tallies)
	if len(delays) > 0 {
		slices.Sort(delays)
		s.Delay = &Delay{len(delays), quantile(delays, 50), quantile(delays, 95)}
	}
	return s
}

// runs scores by run: whether there is a finding in a run with a label, and
// none in one without.
func (q *question) runs(d *Data, findings []Finding) Score {
	labels, found := q.byRun(d, findings)
	var tallies []tally
	for _, run := range sortedRuns(q.scope) {
		var t tally
		switch is, says := len(labels[run]) > 0, len(found[run]) > 0; {
		case is && says:
			t.right, t.found = 1, 1
		case is:
			t.missed = 1
		case says:
			t.wrong = 1
		}
		tallies = append(tallies, t)
	}
	return q.score("run", tallies)
}

func (q *question) score(level string, tallies []tally) Score {
	var all tally
	for i := range tallies {
		all.add(tallies[i])
	}
	s := Score{
		Class: q.class, Group: q.group, Level: level, Runs: len(q.scope), F1: all.f1(),
		Precision: wilson(all.right, all.right+all.wrong), Recall: wilson(all.found, all.found+all.missed),
	}
	if !q.plain {
		s.Low, s.High = bootstrap(tallies)
	}
	return s
}

// free scores the rules of one line that are of use for the class of a
// question, at its level.
func (q *question) free(d *Data, level string) []BaselineScore {
	var out []BaselineScore
	open := *q
	open.from, open.plain = event.SeverityNone, true
	for _, b := range Baselines() {
		if b.Class != "" && b.Class != q.class {
			continue
		}
		found := d.baseline(&b)
		var s Score
		if level == "run" {
			s = open.runs(d, found)
		} else {
			s = open.steps(d, found, func(Case) {})
		}
		out = append(out, BaselineScore{b.Name, s.Precision.P, s.Recall.P, s.F1})
	}
	slices.SortStableFunc(out, func(a, b BaselineScore) int { return cmp.Compare(b.F1, a.F1) })
	return out
}

func sortedRuns(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for id, in := range m {
		if in {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
