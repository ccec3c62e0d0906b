package replay

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"misstep/detectors"
	"misstep/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sample = "../../fixtures/sample.jsonl"

func rules(t *testing.T) *detectors.Ruleset {
	t.Helper()
	r, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run replays inputs and gives all that was written, and the report.
func replayed(t *testing.T, o Options, args ...string) (string, *Report) {
	t.Helper()
	in, err := Find(args, Auto, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	var failures, tasks, coverage, text bytes.Buffer
	o.Inputs, o.Rules, o.Failures, o.Tasks = in, rules(t), &failures, &tasks
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteCoverage(&coverage, &r.Coverage); err != nil {
		t.Fatal(err)
	}
	if err := List(&text, r, Style{}); err != nil {
		t.Fatal(err)
	}
	if err := Summary(&text, r, Style{}); err != nil {
		t.Fatal(err)
	}
	return failures.String() + tasks.String() + coverage.String() + text.String(), r
}

func TestShardsDoNotChangeAnything(t *testing.T) {
	want, r := replayed(t, Options{Shards: 1}, sample)
	if r.Failures == 0 || r.Tasks.Total != 6 {
		t.Fatalf("the sample has %d failures in %d tasks", r.Failures, r.Tasks.Total)
	}
	for _, n := range []int{2, 7, 16} {
		if got, _ := replayed(t, Options{Shards: n}, sample); got != want {
			t.Errorf("%d shards:\n%s\nwant\n%s", n, got, want)
		}
	}
}

func TestInputsAreOneLog(t *testing.T) {
	want, _ := replayed(t, Options{}, sample)
	all, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(all), "\n")
	// Cut in the middle of trajectories.
	for _, at := range []int{1, 5, 17, 30} {
		dir := tempFolder(t, map[string]string{
			"a.jsonl": strings.Join(lines[:at], ""), "b.jsonl.zst": zst(t, strings.Join(lines[at:], "")),
		})
		got, _ := replayed(t, Options{}, dir)
		if got = strings.ReplaceAll(got, "from 2 files", "from 1 file"); got != want {
			t.Errorf("cut at %d:\n%s\nwant\n%s", at, got, want)
		}
	}
}

// A transcript is judged as what it converts to is.
const transcripts = `{"id":"a","tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}}],"messages":[` +
	`{"role":"user","content":"look"},` +
	`{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"find","arguments":"{\"q\":\"x\"}"}}]},{"role":"tool","tool_call_id":"1","content":"Error: not found"},` +
	`{"role":"assistant","content":null,"tool_calls":[{"id":"2","function":{"name":"find","arguments":"{\"q\":\"x\"}"}}]},{"role":"tool","tool_call_id":"2","content":"Error: not found"},` +
	`{"role":"assistant","content":null,"tool_calls":[{"id":"3","function":{"name":"find","arguments":"{\"q\":\"x\"}"}}]},{"role":"tool","tool_call_id":"3","content":"Error: not found"},` +
	`{"role":"assistant","content":"Nothing."}]}
{"id":"a","messages":[{"role":"user","content":"again"}]}
`

func convert(t *testing.T, args ...string) string {
	t.Helper()
	in, err := Find(args, Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := Convert(t.Context(), in, &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestConvertedIsJudgedTheSame(t *testing.T) {
	dir := tempFolder(t, map[string]string{"chat.jsonl": transcripts})
	want, r := replayed(t, Options{}, dir)
	if r.Failures == 0 || r.Tasks.Total != 2 {
		t.Fatalf("%d failures in %d tasks", r.Failures, r.Tasks.Total)
	}
	steps := tempFolder(t, map[string]string{"steps.jsonl": convert(t, dir)})
	if got, _ := replayed(t, Options{}, steps); got != want {
		t.Errorf("converted:\n%s\nwant\n%s", got, want)
	}
}

func TestConvertRoundTrip(t *testing.T) {
	for _, path := range []string{sample, tempFolder(t, map[string]string{"chat.jsonl": transcripts})} {
		once := convert(t, path)
		again := convert(t, tempFolder(t, map[string]string{"a.jsonl": once}))
		if once != again || once == "" {
			t.Errorf("%s:\n%s\nconverted again:\n%s", path, once, again)
		}
	}
	was, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(convert(t, sample), "\n"), bytes.Count(was, []byte("\n")); got != want {
		t.Errorf("%d steps from %d lines", got, want)
	}
}

func TestRefused(t *testing.T) {
	bad := strings.Repeat(`{"trajectory_id":"t"}`+"\n", 12)
	dir := tempFolder(t, map[string]string{
		"a.jsonl": aStep + "{no JSON}\n" + aStep, "b.jsonl": aChat + `{"id":7}` + "\n" + `{"messages":[{"role":"robot"}]}` + "\n",
		"c.jsonl": aStep + bad,
	})
	_, r := replayed(t, Options{}, dir)
	c := &r.Coverage.Refused
	if c.Total != 15 || c.ByReason["missing"] != 12 || c.ByReason["syntax"] != 1 || c.ByReason["role"] != 1 || c.ByReason["type"] != 1 {
		t.Errorf("refused %d: %v", c.Total, c.ByReason)
	}
	if len(c.First) != maxRefusals {
		t.Fatalf("%d are shown", len(c.First))
	}
	var got []string
	for _, v := range c.First[:4] {
		got = append(got, fmt.Sprintf("%s:%d %s", filepath.Base(v.File), v.Line, v.Reason))
	}
	if g, want := strings.Join(got, ", "), "a.jsonl:2 syntax, b.jsonl:2 type, b.jsonl:3 role, c.jsonl:2 missing"; g != want {
		t.Errorf("first %s, want %s", g, want)
	}
}

func TestEndOpen(t *testing.T) {
	lines, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	// The first trajectories, the last of them without its end.
	head := bytes.Join(bytes.SplitAfter(lines, []byte("\n"))[:18], nil)
	dir := tempFolder(t, map[string]string{"a.jsonl": string(head)})
	_, idle := replayed(t, Options{}, dir)
	_, open := replayed(t, Options{EndOpen: true}, dir)
	if idle.Tasks.Total != 2 || idle.Tasks.Outcome[event.OutcomeAbandoned] != 1 {
		t.Errorf("idle end: %+v", idle.Tasks)
	}
	if open.Tasks.Total != 1 || open.Failures != idle.Failures || open.Failures == 0 {
		t.Errorf("open end: %+v, %d failures", open.Tasks, open.Failures)
	}
	if e := open.Entries[0]; e.end() != "still open" {
		t.Errorf("the failure is %q", e.end())
	}
}

func TestGate(t *testing.T) {
	for s, holds := range map[event.Severity]bool{event.SeverityNone: true, event.Info: false, event.Error: false, event.Critical: true} {
		_, r := replayed(t, Options{FailOn: s}, sample)
		if (r.Gate.Err() == nil) != holds {
			t.Errorf("%s: %+v", s, r.Gate)
		}
	}
}
