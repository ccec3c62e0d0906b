package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func fullFailure() *Failure {
	return &Failure{
		ID: "4cfe5e4c0f0e2d1b9d3f0a0b0c0d0e0f", Rev: 2,
		Labels: Labels{TrajectoryID: "t1", TaskID: "k1", Workflow: "support", Agent: "a", Release: "r1", Model: "m", Tenant: "acme"},
		Class:  RetryLoop, Rule: "same_call", Rules: []string{"same_call", "same_error"}, Subject: "search",
		Severity: Error, Fault: FaultAgent, Confidence: 850, State: StateResolved,
		Time: 1772355600_000000001, FirstSeq: 0, LastSeq: 12, Count: 3, Message: "search was called 3 times with <the same> \"arguments\"\u2028",
		Evidence: []Evidence{{Seq: 4, ID: "t1#4", Note: "first"}, {Seq: None, ID: "", Note: ""}},
		Wasted:   Wasted{Tokens: 1500, CostMicroUSD: 4215}, Fingerprint: "00ff00ff00ff00ff", Recovered: true,
		Detector: DetectorRef{Name: "retry_loop", Version: 1}, Ruleset: "abc",
	}
}

func fullTask() *TaskRecord {
	return &TaskRecord{
		ID: "4cfe5e4c0f0e2d1b9d3f0a0b0c0d0e0f", Rev: 1,
		Was:    &TaskVerdict{Outcome: OutcomeAbandoned, ScoredBy: ScoredByAgent, Bucket: 1772355600},
		Now:    TaskVerdict{Outcome: OutcomeSuccess, ScoredBy: ScoredByCheck, Bucket: 1772355660},
		Labels: Labels{TrajectoryID: "t1", TaskID: "k1", Workflow: "support", Agent: "a", Release: "r1", Model: "m", Tenant: "acme"},
		Steps:  20, CostMicroUSD: 1_000_001, Tokens: 9000, WallMS: 60_000, ActiveMS: 50_000,
		Escalated: []string{"human"}, Tools: []ToolUse{{"search", 1, 2, 3, 4, 5, 6, 7}, {Tool: "refund"}},
		Classes: []string{"retry_loop"}, Partial: true,
		Coverage: []Abstention{{"tool_misuse", "schema_violation", "no_schema"}, {Detector: "context_loss", Reason: "hidden"}},
		Plan:     &PlanUse{Versions: 2, Items: 5, Begun: 4, Ordered: 3, Calls: 9, Planned: 6, Stale: 1, Replan: 2},
		Time:     1772355660_500000000,
	}
}

func fullDeadLetter() *DeadLetter {
	return &DeadLetter{
		Time: 1772355600_000000000, Source: "file:steps.jsonl", Partition: 3, Offset: 12, Index: 1,
		Reason: ReasonType.String(), Field: "call.arguments", At: 118, Message: "want an object, found a string",
	}
}

