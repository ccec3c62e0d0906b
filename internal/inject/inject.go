// Package inject plants failures of the six classes, and healthy behaviour that
// looks like them, in clean runs of agents, and says where. What it plants is a
// function of the runs and the seed. It knows nothing of the detectors, so that
// they can be measured on it.
package inject

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// Classes are what can be planted, in the order in which it is.
var classes = []string{"tool_misuse", "hallucinated_tool", "retry_loop", "context_loss", "pressure_drift", "plan_corruption"}

// Classes gives the names of the classes that can be planted.
func Classes() []string { return slices.Clone(classes) }

// Options say what is planted.
type Options struct {
	Seed    uint64
	Classes []string // nil: all; an empty list: none, so that only clean runs come out
	// Operators are what is planted of the classes, by name; nil: all.
	Operators []string
	Per       int // runs for each operator and family, 0: DefaultPer
}

// DefaultPer is how many runs each operator of each family gets.
const DefaultPer = 3

// MaxRuns is how many clean runs are held; further ones are left out.
const MaxRuns = 5000

// Label is one line of the labels: what was planted in one run, and where.
type Label struct {
	TrajectoryID string `json:"trajectory_id"`
	Class        string `json:"class"` // "none" for a clean run
	Kind         string `json:"kind"`  // positive, lookalike or clean
	// Seq and Step name the step that completes the evidence; Seqs and Steps all
	// that are part of the failure, in order. Of a look-alike they are the steps
	// that may look wrong. Absent for a clean run.
	Seq      *int     `json:"seq,omitempty"`
	Step     string   `json:"step,omitempty"`
	Seqs     []int    `json:"seqs,omitempty"`
	Steps    []string `json:"steps,omitempty"`
	Operator string   `json:"operator,omitempty"`
	Family   string   `json:"family,omitempty"`
	HeldOut  bool     `json:"held_out,omitempty"` // of the family that nothing is tuned on
	Base     string   `json:"base"`               // the clean run that it stands in
}

// The kinds of a label.
const (
	Positive  = "positive"
	LookAlike = "lookalike"
	Clean     = "clean"
)

// Injector collects runs and plants in those that are clean.
type Injector struct {
	opts  Options
	runs  map[string]*run
	order []*run
	more  int
}

// Summary counts what came out.
type Summary struct {
	Runs, Clean                    int // read, and of those clean
	More                           int // clean runs beyond MaxRuns
	Positives, LookAlikes, Planted int // labels, and runs they stand in
	NoPlace                        int // times an operator found no run that it fits
	Steps                          int
	ByClass                        map[string][2]int // positives and look-alikes
}

// New makes an injector. It gives an error for a class that there is not.
func New(o Options) (*Injector, error) {
	if o.Per == 0 {
		o.Per = DefaultPer
	}
	if o.Per < 0 {
		return nil, fmt.Errorf("want 1 run or more for each operator, found %d", o.Per)
	}
	if o.Classes == nil {
		o.Classes = classes
	}
	for _, c := range o.Classes {
		if !slices.Contains(classes, c) {
			return nil, fmt.Errorf("class %q is not known; there are %s", c, strings.Join(classes, ", "))
		}
	}
	for _, name := range o.Operators {
		if !slices.ContainsFunc(operators(), func(op operator) bool { return op.name == name }) {
			return nil, fmt.Errorf("operator %q is not known; there are %s", name, strings.Join(operatorNames(), ", "))
		}
	}
	return &Injector{opts: o, runs: map[string]*run{}}, nil
}

func operatorNames() []string {
	var out []string
	for _, o := range operators() {
		out = append(out, o.name)
	}
	return out
}

// Add takes one step event as JSON, in the order of its trajectory.
func (in *Injector) Add(line []byte) error {
	s, id, err := parseStep(line)
	if err != nil {
		return err
	}
	r := in.runs[id]
	if r == nil {
		if len(in.order) == MaxRuns {
			in.more++
			in.runs[id] = &run{dropped: true}
			return nil
		}
		r = &run{id: id}
		in.runs[id] = r
		in.order = append(in.order, r)
	}
	if !r.dropped {
		r.steps = append(r.steps, s)
	}
	return nil
}

// ErrNoCleanRun says that there is nothing to plant in.
var ErrNoCleanRun = errors.New("no clean run: want runs that ended in success, without a failed call or the same call twice")

