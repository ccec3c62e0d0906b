package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestReadme holds the table of rules in the README to what the code says, and
// the README to its length. -update writes the table.
func TestReadme(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- rules -->\n", "<!-- /rules -->\n"
	var out, errs bytes.Buffer
	if code := run([]string{"rules", "--markdown"}, strings.NewReader(""), &out, &errs); code != exitDone {
		t.Fatalf("detector rules: exit %d: %s", code, errs.String())
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(src), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("no %q and %q in the README", begin, end)
	}
	if *update {
		table = out.String()
		if err := os.WriteFile(file, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if table != out.String() {
		t.Errorf("the README's table is not what detector rules --markdown prints, which is\n%s", out.String())
	}
	const most = 150
	if n := strings.Count(string(src), "\n"); n > most {
		t.Errorf("the README has %d lines, more than %d", n, most)
	}
}