func TestAppendRecords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{
			string(AppendFailure(nil, fullFailure())),
			`{"v":1,"id":"4cfe5e4c0f0e2d1b9d3f0a0b0c0d0e0f","rev":2,"trajectory_id":"t1","task_id":"k1","workflow":"support","agent":"a","release":"r1","model":"m","tenant":"acme","class":"retry_loop","rule":"same_call","rules":["same_call","same_error"],"subject":"search","severity":"error","fault":"agent","confidence":0.850,"state":"resolved","time":"2026-03-01T09:00:00.000000001Z","first_seq":0,"last_seq":12,"count":3,"message":"search was called 3 times with <the same> \"arguments\"\u2028","evidence":[{"seq":4,"id":"t1#4","note":"first"},{}],"wasted":{"tokens":1500,"cost_usd":0.004215},"fingerprint":"00ff00ff00ff00ff","recovered":true,"detector":{"name":"retry_loop","version":1},"ruleset":"abc"}`,
		},
		{
			string(AppendFailure([]byte("x"), &Failure{FirstSeq: None, LastSeq: None, Time: None, Confidence: 1000})),
			`x{"v":1,"id":"","rev":0,"trajectory_id":"","class":"unknown","rule":"","severity":"none","fault":"unknown","confidence":1.000,"state":"open","count":0,"message":"","wasted":{"tokens":0,"cost_usd":0.000000},"detector":{"name":"","version":0}}`,
		},
		{
			string(AppendTask(nil, fullTask())),
			`{"v":1,"type":"task","id":"4cfe5e4c0f0e2d1b9d3f0a0b0c0d0e0f","rev":1,"was":{"outcome":"abandoned","scored_by":"agent","bucket":1772355600},"now":{"outcome":"success","scored_by":"check","bucket":1772355660},"trajectory_id":"t1","task_id":"k1","workflow":"support","agent":"a","release":"r1","model":"m","tenant":"acme","steps":20,"cost_usd":1.000001,"tokens":9000,"wall_ms":60000,"active_ms":50000,"escalated":["human"],"tools":[{"tool":"search","ok":1,"agent_fault":2,"tool_fault":3,"user_fault":4,"timeout":5,"denied":6,"unknown":7},{"tool":"refund"}],"classes":["retry_loop"],"partial":true,"coverage":[{"detector":"tool_misuse","rule":"schema_violation","reason":"no_schema"},{"detector":"context_loss","reason":"hidden"}],"plan":{"versions":2,"items":5,"begun":4,"ordered":3,"calls":9,"planned":6,"stale":1,"replan":2},"time":"2026-03-01T09:01:00.5Z"}`,
		},
		{
			string(AppendTask(nil, &TaskRecord{Time: None})),
			`{"v":1,"type":"task","id":"","rev":0,"now":{"outcome":"unknown","scored_by":"agent","bucket":0},"trajectory_id":"","steps":0,"cost_usd":0.000000,"tokens":0,"wall_ms":0,"active_ms":0}`,
		},
		{
			string(AppendDeadLetter(nil, fullDeadLetter())),
			`{"v":1,"time":"2026-03-01T09:00:00Z","source":"file:steps.jsonl","partition":3,"offset":12,"index":1,"reason":"type","field":"call.arguments","at":118,"message":"want an object, found a string"}`,
		},
	} {
		if tt.got != tt.want {
			t.Errorf("\n got %s\nwant %s", tt.got, tt.want)
		}
	}
}

func TestRecordSchemaMembers(t *testing.T) {
	for name, record := range map[string][]byte{
		"failure":    AppendFailure(nil, fullFailure()),
		"task":       AppendTask(nil, fullTask()),
		"deadletter": AppendDeadLetter(nil, fullDeadLetter()),
	} {
		s := loadSchema(t, name)
		if err := s.validate(record); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var doc map[string]any
		if err := json.Unmarshal(record, &doc); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		pathsOf(doc, "", got)
		samePaths(t, name, got, keySet(s.paths()))
	}
}

// What the schema refuses, missing or of another type, is refused when it is
// read, too.
func TestRecordSchemaRefuses(t *testing.T) {
	read := map[string]func([]byte) error{
		"failure": func(b []byte) error { _, err := UnmarshalFailure(b); return err },
		"task":    func(b []byte) error { _, err := UnmarshalTask(b); return err },
	}
	for name, record := range map[string][]byte{
		"failure": AppendFailure(nil, fullFailure()),
		"task":    AppendTask(nil, fullTask()),
	} {
		s := loadSchema(t, name)
		if err := read[name](record); err != nil {
			t.Fatal(err)
		}
		required := map[string]bool{}
		for _, r := range s.tree["required"].([]any) {
			required[r.(string)] = true
		}
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(record, &doc); err != nil {
			t.Fatal(err)
		}
		for member, raw := range doc {
			without := map[string]json.RawMessage{}
			for k, v := range doc {
				if k != member {
					without[k] = v
				}
			}
			b, _ := json.Marshal(without)
			if inSchema, inReader := s.validate(b), read[name](b); (inSchema != nil) != required[member] || (inReader != nil) != required[member] {
				t.Errorf("%s without %s\nschema: %v\nreader: %v", name, member, inSchema, inReader)
			}
			wrong := `[{"a":3}]`
			if raw[0] == '[' {
				wrong = `{"a":3}`
			}
			without[member] = json.RawMessage(wrong)
			b, _ = json.Marshal(without)
			if inSchema, inReader := s.validate(b), read[name](b); inSchema == nil || inReader == nil {
				t.Errorf("%s with %s as %s\nschema: %v\nreader: %v", name, member, wrong, inSchema, inReader)
			}
		}
		for _, bad := range []string{"", "[]", "null", "3", "{}", `{"v":2}`, string(record) + "x", strings.Replace(string(record), `"v":1`, `"v":2`, 1)} {
			if read[name]([]byte(bad)) == nil {
				t.Errorf("%s: %s is taken", name, bad)
			}
		}
	}
	if _, err := UnmarshalTask(bytes.Replace(AppendTask(nil, fullTask()), []byte(`"type":"task"`), []byte(`"type":"failure"`), 1)); err == nil {
		t.Error("a brief of a failure is taken for a task record")
	}
	if _, err := UnmarshalFailure(bytes.Replace(AppendFailure(nil, fullFailure()), []byte("0.850"), []byte("1e30"), 1)); err == nil {
		t.Error("a confidence out of range is taken")
	}
}

