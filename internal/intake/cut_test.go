package intake

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"misstep/event"
)

func decode(t testing.TB, src string) *event.Step {
	t.Helper()
	d := event.Decoder{MaxEvent: len(src) + 1}
	d.Reset([]byte(src))
	s := new(event.Step)
	if err := d.Next(s); err != nil {
		t.Fatalf("%v in %.100s", err, src)
	}
	return s
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestCut(t *testing.T) {
	long := strings.Repeat("x", MaxField+1)
	object := `{"b":1,"a":"` + long + `"}`
	for _, c := range []struct {
		name, in string
		field    string // what was cut, as it then stands, empty when nothing was
		want     string // its text
		length   int64
		hashOf   string // canonical JSON
	}{
		{"short", `"kind":"user_message","text":"hello"`, "", "", 0, ""},
		{"exact", `"kind":"user_message","text":"` + long[1:] + `"`, "", "", 0, ""},
		{"text", `"kind":"user_message","text":"` + long + `"`, "text", long[1:], MaxField + 1, `"` + long + `"`},
		{"model call", `"kind":"model_call","text":"` + long + `"`, "text", long[1:], MaxField + 1, `"` + long + `"`},
		{"escapes alone are not long", `"kind":"agent_message","text":"` + strings.Repeat(`\u0041`, MaxField) + `"`, "", "", 0, ""},
		{
			"escaped", `"kind":"agent_message","text":"` + strings.Repeat(`\u0041`, MaxField+1) + `"`, "text", strings.Repeat("A", MaxField),
			MaxField + 1, `"` + strings.Repeat("A", MaxField+1) + `"`,
		},
		{
			"inside a character", `"kind":"context_added","text":"x` + strings.Repeat("日", MaxField/3+1) + `"`, "text",
			"x" + strings.Repeat("日", (MaxField-1)/3), int64(1 + 3*(MaxField/3+1)), `"x` + strings.Repeat("日", MaxField/3+1) + `"`,
		},
		{"content", `"kind":"tool_result","result":{"content":"` + long + `"}`, "content", long[1:], MaxField + 1, `"` + long + `"`},
		{
			"JSON content", `"kind":"tool_result","result":{"content":` + object + `}`, "content", object[:MaxField],
			int64(len(object)), `{"a":"` + long + `","b":1}`,
		},
		{
			"arguments", `"kind":"tool_call","call":{"tool":"t","arguments":` + object + `}`, "raw", object[:MaxField],
			int64(len(object)), `{"a":"` + long + `","b":1}`,
		},
		{"raw arguments", `"kind":"tool_call","call":{"tool":"t","arguments_raw":"` + long + `"}`, "raw", long[1:], MaxField + 1, `"` + long + `"`},
		{"hidden", `"kind":"user_message","text":{"$hidden":{"tokens":["` + long + `"]}}`, "", "", 0, ""},
		{"other kinds", `"kind":"plan_update","plan":{"items":[{"text":"` + long + `"}]}`, "", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := decode(t, `{"trajectory_id":"t",`+c.in+`}`)
			before := string(event.AppendStep(nil, s))
			if got := Cut(s); got != (c.field != "") {
				t.Fatalf("reports %t", got)
			}
			out := string(event.AppendStep(nil, s))
			if c.field == "" {
				if out != before {
					t.Error("the step was changed")
				}
				return
			}
			again := decode(t, out)
			v, mark := again.Text, again.Cut
			switch c.field {
			case "content":
				v, mark = again.Result.Content, again.Result.Cut
			case "raw":
				v, mark = again.Call.Raw, again.Call.Cut
				if again.Call.Arguments.Form != event.Absent {
					t.Error("the arguments stayed")
				}
			}
			if got := string(v.AppendText(nil)); got != c.want {
				t.Errorf("%d bytes %.40s..., want %d bytes %.40s...", len(got), got, len(c.want), c.want)
			}
			if !mark.Truncated || mark.Len != c.length {
				t.Errorf("truncated %t, content_len %d, want true, %d", mark.Truncated, mark.Len, c.length)
			}
			if want := Hash(valueOf(t, c.hashOf)); string(mark.Hash) != want {
				t.Errorf("content_hash %s, want %s", mark.Hash, want)
			}
			if Cut(again) {
				t.Error("what was cut is cut again")
			}
		})
	}
}

func valueOf(t testing.TB, src string) event.Value {
	return decode(t, `{"trajectory_id":"t","kind":"tool_result","result":{"content":`+src+`}}`).Result.Content
}

// TestCutKeepsMarks: a producer that cut, but not enough, knows the whole, or
// says that nobody does.
func TestCutKeepsMarks(t *testing.T) {
	long := strings.Repeat("x", 2*MaxField)
	for marks, want := range map[string]event.Cut{
		`"truncated":true,"content_len":999999,"content_hash":"whole"`: {Truncated: true, Len: 999999, Hash: []byte("whole")},
		`"truncated":true`: {Truncated: true, Len: event.None},
	} {
		s := decode(t, `{"trajectory_id":"t","kind":"user_message","text":"`+long+`",`+marks+`}`)
		if !Cut(s) || s.Cut.Len != want.Len || string(s.Cut.Hash) != string(want.Hash) || !s.Cut.Truncated {
			t.Errorf("%s became %+v", marks, s.Cut)
		}
		if len(s.Text.Raw) != MaxField {
			t.Errorf("%s: %d bytes are left", marks, len(s.Text.Raw))
		}
	}
}

func TestHash(t *testing.T) {
	// printf '{"a":[1,null],"b":"\303\251"}' | openssl dgst -sha256 -binary | head -c 16 | basenc --base64url | tr -d =
	const want = "4Dw8HrtfzNduO9NbmoYWnw"
	for _, src := range []string{`{"b":"\u00e9", "a":[1.0,null], "c":null}`, `{"a":[1,null],"b":"é"}`} {
		if got := Hash(valueOf(t, src)); got != want {
			t.Errorf("%s has hash %s, want %s", src, got, want)
		}
	}
	if Hash(valueOf(t, `"1"`)) == Hash(valueOf(t, `1`)) {
		t.Error("a text and a number have the same hash")
	}
}

// TestCutProperty: any text comes out valid, as its own beginning, at most
// three bytes shorter than it could be.
func TestCutProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringN(1, 50, -1).Draw(t, "piece")
		text := strings.ToValidUTF8(strings.Repeat(piece, (MaxField+rapid.IntRange(-100, 100).Draw(t, "over"))/len(piece)+1), "?")
		var s event.Step
		d := event.Decoder{MaxEvent: 1 << 20}
		d.Reset([]byte(`{"trajectory_id":"t","kind":"user_message","text":` + quote(text) + `}`))
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
		was := Cut(&s)
		if was != (len(text) > MaxField) {
			t.Fatalf("%d bytes: cut is %t", len(text), was)
		}
		got := string(s.Text.AppendText(nil))
		switch {
		case !utf8.ValidString(got):
			t.Fatal("not UTF-8")
		case !strings.HasPrefix(text, got):
			t.Fatalf("is no beginning of the text")
		case !was && got != text:
			t.Fatal("was changed")
		case was && (len(got) > MaxField || len(got) < MaxField-3):
			t.Fatalf("%d bytes are left", len(got))
		}
	})
}
