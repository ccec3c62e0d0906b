package event

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// allocated gives the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestHostilePayloads(t *testing.T) {
	const big = 10 << 20
	const head = `{"trajectory_id":"t","kind":"tool_result","result":{"content":`
	for _, tt := range []struct {
		name              string
		head, often, tail string // often is repeated to 10 MB
		most              int    // bytes of an event; 0: the default
		reason            Reason
	}{
		{"brackets alone", "", "[", "", 0, ReasonType},
		{"brackets", head, "[", "", 0, ReasonDepth},
		{"brackets, any size", head, "[", "", 1 << 30, ReasonDepth},
		{"objects, any size", head, `{"a":`, "", 1 << 30, ReasonDepth},
		{"objects alone", "", `{"a":`, "", 1 << 30, ReasonDepth},
		{"open lines", "", "{\"a\":\n", "", 1 << 30, ReasonDepth},
		{"open arrays on lines", "", "{\"a\":[\n", "", 1 << 30, ReasonDepth},
		{"a string", head + `"`, "x", "", 0, ReasonSize},
		{"a string of quotes", head + `"`, `\"`, "", 0, ReasonSize},
		{"a string that does not end", head + `"`, "x", "", 1 << 30, ReasonSyntax},
		{"digits", head, "1", "", 0, ReasonSize},
		{"digits, any size", `{"seq":`, "1", "}", 1 << 30, ReasonValue},
		{"zeros behind the point, any size", `{"usage":{"cost_usd":0.`, "0", `1},"seq":-1}`, 1 << 30, ReasonValue},
		{"an exponent, any size", `{"usage":{"cost_usd":1e`, "9", `}}`, 1 << 30, ReasonValue},
		{"white space", "{", " ", "", 0, ReasonSize},
		{"a key", `{"`, "k", "", 0, ReasonSize},
		{"an escaped key", `{"`, `\u006b`, "", 0, ReasonSize},
		{"members", "{", `"a":1,`, "", 0, ReasonSize},
		{"a name", `{"trajectory_id":"`, "x", `"`, 1 << 30, ReasonValue},
		{"an array that is not closed", head, "[],", "", 0, ReasonSyntax},
	} {
		d := Decoder{MaxEvent: tt.most}
		var s Step
		var err error
		payload := []byte(tt.head + strings.Repeat(tt.often, big/len(tt.often)) + tt.tail)
		n := allocated(func() {
			d.Reset(payload)
			err = d.Next(&s)
		})
		var refused *DecodeError
		if !errors.As(err, &refused) || refused.Reason != tt.reason {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.reason)
		}
		if n > 64<<10 {
			t.Errorf("%s: %d bytes allocated", tt.name, n)
		}
	}
}