func drawLabels(t *rapid.T) Labels {
	s := func(name string) string { return rapid.String().Draw(t, name) }
	return Labels{s("trajectory"), s("task"), s("workflow"), s("agent"), s("release"), s("model"), s("tenant")}
}

func drawHex(t *rapid.T, n int) string {
	return rapid.StringMatching(fmt.Sprintf("[0-9a-f]{%d}", n)).Draw(t, "hex")
}

func drawList[T any](t *rapid.T, one func() T) []T {
	var list []T
	for range rapid.IntRange(0, 3).Draw(t, "len") {
		list = append(list, one())
	}
	return list
}

func drawOptional(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Just(int64(None)), rapid.Int64Range(0, 1<<62)).Draw(t, "optional")
}

// What is written is valid, on one line, and reads as the same.
func TestFailureRoundTrip(t *testing.T) {
	s := loadSchema(t, "failure")
	rapid.Check(t, func(t *rapid.T) {
		str := func(name string) string { return rapid.String().Draw(t, name) }
		num := func(name string) int64 { return rapid.Int64Range(0, 1<<62).Draw(t, name) }
		f := &Failure{
			ID: drawHex(t, 32), Rev: int(num("rev")), Labels: drawLabels(t),
			Class: Class(rapid.IntRange(0, NumClasses-1).Draw(t, "class")), Rule: str("rule"),
			Rules: drawList(t, func() string { return str("rule") }), Subject: str("subject"),
			Severity:   Severity(rapid.IntRange(0, int(Critical)).Draw(t, "severity")),
			Fault:      Fault(rapid.IntRange(0, int(FaultUser)).Draw(t, "fault")),
			Confidence: rapid.IntRange(0, 1000).Draw(t, "confidence"),
			State:      State(rapid.IntRange(0, int(StateResolved)).Draw(t, "state")),
			Time:       rapid.Int64Range(minSeconds*nanosecond, maxSeconds*nanosecond).Draw(t, "time"),
			FirstSeq:   drawOptional(t), LastSeq: drawOptional(t), Count: int(num("count")), Message: str("message"),
			Evidence:    drawList(t, func() Evidence { return Evidence{drawOptional(t), str("id"), str("note")} }),
			Wasted:      Wasted{num("tokens"), num("cost")},
			Fingerprint: rapid.SampledFrom([]string{"", drawHex(t, 16)}).Draw(t, "fingerprint"),
			Detector:    DetectorRef{str("name"), int(num("version"))}, Ruleset: str("ruleset"),
		}
		f.Recovered = f.State == StateResolved && rapid.Bool().Draw(t, "recovered")
		b := AppendFailure(nil, f)
		if err := s.validate(b); err != nil && f.Severity != SeverityNone {
			t.Fatalf("%s\n%v", b, err)
		}
		checkOneLine(t, b)
		got, err := UnmarshalFailure(b)
		if err != nil {
			t.Fatalf("%s\n%v", b, err)
		}
		if !reflect.DeepEqual(got, f) {
			t.Fatalf("%s\n got %+v\nwant %+v", b, got, f)
		}
	})
}

