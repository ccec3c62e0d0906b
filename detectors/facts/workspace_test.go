package facts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"misstep/event"
)

func taskStart(tools string) string {
	return `"kind":"task_start","task":{"tools":[` + tools + `]}`
}

// TestChangedCatalogues: the same change to another catalogue gives another.
func TestChangedCatalogues(t *testing.T) {
	w := NewWorkspace(Options{})
	change := `"kind":"tools_changed","tools":{"add":[{"name":"c"}],"remove":["x"]}`
	for base, want := range map[string]string{`{"name":"a"},{"name":"x"}`: "a c", `{"name":"b"}`: "b c"} {
		for range 2 { // once compiled, once found
			tr := applied(t, w, taskStart(base), change)
			if got := strings.Join(tr.Tools.Names, " "); got != want {
				t.Errorf("%s with c and without x: %s, want %s", base, got, want)
			}
		}
	}
}

// TestCachesAreBounded: what is kept of hostile catalogues and names has an end,
// and what was dropped is made anew.
func TestCachesAreBounded(t *testing.T) {
	w := NewWorkspace(Options{})
	for i := range 3 * maxCatalogues {
		tr := applied(t, w, taskStart(fmt.Sprintf(`{"name":"tool_%d"}`, i)))
		if tr.Tools.Len() != 1 || w.numCatalogues > maxCatalogues {
			t.Fatalf("catalogue %d: %d tools, %d catalogues kept", i, tr.Tools.Len(), w.numCatalogues)
		}
		if i < maxCatalogues && w.numCatalogues != i+1 {
			t.Fatalf("after %d catalogues %d are kept", i+1, w.numCatalogues)
		}
	}
	for i := range 2*maxNames + 10 {
		if got := w.intern(fmt.Appendf(nil, "n%d", i)); got != fmt.Sprintf("n%d", i) || len(w.names) > maxNames {
			t.Fatalf("name %d is %q, %d kept", i, got, len(w.names))
		}
	}
	if len(w.names) < 2 {
		t.Errorf("%d names kept", len(w.names))
	}
}

// TestSchemaCounts: what becomes of schemas is counted, and an error names its
// tool.
func TestSchemaCounts(t *testing.T) {
	w := NewWorkspace(Options{Needs: NeedSchema})
	tools := `{"name":"own2","parameters":{"type":"object"}},{"name":"own","parameters":{"type":"object","properties":{"a":{"type":"string"}}}},` +
		`{"name":"library","parameters":{"type":"object","properties":{"a":{"type":"array","contains":{"type":"string"}}}}},` +
		`{"name":"bad","parameters":{"$ref":"http://example.com/x"}}`
	tr := applied(t, w, taskStart(tools),
		toolCall(`"tool":"own","arguments":{"a":"x"}`), toolCall(`"tool":"own","arguments":{"a":"y"}`), toolCall(`"tool":"library","arguments":{"a":["x"]}`))
	c := w.Counts
	if c.SchemasCompiled != 4 || c.SchemasRefused != 1 || c.SchemasFallback != 1 || c.Fallbacks != 1 {
		t.Errorf("%+v, want 4 compiled, 1 refused, 1 and 1 by the library", c)
	}
	if err := tr.Tools.Tool([]byte("bad")).SchemaErr; err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("error %v does not name the tool", err)
	}
	if err := tr.Tools.Tool([]byte("own")).SchemaErr; err != nil {
		t.Errorf("own: %v", err)
	}
}

// TestPartial: what was not seen from its beginning lacks it.
func TestPartial(t *testing.T) {
	w := NewWorkspace(Options{})
	tr := applied(t, w, `"kind":"user_message","text":"x"`)
	if tr.Task.Missing != 0 {
		t.Errorf("lacks %s", tr.Task.Missing)
	}
	tr.Partial = true
	tr.Apply(w, w.Cur.Step, 0)
	if w.Cur.Lacks != NeedBeginning {
		t.Errorf("lacks %q, want the beginning", w.Cur.Lacks)
	}
}

// TestSameCallID: an open call's id with other arguments is another call.
func TestSameCallID(t *testing.T) {
	w := NewWorkspace(Options{})
	same := toolCall(`"id":"c1","tool":"f","arguments":{"a":1}`)
	tr := applied(t, w, same, same, same, toolCall(`"id":"c1","tool":"f","arguments":{"a":2}`), toolCall(`"id":"c2","tool":"f","arguments":{"a":1}`))
	if tr.Task.Calls != 3 || w.Counts.Duplicates != 2 {
		t.Errorf("%d calls, %d duplicates, want 3 and 2", tr.Task.Calls, w.Counts.Duplicates)
	}
}

// TestSeenGoesOn restores in the middle of an overwritten half and goes on: the
// last 256 ids are known, older ones are not.
func TestSeenGoesOn(t *testing.T) {
	id := func(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }
	for _, n := range []int{10, 33, 128, 200, 256, 300, 384, 450, 512, 700} {
		var s seen
		for i := range n {
			s.add(id(i))
		}
		var r seen
		if err := r.restore(slices.Clone(s.list()), int(s.next)); err != nil {
			t.Fatal(err)
		}
		for i := n; i < n+300; i++ {
			if r.add(id(i)) {
				t.Fatalf("after %d: id %d is new", n, i)
			}
			for _, back := range []int{0, 1, 100, 127, 128, 200, 255} {
				if i-back >= 0 && !r.add(id(i-back)) {
					t.Fatalf("after %d: id %d, %d back, is forgotten", n, i-back, back)
				}
			}
		}
	}
	var s seen
	if s.restore([]uint64{1, 2, 3}, 2) == nil || s.restore([]uint64{1}, seenSize) == nil || s.restore(make([]uint64, seenSize+1), 0) == nil {
		t.Error("ids that cannot be were taken")
	}
}

// TestCanCompare: a value that hides something without a mac is equal to
// nothing, however deep it is.
func TestCanCompare(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":1,"b":[2,{"c":"$hidden"}]}`:                            true,
		`{"a":{"$hidden":{}}}`:                                       false,
		`[1,{"$hidden":{"len":3}}]`:                                  false,
		`{"a":[1,{"b":{"$hidden":{}}}]}`:                             false,
		`[[{"$hidden":{"kid":"k","mac":"m"}}],{"b":{"$hidden":{}}}]`: false,
		`{"a":[{"$hidden":{"kid":"k","mac":"m"}}],"b":2}`:            true,
	} {
		v, err := event.JSONValue([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := canCompare(v); got != want {
			t.Errorf("canCompare(%s) = %t, want %t", text, got, want)
		}
	}
}

// TestReads: a tool reads by its effect or, where nobody named one, by its name.
func TestReads(t *testing.T) {
	w := NewWorkspace(Options{})
	for _, tt := range []struct {
		name   string
		effect event.Effect
		want   bool
	}{
		{"get_order", event.EffectUnset, true},
		{"refund_order", event.EffectUnset, false},
		{"teleport", event.EffectUnset, false},
		{"cancel_and_get", event.EffectUnset, false},
		{"teleport", event.EffectRead, true},
		{"get_order", event.EffectWrite, false},
		{"get_order", event.EffectIrreversible, false},
	} {
		if got := w.tool(tt.name, tt.effect, false, false).Reads; got != tt.want {
			t.Errorf("%s with the effect %s reads: %t, want %t", tt.name, tt.effect, got, tt.want)
		}
	}
}
