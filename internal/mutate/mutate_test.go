package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unpack writes the fixture to a folder of its own and gives it and the
// verdicts that the fixture wants.
func unpack(t *testing.T) (dir string, want []string) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/fixture.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "want"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, strings.Split(strings.TrimSpace(string(b)), "\n")
}

var verdictNames = map[verdict]string{
	notCompiling: "not-compiling", killed: "killed", timedOut: "timed-out", survived: "survived", notReached: "not-reached",
}

func TestVerdicts(t *testing.T) {
	dir, want := unpack(t)
	results, _, err := mutate(t.Context(), &options{dir: dir, packages: []string{"./..."}, workers: 2}, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(results, func(a, b result) int { return a.site.id - b.site.id })
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s %s", verdictNames[r.verdict], r.site.kind, r.site.text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSources(t *testing.T) {
	dir, want := unpack(t)
	ps, err := list(t.Context(), dir, []string{"./..."})
	if err != nil {
		t.Fatal(err)
	}
	sites, err := sources(ps)
	if err != nil {
		t.Fatal(err)
	}
	if len(sites) != len(want) {
		t.Fatalf("%d conditions, want %d", len(sites), len(want))
	}
	src, err := os.ReadFile(sites[0].path)
	if err != nil {
		t.Fatal(err)
	}
	out := instrument(src, sites)
	if a, b := bytes.Count(src, []byte("\n")), bytes.Count(out, []byte("\n")); a != b {
		t.Errorf("the file has %d lines when instrumented, want %d", b, a)
	}
	for _, line := range []string{
		"\tfor i := 0; mutantSwitch(3, i < n); i++ {",
		"\t\tif mutantSwitch(4, mutantSwitch(5, i%2 == 0) && mutantSwitch(6, !skip[i])) {",
		"func Nand(a, b bool) bool { return mutantSwitch(14, !(mutantSwitch(15, a) && mutantSwitch(16, b))) }",
		"const debug = 1 == 2",
	} {
		if !bytes.Contains(out, []byte(line+"\n")) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
}

func TestExitCodes(t *testing.T) {
	dir, _ := unpack(t)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	known := write("known", "# all of one sample\n\nfixture.go: verbose -- says nothing\n"+
		"fixture.go: a > 0 -- equal to b\nfixture.go: b > 0 -- equal to a\nfixture.go: n == 0 -- dead\nfixture.go: on -- dead\n")
	stale := write("stale", "fixture.go: n < 0 #2 -- there is one alone\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unlisted survivors", []string{"-C", dir, "."}, 1, "NOT LISTED: test it, or list it as\n          fixture.go: verbose -- REASON"},
		{"listed, but too many", []string{"-C", dir, "-accept", known, "."}, 1, "5 of 20 survive: more than 5 %"},
		{"a stale entry", []string{"-C", dir, "-accept", stale, "."}, 1, "list, line 1: no condition is fixture.go: n < 0 #2: remove it"},
		{"a part, all listed", []string{"-C", dir, "-accept", known, "-run", "fixture.go", "."}, 0, "5 survived (3 not reached), 1 not compiling"},
		{"a sample", []string{"-C", dir, "-accept", known, "-sample", "4", "-seed", "2", "."}, 0, "4 mutants: "},
		{"nothing to do", []string{"-C", dir, "-run", "none.go", "."}, 2, "no condition in ."},
		{"no package", []string{"-C", dir}, 2, "usage: mutate"},
		{"a file that is not held to it", []string{"-C", dir, "-except", write("except", "# why\nfix*.go -- not yet\n"), "."}, 2, "no condition in ."},
		{"an exception for nothing", []string{"-C", dir, "-except", write("gone", "gone*.go -- not yet\n"), "."}, 2, "line 1: no file with a condition is gone*.go: remove it"},
		{"an exception without a reason", []string{"-C", dir, "-except", write("mute", "fix*.go\n"), "."}, 2, `found "fix*.go", want GLOB -- REASON`},
		{"no exceptions", []string{"-C", dir, "-except", "nowhere", "."}, 2, "files that are not held to it: open nowhere"},
		{"no list", []string{"-C", dir, "-accept", "nowhere", "."}, 2, "accepted survivors: open nowhere"},
		{"no such package", []string{"-C", dir, "./nowhere"}, 2, "go list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(context.Background(), c.args, &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, c.code, c.says, &out)
			}
		})
	}
}

func TestFailingTestsAreNoMutants(t *testing.T) {
	dir, _ := unpack(t)
	test := "package fixture\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Error(\"broken\") }\n"
	if err := os.WriteFile(filepath.Join(dir, "broken_test.go"), []byte(test), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-C", dir, "."}, &out, &out); code != 2 || !strings.Contains(out.String(), "TestBroken fails with nothing negated") {
		t.Errorf("exit %d:\n%s", code, &out)
	}
}

func TestBatches(t *testing.T) {
	b := &binary{}
	for i, ms := range []int{10, 60, 40, 200, 400, 9000, 9000} {
		b.tests = append(b.tests, &test{
			name: strings.Repeat("x", i), wall: time.Duration(ms) * time.Millisecond, reaches: map[int]bool{7: i != 1, 8: i == 5},
		})
	}
	for id, want := range map[int]string{7: "[0 2] [3] [4] [5] [6]", 8: "[5]", 9: ""} {
		var got []string
		for _, ts := range b.batches(id) {
			var names []string
			for _, t := range ts {
				names = append(names, fmt.Sprint(len(t.name)))
			}
			got = append(got, "["+strings.Join(names, " ")+"]")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("site %d: %s, want %s", id, s, want)
		}
	}
}

func TestReadAccepted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	for _, c := range []struct {
		text string
		want *acceptance
		err  string
	}{
		{"a/b.go: x == \": \" #12 -- why -- so", &acceptance{key: key{"a/b.go", `x == ": "`, 12}, line: 1, reason: "why -- so"}, ""},
		{"a.go: x[#] -- why", &acceptance{key: key{"a.go", "x[#]", 1}, line: 1, reason: "why"}, ""},
		{"a.go: x", nil, `list:1: found "a.go: x", want FILE: CONDITION [#N] -- REASON`},
		{"a.go: x -- ", nil, "list:1: found"},
		{"\na.go: x -- y\na.go: x #1 -- z", nil, "list:3: a.go: x is listed in line 2 already"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readAccepted(file)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil || len(got) != 1 || *got[c.want.key] != *c.want {
			t.Errorf("%q: %v, %v, want %v", c.text, got, err, *c.want)
		}
	}
}
