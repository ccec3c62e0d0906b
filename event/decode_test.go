package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decodeAll gives the steps of a payload, each with Raw as its only content,
// and what was refused, in one list.
func decodeAll(d *Decoder, payload string) []string {
	var s Step
	var list []string
	d.Reset([]byte(payload))
	for {
		err := d.Next(&s)
		switch {
		case err == io.EOF:
			return list
		case err != nil:
			list = append(list, fmt.Sprintf("%d: %v", d.Index(), err))
		default:
			list = append(list, fmt.Sprintf("%d @%d %s %s", d.Index(), s.Offset, s.Kind, s.TrajectoryID))
		}
	}
}

const (
	stepA = `{"trajectory_id":"a","kind":"task_end"}`
	stepB = `{"trajectory_id":"b","kind":"task_end"}`
)

func TestFraming(t *testing.T) {
	indented := "{\n \"trajectory_id\": \"a\",\n \"kind\": \"task_end\"\n}"
	noKind := `{"trajectory_id":"n"}`
	kindMissing := "kind: want the kind of the step, found none"
	for _, tt := range []struct {
		name, payload string
		want          []string
	}{
		{"nothing", "", nil},
		{"white space", " \r\n\t", nil},
		{"a mark alone", "\xef\xbb\xbf", nil},
		{"one", stepA, []string{"0 @0 task_end a"}},
		{"one with a mark and space", "\xef\xbb\xbf \n" + stepA + "\n", []string{"0 @5 task_end a"}},
		{"one over many lines", indented, []string{"0 @0 task_end a"}},
		{"many, each over many lines", indented + "\n" + indented + "\n", []string{"0 @0 task_end a", "1 @47 task_end a"}},
		{"lines", stepA + "\n" + stepB, []string{"0 @0 task_end a", "1 @40 task_end b"}},
		{"lines with CR, empty ones between", stepA + "\r\n\r\n  \n" + stepB + "\r\n\n", []string{"0 @0 task_end a", "1 @46 task_end b"}},
		{"two on one line", stepA + stepB + "\n" + stepB, []string{
			"0: want a line break after the event, found an object at byte 39", "1 @79 task_end b",
		}},
		{"a comma after a line", stepA + ",\n" + stepB, []string{
			"0: want a line break after the event, found ',' at byte 39", "1 @41 task_end b",
		}},
		{"lines that are no events", stepA + "\nx\n3\n\"x\"\nnull\n" + stepB, []string{
			"0 @0 task_end a",
			"1: want an event as an object, found something else at byte 40",
			"2: want an event as an object, found a number at byte 42",
			"3: want an event as an object, found a string at byte 44",
			"4: want an event as an object, found null at byte 48",
			"5 @53 task_end b",
		}},
		{"a bad event on a line", noKind + "\n" + stepB, []string{"0: " + kindMissing + " at byte 0", "1 @22 task_end b"}},
		{"a line cut in a string", `{"trajectory_id":"` + "\n" + stepB, []string{
			"0: trajectory_id: want a closing quote, found a control character in a string at byte 18; escape it, as in \\n or \\u0007",
			"1 @19 task_end b",
		}},
		{"a line cut before a value", `{"x":` + "\n" + stepA + "\n" + stepB, []string{
			"0: want ',' or '}', found an object at byte 46", "1 @6 task_end a", "2 @46 task_end b",
		}},
		{"a whole line that is bad", `{"x":tru}` + "\nx\n" + stepB, []string{
			"0: want a value, found something else at byte 5", "1: want an event as an object, found something else at byte 10", "2 @12 task_end b",
		}},
		{"a line cut before a value, that others complete", `{"kind":` + "\n" + stepA + "\n}\n" + stepB, []string{
			"0: kind: want a string, found an object at byte 9", "1 @9 task_end a",
			"2: want an event as an object, found '}' at byte 49", "3 @51 task_end b",
		}},
		{"many bad ones over many lines", "{\n \"kind\": 3\n}\n{\n \"kind\": 4\n}\n" + indented, []string{
			"0: kind: want a string, found a number at byte 11", "1: kind: want a string, found a number at byte 26", "2 @30 task_end a",
		}},
		{"a broken one over many lines", "{\n \"kind\" 3\n}\n" + indented + "\n" + stepB, []string{
			"0: want ':' after a key, found a number at byte 10", "1: want a key in double quotes, found the end of the line at byte 15", "2 @61 task_end b",
		}},
		{"the last line cut", stepA + "\n" + `{"x":`, []string{"0 @0 task_end a", "1: want a value, found the end at byte 45"}},
		{"a bad one over many lines", "{\n \"trajectory_id\": \"a\",\n \"kind\": 3\n}\n" + stepB, []string{
			"0: kind: want a string, found a number at byte 34", "1 @38 task_end b",
		}},
		{"empty array", "[]", nil},
		{"empty array with space", " [ ] \n", nil},
		{"array", "[" + stepA + " , " + stepB + "\n]\n", []string{"0 @1 task_end a", "1 @43 task_end b"}},
		{"a bad element", "[" + noKind + "," + stepB + "]", []string{"0: " + kindMissing + " at byte 1", "1 @23 task_end b"}},
		{"elements that are no events", "[1,[" + stepA + "],null," + stepB + "]", []string{
			"0: want an event as an object, found a number at byte 1",
			"1: want an event as an object, found an array at byte 3",
			"2: want an event as an object, found null at byte 45",
			"3 @50 task_end b",
		}},
		{"a broken element", "[" + stepA + `,{"x":tru},` + stepB + "]", []string{
			"0 @1 task_end a", "1: want a value, found something else at byte 46",
		}},
		{"an array that is cut", "[" + stepA + ",", []string{"0 @1 task_end a", "1: want an event, found the end at byte 41"}},
		{"an array that is not closed", "[" + stepA, []string{"0 @1 task_end a", "1: want ',' or ']', found the end at byte 40"}},
		{"an array without a comma", "[" + stepA + " " + stepB + "]", []string{
			"0 @1 task_end a", "1: want ',' or ']', found an object at byte 41",
		}},
		{"an array with a comma at the end", "[" + stepA + ",]", []string{
			"0 @1 task_end a", "1: want an event as an object, found ']' at byte 41",
		}},
		{"something after an array", "[" + stepA + "]\n" + stepB, []string{
			"0 @1 task_end a", "1: want nothing after the array, found an object at byte 42",
		}},
		{"an open bracket", "[", []string{"0: want an event, found the end at byte 1"}},
		{"a mark in the wrong place", stepA + "\n\xef\xbb\xbf" + stepB, []string{
			"0 @0 task_end a", "1: want an event as an object, found a character that is no ASCII at byte 40",
		}},
		{"UTF-16", "\xff\xfe{\x00", []string{"0: want an event as an object, found a character that is no ASCII at byte 0"}},
	} {
		var d Decoder
		if got := decodeAll(&d, tt.payload); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q\n got %q\nwant %q", tt.name, tt.payload, got, tt.want)
		}
	}
}

