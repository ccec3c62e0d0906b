package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// added is a trajectory whose catalogue is changed before the tool is called
// that it always had, and whose errors and claims are far apart.
var added = []string{
	`{"trajectory_id":"added","kind":"task_start","workflow":"support","task":{"tools":[{"name":"search"},{"name":"fetch","parameters":{"type":"object","properties":{"url":{"type":"string"}},"required":["url"]}}]}}`,
	`{"trajectory_id":"added","kind":"tools_changed","tools":{"add":[{"name":"extra"}],"remove":["search"]}}`,
	`{"trajectory_id":"added","kind":"tool_call","call":{"id":"c1","tool":"fetch","arguments":{"url":"u"}}}`,
	`{"trajectory_id":"added","kind":"tool_result","result":{"call_id":"c1","tool":"fetch","status":"error","content":"no such host"}}`,
	`{"trajectory_id":"added","kind":"tool_call","call":{"id":"c2","tool":"fetch","arguments":{"url":"v"}}}`,
	`{"trajectory_id":"added","kind":"tool_result","result":{"call_id":"c2","tool":"fetch","status":"ok","content":"fine"}}`,
	`{"trajectory_id":"added","kind":"agent_message","text":"I fetched it."}`,
}

// found gives the failures of the results log: trajectory, class and subject.
func (d *detector) found() map[string]bool {
	d.t.Helper()
	out := map[string]bool{}
	for _, msgs := range d.results() {
		for _, m := range msgs {
			if !strings.HasPrefix(m.Subject, "agent.failures.") {
				continue
			}
			var f struct {
				Class, Subject, Rule string
				Trajectory           string `json:"trajectory_id"`
			}
			if err := json.Unmarshal(m.Data, &f); err != nil {
				d.t.Fatal(err)
			}
			if f.Rule == "rejected_call" {
				continue // the tool's own word, which needs nothing that was seen before, and is left unsaid where a schema told it
			}
			out[fmt.Sprint(f.Trajectory, " ", f.Class, " ", f.Subject)] = true
		}
	}
	return out
}

// TestAttach has a detector come to a stream that has lost its beginning, at
// many places: it finds nothing that is not there when all is seen.
func TestAttach(t *testing.T) {
	b, err := os.ReadFile("../../fixtures/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for line := range bytes.Lines(b) {
		steps = append(steps, string(line))
	}
	steps = append(added, steps...)
	// What stands behind the failure of the last trajectory is all there is.
	for line := range strings.Lines(strings.Trim(strings.ReplaceAll(misstep("last"), "},\n", "}\n"), "[]")) {
		steps = append(steps, line)
	}
	attach := func(cut int) map[string]bool {
		url, js := userServer(t, "")
		s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LIVE", Subjects: []string{"live"}})
		if err != nil {
			t.Fatal(err)
		}
		half := (cut + len(steps)) / 2
		for i, line := range steps[:half] {
			if _, err := js.Publish(t.Context(), "live", []byte(line)); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if cut > 0 {
			if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(uint64(cut)+1)); err != nil {
				t.Fatal(err)
			}
		}
		c := external(url)
		c.NATS.Stream, c.NATS.PublishSubject = "LIVE", "live"
		d := start(t, c)
		defer d.stop()
		for _, line := range steps[half:] { // while it runs
			if _, err := js.Publish(t.Context(), "live", []byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		d.until("the last failure", func() bool { return d.found()["last hallucinated_tool teleport"] })
		d.until("an abstention", func() bool {
			_, metrics := d.get("/metrics")
			return strings.Contains(metrics, "\nmisstep_abstained_total{")
		})
		return d.found()
	}
	all := attach(0)
	if len(all) < 6 {
		t.Fatalf("found %v", all)
	}
	fewer := false
	for _, cut := range []int{1, 2, 3, 4, 5, 8, 11, 14, 18, 23, 30, 38, 47, 56, 64} {
		part := attach(cut)
		for f := range part {
			if !all[f] {
				t.Errorf("without the first %d steps: %s, which is not there", cut, f)
			}
		}
		fewer = fewer || len(part) < len(all)
	}
	if !fewer {
		t.Error("the cuts take nothing away")
	}
}
