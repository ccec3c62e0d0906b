package facts

import (
	"fmt"
	"testing"

	"misstep/event"
)

// applied gives what a trajectory is after steps, each the members of one
// beside its trajectory.
func applied(t *testing.T, w *Workspace, steps ...string) *Trajectory {
	t.Helper()
	tr := new(Trajectory)
	tr.Reset()
	tr.StartTask(0)
	for _, s := range steps {
		var d event.Decoder
		d.Reset([]byte(`{"trajectory_id":"t1",` + s + `}`))
		var st event.Step
		if err := d.Next(&st); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if tr.Admit(w, &st) {
			tr.Apply(w, &st, event.None)
		}
	}
	return tr
}

func toolCall(members string) string {
	return `"kind":"tool_call","call":{` + members + `}`
}

// TestShape checks which calls have the same shape key.
func TestShape(t *testing.T) {
	w := NewWorkspace(Options{Needs: NeedShape})
	shape := func(members string) uint64 {
		return applied(t, w, toolCall(members)).Agents[0].Call(0).Shape
	}
	one := shape(`"tool":"a","arguments":{"x":1,"y":2}`)
	for _, same := range []string{
		`"tool":"a","arguments":{"y":"other","x":null}`, `"tool":"a","arguments":{"x":1,"y":2,"x":3}`,
		`"tool":"a","arguments":{"\u0078":1,"y":{"z":1}}`,
	} {
		if shape(same) != one {
			t.Errorf("%s has another shape", same)
		}
	}
	for _, other := range []string{
		`"tool":"b","arguments":{"x":1,"y":2}`, `"tool":"a","arguments":{"x":1}`, `"tool":"a","arguments":{"x":1,"y":2,"z":3}`, `"tool":"a"`,
	} {
		if shape(other) == one {
			t.Errorf("%s has the same shape", other)
		}
	}
	if shape(`"tool":"a"`) != shape(`"tool":"a","arguments":{}`) {
		t.Error("absent arguments and empty ones have two shapes")
	}
	for _, none := range []string{`"tool":"a","arguments_raw":"x"`, `"tool":"a","arguments":{"$hidden":{"mac":"m"}}`} {
		if got := shape(none); got != 0 {
			t.Errorf("%s has the shape %x", none, got)
		}
	}
	if got := applied(t, NewWorkspace(Options{}), toolCall(`"tool":"a"`)).Agents[0].Call(0).Shape; got != 0 {
		t.Error("a shape was computed that nobody needs")
	}
}

// TestAnswers checks which call a result answers.
func TestAnswers(t *testing.T) {
	calls := []string{
		toolCall(`"tool":"a","id":"c1","arguments":{"n":0}`), toolCall(`"tool":"b","arguments":{"n":1}`),
		toolCall(`"tool":"a","arguments":{"n":2}`), toolCall(`"tool":"a","id":"c4","arguments":{"n":3}`),
	}
	for result, want := range map[string]int{
		`"call_id":"c4"`:                0 + 3,
		`"call_id":"c1","tool":"b"`:     0, // the id says it
		`"call_id":"c9"`:                -1,
		`"call_id":"c9","tool":"a"`:     -1, // an id that nobody gave
		`"tool":"a"`:                    2,  // the oldest that has no id
		`"tool":"b"`:                    1,
		`"tool":"z"`:                    -1,
		`"status":"ok"`:                 1, // the oldest that has no id
		`"tool":"a","status":"timeout"`: 2,
	} {
		w := NewWorkspace(Options{})
		a := applied(t, w, append(calls[:4:4], `"kind":"tool_result","result":{`+result+`}`)...).Agents[0]
		got := -1
		for i := range int64(4) {
			if a.Call(i).Done {
				got = int(i)
			}
		}
		if got != want || (want < 0) != (w.Counts.Orphans == 1) || a.Open() != 4-max(0, min(1, want+1)) {
			t.Errorf("{%s} answers call %d, want %d; %d orphans, %d open", result, got, want, w.Counts.Orphans, a.Open())
		}
	}
}

