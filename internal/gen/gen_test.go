package gen_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/internal/gen"
)

// step is as much of a step event as these tests look at.
type step struct {
	V    int
	ID   string
	TID  string `json:"trajectory_id"`
	Seq  int
	Time time.Time
	Kind string
	Task struct {
		Tools []struct {
			Name       string
			Effect     string
			Parameters any
		}
	}
	Call struct {
		ID, Tool  string
		Arguments json.RawMessage
	}
	Result struct {
		CallID  string `json:"call_id"`
		Tool    string
		Status  string
		Content json.RawMessage
	}
	Workflow, Agent, Model string
}

func parse(t *testing.T, line []byte) *step {
	t.Helper()
	var s step
	if err := json.Unmarshal(line, &s); err != nil {
		t.Fatalf("line %s: %v", line, err)
	}
	return &s
}

func TestSameBytesEverywhere(t *testing.T) {
	h := xxhash.New()
	n, err := gen.New(gen.Options{Seed: 1, Steps: 10_000}).WriteTo(h)
	if err != nil {
		t.Fatal(err)
	}
	const want, wantLen = 0xbfb756d7c167f5dc, 9_219_715
	if h.Sum64() != want || n != wantLen {
		t.Errorf("the first 10,000 lines of seed 1 have %d bytes with hash %#x, want %d and %#x; "+
			"numbers measured on the old ones cannot be compared with those on the new", n, h.Sum64(), wantLen, uint64(want))
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := new(bytes.Buffer), new(bytes.Buffer)
	gen.New(gen.Options{Seed: 1, Steps: 10}).WriteTo(a)
	gen.New(gen.Options{Seed: 2, Steps: 10}).WriteTo(b)
	if bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("seeds 1 and 2 give the same lines")
	}
}

func TestWriteToEndsWithTheWriter(t *testing.T) {
	w := &full{room: 5}
	if n, err := gen.New(gen.Options{}).WriteTo(w); err != errFull || n <= 0 {
		t.Errorf("WriteTo = %d, %v, want what was written and %v", n, err, errFull)
	}
}

// TestStationary looks at the traffic after its beginning: sizes, kinds,
// lengths, and how many trajectories are live.
func TestStationary(t *testing.T) {
	g := gen.New(gen.Options{Seed: 7})
	for range g.Warm() {
		g.Next()
	}
	const lines = 750_000
	var size int
	began := map[string]int{} // trajectories that began here, and their steps
	live := map[string]bool{}
	var done []int
	kinds := map[string]int{}
	for i := range lines {
		line, _ := g.Next()
		size += len(line)
		id, kind := field(line, "trajectory_id"), field(line, "kind")
		kinds[kind]++
		if kind == "task_start" && i < lines/10 {
			began[id] = 0
		}
		if n, ok := began[id]; ok {
			if began[id]++; kind == "task_end" {
				done = append(done, n+1)
			}
		}
		if i >= lines-150_000 {
			live[id] = kind != "task_end"
		}
	}
	if avg := float64(size) / lines; avg < 526*.98 || avg > 526*1.02 {
		t.Errorf("a line has %.1f bytes on average, want 526", avg)
	}
	n := 0
	for _, l := range live {
		if l {
			n++
		}
	}
	// One that has just replaced another is not seen before its first step.
	if n < 9_500 || n > 10_000 {
		t.Errorf("%d trajectories are live, want 10,000 but for the few that have not begun", n)
	}
	slices.Sort(done)
	if p50, p95 := done[len(done)/2], done[len(done)*95/100]; p50 < 25 || p50 > 27 || p95 < 46 || p95 > 50 {
		t.Errorf("runs have %d steps at p50 and %d at p95, want 26 and 48", p50, p95)
	}
	if len(done) < len(began)*99/100 {
		t.Errorf("%d of %d trajectories ended", len(done), len(began))
	}
	for _, k := range []string{"user_message", "agent_message", "model_call", "tool_call", "tool_result"} {
		if kinds[k] < lines/10 {
			t.Errorf("%d of %d steps are %s, want a tenth at least", kinds[k], lines, k)
		}
	}
	for _, k := range []string{"task_start", "task_end", "context_added", "plan_update"} {
		if kinds[k] < lines/500 || kinds[k] > lines/20 {
			t.Errorf("%d of %d steps are %s, want a few", kinds[k], lines, k)
		}
	}
}

