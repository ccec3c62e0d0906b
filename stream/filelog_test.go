package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
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

func compress(t testing.TB, kind string, content []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return content
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, dir, name string, content []byte) string {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesAreOneLog(t *testing.T) {
	dir := t.TempDir()
	var want []Record
	var lines bytes.Buffer
	for i := range 5000 { // several blocks
		l := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", i%400))
		lines.WriteString(l + "\n")
		want = append(want, Record{Offset: int64(i), Value: []byte(l)})
	}
	for i, v := range []string{`{"last":"without a line break"}`, `{"b":1}`, `{"b":2}`, `{"c":1}`} {
		want = append(want, Record{Offset: 5000 + int64(i), Value: []byte(v)})
	}
	paths := []string{
		write(t, dir, "a.jsonl.gz", compress(t, "gz", lines.Bytes())),
		write(t, dir, "a2.jsonl", []byte(`{"last":"without a line break"}`)),
		write(t, dir, "b.json", []byte("[\n{\"b\":1},\n{\"b\":2}\n]\n")),
		write(t, dir, "empty.jsonl", nil),
		write(t, dir, "c.zst", compress(t, "zst", []byte("{\"c\":1}"))),
	}
	l, err := OpenFiles(FileOptions{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := readAll(t.Context(), l, func() int { return 1000 })
	if err != nil {
		t.Fatal(err)
	}
	if err := sameRecords(got, want); err != nil {
		t.Fatal(err)
	}
	if want := paths[0] + " +4"; l.Source() != want {
		t.Errorf("source is %q, want %q", l.Source(), want)
	}
	for _, c := range []struct {
		offset int64
		path   string
		n      int64
	}{{0, paths[0], 1}, {4999, paths[0], 5000}, {5000, paths[1], 1}, {5002, paths[2], 2}, {5003, paths[4], 1}} {
		if path, n := l.Locate(c.offset); path != c.path || n != c.n {
			t.Errorf("offset %d is in %s:%d, want %s:%d", c.offset, path, n, c.path, c.n)
		}
	}
	var total int64
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if done, all := l.Progress(); done != total || all != total {
		t.Errorf("progress is %d of %d, want %d of %d", done, all, total, total)
	}
}

func TestATornFileEndsWithItself(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenFiles(FileOptions{},
		write(t, dir, "1", []byte("[\n{\"a\":1},\n{\"b\":\"")),
		write(t, dir, "2", []byte("[\n{\"c\":1}\n]")),
		write(t, dir, "3", []byte("{\"d\":1}\n{\"e\":")),
		write(t, dir, "4", []byte("{\"f\":1}")))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := readAll(t.Context(), l, func() int { return 10 })
	if err != nil {
		t.Fatal(err)
	}
	var want []Record
	for i, v := range []string{`{"a":1}`, `{"b":"`, `{"c":1}`, `{"d":1}`, `{"e":`, `{"f":1}`} {
		want = append(want, Record{Offset: int64(i), Value: []byte(v)})
	}
	if err := sameRecords(got, want); err != nil {
		t.Fatal(err)
	}
}

func TestFileErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.jsonl", []byte("{\"a\":1}\n"))
	whole := compress(t, "gz", bytes.Repeat([]byte("{\"a\":1}\n"), 50000))
	cut := write(t, dir, "cut.gz", whole[:len(whole)-9])
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-5] ^= 1
	bad := write(t, dir, "bad.gz", damaged)
	zwhole := compress(t, "zst", []byte(strings.Repeat("{\"a\":1}\n", 50000)))
	zcut := write(t, dir, "cut.zst", zwhole[:len(zwhole)-3])
	for _, c := range []struct {
		path, want string
		records    int // at least
	}{
		{cut, "read " + cut + ": unexpected EOF", 30000},
		{bad, "read " + bad + ": gzip: invalid checksum", 50000},
		{zcut, "read " + zcut + ": unexpected EOF", 0},
	} {
		l, err := OpenFiles(FileOptions{}, good, c.path)
		if err != nil {
			t.Fatal(err)
		}
		recs, err := readAll(t.Context(), l, func() int { return 100 })
		if err == nil || err.Error() != c.want || len(recs) < c.records {
			t.Errorf("%d records and then %v, want at least %d and %q", len(recs), err, c.records, c.want)
		}
		if _, again := l.Read(t.Context(), make([]Record, 1)); again == nil || again.Error() != c.want {
			t.Errorf("the next Read gave %v", again)
		}
		l.Close()
	}
	for _, paths := range [][]string{{}, {good, filepath.Join(dir, "none")}, {dir}} {
		if _, err := OpenFiles(FileOptions{}, paths...); err == nil {
			t.Errorf("opened %q", paths)
		}
	}
}

