package detect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"misstep/detectors"
	"misstep/event"
	"misstep/stream"
)

var errCut = errors.New("the process is killed")

// cutLog ends the run as a kill does, in the midst of what is under way, when
// it is asked for more than it has.
type cutLog struct {
	stream.Log
	kill context.CancelCauseFunc
}

func (l cutLog) Read(ctx context.Context, dst []stream.Record) (int, error) {
	n, err := l.Log.Read(ctx, dst)
	if errors.Is(err, io.EOF) {
		l.kill(errCut)
		return 0, errCut
	}
	return n, err
}

// TestRestarts kills the program at random places, and has the next go on with
// the checkpoint of the one before: the output is that of an uncut run.
func TestRestarts(t *testing.T) {
	recs := traffic(t, 8_000)
	want := text(run(t, recs, 1, 64))
	rules, err := detectors.NewRuleset(detectors.Config{Retain: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, 0))
	results, store := stream.NewMemoryResults(), stream.NewMemoryCheckpoints()
	loaded, applied := 0, int64(0)
	for end := 0; end < len(recs); {
		end = min(end+1+random.IntN(120), len(recs))
		log := stream.NewMemoryLog("test", 0)
		for _, r := range recs[:end] {
			log.Append(r.Time, r.Value)
		}
		log.End()
		ctx, kill := context.WithCancelCause(t.Context())
		o := stream.Options[event.Step]{
			Program: NewProgram(rules, "test", 0), Log: log.Open(0), Results: results,
			Shards: []int{1, 2, 7}[random.IntN(3)], BatchRecords: 1 + random.IntN(30), End: stream.EndIdle,
			Checkpoint: stream.Checkpointing{
				Store: store.Owner(), Ruleset: rules.Hash(), Work: -1, Spacing: -1, PartBytes: 1 + random.IntN(20_000),
				OnRestore: func(r stream.Restored) {
					if r.Offset >= 0 {
						loaded++
					}
				},
				OnFallback: func(err error) { t.Error(err) },
			},
		}
		if end < len(recs) {
			o.Log = cutLog{o.Log, kill}
		}
		e, err := stream.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(ctx); err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		kill(nil)
		applied += e.Stats().Records
	}
	if got := text(results.Outputs()); !bytes.Equal(got, want) {
		t.Errorf("seed %d: other output after restarts", seed)
	}
	if loaded < 20 {
		t.Errorf("only %d runs began with a checkpoint", loaded)
	}
	t.Logf("%d runs began with a checkpoint, and applied %d records of %d", loaded, applied, len(recs))
}