// field gives a string member of a line without parsing all of it.
func field(line []byte, name string) string {
	_, rest, _ := bytes.Cut(line, []byte(`"`+name+`":"`))
	v, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(v)
}

// TestWellFormed follows every trajectory through the rules of the format.
func TestWellFormed(t *testing.T) {
	type run struct {
		seq   int
		open  map[string]string
		ended bool
		tools map[string]*jsonschema.Schema
	}
	runs := map[string]*run{}
	compiled := map[string]*jsonschema.Schema{}
	catalogues := map[string][]int{}
	var last time.Time
	g := gen.New(gen.Options{Seed: 3, Trajectories: 50, Steps: 20_000})
	for line, ok := g.Next(); ok; line, ok = g.Next() {
		s := parse(t, line)
		r := runs[s.TID]
		if r == nil {
			r = &run{open: map[string]string{}, tools: map[string]*jsonschema.Schema{}}
			runs[s.TID] = r
			if s.Kind != "task_start" {
				t.Fatalf("%s begins with %s", s.TID, s.Kind)
			}
			with := 0
			for _, tool := range s.Task.Tools {
				if tool.Parameters != nil {
					with++
				}
				r.tools[tool.Name] = compile(t, compiled, s.Workflow+"/"+tool.Name, tool.Parameters)
			}
			catalogues[s.Workflow] = []int{len(s.Task.Tools), with}
		}
		if s.V != 1 || s.Seq != r.seq || s.ID != s.TID+"#"+itoa(r.seq) || s.Workflow == "" || s.Agent == "" || s.Model == "" || r.ended {
			t.Fatalf("line %s: want step %d with all labels and no step after the end", line, r.seq)
		}
		if s.Time.Before(last) || s.Time.After(last.Add(time.Second)) && !last.IsZero() {
			t.Fatalf("time %v after %v", s.Time, last)
		}
		last = s.Time
		r.seq++
		switch s.Kind {
		case "tool_call":
			schema, known := r.tools[s.Call.Tool]
			if !known || r.open[s.Call.ID] != "" {
				t.Fatalf("line %s: tool known: %v, call already open: %q", line, known, r.open[s.Call.ID])
			}
			r.open[s.Call.ID] = s.Call.Tool
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.Call.Arguments))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(v.(map[string]any)); n < 1 || n > 6 {
				t.Fatalf("line %s: %d arguments", line, n)
			}
			if schema != nil {
				if err := schema.Validate(v); err != nil {
					t.Fatalf("line %s: %v", line, err)
				}
			}
		case "tool_result":
			if r.open[s.Result.CallID] != s.Result.Tool {
				t.Fatalf("line %s answers no open call", line)
			}
			delete(r.open, s.Result.CallID)
		case "task_end":
			r.ended = true
			if len(r.open) > 0 {
				t.Fatalf("%s ends with open calls %v", s.TID, r.open)
			}
		}
	}
	if len(catalogues) != 8 {
		t.Errorf("%d catalogues, want 8", len(catalogues))
	}
	for w, c := range catalogues {
		if c[0] < 6 || c[0] > 14 || c[1]*2 != c[0] {
			t.Errorf("%s has %d tools, %d with a schema; want 6 to 14, half of them", w, c[0], c[1])
		}
	}
}

