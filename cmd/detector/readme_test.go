package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"misstep/detectors"
)

// TestReadme holds the tables of the README and of docs/rules.md to what the
// code says, and the README to its length. -update writes the tables.
func TestReadme(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"rules", "--markdown"}, strings.NewReader(""), &out, &errs); code != exitDone {
		t.Fatalf("detector rules: exit %d: %s", code, errs.String())
	}
	holds(t, "../../docs/rules.md", "rules", out.String())
	readme := holds(t, "../../README.md", "classes", classes())
	const most = 150
	if n := strings.Count(readme, "\n"); n > most {
		t.Errorf("the README has %d lines, more than %d", n, most)
	}
}

// classes is a table of the detectors.
func classes() string {
	var b strings.Builder
	b.WriteString("| failure class | what the agent does | rules |\n|---|---|---|\n")
	for _, d := range detectors.All() {
		title, _, _ := strings.Cut(d.Doc, "\n")
		names := make([]string, len(d.Rules))
		for i, r := range d.Rules {
			names[i] = "`" + r.Name + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, title, strings.Join(names, ", "))
	}
	return b.String()
}

// holds checks that a file has the text between two marks, and gives the file.
func holds(t *testing.T, file, mark, want string) string {
	t.Helper()
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->\n"
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(src), begin)
	have, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("no %q and %q in %s", begin, end, file)
	}
	if *update {
		have = want
		if err := os.WriteFile(file, []byte(head+begin+have+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have != want {
		t.Errorf("%s does not hold\n%s", file, want)
	}
	return head + begin + have + end + tail
}