// Write plants, and writes the steps of all runs, one after the other, and
// their labels, each as one JSON object a line. The clean runs come first.
func (in *Injector) Write(steps, labels io.Writer) (*Summary, error) {
	sum := &Summary{Runs: len(in.order), More: in.more, ByClass: map[string][2]int{}}
	bases := slices.DeleteFunc(slices.Clone(in.order), func(r *run) bool { return !r.clean() })
	if len(bases) == 0 {
		return nil, ErrNoCleanRun
	}
	slices.SortFunc(bases, func(a, b *run) int { return cmp.Compare(a.id, b.id) })
	sum.Clean = len(bases)
	w := &writer{steps: steps, labels: labels, sum: sum}
	for _, b := range bases {
		b = b.clone()
		b.number()
		if err := w.run(b, []Label{{TrajectoryID: b.id, Class: "none", Kind: Clean, Base: b.id}}); err != nil {
			return nil, err
		}
	}
	groups := byWorkflow(bases)
	for _, o := range operators() {
		if !slices.Contains(in.opts.Classes, o.class) || in.opts.Operators != nil && !slices.Contains(in.opts.Operators, o.name) {
			continue
		}
		for family := range families {
			for n := range in.opts.Per {
				if err := in.plant(w, &o, family, n, groups); err != nil {
					return nil, err
				}
			}
		}
	}
	return sum, nil
}

// byWorkflow groups runs by their workflow, in the order of their ids.
func byWorkflow(runs []*run) [][]*run {
	var out [][]*run
	at := map[string]int{}
	for _, r := range runs {
		name := string(r.steps[0].rest["workflow"])
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	return out
}

// tries is how many runs an operator that fits none is offered.
const tries = 60

// plant writes one run with what an operator planted.
func (in *Injector) plant(w *writer, o *operator, family, n int, bases [][]*run) error {
	r := rand.New(rand.NewPCG(in.opts.Seed, hash(o.class, o.name, family, n)))
	for k := range tries {
		of := bases[r.IntN(len(bases))] // each kind of agent alike, however many runs it has
		p := newPlant(of[r.IntN(len(of))], r, family)
		p.strict = k < tries/2
		base := p.base
		if !o.plant(p) || len(p.marked) == 0 {
			continue
		}
		id := fmt.Sprintf("%s~%s.%s.%d", base.id, o.name, families[family].name, n)
		p.run.id = id
		done := p.done
		if done == nil {
			done = p.marked[len(p.marked)-1]
		}
		p.run.number()
		l := Label{
			TrajectoryID: id, Class: o.class, Kind: o.kind, Operator: o.name, Base: base.id,
			Family: families[family].name, HeldOut: family == heldOut,
			Seq: &done.seq, Step: done.id,
		}
		slices.SortFunc(p.marked, func(a, b *step) int { return cmp.Compare(a.seq, b.seq) })
		for _, s := range slices.Compact(p.marked) {
			l.Seqs = append(l.Seqs, s.seq)
			if s.id != "" {
				l.Steps = append(l.Steps, s.id)
			}
		}
		return w.run(p.run, []Label{l})
	}
	w.sum.NoPlace++
	return nil
}

func hash(class, name string, family, n int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s/%d/%d", class, name, family, n)
	return h.Sum64()
}

type writer struct {
	steps, labels io.Writer
	sum           *Summary
	buf           bytes.Buffer
}

func (w *writer) run(r *run, labels []Label) error {
	w.buf.Reset()
	for _, s := range r.steps {
		if err := s.encode(&w.buf, r.id); err != nil {
			return err
		}
	}
	if _, err := w.steps.Write(w.buf.Bytes()); err != nil {
		return err
	}
	w.sum.Steps += len(r.steps)
	w.buf.Reset()
	e := json.NewEncoder(&w.buf)
	e.SetEscapeHTML(false)
	for i := range labels {
		if err := e.Encode(&labels[i]); err != nil {
			return err
		}
		n := w.sum.ByClass[labels[i].Class]
		switch labels[i].Kind {
		case Positive:
			w.sum.Positives++
			n[0]++
		case LookAlike:
			w.sum.LookAlikes++
			n[1]++
		}
		if labels[i].Kind != Clean {
			w.sum.ByClass[labels[i].Class] = n
			w.sum.Planted++
		}
	}
	_, err := w.labels.Write(w.buf.Bytes())
	return err
}
