package quality

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"misstep/event"
)

// Classes are the six classes, in the order in which they are reported.
func Classes() []string {
	var out []string
	for c := event.ToolMisuse; c <= event.PlanCorruption; c++ {
		out = append(out, c.String())
	}
	return out
}

// Label says what is known of one run, or of steps of it.
type Label struct {
	Run      string
	Class    string // one of the six, "none" or "other:..."
	Broad    string // the class that an "other:..." comes nearest to, empty for none
	Kind     string // positive, lookalike or clean where it was planted, else empty
	Steps    []int  // places in the run; nil: of the whole run
	At       int    // where the evidence is complete
	Operator string
	Family   string
	HeldOut  bool
	Note     string
}

// positive reports whether something is wrong, in one of the six ways or in
// another.
func (l *Label) positive() bool { return l.Class != "none" && l.Kind != lookAlike }

const (
	positive  = "positive"
	lookAlike = "lookalike"
	clean     = "clean"
)

// labelLine is a label as it stands in a file. seq or seqs, step or steps, or
// trace_id with span_id say where; none of them: the whole run.
type labelLine struct {
	TrajectoryID string   `json:"trajectory_id"`
	TraceID      string   `json:"trace_id"`
	SpanID       string   `json:"span_id"`
	Class        string   `json:"class"`
	Kind         string   `json:"kind"`
	Seq          *int64   `json:"seq"`
	Seqs         []int64  `json:"seqs"`
	Step         string   `json:"step"`
	Steps        []string `json:"steps"`
	Operator     string   `json:"operator"`
	Family       string   `json:"family"`
	HeldOut      bool     `json:"held_out"`
	Note         string   `json:"note"`
}

// Labels are what was read of files of labels.
type Labels struct {
	List     []Label
	Planted  bool // by the injector: each run is labelled for one class
	NoRun    int  // labels of runs that the inputs do not hold
	NoStep   int  // labels of steps that their run does not hold
	labelled map[string]bool
}

// readLines calls do with each line of a file, plain or gzip, that is not empty.
func readLines(name string, do func(n int, line []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	var r io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 16<<20)
	for n := 1; s.Scan(); n++ {
		if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
			if err := do(n, line); err != nil {
				return fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ReadLabels reads files of labels and finds their steps in the runs.
func ReadLabels(files []string, runs map[string]*Run) (*Labels, error) {
	out := &Labels{labelled: map[string]bool{}}
	for _, name := range files {
		err := readLines(name, func(_ int, line []byte) error {
			var l labelLine
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("%w; a label is one JSON object a line", err)
			}
			return out.add(&l, runs)
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o *Labels) add(l *labelLine, runs map[string]*Run) error {
	id := l.TrajectoryID
	if id == "" {
		id = l.TraceID
	}
	switch {
	case id == "":
		return errors.New("neither trajectory_id nor trace_id; a label names its run")
	case l.Class != "none" && !strings.HasPrefix(l.Class, "other:") && !slices.Contains(Classes(), l.Class):
		return fmt.Errorf("class %q is not known; there are %s, none, and what begins with \"other:\"", l.Class, strings.Join(Classes(), ", "))
	case l.Kind != "" && l.Kind != positive && l.Kind != lookAlike && l.Kind != clean:
		return fmt.Errorf("kind %q is not known; there are positive, lookalike and clean", l.Kind)
	}
	o.Planted = o.Planted || l.Kind != ""
	r := runs[id]
	if r == nil {
		o.NoRun++
		return nil
	}
	o.labelled[id] = true
	out := Label{
		Run: id, Class: l.Class, Kind: l.Kind, Operator: l.Operator, Family: l.Family, HeldOut: l.HeldOut, Note: l.Note,
		Broad: broad[strings.TrimPrefix(l.Class, "other:")],
	}
	ok := true
	out.Steps, out.At, ok = l.places(r)
	if !ok {
		o.NoStep++
		return nil
	}
	o.List = append(o.List, out)
	return nil
}

// places finds the steps of a label; ok is false when one is not there.
func (l *labelLine) places(r *Run) (steps []int, at int, ok bool) {
	if l.SpanID != "" {
		steps = r.spanSteps(l.SpanID)
		if len(steps) == 0 {
			return nil, 0, false
		}
		return steps, steps[0], true
	}
	add := func(id string, seq int64) bool {
		i := r.place(id, seq)
		if i >= 0 {
			steps = append(steps, i)
		}
		return i >= 0
	}
	for _, id := range l.Steps {
		if !add(id, event.None) {
			return nil, 0, false
		}
	}
	for _, n := range l.Seqs {
		if len(l.Steps) == 0 && !add("", n) {
			return nil, 0, false
		}
	}
	if l.Step == "" && l.Seq == nil {
		return steps, 0, true
	}
	seq := int64(event.None)
	if l.Seq != nil {
		seq = *l.Seq
	}
	if at = r.place(l.Step, seq); at < 0 {
		return nil, 0, false
	}
	if len(steps) == 0 {
		steps = []int{at}
	}
	return steps, at, true
}

// broad says which class the categories of two public taxonomies come nearest
// to, where people labelled a failure that is not one of the six as such. It is
// reported apart.
var broad = map[string]string{
	// TRAIL
	"Goal Deviation": "plan_corruption", "Task Orchestration": "plan_corruption",
	"Context Handling Failures": "context_loss", "Incorrect Memory Usage": "context_loss",
	"Resource Abuse": "retry_loop", "Tool-related": "hallucinated_tool",
	"Tool Selection Errors": "tool_misuse", "Tool Definition Issues": "tool_misuse",
	// AgentRx
	"Intent Plan Misalignment": "plan_corruption", "Instruction Adherence Failure": "plan_corruption",
	"Invention of New Information": "hallucinated_tool", "Invalid Invocation": "tool_misuse",
}

// ReadOutcomes reads files that say which runs succeeded, as objects with
// trajectory_id and success (true, false or null), one a line.
func ReadOutcomes(files []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, name := range files {
		err := readLines(name, func(_ int, line []byte) error {
			var l struct {
				TrajectoryID string `json:"trajectory_id"`
				Success      *bool  `json:"success"`
			}
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("%w; want objects with trajectory_id and success", err)
			}
			if l.Success != nil {
				out[l.TrajectoryID] = *l.Success
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
