package quality

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"misstep/event"
	"misstep/internal/config"
	"misstep/internal/replay"
)

// hand is an evaluation that was reckoned by hand.
//
// Four findings of retry_loop are there to count: in a, steps 2 and 9; in b,
// step 8; in c, which has no label, step 1; one more in b is of a severity below.
// The labels: in a, steps 3 and 20; in b, steps 5 and 6, both of one finding; d
// has one that nothing finds.
func hand() (*Data, *Options) {
	d := &Data{Runs: map[string]*Run{}, Labels: &Labels{labelled: map[string]bool{}}, planted: map[string]*Label{}, free: map[string][]Finding{}, Outcomes: map[string]bool{}}
	for _, id := range []string{"a", "b", "c", "d"} {
		d.Runs[id] = &Run{ID: id, Steps: make([]Step, 30)}
		d.Labels.labelled[id] = true
	}
	label := func(run string, at int) {
		d.Labels.List = append(d.Labels.List, Label{Run: run, Class: "retry_loop", Steps: []int{at}, At: at})
	}
	label("a", 3)
	label("a", 20)
	label("b", 5)
	label("b", 6)
	d.Labels.List = append(d.Labels.List, Label{Run: "c", Class: "none"})
	label("d", 0)
	find := func(run string, at int, s event.Severity) {
		d.Findings = append(d.Findings, Finding{Run: run, Class: "retry_loop", Rule: "r", Severity: s, At: at, Steps: []int{at}})
	}
	find("a", 2, event.Warning)
	find("a", 9, event.Error)
	find("b", 8, event.Critical)
	find("b", 20, event.Info)
	find("c", 1, event.Warning)
	d.Findings = append(d.Findings, Finding{Run: "d", Class: "tool_misuse", Severity: event.Critical, Steps: []int{0}})
	return d, &Options{Tolerance: 2, From: event.Warning}
}

func TestByHand(t *testing.T) {
	d, o := hand()
	r, err := d.Report(o)
	if err != nil {
		t.Fatal(err)
	}
	// By step with a tolerance of 2: of the findings a2 and b8 are right (b8 is
	// 2 from b6), a9 and c1 are wrong; of the labels a3 and b6 are found, a20,
	// b5 and d0 are not.
	s := r.Scores[0]
	if s.Class != "retry_loop" || s.Level != "step" || s.Precision.Hits != 2 || s.Precision.Of != 4 || s.Recall.Hits != 2 || s.Recall.Of != 5 {
		t.Errorf("by step: %+v", s)
	}
	if want := 2 * .5 * .4 / .9; math.Abs(s.F1-want) > 1e-9 {
		t.Errorf("F1 %v, want %v", s.F1, want)
	}
	// a2 is one step early for a3, b8 two late for b6.
	if *s.Delay != (Delay{N: 2, Median: 2, P95: 2}) {
		t.Errorf("delay %+v", s.Delay)
	}
	if s.Low > s.F1 || s.High < s.F1 || s.Low == s.High {
		t.Errorf("F1 %v in [%v, %v]", s.F1, s.Low, s.High)
	}
	// By run a and b are right, c is wrong, d is missed.
	s = r.Scores[1]
	if s.Level != "run" || s.Precision.Hits != 2 || s.Precision.Of != 3 || s.Recall.Hits != 2 || s.Recall.Of != 3 {
		t.Errorf("by run: %+v", s)
	}
	// c alone is clean, and alerted at warning.
	for _, c := range r.Clean {
		want := 0
		if c.Severity == event.Warning && (c.Class == "" || c.Class == "retry_loop") {
			want = 1
		}
		if c.Alerted.Of != 1 || c.Alerted.Hits != want {
			t.Errorf("clean %q at %s: %+v", c.Class, c.From, c.Alerted)
		}
	}
	if len(r.Scores) != 2 {
		t.Errorf("%d scores", len(r.Scores))
	}
}

