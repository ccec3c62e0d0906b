package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

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
