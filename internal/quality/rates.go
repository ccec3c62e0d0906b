package quality

import (
	"cmp"
	"maps"
	"slices"

	"misstep/event"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// CleanRate is the share of clean runs in which there is a finding of a class
// (empty: of any) of a severity or above.
type CleanRate struct {
	Class    string         `json:"class,omitempty"`
	Severity event.Severity `json:"-"`
	From     string         `json:"severity"`
	Alerted  Ratio          `json:"alerted"`
}

// clean reports whether nothing is known to be wrong with a run: it succeeded,
// or is labelled as having nothing wrong, and no label says otherwise.
func (d *Data) cleanRuns(in func(string) bool) map[string]bool {
	out := map[string]bool{}
	for id, r := range d.Runs {
		if in(id) && (d.Outcomes[id] || r.Outcome == event.OutcomeSuccess) && d.planted[id] == nil {
			out[id] = true
		}
	}
	bad := map[string]bool{}
	for i := range d.Labels.List {
		l := &d.Labels.List[i]
		switch {
		case !in(l.Run):
		case l.positive():
			bad[l.Run] = true
		case l.Kind == clean, l.Kind == "" && len(l.Steps) == 0:
			out[l.Run] = true
		}
	}
	for id, success := range d.Outcomes {
		if !success {
			bad[id] = true
		}
	}
	for id := range bad {
		delete(out, id)
	}
	return out
}

// cleanRates counts the clean runs with alerts, and tells of each alert.
func (d *Data) cleanRates(r *Report, in func(string) bool, cases func(Case)) {
	runs := d.cleanRuns(in)
	if len(runs) == 0 {
		return
	}
	highest := map[string]map[string]event.Severity{} // by class and run
	for i := range d.Findings {
		f := &d.Findings[i]
		if !runs[f.Run] {
			continue
		}
		if f.Severity >= r.From {
			cases(Case{Result: "clean", Class: f.Class, Run: f.Run, Steps: f.Steps, Rule: f.Rule, Severity: f.Severity.String(), Message: f.Message})
		}
		for _, class := range []string{"", f.Class} {
			if highest[class] == nil {
				highest[class] = map[string]event.Severity{}
			}
			highest[class][f.Run] = max(highest[class][f.Run], f.Severity)
		}
	}
	for _, class := range append([]string{""}, Classes()...) {
		for s := event.Critical; s >= event.Warning; s-- {
			n := 0
			for _, h := range highest[class] {
				if h >= s {
					n++
				}
			}
			r.Clean = append(r.Clean, CleanRate{class, s, s.String(), wilson(n, len(runs))})
		}
	}
}

// Lift compares how often a rule finds something that is not put right, at
// error or above, in runs that failed and in runs that passed.
type Lift struct {
	Class  string  `json:"class"`
	Rule   string  `json:"rule"` // empty: all rules
	Failed Ratio   `json:"failed"`
	Passed Ratio   `json:"passed"`
	Times  float64 `json:"times"` // -1: never in runs that passed
}

func (d *Data) lifts(r *Report, in func(string) bool) {
	passed := map[string]bool{}
	for id, run := range d.Runs {
		if !in(id) || d.planted[id] != nil {
			continue
		}
		if success, known := d.Outcomes[id]; known {
			passed[id] = success
		} else if run.Outcome != event.OutcomeUnknown {
			passed[id] = run.Outcome == event.OutcomeSuccess
		}
	}
	for _, ok := range passed {
		if ok {
			r.Passed++
		} else {
			r.Failed++
		}
	}
	if r.Passed == 0 || r.Failed == 0 {
		return
	}
	type rule struct{ class, rule string }
	hits := map[rule][2]map[string]bool{}
	for i := range d.Findings {
		f := &d.Findings[i]
		ok, known := passed[f.Run]
		if !known || f.Recovered || f.Severity < event.Error {
			continue
		}
		k := 0
		if ok {
			k = 1
		}
		for _, key := range []rule{{}, {f.Class, f.Rule}} {
			h := hits[key]
			if h[k] == nil {
				h[k] = map[string]bool{}
			}
			h[k][f.Run] = true
			hits[key] = h
		}
	}
	for key, h := range hits {
		l := Lift{Class: key.class, Rule: key.rule, Failed: wilson(len(h[0]), r.Failed), Passed: wilson(len(h[1]), r.Passed), Times: -1}
		if l.Passed.Hits > 0 {
			l.Times = l.Failed.P / l.Passed.P
		}
		r.Lifts = append(r.Lifts, l)
	}
	slices.SortFunc(r.Lifts, func(a, b Lift) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Rule, b.Rule)) })
}

// OperatorScore says of how many runs in which an operator planted something it
// was found, or for a look-alike, that it was taken for a failure.
type OperatorScore struct {
	Class    string `json:"class"`
	Kind     string `json:"kind"`
	Operator string `json:"operator"`
	Found    Ratio  `json:"found"`
	// Others are the runs with a finding of another class. A look-alike is
	// healthy, so there it is a false alarm too.
	Others int `json:"other_classes"`
}

func (d *Data) operators(r *Report, o *Options, in func(string) bool) {
	type key struct{ class, kind, operator string }
	count := map[key][3]int{}
	of := map[string][]*Finding{}
	for i := range d.Findings {
		of[d.Findings[i].Run] = append(of[d.Findings[i].Run], &d.Findings[i])
	}
	for i := range d.Labels.List {
		l := &d.Labels.List[i]
		if l.Operator == "" || !in(l.Run) || !d.shown(o, l) {
			continue
		}
		k := key{l.Class, l.Kind, l.Operator}
		n := count[k]
		n[1]++
		if slices.ContainsFunc(of[l.Run], func(f *Finding) bool {
			return f.Class == l.Class && f.Severity >= o.From && (l.Kind == lookAlike || fits(f, l, o.Tolerance))
		}) {
			n[0]++
		}
		if slices.ContainsFunc(of[l.Run], func(f *Finding) bool { return f.Class != l.Class && f.Severity >= o.From }) {
			n[2]++
		}
		count[k] = n
	}
	for k, n := range count {
		r.Operators = append(r.Operators, OperatorScore{k.class, k.kind, k.operator, wilson(n[0], n[1]), n[2]})
	}
	slices.SortFunc(r.Operators, func(a, b OperatorScore) int {
		return cmp.Or(slices.Index(Classes(), a.Class)-slices.Index(Classes(), b.Class), cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Operator, b.Operator))
	})
}

// Abstained is the share of the tasks that a detector could not judge all of.
type Abstained struct {
	Detector string `json:"detector"`
	Tasks    Ratio  `json:"tasks"`
}

func (d *Data) abstained(r *Report, in func(string) bool) {
	tasks := 0
	count := map[string]int{}
	for _, t := range d.Tasks {
		if !in(t.TrajectoryID) {
			continue
		}
		tasks++
		seen := map[string]bool{}
		for _, a := range t.Coverage {
			if !seen[a.Detector] {
				seen[a.Detector] = true
				count[a.Detector]++
			}
		}
	}
	for _, name := range sortedKeys(count) {
		r.Abstained = append(r.Abstained, Abstained{name, wilson(count[name], tasks)})
	}
}
