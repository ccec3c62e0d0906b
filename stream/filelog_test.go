package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// chunks gives its content in pieces of the sizes given, over and over.
type chunks struct {
	rest  []byte
	sizes []int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.sizes[0])], c.rest)
	c.rest = c.rest[n:]
	c.sizes = append(c.sizes[1:], c.sizes[0])
	return n, nil
}

// readAll reads a log to its end; the values are copied when the whole Read has
// returned, so that one that is overwritten too early shows.
func readAll(ctx context.Context, l Log, batch func() int) ([]Record, error) {
	var all []Record
	for {
		dst := make([]Record, batch())
		n, err := l.Read(ctx, dst)
		for _, r := range dst[:n] {
			r.Value = bytes.Clone(r.Value)
			all = append(all, r)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if n == 0 {
			return all, errors.New("Read gave nothing and no error")
		}
	}
}

func sameRecords(got, want []Record) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("record %d is missing: %d %q", i, want[i].Offset, want[i].Value)
		case i >= len(want):
			return fmt.Errorf("record %d is one too many: %d %q", i, got[i].Offset, got[i].Value)
		case got[i].Offset != want[i].Offset || got[i].Oversize != want[i].Oversize || got[i].Time != NoTime || string(got[i].Value) != string(want[i].Value):
			return fmt.Errorf("record %d is %d %d %q, want %d %d %q", i, got[i].Offset, got[i].Oversize, got[i].Value, want[i].Offset, want[i].Oversize, want[i].Value)
		}
	}
	return nil
}

func TestLinesWhateverTheBlocks(t *testing.T) {
	line := rapid.SampledFrom([]string{
		"", " ", "\r", "{}", `{"a":1}`, `{"a":1}` + "\r", `  {"b":"\\n"} `, "torn", `{"a":`, `[{"x":1},{"y":2}]`,
		strings.Repeat("x", 29), strings.Repeat("y", 30), strings.Repeat("z", 31), strings.Repeat("w", 200),
	})
	rapid.Check(t, func(rt *rapid.T) {
		lines := rapid.SliceOf(line).Draw(rt, "lines")
		if rapid.Bool().Draw(rt, "starts with an object") {
			lines = append([]string{`{"a":1}`}, lines...)
		}
		content := strings.Join(lines, "\n")
		if _, m := decide([]byte(content), true); m != byLine {
			rt.Skip("not a file of lines")
		}
		const limit = 30
		var want []Record
		for i, l := range lines {
			if len(l) > limit {
				want = append(want, Record{Offset: int64(i), Oversize: int64(len(l))})
			} else if v := strings.TrimSpace(l); v != "" {
				want = append(want, Record{Offset: int64(i), Value: []byte(v)})
			}
		}
		if rapid.Bool().Draw(rt, "mark") {
			content = string(bom) + content
		}
		from := int64(rapid.IntRange(0, len(lines)+1).Draw(rt, "from"))
		for len(want) > 0 && want[0].Offset < from {
			want = want[1:]
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 60), 1, 20).Draw(rt, "chunks")
		l := OpenReader(FileOptions{MaxRecord: limit, From: from}, &chunks{[]byte(content), sizes})
		defer l.Close()
		got, err := readAll(t.Context(), l, func() int { return rapid.IntRange(1, 9).Draw(rt, "batch") })
		if err != nil {
			rt.Fatal(err)
		}
		if err := sameRecords(got, want); err != nil {
			rt.Fatalf("%q: %v", content, err)
		}
	})
}

var genValue = rapid.SampledFrom([]string{
	`{}`, `[]`, `{"a":1}`, `{"a":{"b":[1,2,{"c":"}]"}]}}`, `{"s":"a\"b\\"}`, `{"s":"[{,"}`, `[{"x":1},{"y":[]}]`, `"text, with ]"`, `17`, `null`,
	`{"long":"` + strings.Repeat("x", 200) + `"}`,
})

