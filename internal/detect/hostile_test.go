package detect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"misstep/detectors"
	"misstep/event"
	"misstep/stream"
)

// outcome is what came of hostile input.
type outcome struct {
	failures []*event.Failure
	tasks    []*event.TaskRecord
	refused  []*event.DeadLetter
	counts   detectors.Counts
}

// task gives the record of a trajectory, nil when there is none.
func (o *outcome) task(trajectory string) *event.TaskRecord {
	for _, r := range o.tasks {
		if r.TrajectoryID == trajectory {
			return r
		}
	}
	return nil
}

// feedLines runs lines, each a record, and then a line that is fine, which must
// still come through.
func feedLines(t *testing.T, lines io.Reader) outcome {
	t.Helper()
	rules, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const fine = "\n" + `{"trajectory_id":"fine","kind":"task_start"}` + "\n" + `{"trajectory_id":"fine","kind":"task_end"}` + "\n"
	p := NewProgram(rules, "test", 0)
	log := stream.OpenReader(stream.FileOptions{Source: "test"}, io.MultiReader(lines, strings.NewReader(fine)))
	defer log.Close()
	results := stream.NewMemoryResults()
	e, err := stream.New(stream.Options[event.Step]{Program: p, Log: log, Results: results, Shards: 2, End: stream.EndIdle})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out := outcome{counts: p.Stats()}
	for _, o := range results.Outputs() {
		switch r := o.Record.(type) {
		case *event.Failure:
			out.failures = append(out.failures, r)
		case *event.TaskRecord:
			out.tasks = append(out.tasks, r)
		case *event.DeadLetter:
			out.refused = append(out.refused, r)
		}
	}
	if out.task("fine") == nil {
		t.Errorf("the line after hostile input did not come through")
	}
	return out
}

// TestRefused: each of these is refused with its reason, counted, and the next
// line read.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, line, reason, field string }{
		{"depth bomb", `{"trajectory_id":"t","kind":"tool_call","call":{"tool":"x","arguments":{"a":` + strings.Repeat("[", 1<<20-100), "depth", ""},
		{"depth", `{"trajectory_id":"t","kind":"tool_call","call":{"tool":"x","arguments":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}}`, "depth", ""},
		{"invalid UTF-8", "{\"trajectory_id\":\"t\",\"kind\":\"user_message\",\"text\":\"a\xffb\"}", "utf8", ""},
		{"surrogate in UTF-8", "{\"trajectory_id\":\"t\",\"kind\":\"user_message\",\"text\":\"\xed\xa0\x80\"}", "utf8", ""},
		{"NUL in an id", `{"trajectory_id":"t` + `\u0000` + `x","kind":"user_message"}`, "value", "trajectory_id"},
		{"line break in a tool", `{"trajectory_id":"t","kind":"tool_call","call":{"tool":"a\nb"}}`, "value", "call.tool"},
		{"no JSON", `trajectory_id=t kind=tool_call`, "syntax", ""},
		{"no trajectory", `{"kind":"tool_call","call":{"tool":"x"}}`, "missing", "trajectory_id"},
		{"later version", `{"v":2,"trajectory_id":"t","kind":"tool_call"}`, "version", "v"},
		{"wrong type", `{"trajectory_id":"t","kind":"tool_call","call":{"tool":7}}`, "type", "call.tool"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := feedLines(t, strings.NewReader(c.line))
			if len(out.refused) != 1 || out.refused[0].Reason != c.reason || c.field != "" && out.refused[0].Field != c.field {
				for _, r := range out.refused {
					t.Logf("%+v", *r)
				}
				t.Errorf("refused %d, want 1 for %s in %q", len(out.refused), c.reason, c.field)
			}
		})
	}
}

// endless gives a line of n bytes without holding it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), e.n)]
	for i := range p {
		p[i] = 'x'
	}
	e.n -= len(p)
	return len(p), nil
}

