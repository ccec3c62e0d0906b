package replay

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

// failing are the steps of n equal failing calls.
func failing(labels string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{%s,"kind":"tool_call","call":{"id":"c%d","tool":"f","arguments":{"a":1}}}`+"\n", labels, i)
		fmt.Fprintf(&b, `{%s,"kind":"tool_result","result":{"call_id":"c%d","status":"error","content":"no such thing"}}`+"\n", labels, i)
	}
	return b.String()
}

func explain(t *testing.T, prefix, steps string) (*Explanation, error) {
	t.Helper()
	in, err := Find([]string{"-"}, Auto, strings.NewReader(steps))
	if err != nil {
		t.Fatal(err)
	}
	return Explain(t.Context(), Options{Inputs: in, Rules: rules(t)}, prefix)
}

// ids gives the ids of the failures in steps, by trajectory and tenant.
func ids(t *testing.T, steps string) map[string]string {
	t.Helper()
	_, r := replayed(t, Options{}, tempFolder(t, map[string]string{"a.jsonl": steps}))
	out := map[string]string{}
	for _, e := range r.Entries {
		out[e.Last.TrajectoryID+"/"+e.Last.Tenant] = e.Last.ID
	}
	return out
}

func TestExplainKeepsTenantsApart(t *testing.T) {
	steps := failing(`"trajectory_id":"t","tenant":"a"`, 3) + failing(`"trajectory_id":"t","tenant":"b"`, 4)
	for tenant, n := range map[string]int{"a": 6, "b": 8} {
		id := ids(t, steps)["t/"+tenant]
		e, err := explain(t, id, steps)
		if err != nil {
			t.Fatal(err)
		}
		if e.Entry.Last.ID != id || e.Entry.Last.Tenant != tenant || len(e.Steps) != n {
			t.Errorf("tenant %s: failure %s of tenant %q with %d steps, want %s with %d", tenant, e.Entry.Last.ID, e.Entry.Last.Tenant, len(e.Steps), id, n)
		}
	}
}

func TestExplainAmbiguous(t *testing.T) {
	var b strings.Builder
	for i := range 17 { // one digit at least begins two ids
		b.WriteString(failing(fmt.Sprintf(`"trajectory_id":"t%d"`, i), 3))
	}
	seen := map[byte]bool{}
	for _, id := range ids(t, b.String()) {
		if !seen[id[0]] {
			seen[id[0]] = true
			continue
		}
		_, err := explain(t, strings.ToUpper(id[:1]), b.String())
		if err == nil || !strings.Contains(err.Error(), "give more digits") {
			t.Errorf("error %v", err)
		}
		if e, err := explain(t, strings.ToUpper(id), b.String()); err != nil || e.Entry.Last.ID != id {
			t.Errorf("%s in capitals: %v", id, err)
		}
		return
	}
	t.Error("no two ids begin the same")
}

// A trajectory that went idle by the log's clock was forgotten: what it did
// before is no fact any more. Redelivered and unknown steps are told as such.
func TestExplainFacts(t *testing.T) {
	at := func(clock string) string { return `"trajectory_id":"t","log_time":"2026-03-02T` + clock + `Z"` }
	steps := failing(at("09:00:00"), 3) + failing(at("10:00:00"), 1) +
		`{` + at("10:00:01") + `,"id":"u","kind":"user_message","text":"a"}` + "\n" +
		`{` + at("10:00:02") + `,"id":"u","kind":"user_message","text":"a"}` + "\n" +
		`{` + at("10:00:03") + `,"kind":"dance"}` + "\n" +
		`{` + at("10:00:04") + `,"kind":"tool_result","result":{"call_id":"gone"}}` + "\n"
	var id string
	for _, v := range ids(t, steps) {
		id = v
	}
	e, err := explain(t, id, steps)
	if err != nil {
		t.Fatal(err)
	}
	facts := make([]string, len(e.Steps))
	for i := range e.Steps {
		facts[i] = strings.Join(e.Steps[i].Facts, "; ")
	}
	for i, want := range map[int]string{
		2:  "the same call as 0; not known: catalogue, schema",
		6:  "not known: catalogue, schema, all that was said before",
		9:  "a redelivery, dropped",
		10: "of an unknown kind, skipped",
		11: "answers no call that is open",
	} {
		if facts[i] != want {
			t.Errorf("step %d: %q, want %q", i, facts[i], want)
		}
	}
	if !e.Steps[1].Marked || e.Steps[0].Marked || e.Steps[9].Marked {
		t.Errorf("evidence %+v", e.Entry.Last.Evidence)
	}
}

func TestLateOutcomeAndPartial(t *testing.T) {
	dir := tempFolder(t, map[string]string{"a.jsonl": `{"trajectory_id":"t","seq":7,"kind":"user_message","text":"a"}
{"trajectory_id":"t","seq":8,"kind":"task_end"}
{"trajectory_id":"t","seq":9,"kind":"outcome","outcome":{"status":"failure","scored_by":"human"}}
`})
	_, r := replayed(t, Options{}, dir)
	if r.Tasks.Total != 1 || r.Tasks.Outcome[event.OutcomeFailure] != 1 || r.Tasks.Outcome[event.OutcomeUnknown] != 0 || r.Tasks.Partial != 1 {
		t.Errorf("%+v", r.Tasks)
	}
}
