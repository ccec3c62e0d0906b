package facts

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

// TestExtra counts what hangs on a trajectory, part by part.
func TestExtra(t *testing.T) {
	w := NewWorkspace(Options{})
	call := func(agent string, n int) string {
		return fmt.Sprintf(`"agent":%q,"kind":"tool_call","call":{"id":"%d","tool":"f%d","arguments":{"n":%d}}`, agent, n, n%3, n)
	}
	one := applied(t, w, call("a", 1), call("a", 2))
	a := one.Agents[0]
	if got, want := one.Extra(), int64(a.calls.Cap())*callSize+int64(cap(a.ids.buf)); got != want || want < 2*callSize {
		t.Errorf("one agent with two open calls: %d, want %d", got, want)
	}
	two := applied(t, w, call("a", 1), call("b", 2))
	b := two.Agents[1]
	want := int64(two.Agents[0].calls.Cap()+b.calls.Cap())*callSize + int64(cap(two.Agents[0].ids.buf)+cap(b.ids.buf)) + agentSize
	if got := two.Extra(); got != want {
		t.Errorf("two agents: %d, want %d", got, want)
	}
	three := applied(t, w, call("a", 1), call("a", 2), call("a", 3))
	a = three.Agents[0]
	want = int64(a.calls.Cap())*callSize + int64(cap(a.ids.buf)) + int64(cap(a.open))*openSize
	if got := three.Extra(); got != want || cap(a.open) <= len(a.few) {
		t.Errorf("three open calls: %d, want %d", got, want)
	}
	var many []string
	for i := range fewTools + 1 {
		many = append(many, fmt.Sprintf(`"kind":"tool_call","call":{"tool":"tool%d","arguments":{}}`, i))
	}
	tools := applied(t, w, many...)
	a = tools.Agents[0]
	want = int64(a.calls.Cap())*callSize + int64(cap(a.ids.buf)) + int64(cap(a.open))*openSize + int64(cap(tools.Task.Tools))*toolSize
	if got := tools.Extra(); got != want || cap(tools.Task.Tools) <= fewTools {
		t.Errorf("%d tools: %d, want %d", fewTools+1, got, want)
	}
	long := applied(t, w, call("a", 1))
	for i := range fewIDs + 1 {
		long.Admit(w, &event.Step{ID: fmt.Append(nil, i)})
	}
	a = long.Agents[0]
	if got, want := long.Extra(), int64(a.calls.Cap())*callSize+int64(cap(a.ids.buf))+manySize; got != want {
		t.Errorf("many ids: %d, want %d", got, want)
	}
}

// TestStepIDs keeps the ids of the calls in the ring, whatever their lengths, in
// room that is bounded by what they take.
func TestStepIDs(t *testing.T) {
	w := NewWorkspace(Options{})
	tr := new(Trajectory)
	tr.Reset()
	tr.StartTask(0)
	ids := map[int64]string{}
	length := func(i int64) int { return []int{1, 500, 20, 3}[i/200%4] + int(i%7) }
	peak := 0
	for i := range int64(2000) {
		id := strings.Repeat("x", length(i)) + fmt.Sprint(i)
		ids[i] = id
		s := &event.Step{ID: []byte(id), Kind: event.ToolCall, Call: event.Call{Tool: []byte("f")}, Seq: event.None}
		tr.Apply(w, s, 0)
		a := tr.Agents[0]
		held := 0
		for k := range a.calls.Len() {
			c := a.calls.At(k)
			if got := a.Step(c, "").ID; got != ids[c.Index] {
				t.Fatalf("after call %d: call %d has the id %q, want %q", i, c.Index, got, ids[c.Index])
			}
			held += len(ids[c.Index])
		}
		peak = max(peak, held)
		if most := 2*peak + 1200; cap(a.ids.buf) > most {
			t.Fatalf("after call %d: room for %d bytes of ids, %d were held at most", i, cap(a.ids.buf), peak)
		}
	}
	// Shortened, it keeps the latest and gives the room back.
	tr.Shorten(w, 4)
	a := tr.Agents[0]
	if a.calls.Len() != 4 || cap(a.ids.buf) > 4*4*520 {
		t.Fatalf("%d calls in room for %d bytes", a.calls.Len(), cap(a.ids.buf))
	}
	for k := range a.calls.Len() {
		if c := a.calls.At(k); a.Step(c, "").ID != ids[c.Index] {
			t.Errorf("call %d has the id %q", c.Index, a.Step(c, "").ID)
		}
	}
}