// Of lines good and bad, every good one is read, whatever stands before it.
func TestLinesAreIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var payload bytes.Buffer
		var want []string
		for i := range rapid.IntRange(0, 12).Draw(t, "lines") {
			line := fmt.Sprintf(`{"trajectory_id":"t%d","kind":"task_end","x":{"a":[1,"b"]}}`, i)
			if rapid.Bool().Draw(t, "bad") {
				cut := rapid.IntRange(1, len(line)-1).Draw(t, "cut")
				line = line[:cut] + rapid.SampledFrom([]string{"", "}", "?", "\x00", "{", "]", `"`}).Draw(t, "then")
			}
			if _, err := modelStep([]byte(strings.Trim(line, " ") + " ")); line != "" && err == nil {
				want = append(want, line)
			}
			payload.WriteString(line + rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(t, "end"))
		}
		var d Decoder
		var s Step
		var got []string
		d.Reset(payload.Bytes())
		for {
			err := d.Next(&s)
			if err == io.EOF {
				break
			}
			if err == nil {
				got = append(got, string(s.Raw))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n got %q\nwant %q", payload.Bytes(), got, want)
		}
	})
}

// No event is whole before its last byte, alone or in an array.
func TestPrefixesAreRefused(t *testing.T) {
	var d Decoder
	var s Step
	for _, sample := range seedSteps(t) {
		for n := 1; n < len(sample); n++ {
			for _, payload := range []string{sample[:n], "[" + sample[:n]} {
				d.Reset([]byte(payload))
				var refused *DecodeError
				if err := d.Next(&s); !errors.As(err, &refused) || refused.Reason != ReasonSyntax {
					t.Fatalf("%s: %v", payload, err)
				}
				if err := d.Next(&s); err != io.EOF {
					t.Fatalf("%s: %v after the end", payload, err)
				}
			}
		}
	}
}

