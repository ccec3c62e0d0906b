package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"misstep/detectors"
)

var update = flag.Bool("update", false, "write what the commands print into testdata as what is wanted")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"detector": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command lines of testdata/*.txtar.
func TestScripts(t *testing.T) {
	fixtures, err := filepath.Abs("../../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("FIXTURES", fixtures)
			e.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, strings.NewReader(""), &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
		t.Fatalf("%q gave %d and said %s", args, code, stderr.String())
	}
	return stdout.String()
}

// TestManual: whatever the detectors are, the manual tells all of them, by
// every name, in lines that fit a terminal.
func TestManual(t *testing.T) {
	flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	manual := output(t, "rules")
	for line := range strings.Lines(manual) {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	for _, d := range detectors.All() {
		one := output(t, "rules", d.Name)
		for _, r := range d.Rules {
			for _, text := range []string{d.Name, flat(d.Doc), r.Name, r.Code, r.Doc, r.Threshold, r.Guards, r.Source, r.Needs.String(), r.Fault.String()} {
				for _, page := range []string{manual, one} {
					if !strings.Contains(flat(page), flat(text)) {
						t.Errorf("%s: the manual lacks %q", r.Name, text)
					}
				}
			}
			for _, name := range []string{r.Name, r.Code, strings.ToLower(r.Code)} {
				if page := output(t, "rules", name); !strings.Contains(page, "\n  "+r.Name+" (") {
					t.Errorf("rules %s does not show %s", name, r.Name)
				}
			}
			if !strings.Contains(output(t, "rules", "--markdown"), "| `"+d.Name+"` | `"+r.Name+"` ("+r.Code+") | ") {
				t.Errorf("the table lacks %s", r.Name)
			}
		}
	}
}

// TestManualJSON: one object a line, and nothing of the rules left out.
func TestManualJSON(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(output(t, "rules", "--json")), "\n")
	if len(lines) != len(detectors.All()) {
		t.Fatalf("%d lines, want one for each of %d detectors", len(lines), len(detectors.All()))
	}
	for i, d := range detectors.All() {
		var got detectorJSON
		dec := json.NewDecoder(strings.NewReader(lines[i]))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Name != d.Name || got.Class != d.Class.String() || got.Version != d.Version || len(got.Kinds) != len(d.Kinds) || len(got.Rules) != len(d.Rules) {
			t.Errorf("got %+v", got)
		}
		for j, r := range d.Rules {
			g := got.Rules[j]
			if g.Name != r.Name || g.Code != r.Code || g.Doc != r.Doc || g.Threshold != r.Threshold || g.Guards != r.Guards || g.Source != r.Source || g.Family != r.Family || strings.Join(g.Needs, ", ") != r.Needs.String() {
				t.Errorf("got %+v, want %+v", g, r)
			}
		}
	}
}

// TestHelp: every command has help with an example.
func TestHelp(t *testing.T) {
	for _, c := range append(newRoot().Commands(), newRoot()) {
		if c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no summary", c.CommandPath())
		}
		args := strings.Fields(c.CommandPath())[1:]
		if help := output(t, append(args, "--help")...); !strings.Contains(help, c.Example) {
			t.Errorf("%s --help does not show its example", c.CommandPath())
		}
	}
}