// endless gives n bytes of one line.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := int(min(e.n, int64(len(p))))
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.n -= int64(n)
	return n, nil
}

func TestAVeryLongLineIsNotHeld(t *testing.T) {
	const size = 1 << 30
	l := OpenReader(FileOptions{}, io.MultiReader(strings.NewReader("{\"a\":1}\n{\"b\":\""), &endless{size}, strings.NewReader("\"}\n{\"c\":1}")))
	defer l.Close()
	recs, err := readAll(t.Context(), l, func() int { return 10 })
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{{Offset: 0, Value: []byte(`{"a":1}`)}, {Offset: 1, Oversize: size + 8}, {Offset: 2, Value: []byte(`{"c":1}`)}}
	if err := sameRecords(recs, want); err != nil {
		t.Fatal(err)
	}
	if n := cap(l.split.carry); n > 2*DefaultMaxRecord {
		t.Errorf("%d bytes are held", n)
	}
}

func TestAPipeIsReadAsItComes(t *testing.T) {
	r, w := io.Pipe()
	l := OpenReader(FileOptions{Source: "pipe"}, r)
	for i := range 3 {
		go fmt.Fprintf(w, "{\"n\":%d}\n", i)
		dst := make([]Record, 8)
		n, err := l.Read(t.Context(), dst)
		if err != nil || n != 1 || string(dst[0].Value) != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("Read gave %d, %q, %v", n, dst[0].Value, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Read(ctx, make([]Record, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Read gave %v", err)
	}
	done := make(chan error)
	go func() { _, err := l.Read(t.Context(), make([]Record, 1)); done <- err }()
	l.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Fatalf("Read gave %v after Close", err)
	}
}

func BenchmarkFileLog(b *testing.B) {
	line := fmt.Sprintf("{\"trajectory_id\":\"t1\",\"pad\":\"%s\"}\n", strings.Repeat("x", 470))
	content := bytes.Repeat([]byte(line), 400_000) // 200 MB
	dir := b.TempDir()
	for _, c := range []struct{ name, kind string }{{"plain", ""}, {"gz", "gz"}, {"zst", "zst"}} {
		path := write(b, dir, c.name, compress(b, c.kind, content))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(content)))
			dst := make([]Record, DefaultBatchRecords)
			for range b.N {
				l, err := OpenFiles(FileOptions{}, path)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					m, err := l.Read(b.Context(), dst)
					n += m
					if err != nil {
						break
					}
				}
				if n != 400_000 {
					b.Fatalf("%d records", n)
				}
				l.Close()
			}
		})
	}
	array := write(b, dir, "array", append(append([]byte("[\n"), bytes.ReplaceAll(content[:len(content)-1], []byte("\n"), []byte(",\n"))...), ']'))
	b.Run("array", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for range b.N {
			l, err := OpenFiles(FileOptions{}, array)
			if err != nil {
				b.Fatal(err)
			}
			recs := 0
			dst := make([]Record, DefaultBatchRecords)
			for {
				m, err := l.Read(b.Context(), dst)
				recs += m
				if err != nil {
					break
				}
			}
			if recs != 400_000 {
				b.Fatalf("%d records", recs)
			}
			l.Close()
		}
	})
}
