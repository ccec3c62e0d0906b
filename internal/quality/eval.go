package quality

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/replay"
)

// Options say what is measured.
type Options struct {
	Inputs    *replay.Inputs
	Rules     *detectors.Ruleset
	Shards    int
	Labels    []string // files, see ReadLabels
	Outcomes  []string // files, see ReadOutcomes
	Tolerance int      // steps between a finding and a label that still fit
	From      event.Severity
	Split     string // Tune or Check: that half of the tasks; empty: all
	// Note chooses labels by their note: only those that it fits are positives.
	Note *regexp.Regexp
	// Family takes the planted runs of one family only, and the clean ones. The
	// family that is held out is else counted in sums alone, never one by one.
	Family string
	Cases  func(Case) // is told of every label and every false finding; nil for none
}

// Data are the runs of the inputs, what is known of them, and what was found.
type Data struct {
	Runs     map[string]*Run
	Labels   *Labels
	Outcomes map[string]bool
	Findings []Finding
	Tasks    []*event.TaskRecord
	planted  map[string]*Label
	free     map[string][]Finding // by baseline
}

func (d *Data) plantedIn(run string) *Label { return d.planted[run] }

// baseline gives what a rule of one line finds in all runs.
func (d *Data) baseline(b *Baseline) []Finding {
	if f, ok := d.free[b.Name]; ok {
		return f
	}
	var out []Finding
	for _, id := range sortedKeys(d.Runs) {
		for _, at := range b.find(d.Runs[id]) {
			out = append(out, Finding{Run: id, At: at, Steps: []int{at}})
		}
	}
	d.free[b.Name] = out
	return out
}