func TestTaskRoundTrip(t *testing.T) {
	s := loadSchema(t, "task")
	rapid.Check(t, func(t *rapid.T) {
		str := func(name string) string { return rapid.String().Draw(t, name) }
		num := func(name string) int64 { return rapid.Int64Range(0, 1<<62).Draw(t, name) }
		verdict := func() TaskVerdict {
			return TaskVerdict{
				OutcomeStatus(rapid.IntRange(0, int(OutcomeAbandoned)).Draw(t, "outcome")),
				ScoredBy(rapid.IntRange(0, int(ScoredByCheck)).Draw(t, "scored by")),
				rapid.Int64Range(-1<<40, 1<<40).Draw(t, "bucket") * 60,
			}
		}
		r := &TaskRecord{
			ID: drawHex(t, 32), Rev: int(num("rev")), Now: verdict(), Labels: drawLabels(t),
			Steps: num("steps"), CostMicroUSD: num("cost"), Tokens: num("tokens"), WallMS: num("wall"), ActiveMS: num("active"),
			Escalated: rapid.SampledFrom([][]string{nil, {"human"}, {"fallback", "human"}}).Draw(t, "escalated"),
			Tools: drawList(t, func() ToolUse {
				return ToolUse{str("tool"), num("ok"), num("agent"), num("tool"), num("user"), num("timeout"), num("denied"), num("unknown")}
			}),
			Classes: drawList(t, func() string { return rapid.SampledFrom(classNames[1:]).Draw(t, "class") }),
			Partial: rapid.Bool().Draw(t, "partial"),
			Coverage: drawList(t, func() Abstention {
				return Abstention{str("detector"), str("rule"), str("reason")}
			}),
			Time: drawOptional(t),
		}
		if rapid.Bool().Draw(t, "was") {
			was := verdict()
			r.Was = &was
		}
		if rapid.Bool().Draw(t, "planned") {
			r.Plan = &PlanUse{num("versions"), num("items"), num("begun"), num("ordered"), num("matched"), num("planned"), num("stale"), num("replan")}
		}
		b := AppendTask(nil, r)
		if err := s.validate(b); err != nil {
			t.Fatalf("%s\n%v", b, err)
		}
		checkOneLine(t, b)
		got, err := UnmarshalTask(b)
		if err != nil {
			t.Fatalf("%s\n%v", b, err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("%s\n got %+v\nwant %+v", b, got, r)
		}
	})
}

func TestDeadLetterIsValid(t *testing.T) {
	s := loadSchema(t, "deadletter")
	rapid.Check(t, func(t *rapid.T) {
		l := &DeadLetter{
			Time: drawOptional(t), Source: rapid.String().Draw(t, "source"), Partition: rapid.Int32().Draw(t, "partition"),
			Offset: rapid.Int64().Draw(t, "offset"), Index: rapid.IntRange(0, 1<<40).Draw(t, "index"),
			Reason: Reason(rapid.IntRange(1, NumReasons-1).Draw(t, "reason")).String(), Field: rapid.String().Draw(t, "field"),
			At: rapid.IntRange(0, 1<<40).Draw(t, "at"), Message: rapid.String().Draw(t, "message"),
		}
		b := AppendDeadLetter(nil, l)
		if err := s.validate(b); err != nil {
			t.Fatalf("%s\n%v", b, err)
		}
		checkOneLine(t, b)
	})
}

func checkOneLine(t *rapid.T, b []byte) {
	for _, r := range string(b) {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			t.Fatalf("%q holds %U", b, r)
		}
	}
}

// An encoder that writes into space that is there allocates nothing.
func TestAppendAllocatesNothing(t *testing.T) {
	f, r, l := fullFailure(), fullTask(), fullDeadLetter()
	var step Step
	var d Decoder
	d.Reset([]byte(seedSteps(t)[1]))
	if err := d.Next(&step); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 1<<14)
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendFailure(dst[:0], f)
		dst = AppendTask(dst[:0], r)
		dst = AppendDeadLetter(dst[:0], l)
		dst = AppendStep(dst[:0], &step)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
