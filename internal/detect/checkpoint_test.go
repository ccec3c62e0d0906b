package detect

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"misstep/detectors"
	"misstep/event"
	"misstep/stream"
	"misstep/stream/logtest"
)

// goldenCheckpoints holds a folder for each release: a checkpoint that it took
// in the middle of a log, and the log. newestCheckpoint is written with -update;
// the others are kept as they are.
const (
	goldenCheckpoints = "../../fixtures/checkpoints"
	newestCheckpoint  = "0.1"
)

// goldenRun runs a log whose lines are records, from what the store holds on.
func goldenRun(t *testing.T, lines [][]byte, end stream.End, c stream.Checkpointing) *stream.MemoryResults {
	t.Helper()
	rules, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log := stream.NewMemoryLog("golden", 0)
	for i, l := range lines {
		log.Append(int64(i)*1_000_000_000, l)
	}
	log.End()
	results := stream.NewMemoryResults()
	c.Ruleset = rules.Hash()
	e, err := stream.New(stream.Options[event.Step]{
		Program: NewProgram(rules, "golden", 0), Log: log.Open(0), Results: results, Shards: 2, BatchRecords: 16, End: end, Checkpoint: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return results
}

func goldenLines(t *testing.T, dir string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "steps.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

// TestGoldenCheckpoints loads the checkpoints of all releases, and goes on from
// each with what an uncut run of this program puts out from there on.
func TestGoldenCheckpoints(t *testing.T) {
	if *update {
		takeGolden(t, filepath.Join(goldenCheckpoints, newestCheckpoint))
	}
	dirs, err := filepath.Glob(goldenCheckpoints + "/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no checkpoints: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			lines := goldenLines(t, dir)
			var from stream.Restored
			got := goldenRun(t, lines, stream.EndIdle, stream.Checkpointing{
				Store:      logtest.LoadCheckpoint(t, dir, "golden", 0),
				OnRestore:  func(r stream.Restored) { from = r },
				OnFallback: func(err error) { t.Error(err) },
			}).Outputs()
			if from.Offset < 10 || from.Offset > int64(len(lines))-10 {
				t.Fatalf("it begins after record %d of %d", from.Offset, len(lines))
			}
			var want []stream.Output
			for _, o := range goldenRun(t, lines, stream.EndIdle, stream.Checkpointing{}).Outputs() {
				if o.Origin.Offset > from.Offset {
					want = append(want, o)
				}
			}
			if len(want) < 5 || !bytes.Equal(text(got), text(want)) {
				t.Errorf("after record %d\n%s\nan uncut run gives\n%s", from.Offset, text(got), text(want))
			}
		})
	}
}

// takeGolden writes the checkpoint of this program.
func takeGolden(t *testing.T, dir string) {
	t.Helper()
	steps, err := os.ReadFile("../../fixtures/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "steps.jsonl"), steps, 0o644); err != nil {
		t.Fatal(err)
	}
	store := stream.NewMemoryCheckpoints()
	id := ""
	lines := goldenLines(t, dir)
	goldenRun(t, lines[:len(lines)/2], stream.EndOpen, stream.Checkpointing{
		Store: store,
		OnTaken: func(k stream.Taken) {
			if k.Err == nil {
				id = k.ID
			}
		},
	})
	logtest.SaveCheckpoint(t, dir, store, "golden", 0, id)
}
