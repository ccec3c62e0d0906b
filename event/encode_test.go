package event

import (
	"strings"
	"testing"
)

// Each sample is written as it stands, but for fixed decimals, times in UTC, and
// what is absent or unknown.
func TestAppendStep(t *testing.T) {
	replace := strings.NewReplacer(
		`"time":"2026-03-01T11:00:01.5+02:00"`, `"time":"2026-03-01T09:00:01.5Z"`,
		`"max_cost_usd":1.5,"deadline_s":600.5`, `"max_cost_usd":1.500000,"deadline_s":600.500`,
		`"turn":4,"truncated":false`, `"turn":"4"`,
		`"score":-1,`, `"score":-1.000,`,
		`"kind":"dream","text":"of a kind that came later","new_field":[{}]`, `"kind":"unknown"`,
	)
	var d Decoder
	var s Step
	for _, sample := range seedSteps(t) {
		d.Reset([]byte(sample))
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
		want := replace.Replace(sample)
		if !strings.Contains(want, `"v":1`) {
			kind := `"kind":"` + s.Kind.String() + `"`
			want = strings.Replace(want, kind, kind+`,"v":1`, 1)
		}
		if got := string(AppendStep([]byte("x"), &s)); got != "x"+want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

func TestAppendStepOdd(t *testing.T) {
	own := func(s Step) *Step {
		s.TrajectoryID = []byte("t")
		return &s
	}
	var blank Step
	blank.reset()
	with := func(change func(*Step)) *Step {
		s := blank
		change(&s)
		return own(s)
	}
	for _, tt := range []struct {
		step *Step
		want string
	}{
		{with(func(s *Step) { s.Kind = UserMessage }), `"kind":"user_message","v":1,"text":""}`},
		{with(func(s *Step) { s.Kind, s.Text, s.Source = UserMessage, StringValue("a\"\n\x7f"), []byte("file") }), `"kind":"user_message","v":1,"text":"a\"\n\u007f"}`},
		{with(func(s *Step) { s.Kind = TaskEnd }), `"kind":"task_end","v":1}`},
		{with(func(s *Step) { s.Kind = OutcomeGiven }), `"kind":"outcome","v":1,"outcome":{"status":"unknown","scored_by":"agent"}}`},
		{with(func(s *Step) { s.Kind, s.Outcome.Has, s.Outcome.Score = TaskEnd, true, -1 }), `"kind":"task_end","v":1,"outcome":{"status":"unknown","score":-0.001,"scored_by":"agent"}}`},
		{with(func(s *Step) { s.Kind = TaskStart }), `"kind":"task_start","v":1,"task":{}}`},
		{with(func(s *Step) { s.Kind, s.Task.MaxSteps = TaskStart, 0 }), `"kind":"task_start","v":1,"task":{"limits":{"max_steps":0}}}`},
		{with(func(s *Step) { s.Kind, s.Task.MaxCostMicroUSD = TaskStart, 1 }), `"kind":"task_start","v":1,"task":{"limits":{"max_cost_usd":0.000001}}}`},
		{with(func(s *Step) { s.Kind, s.Task.DeadlineMS = TaskStart, 1500 }), `"kind":"task_start","v":1,"task":{"limits":{"deadline_s":1.500}}}`},
		{with(func(s *Step) { s.Kind, s.Usage.Has = TaskEnd, true }), `"kind":"task_end","v":1,"usage":{}}`},
		{with(func(s *Step) { s.Kind, s.Usage.Has, s.Usage.HasCost = TaskEnd, true, true }), `"kind":"task_end","v":1,"usage":{"cost_usd":0.000000}}`},
		{with(func(s *Step) {
			s.Kind = ToolsChanged
			s.Change.Add, s.Change.Remove = Value{[]byte("{}"), Hidden}, Value{[]byte("[]"), Array}
		}), `"kind":"tools_changed","v":1,"tools":{"add":{"$hidden":{}},"remove":[]}}`},
		{with(func(s *Step) {
			s.Kind = ToolsChanged
			s.Change.Remove = Value{[]byte("{}"), Hidden}
		}), `"kind":"tools_changed","v":1,"tools":{"remove":{"$hidden":{}}}}`},
		{with(func(s *Step) { s.Kind, s.Result.ToolHidden = ToolResult, true }), `"kind":"tool_result","v":1,"result":{"tool":{"$hidden":{}}}}`},
		{with(func(s *Step) { s.Kind = ToolResult }), `"kind":"tool_result","v":1,"result":{}}`},
		{with(func(s *Step) {
			s.Kind, s.Call.Tool = ToolCall, []byte("a")
			s.Call.Arguments = Value{[]byte("{ \"a\" :\n [ 1 , \"x y\\\" \" ] }"), Object}
		}), `"kind":"tool_call","v":1,"call":{"tool":"a","arguments":{"a":[1,"x y\" "]}}}`},
		{with(func(s *Step) {
			s.Kind, s.Call.Tool = ToolCall, []byte("a")
			s.Call.Arguments = Value{[]byte("{ \"a\" :\r1}"), Object}
		}), `"kind":"tool_call","v":1,"call":{"tool":"a","arguments":{"a":1}}}`},
		{with(func(s *Step) {
			s.Kind, s.Call.Tool = ToolCall, []byte("a")
			s.Call.Arguments = Value{[]byte(`{ "a" : 1}`), Object}
		}), `"kind":"tool_call","v":1,"call":{"tool":"a","arguments":{ "a" : 1}}}`},
	} {
		if got, want := string(AppendStep(nil, tt.step)), `{"trajectory_id":"t",`+tt.want; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

// A clone lives on when the payload does not.
func TestClone(t *testing.T) {
	var d Decoder
	var s Step
	for _, sample := range seedSteps(t) {
		payload := []byte(sample)
		d.Reset(payload)
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
		before := string(AppendStep(nil, &s))
		c := s.Clone()
		clear(payload)
		d.Release()
		d.Reset([]byte(strings.Repeat(`{"trajectory_id":"\u0078\u0078\u0078\u0078"}`, 50)))
		_ = d.Next(&s)
		if after := string(AppendStep(nil, c)); after != before || string(c.Raw) != sample {
			t.Errorf("\n got %s\nwant %s", after, before)
		}
	}
}

func TestKinds(t *testing.T) {
	for k := range Kind(NumKinds) {
		if got := kindOf([]byte(k.String())); got != k {
			t.Errorf("%v reads as %v", k, got)
		}
	}
	if Kind(200).String() != "unknown" || Status(200).String() != "unknown" || Effect(200).String() != "" || OutcomeStatus(200).String() != "unknown" ||
		ScoredBy(200).String() != "agent" || EscalationTo(200).String() != "unknown" || Class(200).String() != "unknown" ||
		Severity(200).String() != "none" || Fault(200).String() != "unknown" || State(200).String() != "open" || Reason(200).String() != "none" {
		t.Error("a value beyond the last has a name of its own")
	}
	for s, failed := range map[Status]bool{StatusUnknown: false, StatusOK: false, StatusError: true, StatusTimeout: true, StatusDenied: true} {
		if s.Failed() != failed {
			t.Errorf("%v: Failed is %v", s, s.Failed())
		}
	}
	for e, writes := range map[Effect]bool{EffectUnset: false, EffectRead: false, EffectWrite: true, EffectIrreversible: true} {
		if e.Writes() != writes {
			t.Errorf("%v: Writes is %v", e, e.Writes())
		}
	}
	for f := Absent; f <= Hidden; f++ {
		v := Value{Form: f}
		if v.IsString() != (f == String || f == Escaped) || v.Present() != (f != Absent && f != Null && f != Hidden) {
			t.Errorf("form %d", f)
		}
	}
}