func TestFieldErrors(t *testing.T) {
	call := func(call string) string { return `{"trajectory_id":"t","kind":"tool_call","call":` + call + `}` }
	long := strings.Repeat("x", MaxName+1)
	for _, tt := range []struct {
		event  string
		reason Reason
		want   string
	}{
		{
			call(`{"tool":"a","arguments":"{}"}`), ReasonType,
			"call.arguments: want an object, found a string at byte 71; put a string that is no JSON object into call.arguments_raw",
		},
		{
			call(`{"tool":"a","arguments":[1]}`), ReasonType,
			"call.arguments: want an object, found an array at byte 71; put a string that is no JSON object into call.arguments_raw",
		},
		{call(`{"tool":"a","arguments_raw":{"a":1}}`), ReasonType, "call.arguments_raw: want a string, found an object at byte 75"},
		{call(`{"id":"c1"}`), ReasonMissing, "call.tool: want the name of the tool, found none at byte 0"},
		{call(`{"tool":null}`), ReasonMissing, "call.tool: want the name of the tool, found none at byte 0"},
		{call(`null`), ReasonMissing, "call.tool: want the name of the tool, found none at byte 0"},
		{call(`"x"`), ReasonType, "call: want an object, found a string at byte 47"},
		{call(`{"tool":{"name":"a"}}`), ReasonType, "call.tool: want a string, found an object at byte 55"},
		{call(`{"tool":"a\u0000"}`), ReasonValue, "call.tool: want no control characters, found one at byte 55"},
		{call(`{"tool":"` + long[:MaxToolName+1] + `"}`), ReasonValue, "call.tool: want at most 256 bytes, found more at byte 55"},
		{
			call(`{"tool":{"$hidden":{"mac":3}}}`), ReasonValue,
			"call.tool: want kid and mac as strings, len as a number and tokens as an array, found something else in $hidden at byte 55",
		},
		{call(`{"id":{"$hidden":{}},"tool":"a"}`), ReasonType, "call.id: want a string, found a hidden value at byte 53"},
		{call(`{"tool":"a","content_len":-1}`), ReasonValue, "call.content_len: want 0 or more, found a negative number at byte 73"},
		{call(`{"tool":"a","truncated":1}`), ReasonType, "call.truncated: want true or false, found a number at byte 71"},
		{call(`{"tool":"a",}`), ReasonSyntax, "call: want a key in double quotes, found '}' at byte 59"},
		{call(`{"tool":"a" "b":1}`), ReasonSyntax, "call: want ',' or '}', found a string at byte 59"},
		{call(`{'tool':"a"}`), ReasonSyntax, "call: want a key in double quotes, found a single quote at byte 48"},
		{`{"kind":"task_end"}`, ReasonMissing, "trajectory_id: want a text that names the run or conversation, found none at byte 0"},
		{`{"trajectory_id":"","kind":"task_end"}`, ReasonMissing, "trajectory_id: want a text that names the run or conversation, found none at byte 0"},
		{`{"trajectory_id":7,"kind":"task_end"}`, ReasonType, "trajectory_id: want a string, found a number at byte 17"},
		{`{"trajectory_id":"a\u009b","kind":"task_end"}`, ReasonValue, "trajectory_id: want no control characters, found one at byte 17"},
		{`{"trajectory_id":"` + long + `","kind":"task_end"}`, ReasonValue, "trajectory_id: want at most 512 bytes, found more at byte 17"},
		{`{"trajectory_id":"t","kind":null}`, ReasonMissing, "kind: want the kind of the step, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"task_end","v":2}`, ReasonVersion, "v: want version 1, found a later one at byte 43; update the detector, or send version 1"},
		{`{"trajectory_id":"t","kind":"task_end","v":0}`, ReasonValue, "v: want version 1, found 0 at byte 43"},
		{`{"trajectory_id":"t","kind":"task_end","seq":5.5}`, ReasonValue, "seq: want an integer of at most 63 bits, found another number at byte 45"},
		{`{"trajectory_id":"t","kind":"task_end","seq":"5"}`, ReasonType, "seq: want an integer, found a string at byte 45"},
		{`{"trajectory_id":"t","kind":"task_end","seq":01}`, ReasonSyntax, "want ',' or '}', found a number at byte 46"},
		{
			`{"trajectory_id":"t","kind":"task_end","time":"2026-03-01T00:00:00"}`, ReasonValue,
			"time: want an RFC 3339 time, found one without a zone at byte 46; end it with Z or an offset as +02:00",
		},
		{
			`{"trajectory_id":"t","kind":"task_end","time":"1.3.2026"}`, ReasonValue,
			"time: want an RFC 3339 time, found another text at byte 46; write it as in 2026-03-01T12:00:00.5Z",
		},
		{
			`{"trajectory_id":"t","kind":"task_end","time":"2026-03-01T00:00:00Zx"}`, ReasonValue,
			"time: want an RFC 3339 time, found another text at byte 46; write it as in 2026-03-01T12:00:00.5Z",
		},
		{
			`{"trajectory_id":"t","kind":"task_end","time":1772323200}`, ReasonType,
			"time: want an RFC 3339 time in a string, found a number at byte 46; write it as in 2026-03-01T12:00:00.5Z",
		},
		{`{"trajectory_id":"t","kind":"task_end","time":"2300-01-01T00:00:00Z"}`, ReasonValue, "time: want a time from 1678 to 2262, found another at byte 46"},
		{`{"trajectory_id":"t","kind":"task_end","usage":{"cost_usd":-0.01}}`, ReasonValue, "usage.cost_usd: want 0 or more, found a negative number at byte 59"},
		{`{"trajectory_id":"t","kind":"task_end","usage":{"cost_usd":1e13}}`, ReasonValue, "usage.cost_usd: want a smaller number, found one out of range at byte 59"},
		{`{"trajectory_id":"t","kind":"user_message"}`, ReasonMissing, "text: want the text of the message, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"user_message","text":["a"]}`, ReasonType, "text: want a string, found an array at byte 50"},
		{`{"trajectory_id":"t","kind":"tool_result"}`, ReasonMissing, "result: want an object, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"approval","approval":{"granted":null}}`, ReasonMissing, "approval.granted: want true or false, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"tools_changed"}`, ReasonMissing, "tools: want an object with add and remove, found none at byte 0"},
		{`{"tools":[],"trajectory_id":"t","kind":"tools_changed"}`, ReasonType, "tools: want an object with add and remove, found an array at byte 9"},
		{`{"trajectory_id":"t","kind":"tools_changed","tools":{"add":1}}`, ReasonType, "tools.add: want an array of tools, found a number at byte 59"},
		{`{"trajectory_id":"t","kind":"tools_changed","tools":{"remove":"a"}}`, ReasonType, "tools.remove: want an array of names, found a string at byte 62"},
		{`{"trajectory_id":"t","kind":"model_call","tools":{}}`, ReasonType, "tools: want an array of tools, found an object at byte 49"},
		{`{"trajectory_id":"t","kind":"plan_update"}`, ReasonMissing, "plan: want an object, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"handoff","handoff":{}}`, ReasonMissing, "handoff.to: want the name of an agent, found none at byte 0"},
		{`{"trajectory_id":"t","kind":"feedback","feedback":{}}`, ReasonMissing, "feedback.failure_id: want the id of a failure, found none at byte 0"},
		{`{"a":"\x41"}`, ReasonSyntax, `want one of \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits, found another escape at byte 6`},
		{"{\"a\":\"\xc3(\"}", ReasonUTF8, "want UTF-8, found a byte that is none at byte 6; encode the event as UTF-8"},
		{
			`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", ReasonDepth,
			"want no deeper nesting, found more at byte 68; flatten the value, or send it as a string",
		},
		{`{"a":"`, ReasonSyntax, "want a closing quote, found the end at byte 6"},
		{`{"a" 1}`, ReasonSyntax, "want ':' after a key, found a number at byte 5"},
		{`{"a":-}`, ReasonSyntax, "want a digit, found '}' at byte 6"},
		{`{"a":True}`, ReasonSyntax, "want a value, found something else at byte 5"},
	} {
		var d Decoder
		var s Step
		d.Reset([]byte(tt.event))
		err := d.Next(&s)
		var refused *DecodeError
		if !errors.As(err, &refused) {
			t.Errorf("%s\nis not refused: %v", tt.event, err)
			continue
		}
		if refused.Error() != tt.want || refused.Reason != tt.reason {
			t.Errorf("%s\n got %v: %v\nwant %v: %v", tt.event, refused.Reason, refused, tt.reason, tt.want)
		}
	}
}

// The last of equal names counts, and nothing is left of those before it.
func TestLastNameCounts(t *testing.T) {
	for name, full := range map[string]string{
		"task":       `{"goal":"g","tools":[],"limits":{"max_steps":1,"max_cost_usd":2,"deadline_s":3}}`,
		"call":       `{"id":"c","tool":"a","arguments":{},"arguments_raw":"x","turn":1,"truncated":true,"content_len":5,"content_hash":"h"}`,
		"result":     `{"call_id":"c","tool":"a","status":"ok","error_type":"e","content":1,"duration_ms":2,"truncated":true,"content_len":5,"content_hash":"h"}`,
		"context":    `{"tokens_before":1,"tokens_after":2}`,
		"approval":   `{"call_id":"c","granted":true,"by":"b"}`,
		"escalation": `{"to":"human","reason":"r"}`,
		"guardrail":  `{"action":"blocked","reason":"r"}`,
		"handoff":    `{"to":"b"}`,
		"outcome":    `{"status":"success","score":1,"scored_by":"check"}`,
		"feedback":   `{"failure_id":"f","verdict":"v","by":"b"}`,
		"usage":      `{"input_tokens":1,"output_tokens":2,"cache_read_tokens":3,"cache_write_tokens":4,"reasoning_tokens":5,"cost_usd":6}`,
		"text":       `"x"`, "plan": "{}", "seq": "3", "time": `"2026-03-01T00:00:00Z"`, "agent": `"a"`, "truncated": "true", "content_len": "5",
	} {
		for _, last := range []string{"null", "{}"} {
			if full[0] != '{' && last == "{}" || name == "plan" && last == "{}" {
				continue
			}
			alone := `{"trajectory_id":"t","kind":"model_call","` + name + `":` + last + `}`
			twice := `{"` + name + `":` + full + `,"trajectory_id":"t","kind":"model_call","` + name + `":` + last + `}`
			var d Decoder
			var a, b Step
			for payload, s := range map[string]*Step{alone: &a, twice: &b} {
				d.Reset([]byte(payload))
				if err := d.Next(s); err != nil {
					t.Fatalf("%s: %v", payload, err)
				}
			}
			a.Raw, b.Raw = nil, nil
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s\n got %+v\nwant %+v", twice, b, a)
			}
		}
	}
}

func TestEscapesInScalars(t *testing.T) {
	var d Decoder
	var s Step
	d.Reset([]byte(`{"tr\u0061jectory_id":"t\u0031","kind":"tool\u005fresult","time":"2026-03-01T00\u003a00:00\u005a","result":{"st\u0061tus":"\u006fk"},"id\u0000":"x"}`))
	if err := d.Next(&s); err != nil {
		t.Fatal(err)
	}
	if string(s.TrajectoryID) != "t1" || s.Kind != ToolResult || s.Time != 1772323200*nanosecond || s.Result.Status != StatusOK || s.ID != nil {
		t.Errorf("%+v", s)
	}
}

func TestStepIsOverwritten(t *testing.T) {
	var d Decoder
	var s, blank Step
	d.Reset([]byte(stepB))
	if err := d.Next(&blank); err != nil {
		t.Fatal(err)
	}
	for _, full := range seedSteps(t) {
		d.Reset([]byte(full))
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
		d.Reset([]byte(stepB))
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, blank) {
			t.Errorf("after %s\n got %+v\nwant %+v", full, s, blank)
		}
	}
}

// What is unescaped stays in its place over many payloads, until Release.
func TestScratchOutlivesReset(t *testing.T) {
	var d Decoder
	var steps [200]Step
	want := func(i int) string { return fmt.Sprintf("t\u00e9%s-%d", strings.Repeat("x", i%150*3), i) }
	for round := range 3 {
		for i := range steps {
			d.Reset(fmt.Appendf(nil, `{"trajectory_id":"t\u00e9%s-%d","kind":"task\u005fend","agent":"\u0061"}`, strings.Repeat("x", i%150*3), i))
			if err := d.Next(&steps[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range steps {
			if got := string(steps[i].TrajectoryID); got != want(i) || string(steps[i].Agent) != "a" {
				t.Fatalf("round %d, step %d: %q, %q", round, i, got, steps[i].Agent)
			}
			// Nobody can append into what belongs to another.
			if c := cap(steps[i].TrajectoryID); c != len(steps[i].TrajectoryID) {
				t.Fatalf("capacity %d", c)
			}
		}
		d.Release()
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	payload, _ := benchLines()
	escaped := []byte(strings.Repeat(`{"trajectory_id":"t\u00e9","kind":"tool\u005fcall","call":{"tool":"a\u002f","arguments":{"\u0061":[{"b":"\n"}]}}}`+"\n", 100))
	var d Decoder
	var s Step
	n := testing.AllocsPerRun(10, func() {
		for _, p := range [][]byte{payload, escaped} {
			d.Release()
			d.Reset(p)
			for {
				err := d.Next(&s)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The lines that speed is measured on have the length that is spoken of.
func TestBenchLines(t *testing.T) {
	payload, lines := benchLines()
	if mean := (len(payload) - len(lines)) / len(lines); mean != 526 {
		t.Errorf("the lines have %d bytes on average", mean)
	}
}
