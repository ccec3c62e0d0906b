// Package quality measures what the detectors find against labels: precision,
// recall and F1 with intervals, delay, alerts on clean runs, and what one-line
// rules find on the same runs.
package quality

import (
	"bytes"
	"context"
	"strings"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
	"misstep/internal/replay"
)

// Run is what is kept of one trajectory.
type Run struct {
	ID      string
	Steps   []Step
	Outcome event.OutcomeStatus // of the last verdict of a check or a human, else unknown
	byID    map[string]int      // place of a step by its id
	bySeq   map[int64]int
	specs   *catalogue
}

// Step is what is kept of one step.
type Step struct {
	ID     string
	Kind   event.Kind
	Tool   string
	Call   uint64 // hash of tool and arguments, 0: no call
	Result uint64 // hash of the result, of the call and of its result; 0: none
	Failed bool   // a result that is an error or a timeout
	Bad    bool   // a call that breaks its schema
	Odd    bool   // a call of a name that is not in the catalogue
	Words  map[string]bool
}

// ReadRuns reads the runs of the inputs.
func ReadRuns(ctx context.Context, in *replay.Inputs) (map[string]*Run, *replay.Converted, error) {
	runs := map[string]*Run{}
	cache := schemas{}
	open := map[string]map[string]int{} // calls without a result, by run
	read, err := replay.Walk(ctx, in, nil, func(s *event.Step) error {
		id := string(s.TrajectoryID)
		r := runs[id]
		if r == nil {
			r = &Run{ID: id, byID: map[string]int{}, bySeq: map[int64]int{}, specs: &catalogue{cache: cache}}
			runs[id], open[id] = r, map[string]int{}
		}
		r.add(s, open[id])
		return nil
	})
	return runs, read, err
}

func (r *Run) add(s *event.Step, open map[string]int) {
	at := len(r.Steps)
	out := Step{ID: string(s.ID), Kind: s.Kind}
	switch s.Kind {
	case event.TaskStart:
		r.specs.add(s.Task.Tools)
	case event.ToolsChanged:
		r.specs.add(s.Change.Add)
	case event.ToolCall:
		out.Tool = string(s.Call.Tool)
		args := s.Call.Arguments
		if !args.Present() {
			args = s.Call.Raw
		}
		out.Call = xxhash.Sum64(event.AppendCanonical([]byte(out.Tool+"\x00"), args, nil)) | 1
		out.Odd, out.Bad = r.specs.judge(out.Tool, s.Call.Arguments, s.Call.Raw)
		open[callKey(s.Call.ID, s.Call.Tool)] = at
	case event.ToolResult:
		out.Tool = string(s.Result.Tool)
		out.Failed = s.Result.Status == event.StatusError || s.Result.Status == event.StatusTimeout
		key := callKey(s.Result.CallID, s.Result.Tool)
		if i, ok := open[key]; ok {
			delete(open, key)
			out.Call = r.Steps[i].Call
			out.Result = xxhash.Sum64(event.AppendCanonical(nil, s.Result.Content, nil)) | 1
			r.Steps[i].Result = out.Result
		}
	case event.UserMessage, event.AgentMessage:
		out.Words = contentWords(s.Text.AppendText(nil))
	case event.TaskEnd, event.OutcomeGiven:
		if s.Outcome.ScoredBy != event.ScoredByAgent && s.Outcome.Status != event.OutcomeUnknown {
			r.Outcome = s.Outcome.Status
		}
	}
	if out.ID != "" {
		r.byID[out.ID] = at
	}
	if s.Seq != event.None {
		r.bySeq[s.Seq] = at
	}
	r.Steps = append(r.Steps, out)
}

func callKey(id, tool []byte) string {
	if len(id) > 0 {
		return "i" + string(id)
	}
	return "t" + string(tool)
}

// place gives where the step of an evidence stands, -1 when it is not there.
func (r *Run) place(id string, seq int64) int {
	if i, ok := r.byID[id]; ok && id != "" {
		return i
	}
	if i, ok := r.bySeq[seq]; ok {
		return i
	}
	return -1
}

// spanSteps gives the steps that a span told of.
func (r *Run) spanSteps(span string) []int {
	var out []int
	prefix := r.ID + "/" + span
	for i := range r.Steps {
		if id := r.Steps[i].ID; id == prefix || strings.HasPrefix(id, prefix+"/") {
			out = append(out, i)
		}
	}
	return out
}

// stop are words that say nothing of what a text is about.
var stop = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("the a an and or but if of to in on at for with by from as is are was were be been it its this that these those i you he she we they my your our their me him her us them not no do does did can could will would should may might have has had so than then there here what which who how when while also very more most some any all each about into over out up down just only") {
		m[w] = true
	}
	return m
}()

// contentWords gives the words of a text that say what it is about.
func contentWords(text []byte) map[string]bool {
	m := map[string]bool{}
	for _, w := range bytes.FieldsFunc(bytes.ToLower(text), func(r rune) bool {
		return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80
	}) {
		if len(w) > 1 && !stop[string(w)] {
			m[string(w)] = true
		}
	}
	return m
}

// overlap is the share of the words of both that are in both, in per mille.
func overlap(a, b map[string]bool) int {
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	if all := len(a) + len(b) - both; all > 0 {
		return both * 1000 / all
	}
	return 1000
}

// TaskKey names the task of a run, so that trials and models of one task fall on
// the same side of a split. It knows how the public sources name their runs;
// any other run is a task of its own. What was planted belongs to its base.
func TaskKey(run string) string {
	run, _, _ = strings.Cut(run, "~")
	parts := strings.Split(run, "/")
	last := parts[len(parts)-1]
	switch parts[0] {
	case "tau-bench":
		return strings.Join(parts[:len(parts)-1], "/")
	case "reflexion-hotpotqa", "sycon-bench":
		return parts[0] + "/" + last
	case "intercode":
		env, _, _ := strings.Cut(parts[min(1, len(parts)-1)], "--")
		return parts[0] + "/" + env + "/" + last
	}
	return run
}

// The halves that runs are split into by a hash of their task.
const (
	Tune  = "tune"
	Check = "check"
)

// Half tells on which side of the split a run is.
func Half(run string) string {
	if xxhash.Sum64String("split\x00"+TaskKey(run))&1 == 0 {
		return Tune
	}
	return Check
}
