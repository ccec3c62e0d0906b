package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"misstep/internal/replay"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.jsonl")
	o, err := create(path, io.Discard, &replay.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(o, "a\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file has its name before it is complete")
	}
	if err := o.finish(); err != nil {
		t.Fatal(err)
	}
	o.discard()
	if b, err := os.ReadFile(path); err != nil || string(b) != "a\n" {
		t.Errorf("%q, %v", b, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind %q", got)
	}
}

func TestOutputDiscarded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.jsonl.gz")
	if err := os.WriteFile(path, []byte("was"), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := create(path, io.Discard, &replay.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(o, "a\n"); err != nil {
		t.Fatal(err)
	}
	o.discard()
	if b, err := os.ReadFile(path); err != nil || string(b) != "was" {
		t.Errorf("%q, %v", b, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind %q", got)
	}
}
