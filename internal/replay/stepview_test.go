package replay

import (
	"bytes"
	"strings"
	"testing"

	"misstep/event"
)

func TestStepText(t *testing.T) {
	long := strings.Repeat("x", 500)
	for _, c := range []struct{ step, want string }{
		{`"kind":"user_message","text":"a\nb"`, `user_message a\nb`},
		{`"kind":"user_message","text":"\u001b[31m\u202e"`, `user_message \x1b[31m\u202e`},
		{`"kind":"user_message","text":"` + long + `"`, "user_message " + long[:157] + "..."},
		{`"kind":"user_message","text":{"$hidden":{"mac":"m"}}`, "user_message (hidden)"},
		{`"kind":"user_message","text":"a","truncated":true,"content_len":99`, "user_message a (cut, 99 bytes in all)"},
		{`"kind":"agent_message","agent":"me","text":"a"`, "agent_message a"},
		{`"kind":"agent_message","agent":"other","text":"a"`, "agent_message @other a"},
		{`"kind":"task_start","task":{"goal":"g","tools":[{"name":"a"},{"name":"b"}]}`, "task_start goal: g; tools: a, b"},
		{`"kind":"tools_changed","tools":{"add":[{"name":"a"}],"remove":["b"]}`, `tools_changed add: a; remove: ["b"]`},
		{`"kind":"tool_call","call":{"tool":"f"}`, "tool_call f {}"},
		{`"kind":"tool_call","call":{"tool":"f","arguments":{"a":[1,2]}}`, `tool_call f {"a":[1,2]}`},
		{`"kind":"tool_call","call":{"tool":"f","arguments_raw":"{"}`, `tool_call f no JSON object: {`},
		{`"kind":"tool_call","call":{"tool":{"$hidden":{"mac":"m"}}}`, "tool_call (hidden name) {}"},
		{`"kind":"tool_result","result":{"tool":"f","status":"error","error_type":"E","content":{"a":1}}`, `tool_result f error (E) {"a":1}`},
		{`"kind":"tool_result","result":{"call_id":"c"}`, "tool_result unknown"},
		{`"kind":"model_call","status":"timeout","text":"hm"`, "model_call timeout hm"},
		{`"kind":"plan_update","plan":{"items":[]}`, `plan_update {"items":[]}`},
		{`"kind":"escalation","escalation":{"to":"human","reason":"r"}`, "escalation to human r"},
		{`"kind":"guardrail","guardrail":{"action":"blocked","reason":"r"}`, "guardrail blocked r"},
		{`"kind":"handoff","handoff":{"to":"b"}`, "handoff to b"},
		{`"kind":"approval","approval":{"granted":false,"by":"ann"}`, "approval refused by ann"},
		{`"kind":"task_end","outcome":{"status":"success","scored_by":"check"}`, "task_end success by check"},
		{`"kind":"feedback","feedback":{"failure_id":"f","verdict":"false_positive"}`, "feedback false_positive f"},
		{`"kind":"context_compacted","context":{"tokens_after":7}`, "context_compacted to 7 tokens"},
	} {
		var d event.Decoder
		var s event.Step
		d.Reset([]byte(`{"trajectory_id":"t",` + c.step + `}`))
		if err := d.Next(&s); err != nil {
			t.Errorf("%s: %v", c.step, err)
			continue
		}
		if got := stepText(&s, "me"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.step, got, c.want)
		}
	}
}

func TestWindow(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"..........":       "x.........",
		".........>":       "x.....xxxx",
		">........>......": "xxxx..xxxxxxx...",
		"......>>........": "x..xxxxxxxx.....",
	} {
		steps := make([]Step, len(in))
		for i := range in {
			steps[i].Marked = in[i] == '>'
		}
		var b strings.Builder
		for _, shown := range window(steps) {
			b.WriteString(map[bool]string{true: "x", false: "."}[shown])
		}
		if b.String() != want {
			t.Errorf("%q: %q, want %q", in, b.String(), want)
		}
	}
}

func TestListStops(t *testing.T) {
	r := &Report{More: 5, Entries: []*Entry{{
		First: &event.Failure{Time: event.None}, Last: &event.Failure{
			Class: event.RetryLoop, Rule: "r", Rules: []string{"r"}, Subject: "s\x1b[2J", Severity: event.Error, Message: "m\n", Count: 3,
			Labels: event.Labels{TrajectoryID: "t", TaskID: "k"}, ID: "id", Evidence: []event.Evidence{{Seq: event.None, ID: "e"}},
		},
	}}}
	var b bytes.Buffer
	if err := List(&b, r, Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[31mERROR   \x1b[0m \x1b[1mretry_loop/r\x1b[0m s\\x1b[2J x3 \x1b[33m(still open)\x1b[0m\n" +
		"  m\\n\n  \x1b[2mtrajectory t, task k, steps e\x1b[0m\n  \x1b[2mid\x1b[0m\n\n... and 5 failures more; --out writes all of them to a file\n\n"
	if b.String() != want {
		t.Errorf("%q\nwant\n%q", b.String(), want)
	}
}
