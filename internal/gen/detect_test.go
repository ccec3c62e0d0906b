package gen_test

import (
	"context"
	"testing"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/internal/gen"
	"misstep/stream"
)

// TestDetectorsFindThePlanted runs the detect program over the traffic: each
// planted loop is reported at its third failure at the latest, and nothing else
// is at all.
func TestDetectorsFindThePlanted(t *testing.T) {
	g := gen.New(gen.Options{Seed: 11, Trajectories: 500, Steps: 60_000, LoopPerMille: 100})
	log := stream.NewMemoryLog("gen", 0)
	for line, ok := g.Next(); ok; line, ok = g.Next() {
		log.Append(stream.NoTime, line)
	}
	log.End()
	rules, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		t.Fatal(err)
	}
	results := stream.NewMemoryResults()
	engine, err := stream.New(stream.Options[event.Step]{
		Program: detect.NewProgram(rules, "gen", 0), Log: log.Open(0), Results: results, Shards: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The traffic is no conversation: its values come from nowhere, and nobody
	// confirms anything. What looks at that is not judged by it.
	exact := map[string]bool{}
	for _, d := range detectors.All() {
		for _, r := range d.Rules {
			switch r.Family {
			case "call", "error", "result", "order", "name", "signature", "schema", "runtime":
				exact[r.Name] = d.Class == event.RetryLoop || d.Class == event.HallucinatedTool || r.Family == "schema"
			}
		}
	}
	planted := map[string]gen.Truth{}
	for _, p := range g.Truth() {
		planted[p.Trajectory] = p
	}
	if len(planted) < 100 {
		t.Fatalf("only %d planted loops", len(planted))
	}
	found, over := map[string]bool{}, map[string]bool{}
	for _, o := range results.Outputs() {
		switch o.Topic {
		case stream.Tasks:
			over[o.Key] = true
		case stream.DeadLetter:
			t.Errorf("refused: %s", o.Value)
		}
	}
	for _, o := range results.Outputs() {
		f, ok := o.Record.(*event.Failure)
		if !ok {
			continue
		}
		// Of what goes on at the end of the traffic, the truth may not be out.
		p, ok := planted[f.TrajectoryID]
		if !exact[f.Rule] {
			continue
		}
		if !ok && over[f.TrajectoryID] || ok && f.Class.String() != p.Class {
			t.Errorf("%s: nothing of the kind is planted: %s", f.TrajectoryID, o.Value)
		}
		if ok && f.Severity >= event.Error && f.LastSeq <= int64(p.Seq) {
			found[f.TrajectoryID] = true
		}
	}
	for id, p := range planted {
		if !found[id] {
			t.Errorf("planted and not found by step %d: %+v", p.Seq, p)
		}
	}
}
