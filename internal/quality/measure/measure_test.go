package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMeasure writes the file of figures for a small folder, finds the figures
// in it again, and sees when they are others.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"data/shop/steps.jsonl": `{"trajectory_id":"t/9","id":"a","workflow":"w","kind":"task_start","task":{"tools":[{"name":"get","parameters":{"type":"object","properties":{"id":{"type":"string"}}}}]}}
{"trajectory_id":"t/9","id":"b","kind":"user_message","text":"What is K-1234?"}
{"trajectory_id":"t/9","id":"c","kind":"agent_message","text":"A lamp."}
{"trajectory_id":"t/9","id":"d","kind":"task_end","outcome":{"status":"success","scored_by":"check"}}
{"trajectory_id":"t/5","id":"a","kind":"task_start","task":{"tools":[{"name":"get"}]}}
{"trajectory_id":"t/5","id":"b","kind":"tool_call","call":{"tool":"frobnicate"}}
{"trajectory_id":"t/5","id":"c","kind":"task_end","outcome":{"status":"failure","scored_by":"check"}}
`,
		"data/shop/labels.jsonl": `{"trajectory_id":"t/5","class":"hallucinated_tool","seq":null,"step":"b"}` + "\n" + `{"trajectory_id":"t/9","class":"none"}` + "\n",
		"data/shop/runs.jsonl":   `{"trajectory_id":"t/9","success":true}` + "\n" + `{"trajectory_id":"t/5","success":false}` + "\n",
		"data/odd/what.txt":      "?",
	})
	file := filepath.Join(dir, "QUALITY.md")
	measure := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(append([]string{"-file", file, "-per", "1"}, append(args, filepath.Join(dir, "data"))...), &out, &bytes.Buffer{})
		return out.String(), err
	}
	if _, err := measure("-update"); err != nil {
		t.Fatal(err)
	}
	text := read(t, file)
	for _, want := range []string{
		"| hallucinated_tool | all runs | run | 2 | 1.000 [0.21, 1.00] 1/1 | 1.000 [0.21, 1.00] 1/1 | 1.000 [1.00, 1.00] |",
		"\nodd was not measured: no runs in a format that is read.\n", "in 1 clean runs: 240 failures and 240 look-alikes", "family held out",
		"| all sources | any | 0.0 % [0.0, 79.3] 0/1 |", "Nothing was noted yet.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the file does not hold %q", want)
		}
	}
	// What people wrote stays, and is no figure.
	text = strings.Replace(text, "Nothing was noted yet.", "Read, and fine.", 1)
	if changes := compare(read(t, file), text); len(changes) > 0 {
		t.Errorf("words of people are taken for figures: %q", changes)
	}
	if changes := compare("", text); len(changes) < 100 || !strings.HasPrefix(changes[0], "+ ") {
		t.Errorf("without a file there are %d changes", len(changes))
	}
	write(t, dir, map[string]string{"QUALITY.md": strings.Replace(text, "| hallucinated_tool | all runs | run | 2 | 1.000", "| hallucinated_tool | all runs | run | 2 | 0.500", 1)})
	if out, err := measure(); !errors.Is(err, errDiffers) || strings.Count(out, "\n") != 2 || !strings.Contains(out, "- shop: | hallucinated_tool | all runs | run | 2 | 0.500") {
		t.Errorf("another figure: %v\n%s", err, out)
	}
	if _, err := measure("-update"); err != nil {
		t.Fatal(err)
	}
	if read(t, file) != text {
		t.Error("the update changes more than the figure")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNoFolder(t *testing.T) {
	if err := run(nil, &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "make quality DATA=DIR") {
		t.Errorf("without a folder: %v", err)
	}
}