// TestAnswersWithoutIDs checks results without ids of calls that have them:
// they answer the oldest of their tool.
func TestAnswersWithoutIDs(t *testing.T) {
	calls := []string{
		toolCall(`"tool":"a","id":"c1","arguments":{"n":0}`), toolCall(`"tool":"b","id":"c2","arguments":{"n":1}`), toolCall(`"tool":"b","id":"c3","arguments":{"n":2}`),
	}
	for result, want := range map[string]int64{`"tool":"b"`: 1, `"tool":"a"`: 0, `"status":"ok"`: 0} {
		a := applied(t, NewWorkspace(Options{}), append(calls[:3:3], `"kind":"tool_result","result":{`+result+`}`)...).Agents[0]
		if !a.Call(want).Done || a.Open() != 2 {
			t.Errorf("{%s} does not answer call %d", result, want)
		}
	}
}

// TestManyAgents checks that the sixteenth agent stands for all further ones.
func TestManyAgents(t *testing.T) {
	var steps []string
	for i := range 40 {
		steps = append(steps, fmt.Sprintf(`"agent":"agent %d",%s`, i, toolCall(`"tool":"a"`)))
	}
	tr := applied(t, NewWorkspace(Options{}), steps...)
	if len(tr.Agents) != maxAgents || tr.Agents[maxAgents-1].Calls() != 40-maxAgents+1 {
		t.Errorf("%d agents, the last made %d calls", len(tr.Agents), tr.Agents[len(tr.Agents)-1].Calls())
	}
}

// TestManyOpenCalls checks that calls without a result stay bounded.
func TestManyOpenCalls(t *testing.T) {
	w := NewWorkspace(Options{})
	var steps []string
	for i := range 3 * RingSize {
		steps = append(steps, toolCall(fmt.Sprintf(`"tool":"a","id":"c%d","arguments":{"n":%d}`, i, i)))
	}
	tr := applied(t, w, append(steps, `"kind":"tool_result","result":{"call_id":"c0"}`, `"kind":"tool_result","result":{"call_id":"c191"}`)...)
	if a := tr.Agents[0]; a.Open() != RingSize-1 || w.Counts.Orphans != 1 {
		t.Errorf("%d calls are open, %d results have none", a.Open(), w.Counts.Orphans)
	}
}

// TestManyTools checks that what is counted by tool stays bounded.
func TestManyTools(t *testing.T) {
	var steps []string
	for i := range 300 {
		steps = append(steps, toolCall(fmt.Sprintf(`"tool":"t%d"`, i)))
	}
	tr := applied(t, NewWorkspace(Options{}), steps...)
	last := len(tr.Task.Tools) - 1
	if last+1 != maxToolCounts || tr.Task.Tools[last].Name != otherTools.Name || int(tr.Task.Counts[last].Calls) != 300-last {
		t.Errorf("%d tools are counted, the last is %q with %d calls", last+1, tr.Task.Tools[last].Name, tr.Task.Counts[last].Calls)
	}
}

func TestNeedsInWords(t *testing.T) {
	for n, want := range map[Needs]string{
		0: "", NeedCatalogue: "catalogue", NeedSchema | NeedPlainArguments: "schema, readable arguments", NeedShape: "",
	} {
		if got := n.String(); got != want {
			t.Errorf("needs %b are %q, want %q", n, got, want)
		}
	}
	for n, want := range map[Needs]string{0: "", NeedResult | NeedMessages: "no_result", NeedPlainResult: "unreadable_result", NeedShape: ""} {
		if got := n.Reason(); got != want {
			t.Errorf("for needs %b the reason is %q, want %q", n, got, want)
		}
	}
	for i := range NeedBits {
		if n := Needs(1 << i); (n.String() == "") != (n.Reason() == "") {
			t.Errorf("bit %d has the name %q and the reason %q", i, n.String(), n.Reason())
		}
	}
}
