package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"misstep/detectors/facts"
)

// TestTrain checks that a model finds the feature that tells, twice the same,
// and that its threshold is where F1 is best.
func TestTrain(t *testing.T) {
	var rows []row
	for i := range 200 {
		r := row{family: fmt.Sprint("f", i%3), tuning: i%2 == 0, shift: i%5 == 0}
		r.features[2] = 400 + 10*(i%7)
		if r.shift {
			r.features[2] -= 200
		}
		r.features[4] = 1000 * (i % 4) // noise
		rows = append(rows, r)
	}
	m := train(rows)
	if s := rate(rows, m.fires); s.fp+s.fn > 0 {
		t.Errorf("rows that one feature parts: %s", s)
	}
	if m.weights[2] >= 0 || m.weights[2] > -20*max(m.weights[4], -m.weights[4]) {
		t.Errorf("the weights are %v", m.weights)
	}
	if again := train(rows); again.text() != m.text() {
		t.Errorf("trained again it is\n%swas\n%s", again.text(), m.text())
	}
	var out strings.Builder
	leaveOut(&out, rows)
	if !strings.Contains(out.String(), "all families, each left out: precision 1.00, recall 0.9") {
		t.Error(out.String())
	}
}

func TestScore(t *testing.T) {
	s := score{tp: 3, fp: 1, fn: 2}
	if got := s.String(); got != "precision 0.75, recall 0.60, F1 0.667 (3 right, 1 false, 2 missed)" {
		t.Error(got)
	}
	if (score{}).f1() != 0 {
		t.Error("nothing has an F1")
	}
}

func TestFamilies(t *testing.T) {
	for model, want := range map[string]string{
		"Meta-Llama-3.1-8B-Instruct": "llama", "Llama-3.3-70B": "llama", "Qwen2.5-7B": "qwen", "gpt-4o": "gpt", "claude": "claude", "": "",
	} {
		if got := familyOf(model); got != want {
			t.Errorf("%q is of family %q, want %q", model, got, want)
		}
	}
}

// TestRun trains on two small conversations, from files to file.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	var steps, labels bytes.Buffer
	zip := gzip.NewWriter(&steps)
	text := func(word string) string {
		var words []string
		for i := range 60 {
			words = append(words, fmt.Sprintf("%s%c%cword", word, 'a'+i%26, 'a'+i/26))
		}
		return "I think that this is what we should do about it: " + strings.Join(words, " ") + "."
	}
	for i := range 8 {
		id := fmt.Sprintf("chat/%d", i)
		last := text("same")
		class := "none"
		if i%4 == 3 || i%4 == 0 {
			last, class = text("other"), "pressure_drift"
		}
		for seq, line := range []string{
			`"kind":"user_message","text":"What do you think of the plan?"`, fmt.Sprintf(`"kind":"agent_message","text":%q`, text("same")),
			`"kind":"user_message","text":"I do not agree with you."`, fmt.Sprintf(`"kind":"agent_message","text":%q`, last),
		} {
			fmt.Fprintf(zip, `{"trajectory_id":%q,"model":"m-1","seq":%d,%s}`+"\n", id, seq, line)
		}
		fmt.Fprintf(&labels, `{"trajectory_id":%q,"class":%q,"seq":3}`+"\n", id, class)
	}
	zip.Close()
	stepsFile, labelsFile, out := filepath.Join(dir, "steps.jsonl.gz"), filepath.Join(dir, "labels.jsonl"), filepath.Join(dir, "out.txt")
	for file, b := range map[string][]byte{stepsFile: steps.Bytes(), labelsFile: labels.Bytes()} {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if err := run([]string{"-out", out, "-dump", filepath.Join(dir, "rows.csv"), stepsFile, labelsFile}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stdout.String(), "8 rows, 4 shifts; ") {
		t.Error(stdout.String())
	}
	weights, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(weights), "\nkept -") {
		t.Errorf("%v\n%s", err, weights)
	}
	rows, err := os.ReadFile(filepath.Join(dir, "rows.csv"))
	if err != nil || strings.Count(string(rows), "\n") != 9 || !strings.Contains(string(rows), strings.Join(facts.ShiftFeatures[:], ",")) {
		t.Errorf("%v\n%s", err, rows)
	}
	if err := run([]string{stepsFile}, &stdout, &stderr); err == nil {
		t.Error("one file is enough")
	}
}