// TestPlanted counts what was planted: the family that is held out in its own
// row alone, and one by one only when it is asked for.
func TestPlanted(t *testing.T) {
	d := &Data{Runs: map[string]*Run{}, Labels: &Labels{labelled: map[string]bool{}, Planted: true}, planted: map[string]*Label{}, free: map[string][]Finding{}}
	d.Labels.List = []Label{
		{Run: "p", Kind: positive, Operator: "o", Family: "f", Steps: []int{3}, At: 3, Class: "context_loss"},
		{Run: "q", Kind: lookAlike, Operator: "l", Family: "f", Steps: []int{3}, At: 3, Class: "context_loss"},
		{Run: "r", Kind: positive, Operator: "o", Family: "g", HeldOut: true, Steps: []int{3}, At: 3, Class: "context_loss"},
		{Run: "c", Kind: clean, Class: "none"},
		{Run: "x", Kind: positive, Operator: "y", Family: "f", Steps: []int{3}, At: 3, Class: "retry_loop"},
	}
	for i := range d.Labels.List {
		l := &d.Labels.List[i]
		d.Runs[l.Run], d.planted[l.Run], d.Labels.labelled[l.Run] = &Run{ID: l.Run, Steps: make([]Step, 9)}, l, true
	}
	for _, run := range []string{"p", "q", "r", "c", "x"} {
		d.Findings = append(d.Findings, Finding{Run: run, Class: "context_loss", Severity: event.Warning, At: 4, Steps: []int{4}})
	}
	r, err := d.Report(&Options{Tolerance: 2, From: event.Warning})
	if err != nil {
		t.Fatal(err)
	}
	// Judged are p and q of the class and the family, and c; x is of another
	// class, and r is held out.
	s := r.Scores[slices.IndexFunc(r.Scores, func(s Score) bool { return s.Class == "context_loss" && s.Group == "" })]
	if s.Class != "context_loss" || s.Level != "step" || s.Runs != 3 || s.Precision.Hits != 1 || s.Precision.Of != 3 || s.Recall.Hits != 1 || s.Recall.Of != 1 {
		t.Errorf("%+v", s)
	}
	groups := map[string]int{}
	for _, s := range r.Scores {
		if s.Class == "context_loss" && s.Level == "step" {
			groups[s.Group] = s.Runs
		}
	}
	if len(groups) != 3 || groups["family f"] != 3 || groups[HeldOut] != 2 {
		t.Errorf("groups %v", groups)
	}
	want := []OperatorScore{
		{"retry_loop", positive, "y", wilson(0, 1), 1}, {"context_loss", positive, "o", wilson(1, 1), 0}, {"context_loss", lookAlike, "l", wilson(1, 1), 0},
	}
	if !slices.Equal(r.Operators, want) {
		t.Errorf("one by one %+v, want %+v", r.Operators, want)
	}
	if r, err = d.Report(&Options{Tolerance: 2, From: event.Warning, Family: "g"}); err != nil || len(r.Operators) != 1 || r.Runs != 2 {
		t.Errorf("of the family g: %+v, %v", r, err)
	}
}

func TestTolerance(t *testing.T) {
	for tolerance, want := range map[int][2]int{0: {0, 0}, 1: {1, 1}, 2: {2, 2}, 3: {2, 3}, 100: {3, 4}} {
		d, o := hand()
		o.Tolerance = tolerance
		r, err := d.Report(o)
		if err != nil {
			t.Fatal(err)
		}
		s := r.Scores[0]
		if s.Precision.Hits != want[0] || s.Recall.Hits != want[1] {
			t.Errorf("tolerance %d: %d findings and %d labels fit, want %v", tolerance, s.Precision.Hits, s.Recall.Hits, want)
		}
	}
}

func TestCases(t *testing.T) {
	d, o := hand()
	var got []string
	o.Cases = func(c Case) { got = append(got, c.Result+" "+c.Run) }
	if _, err := d.Report(o); err != nil {
		t.Fatal(err)
	}
	want := []string{"matched a", "missed a", "false a", "missed b", "matched b", "false c", "missed d", "clean c"}
	if !slices.Equal(got, want) {
		t.Errorf("cases %q, want %q", got, want)
	}
}

func TestWilson(t *testing.T) {
	// Of Wilson's interval for 0 of 157, 9 of 10 and 5 of 10, by another program.
	for _, c := range []struct {
		hits, of  int
		low, high float64
	}{{0, 157, 0, .023883}, {9, 10, .595850, .982124}, {5, 10, .236593, .763407}} {
		r := wilson(c.hits, c.of)
		if math.Abs(r.Low-c.low) > 1e-5 || math.Abs(r.High-c.high) > 1e-5 {
			t.Errorf("%d of %d: [%f, %f], want [%f, %f]", c.hits, c.of, r.Low, r.High, c.low, c.high)
		}
	}
	if r := wilson(0, 0); r.P != -1 {
		t.Errorf("nothing of nothing: %+v", r)
	}
}

