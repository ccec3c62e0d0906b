package replay

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"misstep/internal/intake"
)

const (
	aStep  = `{"trajectory_id":"t","kind":"user_message","text":"a"}` + "\n"
	aChat  = `{"id":"c","messages":[{"role":"user","content":"b"}]}` + "\n"
	aOther = `{"trajectory_id":"t","success":true}` + "\n"
)

// tempFolder writes files into a new folder.
func tempFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gz(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, s)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zst(t *testing.T, s string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(s), nil))
}

func TestFindFolder(t *testing.T) {
	dir := tempFolder(t, map[string]string{
		"b.jsonl": aStep, "a.json": aChat, "sub/c.ndjson.gz": gz(t, aStep), "z.jsonl.zst": zst(t, aChat),
		"runs.jsonl": aOther, "notes.txt": aStep, ".hidden.jsonl": aStep, ".git/x.jsonl": aStep, "empty.jsonl": "",
	})
	in, err := Find([]string{dir}, Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range in.Files {
		name, err := filepath.Rel(dir, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.ToSlash(name)+" "+string(f.Format))
	}
	want := "a.json chat, b.jsonl steps, empty.jsonl steps, sub/c.ndjson.gz steps, z.jsonl.zst chat"
	if g := strings.Join(got, ", "); g != want {
		t.Errorf("files %s, want %s", g, want)
	}
	if len(in.Skipped) != 1 || !strings.HasSuffix(in.Skipped[0], `runs.jsonl: found an object with "trajectory_id", "success"`) {
		t.Errorf("skipped %q", in.Skipped)
	}
	if in.Total() == 0 {
		t.Error("the size of files is not known")
	}
}

func TestFindErrors(t *testing.T) {
	dir := tempFolder(t, map[string]string{"runs.jsonl": aOther, "none/readme.txt": "x", "other/runs.jsonl": aOther})
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no input is named"},
		{[]string{filepath.Join(dir, "absent")}, "there is no such file or folder"},
		{[]string{filepath.Join(dir, "runs.jsonl")}, `found an object with "trajectory_id", "success"; understood are`},
		{[]string{filepath.Join(dir, "none")}, "no file ends in .jsonl, .ndjson, .json"},
		{[]string{filepath.Join(dir, "other")}, "no file in this folder can be read: "},
		{[]string{"redis://host/topic"}, "the standard input, kafka://HOST:PORT/TOPIC"},
		{[]string{"kafka://broker/topic"}, "give a broker as host:port"},
		{[]string{"-", "-"}, "can be read once"},
	} {
		_, err := Find(c.args, Auto, strings.NewReader(aStep))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q in it", c.args, err, c.want)
		}
	}
}

func TestFindInsists(t *testing.T) {
	dir := tempFolder(t, map[string]string{"runs.jsonl": aOther})
	in, err := Find([]string{dir}, intake.OpenAI, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files) != 1 || in.Files[0].Format != intake.OpenAI {
		t.Errorf("files %+v", in.Files)
	}
	for _, s := range []string{"auto", "steps", "chat", "otlp"} {
		if f, err := ParseFormat(s); err != nil || string(f) != s {
			t.Errorf("%s: %v, %v", s, f, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml is taken for a format")
	}
}

func TestRecogniseGivesAllBack(t *testing.T) {
	for name, in := range map[string]string{
		"steps": aStep + aStep, "chat": aChat, "gzip": gz(t, aStep), "zstd": zst(t, aChat), "empty": "", "blank": "\n\n",
	} {
		for kind, r := range map[string]io.Reader{
			"at once": strings.NewReader(in), "a byte at a time": iotest.OneByteReader(strings.NewReader(in)),
			"with the end": iotest.DataErrReader(strings.NewReader(in)),
		} {
			_, back, err := recognise(r)
			if err != nil {
				t.Errorf("%s %s: %v", name, kind, err)
				continue
			}
			all, err := io.ReadAll(back)
			if err != nil || string(all) != in {
				t.Errorf("%s %s: %q, %v; want %q", name, kind, all, err, in)
			}
		}
	}
}

// endless is a pipe whose writer waits: reading on would block for ever.
type endless struct{ first string }

func (e *endless) Read(p []byte) (int, error) {
	if e.first == "" {
		return 0, errors.New("read on where it would block")
	}
	n := copy(p, e.first)
	e.first = e.first[n:]
	return n, nil
}

func TestRecogniseDoesNotWait(t *testing.T) {
	f, _, err := recognise(&endless{aStep})
	if err != nil || f != intake.Steps {
		t.Errorf("%v, %v", f, err)
	}
}

// noise goes on for ever and is of no format.
type noise struct{ n int }

func (r *noise) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "x\n"[i%2]
	}
	r.n += len(p)
	return len(p), nil
}

func TestRecogniseGivesUp(t *testing.T) {
	r := &noise{}
	_, _, err := recognise(io.LimitReader(r, 64*maxHead))
	var unknown *intake.UnknownFormat
	if !errors.As(err, &unknown) || r.n > 2*maxHead {
		t.Errorf("error %v after %d bytes", err, r.n)
	}
}