func compile(t *testing.T, cache map[string]*jsonschema.Schema, name string, parameters any) *jsonschema.Schema {
	t.Helper()
	if s, ok := cache[name]; ok || parameters == nil {
		return s
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, parameters); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	cache[name] = s
	return s
}

var digits = regexp.MustCompile(`\d+`)

// TestTruth finds the loops in the traffic by brute force and compares.
func TestTruth(t *testing.T) {
	type run struct {
		calls          map[string]string // open: id to tool and arguments
		same, err, two map[string]int
		last           string
	}
	runs := map[string]*run{}
	var found []gen.Truth
	seen := map[string]bool{}
	g := gen.New(gen.Options{Seed: 5, Trajectories: 200, Steps: 150_000})
	for line, ok := g.Next(); ok; line, ok = g.Next() {
		s := parse(t, line)
		r := runs[s.TID]
		if r == nil {
			r = &run{map[string]string{}, map[string]int{}, map[string]int{}, map[string]int{}, ""}
			runs[s.TID] = r
		}
		truth := gen.Truth{Trajectory: s.TID, Class: "retry_loop", Tool: s.Result.Tool, Seq: s.Seq}
		switch s.Kind {
		case "tool_call":
			r.calls[s.Call.ID] = s.Call.Tool + string(s.Call.Arguments)
		case "tool_result":
			call := r.calls[s.Result.CallID]
			delete(r.calls, s.Result.CallID)
			pair := r.last + "|" + call
			r.last = call
			r.same[call]++
			r.two[pair]++
			text := s.Result.Tool + digits.ReplaceAllString(string(s.Result.Content), "#")
			if s.Result.Status != "ok" {
				r.err[text]++
			}
			switch {
			case seen[s.TID]:
				continue
			case s.Result.Status == "ok" && r.two[pair] == 3:
				truth.Rule = "R4"
				truth.Tool = regexp.MustCompile(`^\w+`).FindString(pair)
			case s.Result.Status != "ok" && r.same[call] == 3:
				truth.Rule = "R1"
			case s.Result.Status != "ok" && r.err[text] == 3:
				truth.Rule = "R2"
			default:
				continue
			}
			seen[s.TID] = true
			found = append(found, truth)
		case "task_end":
			if !seen[s.TID] {
				for what, n := range r.same {
					if n > 1 {
						t.Errorf("%s has no planted loop, but the call %s %d times", s.TID, what, n)
					}
				}
				for what, n := range r.err {
					if n > 1 {
						t.Errorf("%s has no planted loop, but the error %s %d times", s.TID, what, n)
					}
				}
			}
		}
	}
	if truth := g.Truth(); !reflect.DeepEqual(found, truth) {
		t.Errorf("%d planted loops, %d found:\n%v\n%v", len(truth), len(found), truth, found)
	}
	rules := map[string]int{}
	for _, f := range found {
		rules[f.Rule]++
	}
	if share := len(found) * 1000 / len(runs); share < 15 || share > 25 {
		t.Errorf("%d in 1000 trajectories have a planted loop, want 20", share)
	}
	for _, r := range []string{"R1", "R2", "R4"} {
		if rules[r] < len(found)/5 {
			t.Errorf("%d of %d planted loops are %s, want a third", rules[r], len(found), r)
		}
	}
}

func TestLoopShare(t *testing.T) {
	for _, c := range []struct{ perMille, lo, hi int }{{-1, 0, 0}, {1000, 1000, 1000}} {
		g := gen.New(gen.Options{Seed: 9, Trajectories: 1, Steps: 20_000, LoopPerMille: c.perMille})
		ends := 0
		for line, ok := g.Next(); ok; line, ok = g.Next() {
			if field(line, "kind") == "task_end" {
				ends++
			}
		}
		if n := len(g.Truth()) * 1000 / ends; n < c.lo || n > c.hi+2 {
			t.Errorf("LoopPerMille %d: %d loops in %d trajectories", c.perMille, len(g.Truth()), ends)
		}
	}
}
