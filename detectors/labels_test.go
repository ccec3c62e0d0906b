package detectors

import (
	"testing"

	"misstep/event"
)

// TestLabels checks that outputs carry what the latest step said of workflow,
// release and model, and a failure the agent that caused it.
func TestLabels(t *testing.T) {
	f := newFeeder(t)
	for _, s := range []string{
		`"kind":"task_start","workflow":"w0","release":"r0","model":"m0","tenant":"acme","task_id":"a","task":{"tools":[]}`,
		`"kind":"tool_call","workflow":"w1","agent":"clerk","tenant":"acme","call":{"tool":"x"}`,
		`"kind":"user_message","release":"r2","tenant":"acme","text":"hello"`,
		`"kind":"model_call","model":"m3","agent":"greeter","tenant":"acme"`,
		`"kind":"task_end","tenant":"acme"`,
	} {
		f.feed(t, wireStep{line: `{"trajectory_id":"t1",` + s + `}`})
	}
	want := []event.Labels{
		{TrajectoryID: "t1", TaskID: "a", Workflow: "w1", Agent: "clerk", Release: "r0", Model: "m0", Tenant: "acme"},
		{TrajectoryID: "t1", TaskID: "a", Workflow: "w1", Agent: "clerk", Release: "r2", Model: "m3", Tenant: "acme"},
		{TrajectoryID: "t1", TaskID: "a", Workflow: "w1", Agent: "greeter", Release: "r2", Model: "m3", Tenant: "acme"},
	}
	for i, o := range f.outs {
		var got event.Labels
		switch r := o.Record.(type) {
		case *event.Failure:
			got = r.Labels
		case *event.TaskRecord:
			got = r.Labels
		}
		if i >= len(want) || got != want[i] || o.Workflow != got.Workflow || o.Key != "t1" {
			t.Errorf("output %d, of %q and %q, is labelled %+v", i, o.Key, o.Workflow, got)
		}
	}
	if len(f.outs) != len(want) {
		t.Errorf("%d outputs, want %d", len(f.outs), len(want))
	}
}

// TestTenantsAreApart checks that trajectories of one name under two tenants
// share nothing.
func TestTenantsAreApart(t *testing.T) {
	f := newFeeder(t)
	for range 2 {
		for _, tenant := range []string{"acme", "zeta"} {
			f.feed(t, wireStep{line: `{"trajectory_id":"t1","tenant":"` + tenant + `","kind":"tool_call","call":{"tool":"x"}}`})
			f.feed(t, wireStep{line: `{"trajectory_id":"t1","tenant":"` + tenant + `","kind":"tool_result","result":{"tool":"x","status":"error","content":"hung up"}}`})
		}
	}
	ids := map[string]bool{}
	for _, o := range f.outs {
		ids[o.Record.(*event.Failure).ID] = true
	}
	if len(f.outs) != 2 || len(ids) != 2 {
		t.Errorf("%d failures with %d ids, want two of each", len(f.outs), len(ids))
	}
}
