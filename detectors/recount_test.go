package detectors

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

// fails gives a call that fails, and its result.
func fails(n int, tool, arg, text string) string {
	return fmt.Sprintf(`{"trajectory_id":"t","seq":%d,"kind":"tool_call","call":{"id":"c%d","tool":%q,"arguments":{"a":%q}}}
{"trajectory_id":"t","seq":%d,"kind":"tool_result","result":{"call_id":"c%d","status":"error","content":%q}}
`, 2*n, n, tool, arg, 2*n+1, n, text)
}

// TestMessageIsOneRules: a failure that two rules see keeps to the message of
// one, brought up to date by it.
func TestMessageIsOneRules(t *testing.T) {
	steps := fails(0, "f", "x", "it broke") + fails(1, "f", "y", "it broke") + fails(2, "f", "y", "it broke") + fails(3, "f", "y", "it broke")
	var last *event.Failure
	for _, o := range replay(t, Config{}, []byte(steps)) {
		if f, ok := o.Record.(*event.Failure); ok {
			last = f
		}
	}
	if last == nil || strings.Join(last.Rules, " ") != "same_error identical_failing_call" {
		t.Fatalf("got %+v, want both rules", last)
	}
	if last.Count != 4 || !strings.Contains(last.Message, "failed 4 times") {
		t.Errorf("count %d, message %q: want the 4 times of the rule that opened it", last.Count, last.Message)
	}
}

// TestFadeIsOfAClass: that a loop is left ends the loop, and nothing else.
func TestFadeIsOfAClass(t *testing.T) {
	steps := `{"trajectory_id":"t","kind":"task_start","task":{"tools":[{"name":"f"},{"name":"g"}]}}
{"trajectory_id":"t","kind":"tool_call","call":{"tool":"teleport_home"}}
` + fails(0, "f", "x", "it broke") + fails(1, "f", "x", "it broke")
	words := strings.Fields("one two three four five six seven eight nine ten eleven twelve")
	for i, w := range words {
		steps += fails(2+i, "g", w, "no "+w+" here")
	}
	only := Config{Detectors: map[string]DetectorConfig{"retry_loop": {Rules: map[string]RuleConfig{"thrash": {Disabled: true}}}}}
	var order []string
	for _, o := range replay(t, only, []byte(steps)) {
		switch r := o.Record.(type) {
		case *event.Failure:
			order = append(order, fmt.Sprint(r.State, " ", r.Class, " ", r.LastSeq != event.None && o.Class == event.RetryLoop))
		case *event.TaskRecord:
			order = append(order, "task")
		}
	}
	got := strings.Join(order, "; ")
	want := "open hallucinated_tool false; open retry_loop true; resolved retry_loop true; resolved hallucinated_tool false; task"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
