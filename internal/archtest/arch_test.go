// Package archtest holds the tree to its own rules: which package imports
// which, what the deterministic core must not touch, and how long a file is.
package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "misstep"

// layer is a folder, with all below it, and what of ours it may import.
type layer struct {
	folder string
	may    []string // folders, with all below them
}

// layers are the import arrows; the longest folder that fits a package counts.
// A package may import its own layer's folder, so that a contract and the
// conformance suite beside it see one another.
var layers = []layer{
	{"event", nil},
	{"windows", nil},
	{"detectors/schema", []string{"event"}},
	{"detectors/state", nil},
	{"detectors/lexicon", nil},
	{"detectors/facts", []string{"event", "windows", "detectors/schema", "detectors/state", "detectors/lexicon"}},
	{"detectors", []string{"event", "windows", "detectors/facts", "detectors/schema", "detectors/state", "detectors/lexicon"}},
	{"slo", []string{"event", "windows"}},
	{"stream", []string{"windows"}},
	{"stream/jetstream", []string{"stream", "windows"}},
	{"stream/kafka", []string{"stream", "windows"}},
	{"sinks", []string{"event"}},
	{"internal", []string{"event", "windows", "detectors", "slo", "stream", "sinks", "internal"}},
	{"cmd", []string{"internal"}},
	{"examples", nil},
}

// core are the folders whose output is a function of their input.
var core = []string{"event", "windows", "detectors", "slo"}

// outside is what the core must not import: the process, the network, the
// clock's and the brokers' clients.
var outside = []string{
	"net", "os", "syscall", "log", "math/rand", "plugin",
	"github.com/nats-io", "github.com/segmentio", "github.com/prometheus", "github.com/rs/zerolog",
}

// pure are packages inside of those that do nothing but reckon.
var pure = []string{"net/url", "net/netip"}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range source(t) {
		folder := path.Dir(f.name)
		l, ok := layerOf(folder)
		if !ok {
			t.Errorf("%s is in no layer: add its folder to the layout", f.name)
			continue
		}
		seen[l.folder] = true
		for _, imp := range f.imports() {
			to, ours := strings.CutPrefix(imp, module+"/")
			if ours && !slices.ContainsFunc(append(l.may, l.folder), func(d string) bool { return under(to, d) }) {
				t.Errorf("%s imports %s: %s may import only %q of ours", f.name, imp, l.folder, l.may)
			}
			if inCore(folder) && !slices.Contains(pure, imp) && slices.ContainsFunc(outside, func(p string) bool { return under(imp, p) }) {
				t.Errorf("%s imports %s, which a function of the log must not", f.name, imp)
			}
		}
	}
	if !seen["event"] || !seen["stream"] || !seen["internal"] {
		t.Errorf("found only the layers %v: is this the root of the module?", seen)
	}
}

// TestCore looks for what would make the core's output depend on more than its
// input, or on the processor: clocks, goroutines, floating point.
func TestCore(t *testing.T) {
	for _, f := range source(t) {
		if !inCore(path.Dir(f.name)) {
			continue
		}
		for _, v := range impure(f) {
			if !slices.Contains(exceptions, exception{f.name, v.what}) {
				t.Errorf("%s:%d: %s", f.name, v.line, v.what)
			}
		}
	}
}

// exception lets one file of the core use what the core must not.
type exception struct{ file, what string }

// exceptions are few, each with its reason.
var exceptions []exception

// words are those of unfinished work. They are put together here so that this
// file does not hold them.
var words = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}

// maxLines is how long a file may be before it is two files.
const maxLines = 500

func TestFiles(t *testing.T) {
	unfinished := regexp.MustCompile(`\b(` + strings.Join(words, "|") + `)\b`)
	n := 0
	for _, name := range files(t) {
		b, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(b, 0) >= 0 || path.Base(name) == "go.sum" {
			continue // not text, or not ours
		}
		n++
		data := strings.HasPrefix(name, "fixtures/") || strings.Contains("/"+name, "/testdata/")
		if lines := bytes.Count(b, []byte("\n")); lines > maxLines && !data {
			t.Errorf("%s has %d lines, more than %d: cut it where its subjects part", name, lines, maxLines)
		}
		if lines := bytes.Count(b, []byte("\n")); name == "README.md" && lines > 150 {
			t.Errorf("%s has %d lines, more than 150: nobody reads that before the first run", name, lines)
		}
		if bytes.Contains(b, []byte("\r\n")) && !data {
			t.Errorf("%s has lines that end with CR LF", name)
		}
		if m := unfinished.FindIndex(b); m != nil {
			t.Errorf("%s:%d: found %q: finish it, or say it elsewhere", name, 1+bytes.Count(b[:m[0]], []byte("\n")), b[m[0]:m[1]])
		}
	}
	if n < 20 {
		t.Errorf("found only %d files: is this the root of the module?", n)
	}
}

// TestTheRulesBite feeds the rules what they must refuse.
func TestTheRulesBite(t *testing.T) {
	f := parse(t, "detectors/x.go", `package detectors
import ("time"; "math"; "strconv"; . "os")
type a struct { f float64; g []float32 }
var c = 1.5
func d() {
	go d()
	_ = time.Now()
	<-time.After(1)
	_ = time.Since(time.Time{})
	_, _ = strconv.ParseFloat("1", 64)
	_ = math.Float64bits(2)
	time.Sleep(time.Second)
	_ = time.NewTicker
	_ = time.Duration(3) + time.UnixMilli(4).Sub(time.Time{})
}`)
	var got []string
	for _, v := range impure(f) {
		got = append(got, fmt.Sprintf("%d %s", v.line, v.what))
	}
	want := []string{
		"3 uses float64", "3 uses float32", "4 uses the floating-point number 1.5", "6 starts a goroutine",
		"7 reads the clock with time.Now", "8 reads the clock with time.After", "9 reads the clock with time.Since",
		"10 uses strconv.ParseFloat", "11 uses math.Float64bits", "12 reads the clock with time.Sleep",
		"13 reads the clock with time.NewTicker",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := f.imports(); !slices.Equal(got, []string{"time", "math", "strconv", "os"}) {
		t.Errorf("imports %q", got)
	}
	for folder, want := range map[string]string{
		"detectors": "detectors", "detectors/facts": "detectors/facts", "stream/jetstream/x": "stream/jetstream",
		"stream/logtest": "stream", "internal/app": "internal", "streams": "", "": "",
	} {
		if l, _ := layerOf(folder); l.folder != want {
			t.Errorf("folder %q is of layer %q, want %q", folder, l.folder, want)
		}
	}
}

// layerOf gives the layer of a folder.
func layerOf(folder string) (layer, bool) {
	best := layer{}
	for _, l := range layers {
		if under(folder, l.folder) && len(l.folder) > len(best.folder) {
			best = l
		}
	}
	return best, best.folder != ""
}

func inCore(folder string) bool {
	return slices.ContainsFunc(core, func(c string) bool { return under(folder, c) })
}

// under reports whether a path is a folder or lies in it.
func under(p, folder string) bool {
	return p == folder || strings.HasPrefix(p, folder+"/")
}

// files gives every file of the tree, relative to its root.
func files(t *testing.T) []string {
	t.Helper()
	var out []string
	top := root(t)
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch rel {
			case ".git", "bin", "dist", "misstep-data":
				return filepath.SkipDir
			}
			return nil
		}
		out = append(out, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return top
}
