package inject

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"misstep/event"
)

const catalogue = `[{"name":"get_item","effect":"read","parameters":{"type":"object","properties":{"item_id":{"type":"string"},"lang":{"type":"string","enum":["de","en"]},"n":{"type":"integer"}},"required":["item_id"]}}]`

// cleanRun is the steps of a run that is clean.
func cleanRun(id, workflow string) []string {
	head := `{"trajectory_id":"` + id + `","workflow":"` + workflow + `","agent":"a",`
	at := func(n int) string {
		return fmt.Sprintf(`"id":"%s#%d","seq":%d,"time":"2026-03-01T00:00:%02dZ",`, id, n, n*10, n)
	}
	return []string{
		head + at(0) + `"kind":"task_start","task":{"tools":` + catalogue + `}}`,
		head + at(1) + `"kind":"user_message","text":"What is ITEM-40117?"}`,
		head + at(2) + `"kind":"tool_call","call":{"id":"c1","tool":"get_item","arguments":{"item_id":"ITEM-40117","lang":"de","n":12345678901234567890}}}`,
		head + at(3) + `"kind":"tool_result","result":{"call_id":"c1","tool":"get_item","status":"ok","content":"{\"item\":\"ITEM-40117\",\"name\":\"<lamp>\"}"}}`,
		head + at(4) + `"kind":"agent_message","text":"It is a lamp."}`,
		head + at(5) + `"kind":"task_end","outcome":{"status":"success","scored_by":"check"}}`,
	}
}