// Load reads runs and labels, and takes the runs through the detectors.
func Load(ctx context.Context, o *Options) (*Data, error) {
	d := &Data{planted: map[string]*Label{}, free: map[string][]Finding{}}
	var err error
	if d.Runs, _, err = ReadRuns(ctx, o.Inputs); err != nil {
		return nil, err
	}
	if d.Labels, err = ReadLabels(o.Labels, d.Runs); err != nil {
		return nil, err
	}
	if d.Outcomes, err = ReadOutcomes(o.Outcomes); err != nil {
		return nil, err
	}
	for i := range d.Labels.List {
		if l := &d.Labels.List[i]; l.Kind != "" {
			d.planted[l.Run] = l
		}
	}
	at := map[string]int{}
	_, err = replay.Run(ctx, replay.Options{
		Inputs: o.Inputs, Rules: o.Rules, Shards: o.Shards,
		OnFailure: func(f *event.Failure) { d.take(at, f) },
		OnTask: func(t *event.TaskRecord) {
			if t.Rev == 0 {
				d.Tasks = append(d.Tasks, t)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(d.Findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.At, b.At)) })
	return d, nil
}

// take folds one transition into its finding. at tells where each stands.
func (d *Data) take(at map[string]int, f *event.Failure) {
	key := f.Tenant + "/" + f.TrajectoryID + "/" + f.ID
	i, ok := at[key]
	if !ok || f.Rev == 0 {
		i = len(d.Findings)
		at[key] = i
		d.Findings = append(d.Findings, Finding{
			ID: f.ID, Run: f.TrajectoryID, Class: f.Class.String(), Rule: f.Rule, Subject: f.Subject, At: -1,
		})
	}
	n := &d.Findings[i]
	n.Severity, n.Confidence, n.Recovered = max(n.Severity, f.Severity), f.Confidence, n.Recovered || f.Recovered
	n.Rules = append(f.Rules[:len(f.Rules):len(f.Rules)], f.Rule)
	if f.State != event.StateResolved {
		n.Message = f.Message
	}
	r := d.Runs[f.TrajectoryID]
	if r == nil {
		return
	}
	for _, e := range f.Evidence {
		p := r.place(e.ID, e.Seq)
		if p < 0 {
			continue
		}
		if f.Rev == 0 {
			n.At = max(n.At, p)
		}
		if !slices.Contains(n.Steps, p) {
			n.Steps = append(n.Steps, p)
		}
	}
}

// Report is what was measured.
type Report struct {
	Runs, Steps    int
	Labelled       int // runs with a label
	NoRun, NoStep  int // labels whose run, or step, is not there
	Split          string
	From           event.Severity
	Tolerance      int
	Planted        bool
	Scores         []Score
	Clean          []CleanRate
	Lifts          []Lift
	Operators      []OperatorScore
	Abstained      []Abstained
	Failed, Passed int
}

// Evaluate measures findings against labels.
func Evaluate(ctx context.Context, o *Options) (*Report, error) {
	d, err := Load(ctx, o)
	if err != nil {
		return nil, err
	}
	return d.Report(o)
}

// Report measures what Load gave.
func (d *Data) Report(o *Options) (*Report, error) {
	if o.Split != "" && o.Split != Tune && o.Split != Check {
		return nil, fmt.Errorf("there are the halves %s and %s, found %q", Tune, Check, o.Split)
	}
	in := func(run string) bool {
		if l := d.planted[run]; l != nil && o.Family != "" && l.Kind != clean && l.Family != o.Family {
			return false
		}
		return o.Split == "" || Half(run) == o.Split
	}
	r := &Report{Split: o.Split, From: o.From, Tolerance: o.Tolerance, Planted: d.Labels.Planted, NoRun: d.Labels.NoRun, NoStep: d.Labels.NoStep}
	for id, run := range d.Runs {
		if in(id) {
			r.Runs++
			r.Steps += len(run.Steps)
			if d.Labels.labelled[id] {
				r.Labelled++
			}
		}
	}
	cases := o.Cases
	if cases == nil {
		cases = func(Case) {}
	}
	for _, q := range d.questions(o, in) {
		told := cases
		if q.group != "" {
			told = func(Case) {}
		}
		s := q.steps(d, d.Findings, told)
		s.Free = q.free(d, "step")
		r.Scores = append(r.Scores, s)
		if q.group == "" {
			run := q.runs(d, d.Findings)
			run.Free = q.free(d, "run")
			r.Scores = append(r.Scores, run)
		}
	}
	d.cleanRates(r, in, cases)
	d.lifts(r, in)
	d.operators(r, o, in)
	d.abstained(r, in)
	return r, nil
}

// View scores findings of a class, chosen by their rules, against labels of any
// kind: by step and by run. A label for which judged is true has its run judged; one for which is is
// true as well is a positive.
func (d *Data) View(o *Options, class string, rules Rules, judged, is func(l *Label) bool) []Score {
	q := &question{class: class, rules: rules, scope: map[string]bool{}, tolerance: o.Tolerance, from: o.From}
	q.is = func(l *Label) bool { return judged(l) && is(l) && l.Kind != lookAlike }
	for i := range d.Labels.List {
		l := &d.Labels.List[i]
		if (o.Split == "" || Half(l.Run) == o.Split) && judged(l) {
			q.scope[l.Run] = true
		}
	}
	s, r := q.steps(d, d.Findings, func(Case) {}), q.runs(d, d.Findings)
	s.Free, r.Free = q.free(d, "step"), q.free(d, "run")
	return []Score{s, r}
}

// questions are what there is to score, by class: all labels of it; what people
// called otherwise, but comes near; of what was planted each family, and the one
// that is held out.
func (d *Data) questions(o *Options, in func(string) bool) []*question {
	var out []*question
	for _, class := range Classes() {
		ask := func(group string, is func(l *Label) bool, judged func(l *Label) bool) {
			q := &question{class: class, group: group, scope: map[string]bool{}, tolerance: o.Tolerance, from: o.From}
			q.is = func(l *Label) bool {
				return is(l) && l.Kind != lookAlike && (o.Note == nil || o.Note.MatchString(l.Note))
			}
			some := false
			for i := range d.Labels.List {
				l := &d.Labels.List[i]
				if in(l.Run) && judged(l) {
					q.scope[l.Run] = true
					some = some || q.is(l)
				}
			}
			if some {
				out = append(out, q)
			}
		}
		is := func(l *Label) bool { return l.Class == class }
		if !d.Labels.Planted {
			all := func(*Label) bool { return true }
			ask("", is, all)
			if slices.ContainsFunc(d.Labels.List, func(l Label) bool { return l.Class != class && l.Broad == class }) {
				ask("and what comes near", func(l *Label) bool { return l.Class == class || l.Broad == class }, all)
			}
			continue
		}
		// What is held out counts apart, and only there.
		ask("", is, func(l *Label) bool { return l.Class == class && d.shown(o, l) || l.Kind == clean })
		for _, f := range d.families() {
			name := "family " + f.name
			if f.heldOut {
				name = HeldOut
			}
			if o.Family == f.name {
				continue // all of it is of that family
			}
			ask(name, is, func(l *Label) bool { return l.Class == class && l.Family == f.name || l.Kind == clean })
		}
	}
	return out
}

// HeldOut is the group of the family that nothing is tuned on.
const HeldOut = "family held out"

// shown reports whether what was planted may be looked at one by one: the family
// that is held out only when it is asked for by name.
func (d *Data) shown(o *Options, l *Label) bool { return !l.HeldOut || o.Family == l.Family }

type familyName struct {
	name    string
	heldOut bool
}

func (d *Data) families() []familyName {
	var out []familyName
	for i := range d.Labels.List {
		f := familyName{d.Labels.List[i].Family, d.Labels.List[i].HeldOut}
		if f.name != "" && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b familyName) int { return cmp.Compare(a.name, b.name) })
	return out
}
