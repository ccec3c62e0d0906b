package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what comes out as what is expected")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"replayer": main})
}

// TestScripts runs the command lines in testdata/script and compares what they
// print. sample.jsonl is the committed sample.
func TestScripts(t *testing.T) {
	sample, err := os.ReadFile("../../fixtures/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			return os.WriteFile(filepath.Join(e.WorkDir, "sample.jsonl"), sample, 0o644)
		},
	})
}
