package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"misstep/internal/gen"
)

func TestWritesTheGeneratorsLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "steps.jsonl")
	if err := run([]string{"-steps", "500", "-seed", "4", "-trajectories", "20", "-loops", "100", "-out", file}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if _, err := gen.New(gen.Options{Seed: 4, Steps: 500, Trajectories: 20, LoopPerMille: 100}).WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file has %d bytes, the generator gives %d others", len(got), want.Len())
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{"-steps", "0"}, {"stray"}, {"-nonsense"}, {"-out", filepath.Join(t.TempDir(), "no", "such")}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("run(%q) succeeds", args)
		}
	}
}
