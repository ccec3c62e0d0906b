package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"misstep/stream/jetstream"
)

var update = flag.Bool("update", false, "write what comes out as what is expected")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"replayer": main})
}

// TestScripts runs the command lines in testdata/script and compares what they
// print. sample.jsonl is the committed sample, $NATS the URL of a server with
// the stream of steps.
func TestScripts(t *testing.T) {
	sample, err := os.ReadFile("../../fixtures/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	server, err := jetstream.StartEmbedded(jetstream.EmbeddedOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := server.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	// After the scripts, which run in parallel.
	t.Cleanup(func() {
		nc.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := jetstream.EnsureSteps(t.Context(), nc, jetstream.Limits{}); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("NATS", server.URL())
			return os.WriteFile(filepath.Join(e.WorkDir, "sample.jsonl"), sample, 0o644)
		},
	})
}
