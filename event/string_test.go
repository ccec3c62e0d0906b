package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestValueText(t *testing.T) {
	for _, tt := range []struct{ json, text string }{
		{`"plain"`, "plain"},
		{`""`, ""},
		{`"a\nb\t\"c\"\\"`, "a\nb\t\"c\"\\"},
		{`"\u00e9\u20ac\ud83d\ude00"`, "é€\U0001f600"},
		{`"\ud83d"`, "\ufffd"},
		{`"\ud83d\u0041"`, "\ufffdA"},
		{`"\ude00\ud83d\ude00"`, "\ufffd\U0001f600"},
		{`"\ud83d\ud83d\ude00"`, "\ufffd\U0001f600"},
		{`"\/"`, "/"},
		{`"é"`, "é"},
		{`"\u0000"`, "\x00"},
		{"3.50", "3.50"},
		{"true", "true"},
		{"null", "null"},
		{` {"a": 1} `, `{"a": 1}`},
		{"[1, 2]", "[1, 2]"},
		{`{"$hidden":{"kid":"k"}}`, `{"kid":"k"}`},
	} {
		v, err := JSONValue([]byte(tt.json))
		if err != nil {
			t.Fatalf("%s: %v", tt.json, err)
		}
		if got := string(v.AppendText([]byte("x"))); got != "x"+tt.text {
			t.Errorf("%s: AppendText %q, want %q", tt.json, got, tt.text)
		}
		scratch := []byte("something")
		if got := string(v.Text(&scratch)); got != tt.text && v.Form != Null {
			t.Errorf("%s: Text %q, want %q", tt.json, got, tt.text)
		}
		if v.IsString() {
			if v.Len() != len(tt.text) || !v.EqualText(tt.text) || v.EqualText(tt.text+"x") || v.EqualText("x") {
				t.Errorf("%s: %d, %v", tt.json, v.Len(), v.EqualText(tt.text))
			}
		}
		if got := string(v.AppendJSON(nil)); got != strings.TrimSpace(tt.json) {
			t.Errorf("%s: AppendJSON %s", tt.json, got)
		}
	}
	if got := string(Value{}.AppendText(nil)) + string(Value{}.AppendJSON(nil)); got != "" {
		t.Errorf("an absent value says %q", got)
	}
}

func TestStringValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		v := StringValue(s)
		want := strings.ToValidUTF8(s, "\ufffd")
		if !utf8.ValidString(s) {
			want = string([]rune(s)) // one for each byte that is none
		}
		if got := string(v.AppendText(nil)); got != want || v.Len() != len(want) || !v.EqualText(want) {
			t.Fatalf("%q says %q", s, got)
		}
		var back string
		if err := json.Unmarshal(v.AppendJSON(nil), &back); err != nil || back != want {
			t.Fatalf("%q is written as %s: %v", s, v.AppendJSON(nil), err)
		}
		if again, err := JSONValue(v.AppendJSON(nil)); err != nil || again.Form != v.Form {
			t.Fatalf("%q: %v is read as %v: %v", s, v.Form, again.Form, err)
		}
	})
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	if got := string(StringValue("a\xffb\xe2\x82").Raw); got != "a\ufffdb\ufffd\ufffd" {
		t.Errorf("%q", got)
	}
	if got := string(AppendString(nil, "\ufffd\x7f\u0085\u2028<&>\x00")); got != "\"\ufffd\\u007f\\u0085\\u2028<&>\\u0000\"" {
		t.Errorf("%q", got)
	}
}

func TestEqualText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, escaped := twoStrings(t)
		a, _ := JSONValue(plain)
		b, _ := JSONValue(escaped)
		other := string(b.AppendText(nil))
		if !a.EqualText(other) || !b.EqualText(other) {
			t.Fatalf("%s, %s, %q", plain, escaped, other)
		}
		if change := rapid.IntRange(0, len(other)).Draw(t, "change"); change < len(other) {
			odd := []byte(other)
			odd[change] ^= 1
			if a.EqualText(string(odd)) || b.EqualText(string(odd)) || b.EqualText(other[:change]) {
				t.Fatalf("%s equals %q", escaped, odd)
			}
		}
	})
}

func TestJSONValueRefuses(t *testing.T) {
	for _, bad := range []string{"", " ", "x", "1 2", `"a`, "{", "[1,]", "nul", "\"\xff\"", strings.Repeat("[", 65) + strings.Repeat("]", 65), `{"a":1}}`} {
		_, err := JSONValue([]byte(bad))
		var refused *DecodeError
		if !errors.As(err, &refused) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestParseHidden(t *testing.T) {
	for _, tt := range []struct {
		json string
		ok   bool
		want HiddenValue
	}{
		{`{"$hidden":{}}`, true, HiddenValue{Len: None}},
		{`{"$hidden":{"kid":"k1","mac":"AAAA==","len":7,"tokens":["x"],"new":{}}}`, true, HiddenValue{KID: []byte("k1"), MAC: []byte("AAAA"), Len: 7, Tokens: Value{[]byte(`["x"]`), Array}}},
		{`{ "\u0024hidden" : { "m\u0061c" : "\u0041", "len" : 7.0 } }`, true, HiddenValue{MAC: []byte("A"), Len: 7}},
		{`{"$hidden":{"kid":null,"mac":null,"len":null,"tokens":null}}`, true, HiddenValue{Len: None}},
		{`{"$hidden":{"len":3,"len":null,"mac":"a","mac":"b"}}`, true, HiddenValue{MAC: []byte("b"), Len: None}},
		{`{"$hidden":{"kid":1}}`, false, HiddenValue{}},
		{`{"$hidden":{"mac":[]}}`, false, HiddenValue{}},
		{`{"$hidden":{"len":"7"}}`, false, HiddenValue{}},
		{`{"$hidden":{"len":-1}}`, false, HiddenValue{}},
		{`{"$hidden":{"len":1.5}}`, false, HiddenValue{}},
		{`{"$hidden":{"tokens":{}}}`, false, HiddenValue{}},
		{`{"$hidden":3}`, false, HiddenValue{}},
		{`{"$hidden":{},"x":1}`, false, HiddenValue{}},
		{`{"hidden":{}}`, false, HiddenValue{}},
		{`{}`, false, HiddenValue{}},
		{`"x"`, false, HiddenValue{}},
		{`[{"$hidden":{}}]`, false, HiddenValue{}},
	} {
		v, err := JSONValue([]byte(tt.json))
		if err != nil {
			t.Fatal(err)
		}
		h, ok := ParseHidden(v)
		same := string(h.KID) == string(tt.want.KID) && string(h.MAC) == string(tt.want.MAC) && h.Len == tt.want.Len && string(h.Tokens.Raw) == string(tt.want.Tokens.Raw)
		if ok != tt.ok || ok && !same {
			t.Errorf("%s: %v %q %q %d %s", tt.json, ok, h.KID, h.MAC, h.Len, h.Tokens.Raw)
		}
	}
}