// Many bad lines cost no more than many good ones.
func TestHostileLines(t *testing.T) {
	for _, line := range []string{"{\"a\":[\n", "{\"a\":\n", "{\n", "}\n", "x\n", "{\"a\":[{\n"} {
		var d Decoder
		var s Step
		d.Reset([]byte(strings.Repeat(line, (1<<20)/len(line))))
		n := 0
		for d.Next(&s) != io.EOF {
			n++
		}
		if n == 0 {
			t.Errorf("%q: nothing was refused", line)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	for name, bad := range map[string]string{
		"a continuation alone":            "\x80",
		"a lead alone":                    "\xc3",
		"a lead of three alone":           "\xe2\x82",
		"a lead of four alone":            "\xf0\x9f\x98",
		"two bytes, overlong":             "\xc0\xaf",
		"two bytes, overlong ASCII":       "\xc1\xbf",
		"three bytes, overlong":           "\xe0\x9f\xbf",
		"four bytes, overlong":            "\xf0\x8f\xbf\xbf",
		"half a surrogate pair":           "\xed\xa0\x80",
		"both halves of a surrogate pair": "\xed\xa0\xbd\xed\xb8\x80",
		"above U+10FFFF":                  "\xf4\x90\x80\x80",
		"a lead of five":                  "\xf8\x88\x80\x80\x80",
		"0xFE":                            "\xfe",
		"0xFF":                            "\xff",
		"a second byte that is ASCII":     "\xc3A",
		"a third byte that is ASCII":      "\xe2\x82A",
		"a fourth byte that is ASCII":     "\xf0\x9f\x98A",
	} {
		for _, around := range []string{"%", "ab%cd", "abcdefg%", "abcdefgh%ijklmnopqrst", "é%é", "\\n%\\n"} {
			text := strings.Replace(around, "%", bad, 1)
			for _, event := range []string{
				`{"trajectory_id":"t","kind":"user_message","text":"` + text + `"}`,
				`{"trajectory_id":"` + text + `","kind":"task_end"}`,
				`{"trajectory_id":"t","kind":"task_end","` + text + `":1}`,
				`{"trajectory_id":"t","kind":"task_end","x":[{"` + text + `":1}]}`,
				`{"trajectory_id":"t","kind":"task_end","x":["` + text + `"]}`,
				`{"trajectory_id":"t","kind":"` + text + `"}`,
			} {
				var d Decoder
				var s Step
				d.Reset([]byte(event))
				var refused *DecodeError
				if err := d.Next(&s); !errors.As(err, &refused) || refused.Reason != ReasonUTF8 {
					t.Errorf("%s: %q: %v", name, event, err)
				} else if at := strings.Index(event, text) + strings.Index(around, "%"); refused.Offset != at {
					t.Errorf("%s: %q: at %d, want %d", name, event, refused.Offset, at)
				}
			}
		}
	}
}

// No character that is valid is refused, at any distance from the word's edge.
func TestValidUTF8(t *testing.T) {
	for _, r := range []rune{0x20, 0x7e, 0x80, 0x9f, 0xa0, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff} {
		for pad := range 18 {
			text := strings.Repeat("x", pad) + string(r) + strings.Repeat("y", 17-pad)
			var d Decoder
			var s Step
			d.Reset([]byte(`{"trajectory_id":"t","kind":"user_message","text":"` + text + `"}`))
			if err := d.Next(&s); err != nil || string(s.Text.Raw) != text {
				t.Errorf("%U after %d: %v", r, pad, err)
			}
		}
	}
}

func TestControlsInNames(t *testing.T) {
	fields := []string{"trajectory_id", "tenant", "id", "task_id", "agent", "parent_trajectory_id", "workflow", "release", "model"}
	for _, field := range fields {
		for _, bad := range []string{`\u0000`, `\n`, `\u001b`, `\u007f`, "\x7f", `\u0085`, "\u0085", "\u009f"} {
			var d Decoder
			var s Step
			d.Reset([]byte(`{"trajectory_id":"t","kind":"task_end","` + field + `":"a` + bad + `bcdefghijk"}`))
			var refused *DecodeError
			if err := d.Next(&s); !errors.As(err, &refused) || refused.Reason != ReasonValue || refused.Field != field {
				t.Errorf("%s with %s: %v", field, bad, err)
			}
		}
	}
}

func TestHostileTools(t *testing.T) {
	list := func(n int) Value {
		v, err := JSONValue([]byte("[" + strings.Repeat(`{"name":"a"},`, n-1) + `{"name":"a"}]`))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	count := 0
	each := func(ToolSpec) error { count++; return nil }
	if err := ParseTools(list(MaxTools), each); err != nil || count != MaxTools {
		t.Errorf("%d: %v", count, err)
	}
	big := list(100_000)
	count = 0
	n := allocated(func() {
		if err := ParseTools(big, each); err == nil || err.Error() != "tools: want at most 10000, found more" || count != MaxTools {
			t.Errorf("%d: %v", count, err)
		}
	})
	if n > 64<<10 {
		t.Errorf("%d bytes allocated", n)
	}
	if err := Strings(big, func([]byte) error { return nil }); err == nil {
		t.Error("objects were taken for strings")
	}
	names, _ := JSONValue([]byte("[" + strings.Repeat(`"a",`, MaxTools) + `"a"]`))
	if err := Strings(names, func([]byte) error { return nil }); err == nil || err.Error() != "want at most 10000 strings, found more" {
		t.Error(err)
	}
}

// A number of 10 MB is canonical in a time and space that its length explains.
func TestHostileCanonical(t *testing.T) {
	const big = 10 << 20
	var c Canonicalizer
	dst := make([]byte, 0, big+200)
	for _, number := range []string{
		strings.Repeat("1", big), strings.Repeat("1", big) + "." + strings.Repeat("2", 100), "1" + strings.Repeat("0", big), "0." + strings.Repeat("0", big) + "1",
		"1e" + strings.Repeat("9", big), "1e-" + strings.Repeat("9", big), "0e" + strings.Repeat("9", big),
	} {
		n := allocated(func() { dst = c.Append(dst[:0], Value{Raw: []byte(number), Form: Number}, nil) })
		if n > 2*big+64<<10 {
			t.Errorf("%s...: %d bytes allocated", number[:9], n)
		}
		if len(dst) > len(number) || !bytes.Equal(dst, AppendCanonical(nil, Value{Raw: bytes.Clone(dst), Form: Number}, nil)) {
			t.Errorf("%s...: %d bytes", number[:9], len(dst))
		}
	}
}

// A cursor over JSON that is none stays within its bytes and ends.
func FuzzCursor(f *testing.F) {
	for _, s := range seedSteps(f) {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"a`, `{"a":`, `{"a":"\`, `[`, `[[1,`, `{"a":"b`, `"`, `"\`, `{"$hidden":`, `{"$hidden":{`, "", "}", `{,`, `{"a":1,`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, form := range []Form{Object, Array, Number, String, Escaped, Hidden, Null, Absent} {
			v := Value{Raw: b[:len(b):len(b)], Form: form}
			walk(NewCursor(v), 0)
			c := NewCursor(v)
			c.Form()
			c.Skip()
			ParseHidden(v)
			_ = ParseTools(v, func(ToolSpec) error { return nil })
			_ = Strings(v, func([]byte) error { return nil })
			if v.Len() < 0 || form == Escaped && v.Len() != len(v.AppendText(nil)) {
				t.Errorf("%q: %d", b, v.Len())
			}
			v.EqualText("abc")
		}
	})
}

// walk visits everything, entering what it can.
func walk(c Cursor, depth int) Cursor {
	c.Form()
	if depth > 100 {
		c.Skip()
		return c
	}
	inObject := c.peek() == '{'
	if !c.Enter() {
		c.Value()
		return c
	}
	for c.More() {
		if inObject {
			c.Key()
		}
		c = walk(c, depth+1)
	}
	return c
}