func planted(t testing.TB, o Options, runs ...[]string) (steps, labels []byte, sum *Summary) {
	t.Helper()
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		for _, line := range r {
			if err := in.Add([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var s, l bytes.Buffer
	if sum, err = in.Write(&s, &l); err != nil {
		t.Fatal(err)
	}
	return s.Bytes(), l.Bytes(), sum
}

func someRuns() [][]string {
	return [][]string{cleanRun("w/1", "w"), cleanRun("w/2", "w"), cleanRun("v/1", "v")}
}

type outStep struct {
	TrajectoryID string `json:"trajectory_id"`
	Kind, ID     string
	Seq          int
	Call         struct{ ID, Tool string }
	Result       struct {
		CallID string `json:"call_id"`
	}
}

func readLabels(t testing.TB, b []byte) []Label {
	t.Helper()
	var out []Label
	for line := range bytes.Lines(b) {
		var l Label
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func readSteps(t testing.TB, b []byte) map[string][]outStep {
	t.Helper()
	out := map[string][]outStep{}
	var dec event.Decoder
	for line := range bytes.Lines(b) {
		dec.Reset(line)
		var e event.Step
		if err := dec.Next(&e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var s outStep
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		out[s.TrajectoryID] = append(out[s.TrajectoryID], s)
	}
	return out
}

// TestPlanted holds every run that comes out to what a run of an agent is, and
// every label to its run.
func TestPlanted(t *testing.T) {
	for seed := range uint64(2) {
		o := Options{Seed: seed * 7919, Per: 1}
		steps, labels, _ := planted(t, o, someRuns()...)
		again, labelsAgain, _ := planted(t, o, someRuns()...)
		if !bytes.Equal(steps, again) || !bytes.Equal(labels, labelsAgain) {
			t.Fatal("the same seed gives other bytes")
		}
		runs := readSteps(t, steps)
		list := readLabels(t, labels)
		seen := map[string]bool{}
		for _, l := range list {
			if seen[l.TrajectoryID] {
				t.Fatalf("two labels for %s", l.TrajectoryID)
			}
			seen[l.TrajectoryID] = true
			run := runs[l.TrajectoryID]
			if l.Kind == Clean {
				if l.Class != "none" || l.Seq != nil || len(run) != 6 {
					t.Fatalf("%+v: a clean run of %d steps", l, len(run))
				}
				continue
			}
			checkLabel(t, &l, run)
		}
		if len(seen) != len(runs) {
			t.Fatalf("%d runs and labels for %d", len(runs), len(seen))
		}
		for id, run := range runs {
			checkRun(t, id, run)
		}
	}
}

func checkLabel(t *testing.T, l *Label, run []outStep) {
	if !slices.Contains(classes, l.Class) || l.Seq == nil || len(l.Seqs) == 0 || l.HeldOut != (l.Family == families[heldOut].name) {
		t.Fatalf("label %+v", l)
	}
	if !slices.Contains(l.Seqs, *l.Seq) || !slices.IsSorted(l.Seqs) || len(slices.Compact(slices.Clone(l.Seqs))) != len(l.Seqs) {
		t.Fatalf("%s: step %d, steps %d", l.TrajectoryID, *l.Seq, l.Seqs)
	}
	for i, n := range l.Seqs {
		if n < 0 || n >= len(run) || run[n].ID != l.Steps[i] {
			t.Fatalf("%s: there is no step %d with the id %q", l.TrajectoryID, n, l.Steps[i])
		}
	}
}

func checkRun(t *testing.T, id string, run []outStep) {
	open, ids := map[string]bool{}, map[string]bool{}
	for i, s := range run {
		if s.Seq != i || ids[s.ID] || s.ID == "" {
			t.Fatalf("%s: step %d has seq %d and id %q", id, i, s.Seq, s.ID)
		}
		ids[s.ID] = true
		switch s.Kind {
		case "tool_call":
			if open[s.Call.ID] || s.Call.ID == "" {
				t.Fatalf("%s: call %q is open already", id, s.Call.ID)
			}
			open[s.Call.ID] = true
		case "tool_result":
			if !open[s.Result.CallID] {
				t.Fatalf("%s: the result of %q, which is not open", id, s.Result.CallID)
			}
			delete(open, s.Result.CallID)
		}
	}
	if len(open) > 0 || run[0].Kind != "task_start" || run[len(run)-1].Kind != "task_end" {
		t.Fatalf("%s: %d calls without a result, from %s to %s", id, len(open), run[0].Kind, run[len(run)-1].Kind)
	}
}

// TestEachOperator has each operator planted for each family, and half of the
// bad calls come back well.
func TestEachOperator(t *testing.T) {
	steps, labels, sum := planted(t, Options{Seed: 3, Per: 3}, someRuns()...)
	if sum.NoPlace != 0 || sum.Clean != 3 {
		t.Errorf("%+v", sum)
	}
	count := map[string]int{}
	for _, l := range readLabels(t, labels) {
		count[l.Class+"/"+l.Operator+"/"+l.Family]++
	}
	for _, o := range operators() {
		for _, f := range families {
			if n := count[o.class+"/"+o.name+"/"+f.name]; n != 3 {
				t.Errorf("%s %s of the family %s: %d runs, want 3", o.class, o.name, f.name, n)
			}
		}
	}
	ok := bytes.Count(steps, []byte(`"status":"ok"`))
	if bytes.Contains(steps, []byte("{id}")) || bytes.Contains(steps, []byte("{noun}")) || ok == 0 {
		t.Error("a place in a wording was not filled")
	}
}

// TestBadCallsComeBackWell counts how many of the calls that were spoilt the
// tools took.
func TestBadCallsComeBackWell(t *testing.T) {
	steps, labels, _ := planted(t, Options{Seed: 5, Per: 10, Classes: []string{"tool_misuse"}}, someRuns()...)
	runs := map[string][]string{}
	for line := range bytes.Lines(steps) {
		var s outStep
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		runs[s.TrajectoryID] = append(runs[s.TrajectoryID], string(line))
	}
	taken, all := 0, 0
	for _, l := range readLabels(t, labels) {
		if slices.Contains([]string{"drop_required", "wrong_type", "not_in_enum", "mutated_id", "invented_id"}, l.Operator) {
			all++
			if strings.Contains(runs[l.TrajectoryID][*l.Seq+1], `"status":"ok"`) {
				taken++
			}
		}
	}
	if taken*10 < all*4 || taken*10 > all*6 {
		t.Errorf("%d of %d bad calls came back well, want about half", taken, all)
	}
}

func TestOnlyClean(t *testing.T) {
	failed := cleanRun("w/f", "w")
	failed[3] = strings.Replace(failed[3], `"ok"`, `"error"`, 1)
	lost := cleanRun("w/l", "w")
	lost[5] = strings.Replace(lost[5], "success", "failure", 1)
	steps, labels, sum := planted(t, Options{Classes: []string{}}, cleanRun("w/1", "w"), failed, lost)
	if sum.Runs != 3 || sum.Clean != 1 || sum.Planted != 0 {
		t.Errorf("%+v", sum)
	}
	if got := string(labels); got != `{"trajectory_id":"w/1","class":"none","kind":"clean","base":"w/1"}`+"\n" {
		t.Errorf("labels %s", got)
	}
	// What was read comes out as it was, but for the order of members.
	if n := bytes.Count(steps, []byte("\n")); n != 6 || !bytes.Contains(steps, []byte(`"n":12345678901234567890`)) || !bytes.Contains(steps, []byte("<lamp>")) {
		t.Errorf("steps:\n%s", steps)
	}
}

func TestOneClass(t *testing.T) {
	_, labels, _ := planted(t, Options{Classes: []string{"retry_loop"}, Per: 1}, someRuns()...)
	for _, l := range readLabels(t, labels) {
		if l.Kind != Clean && l.Class != "retry_loop" {
			t.Errorf("%+v", l)
		}
	}
	if _, err := New(Options{Classes: []string{"loops"}}); err == nil || !strings.Contains(err.Error(), "retry_loop") {
		t.Errorf("an unknown class gives %v", err)
	}
	in, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(&bytes.Buffer{}, &bytes.Buffer{}); err != ErrNoCleanRun {
		t.Errorf("without runs: %v", err)
	}
}

// TestImports holds the injector to knowing no detector.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, "misstep/") {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
	}
}

// TestWords has a wording for each family and purpose.
func TestWords(t *testing.T) {
	for key, of := range words {
		for i, list := range of {
			if len(list) == 0 {
				t.Errorf("%s has no wording of the family %s", key, families[i].name)
			}
			for k := range i {
				if key != "go_on" && slices.Equal(of[k], list) && key != "plan_act" {
					t.Errorf("%s: the families %s and %s say the same", key, families[k].name, families[i].name)
				}
			}
		}
	}
}