func TestValuesWhateverTheBlocks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const limit = 150
		var b bytes.Buffer
		var want []Record
		add := func(v string) {
			r := Record{Offset: int64(len(want)), Value: []byte(strings.ReplaceAll(v, "\n", " "))}
			if len(v) > limit {
				r.Oversize, r.Value = int64(len(v)), nil
			}
			want = append(want, r)
		}
		indent := func(v, prefix string) string {
			var p bytes.Buffer
			if err := json.Indent(&p, []byte(v), prefix, rapid.SampledFrom([]string{" ", "\t"}).Draw(rt, "indent")); err != nil {
				rt.Fatal(err)
			}
			return p.String()
		}
		if rapid.Bool().Draw(rt, "array") {
			b.WriteString("[\n")
			for i := range rapid.IntRange(0, 8).Draw(rt, "elements") {
				if i > 0 {
					b.WriteString(rapid.SampledFrom([]string{",", ",\n", " , "}).Draw(rt, "comma"))
				}
				v := genValue.Draw(rt, "value")
				if rapid.Bool().Draw(rt, "pretty") {
					v = indent(v, "  ")
				}
				add(v)
				b.WriteString(v)
			}
			b.WriteString("\n]")
		} else {
			// What jq prints: one object after the other.
			for range rapid.IntRange(1, 5).Draw(rt, "objects") {
				v := indent(fmt.Sprintf(`{"v":%s}`, genValue.Draw(rt, "value")), "")
				add(v)
				b.WriteString(v + "\n")
			}
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 60), 1, 20).Draw(rt, "chunks")
		l := OpenReader(FileOptions{MaxRecord: limit}, &chunks{b.Bytes(), sizes})
		defer l.Close()
		got, err := readAll(t.Context(), l, func() int { return rapid.IntRange(1, 9).Draw(rt, "batch") })
		if err != nil {
			rt.Fatal(err)
		}
		if err := sameRecords(got, want); err != nil {
			rt.Fatalf("%q: %v", b.String(), err)
		}
	})
}

func TestHowAFileIsCut(t *testing.T) {
	for _, c := range []struct {
		what, content string
		want          []string
	}{
		{"nothing", "", nil},
		{"white space", " \n\n", nil},
		{"mark alone", "\xef\xbb\xbf", nil},
		{"lines", "{\"a\":1}\n{\"b\":2}", []string{`{"a":1}`, `{"b":2}`}},
		{"packed lines", "[{\"a\":1},{\"b\":2}]\n[{\"c\":3}]\n", []string{`[{"a":1},{"b":2}]`, `[{"c":3}]`}},
		{"array on one line", `[{"a":1},{"b":2}]`, []string{`[{"a":1},{"b":2}]`}},
		{"element a line", "[{\"a\":1},\n {\"b\":2}]", []string{`{"a":1}`, `{"b":2}`}},
		{"array after empty lines", "\n\n[\n{\"a\":1}]\n", []string{`{"a":1}`}},
		{"array, mark before", "\xef\xbb\xbf[\n{\"a\":1}]", []string{`{"a":1}`}},
		{"object over lines", "{\r\n \"a\": 1\r\n}\r\n", []string{`{   "a": 1  }`}},
		{"brace alone", "{", []string{"{"}},
		{"bracket alone", "[", nil},
		{"torn line first", "{\"a\":\"x\n{\"b\":2}", []string{`{"a":"x`, `{"b":2}`}},
		{"torn packed line first", "[{\"a\":\"x\n{\"b\":2}", []string{`[{"a":"x`, `{"b":2}`}},
		{"array that is cut", "[\n{\"a\":1},\n{\"b\":", []string{`{"a":1}`, `{"b":`}},
		{"too many brackets", "[\n1]]}{\n}", []string{"1", "]", "}", "{ }"}},
		{"stray brace in an array", "[\n1}{\"a\":2}]", []string{"1", "}", `{"a":2}`}},
		{"stray brace after one carried over", "[\n{\"a\":1}}{\"b\":2}]", []string{`{"a":1}`, "}", `{"b":2}`}},
		{"two arrays", "[\n1]\n[2,3]", []string{"1", "2", "3"}},
		{"text", "hello\nworld", []string{"hello", "world"}},
		{"NUL", "\x00\n\x00", []string{"\x00", "\x00"}},
	} {
		for _, chunk := range []int{1, 2, 3, 5, 7, 11, 1000} {
			l := OpenReader(FileOptions{}, &chunks{[]byte(c.content), []int{chunk}})
			recs, err := readAll(t.Context(), l, func() int { return 3 })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			_, m := decide([]byte(c.content), true)
			for i, r := range recs {
				got = append(got, string(r.Value))
				if m == byValue && r.Offset != int64(i) {
					t.Errorf("%s: value %d has the offset %d", c.what, i, r.Offset)
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("%s: %q, want %q", c.what, got, c.want)
			}
			l.Close()
		}
	}
}
