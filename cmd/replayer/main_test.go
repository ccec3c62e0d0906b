package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"misstep/internal/kafkatest"
	"misstep/stream/jetstream"
)

var update = flag.Bool("update", false, "write what comes out as what is expected")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"replayer": main})
}

// TestScripts runs the command lines in testdata/script and compares what they
// print. sample.jsonl is the committed sample, $NATS the URL of a server with
// the stream of steps, $KAFKA that of a cluster with the topics one, of three
// partitions, and single.
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
	kafkaURL := ""
	if err := kafkatest.Check(); err == nil {
		b := kafkatest.Start(t, kafkatest.Options{})
		kafkaURL = "kafka://" + b.Addr()
		for topic, partitions := range map[string]int{"one": 3, "single": 1} {
			if err := b.CreateTopic(t.Context(), topic, partitions, map[string]string{"message.timestamp.type": "LogAppendTime"}); err != nil {
				t.Fatal(err)
			}
		}
	} else if os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else {
		t.Log("SKIPPED: ", err)
	}
	testscript.Run(t, testscript.Params{
		Condition: func(cond string) (bool, error) {
			if cond == "kafka" {
				return kafkaURL != "", nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("NATS", server.URL())
			e.Setenv("KAFKA", kafkaURL)
			return os.WriteFile(filepath.Join(e.WorkDir, "sample.jsonl"), sample, 0o644)
		},
	})
}