// TestGigabyteLine: a line of 1 GB is refused in little memory.
func TestGigabyteLine(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := feedLines(t, io.MultiReader(strings.NewReader(`{"trajectory_id":"t","kind":"user_message","text":"`), &endless{1 << 30}, strings.NewReader(`"}`)))
	runtime.ReadMemStats(&after)
	if len(out.refused) != 1 || out.refused[0].Reason != "size" {
		t.Errorf("refused %v, want one for size", out.refused)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("took %d MiB", grown>>20)
	}
}

// TestManyTools: a catalogue of 100,000 tools is not compiled; the detectors
// that need one abstain, and say so.
func TestManyTools(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"trajectory_id":"t","kind":"task_start","task":{"tools":[`)
	for i := range 100_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"%d"}`, i)
	}
	b.WriteString("]}}\n" + `{"trajectory_id":"t","kind":"tool_call","call":{"tool":"nope"}}`)
	if b.Len() > 3<<20 {
		t.Fatal("larger than meant")
	}
	out := feedLines(t, &b)
	// The line is above 1 MiB, so that it is refused as a whole.
	if len(out.refused) != 1 || out.refused[0].Reason != "size" {
		t.Errorf("refused %v", out.refused)
	}

	b.Reset()
	b.WriteString(`{"trajectory_id":"t","kind":"task_start","task":{"tools":[`)
	for i := range 30_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"%d"}`, i)
	}
	b.WriteString("]}}\n" + `{"trajectory_id":"t","kind":"tool_call","call":{"tool":"nope"}}`)
	out = feedLines(t, &b)
	if out.counts.BadCatalogues != 1 || len(out.failures) != 0 {
		t.Errorf("%d bad catalogues, %d failures, want 1 and 0", out.counts.BadCatalogues, len(out.failures))
	}
	if cov := out.task("t").Coverage; len(cov) == 0 || cov[0].Reason != "no_catalogue" {
		t.Errorf("coverage %v, want no_catalogue", cov)
	}
}

// TestSchemaReferences: a schema that points outside of itself is not followed.
func TestSchemaReferences(t *testing.T) {
	for _, ref := range []string{"file:///etc/passwd", "http://127.0.0.1:1/schema.json", "other.json"} {
		line := fmt.Sprintf(`{"trajectory_id":"t","kind":"task_start","task":{"tools":[{"name":"x","parameters":{"type":"object","properties":{"a":{"$ref":%q}}}}]}}
{"trajectory_id":"t","kind":"tool_call","call":{"tool":"x","arguments":{"a":1}}}`, ref)
		out := feedLines(t, strings.NewReader(line))
		if out.counts.SchemasRefused != 1 {
			t.Errorf("%s: %d schemas refused, want 1", ref, out.counts.SchemasRefused)
		}
		if cov := fmt.Sprint(out.task("t").Coverage); !strings.Contains(cov, "no_schema") {
			t.Errorf("%s: coverage %v, want no_schema", ref, cov)
		}
	}
	// One that goes round in itself says nothing, and ends.
	out := feedLines(t, strings.NewReader(`{"trajectory_id":"t","kind":"task_start","task":{"tools":[{"name":"x","parameters":{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}}]}}
{"trajectory_id":"t","kind":"tool_call","call":{"tool":"x","arguments":{"a":1}}}`))
	if out.task("t") == nil {
		t.Error("no record")
	}
}

// TestManyNames: ten thousand invented names open a bounded number of failures
// and stand in the task's record as one.
func TestManyNames(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"trajectory_id":"t","kind":"task_start","task":{"tools":[{"name":"search"}]}}`)
	for i := range 10_000 {
		fmt.Fprintf(&b, "\n"+`{"trajectory_id":"t","kind":"tool_call","call":{"tool":"name_%d_of_many"}}`, i)
	}
	out := feedLines(t, &b)
	open := map[string]bool{}
	for _, f := range out.failures {
		open[f.ID] = true
	}
	if len(open) > 64 {
		t.Errorf("%d failures, want at most 64", len(open))
	}
	if out.counts.EpisodesCapped == 0 {
		t.Error("the cap was not counted")
	}
	if n := len(out.task("t").Tools); n > 2 {
		t.Errorf("%d tools in the record, want the invented ones as one", n)
	}
}