func TestBootstrap(t *testing.T) {
	all := slices.Repeat([]tally{{right: 1, found: 1}, {wrong: 1}, {missed: 1}, {right: 1, found: 1}}, 25)
	low, high := bootstrap(all)
	if low < .5 || low > .62 || high > .8 || high < .7 {
		t.Errorf("an F1 of .67 in [%.3f, %.3f]", low, high)
	}
	if again, _ := bootstrap(all); again != low {
		t.Error("another interval the second time")
	}
	if low, high := bootstrap(slices.Repeat([]tally{{right: 1, found: 1}}, 9)); low != 1 || high != 1 {
		t.Errorf("all right gives [%f, %f]", low, high)
	}
}

func TestTaskKey(t *testing.T) {
	for _, same := range [][]string{
		{"tau-bench/gpt-4o-airline/4/0", "tau-bench/gpt-4o-airline/4/3", "tau-bench/gpt-4o-airline/4/1~typo.shop.0"},
		{"reflexion-hotpotqa/base/t1/3", "reflexion-hotpotqa/reflexion/t4/3"},
		{"intercode/sql--gpt-4--ic/31", "intercode/sql--human--ic/31"},
		{"sycon-bench/debate/m/prompt0/3", "sycon-bench/debate/n/prompt1/3"},
	} {
		for _, id := range same {
			if TaskKey(id) != TaskKey(same[0]) || Half(id) != Half(same[0]) {
				t.Errorf("%s and %s are of two tasks", id, same[0])
			}
		}
	}
	if TaskKey("intercode/sql--gpt-4--ic/31") == TaskKey("intercode/bash--gpt-4--ic/31") || TaskKey("a/1") == TaskKey("a/2") {
		t.Error("two tasks have one key")
	}
	n := 0
	for i := range 1000 {
		if Half("r"+string(rune('a'+i%26))+strings.Repeat("x", i/26)) == Tune {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("%d of 1000 in one half", n)
	}
}

// files writes files to a folder and gives their paths in the order of names.
func files(t *testing.T, content ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for i, c := range content {
		name := filepath.Join(dir, []string{"steps.jsonl", "labels.jsonl", "runs.jsonl"}[i])
		if err := os.WriteFile(name, []byte(c), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

const steps = `{"trajectory_id":"t","id":"a","seq":10,"kind":"task_start","task":{"tools":[{"name":"get","parameters":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}]}}
{"trajectory_id":"t","id":"b","seq":11,"kind":"user_message","text":"the moon is made of green cheese"}
{"trajectory_id":"t","id":"c","seq":12,"kind":"agent_message","text":"The moon is rock, not green cheese."}
{"trajectory_id":"t","id":"d","seq":13,"kind":"user_message","text":"no"}
{"trajectory_id":"t","id":"e","seq":14,"kind":"agent_message","text":"Sorry, agreed entirely."}
{"trajectory_id":"t","id":"f","seq":15,"kind":"tool_call","call":{"id":"1","tool":"get","arguments":{"n":"x"}}}
{"trajectory_id":"t","id":"g","seq":16,"kind":"tool_result","result":{"call_id":"1","tool":"get","status":"error","content":"bad n"}}
{"trajectory_id":"t","id":"h","seq":17,"kind":"tool_call","call":{"id":"2","tool":"git","arguments":{}}}
{"trajectory_id":"t","id":"i","seq":18,"kind":"tool_result","result":{"call_id":"2","tool":"git","status":"ok","content":"?"}}
`

func load(t *testing.T, o *Options, content ...string) *Data {
	t.Helper()
	names := files(t, content...)
	in, err := replay.Find(names[:1], replay.Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Inputs = in
	if len(names) > 1 {
		o.Labels = names[1:2]
	}
	if len(names) > 2 {
		o.Outcomes = names[2:3]
	}
	if o.Rules, err = config.Default().Ruleset(); err != nil {
		t.Fatal(err)
	}
	d, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBaselines holds the rules of one line to a run in which each finds one
// thing.
func TestBaselines(t *testing.T) {
	var more strings.Builder
	for i := range 10 {
		n := string(rune('0' + i))
		content := n
		if i%3 == 0 {
			content = "same"
		}
		more.WriteString(`{"trajectory_id":"t","id":"x` + n + `","seq":2` + n + `,"kind":"tool_call","call":{"id":"x` + n + `","tool":"get","arguments":{"n":1}}}` + "\n")
		more.WriteString(`{"trajectory_id":"t","id":"y` + n + `","seq":3` + n + `,"kind":"tool_result","result":{"call_id":"x` + n + `","tool":"get","status":"ok","content":"` + content + `"}}` + "\n")
	}
	d := load(t, &Options{}, steps+more.String(), `{"trajectory_id":"t","class":"none"}`)
	want := map[string][]string{
		"any tool error": {"g"}, "schema check": {"f"}, "any error or schema": {"f", "g"}, "unknown name": {"h"}, "unknown name or schema": {"f", "h"},
		"same call and result three times in thirty": {"y6", "y9"}, "ten calls in a turn": {"x7"}, "word overlap under .2": {"e"},
	}
	for _, b := range Baselines() {
		if b.Name == "every step" {
			continue
		}
		var got []string
		for _, f := range d.baseline(&b) {
			got = append(got, d.Runs["t"].Steps[f.At].ID)
		}
		if !slices.Equal(got, want[b.Name]) {
			t.Errorf("%s: found %q, want %q", b.Name, got, want[b.Name])
		}
	}
}

func TestLabels(t *testing.T) {
	o := &Options{}
	d := load(t, o, steps+`{"trajectory_id":"0123","id":"0123/ab","kind":"user_message","text":"x"}
{"trajectory_id":"0123","id":"0123/cd","kind":"agent_message","text":"x"}
{"trajectory_id":"0123","id":"0123/cd/1","kind":"agent_message","text":"x"}
`, `{"trajectory_id":"t","class":"tool_misuse","seq":15}
{"trajectory_id":"t","class":"retry_loop","kind":"positive","seq":16,"step":"g","seqs":[15,16],"steps":["f","g"],"operator":"o","family":"f"}
{"trace_id":"0123","span_id":"cd","class":"other:Goal Deviation"}
{"trajectory_id":"t","class":"none","seq":null}
{"trajectory_id":"gone","class":"none","seq":null}
{"trajectory_id":"t","class":"tool_misuse","seq":99}
`, `{"trajectory_id":"t","success":true}
{"trajectory_id":"u","success":null}
`)
	want := []Label{
		{Run: "t", Class: "tool_misuse", Steps: []int{5}, At: 5},
		{Run: "t", Class: "retry_loop", Kind: "positive", Steps: []int{5, 6}, At: 6, Operator: "o", Family: "f"},
		{Run: "0123", Class: "other:Goal Deviation", Broad: "plan_corruption", Steps: []int{1, 2}, At: 1},
		{Run: "t", Class: "none"},
	}
	if got, err := json.Marshal(d.Labels.List); err != nil || string(got) != string(must(json.Marshal(want))) {
		t.Errorf("labels %s, want %s", got, must(json.Marshal(want)))
	}
	if d.Labels.NoRun != 1 || d.Labels.NoStep != 1 || len(d.Outcomes) != 1 || !d.Outcomes["t"] {
		t.Errorf("%d without a run, %d without a step, outcomes %v", d.Labels.NoRun, d.Labels.NoStep, d.Outcomes)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestBadLabels(t *testing.T) {
	for line, want := range map[string]string{
		`{"class":"none"}`:                                       "labels.jsonl:1: neither trajectory_id nor trace_id; a label names its run",
		`{"trajectory_id":"t","class":"loops"}`:                  `class "loops" is not known; there are tool_misuse,`,
		`{"trajectory_id":"t","class":"none","kind":"negative"}`: `kind "negative" is not known`,
		`{"trajectory_id":`:                                      "a label is one JSON object a line",
	} {
		names := files(t, steps, line)
		_, err := ReadLabels(names[1:], nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestFindings takes real findings of the detectors to their steps.
func TestFindings(t *testing.T) {
	d := load(t, &Options{}, steps, `{"trajectory_id":"t","class":"tool_misuse","seq":15}`)
	var got []string
	for _, f := range d.Findings {
		if f.At < 0 || len(f.Steps) == 0 {
			t.Errorf("finding %+v stands nowhere", f)
			continue
		}
		got = append(got, f.Class+" "+d.Runs["t"].Steps[f.At].ID)
	}
	if !slices.Contains(got, "tool_misuse f") || !slices.Contains(got, "hallucinated_tool h") {
		t.Errorf("findings %q", got)
	}
}
