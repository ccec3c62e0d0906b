package detect

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/gen"
	"misstep/stream"
)

// traffic is generated steps, a few to a record, with a log time that every
// third record lacks progress in, so that deadlines fall between records.
func traffic(t testing.TB, steps int) []stream.Record {
	t.Helper()
	g := gen.New(gen.Options{Seed: 7, Trajectories: 60, LoopPerMille: 200})
	var recs []stream.Record
	const second = 1_000_000_000
	for n := 0; n < steps; {
		var value []byte
		for range 1 + len(recs)%4 {
			line, ok := g.Next()
			if !ok {
				t.Fatal("the generator ended")
			}
			value = append(append(value, line...), '\n')
			n++
		}
		if len(recs)%50 == 49 {
			value = append(value, "{\"kind\":\"tool_call\"}\n"...) // refused: no trajectory
		}
		clock := int64(1_700_000_000+len(recs)/3*40) * second
		recs = append(recs, stream.Record{Offset: int64(len(recs)), Time: clock, Value: value})
	}
	return recs
}

func run(t testing.TB, recs []stream.Record, shards, batch int) []stream.Output {
	t.Helper()
	// Trajectories are forgotten while the traffic lasts.
	rules, err := detectors.NewRuleset(detectors.Config{Retain: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	log := stream.NewMemoryLog("test", 0)
	for _, r := range recs {
		log.Append(r.Time, r.Value)
	}
	log.End()
	results := stream.NewMemoryResults()
	e, err := stream.New(stream.Options[event.Step]{
		Program: NewProgram(rules, "test", 0), Log: log.Open(0), Results: results,
		Shards: shards, BatchRecords: batch, End: stream.EndIdle,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return results.Outputs()
}

func text(outs []stream.Output) []byte {
	var b bytes.Buffer
	for _, o := range outs {
		fmt.Fprintf(&b, "%v %s %s %s\n", o.Origin, o.Topic, o.Key, o.Value)
	}
	return b.Bytes()
}

// TestSameOutput: shards, batches and processors do not enter (contract 1).
func TestSameOutput(t *testing.T) {
	recs := traffic(t, 12_000)
	outs := run(t, recs, 1, 64)
	want := text(outs)
	counts := map[stream.Topic]int{}
	for _, o := range outs {
		counts[o.Topic]++
	}
	for _, topic := range []stream.Topic{stream.Failures, stream.Tasks, stream.DeadLetter} {
		if counts[topic] < 20 {
			t.Fatalf("only %d outputs on %s: the traffic shows too little", counts[topic], topic)
		}
	}
	for _, procs := range []int{1, 2} {
		old := runtime.GOMAXPROCS(procs)
		for _, shards := range []int{1, 2, 7, 16} {
			for _, batch := range []int{1, 7, 64, 1000} {
				if got := text(run(t, recs, shards, batch)); !bytes.Equal(got, want) {
					t.Errorf("GOMAXPROCS %d, %d shards, batches of %d: other output", procs, shards, batch)
				}
			}
		}
		runtime.GOMAXPROCS(old)
	}
}

// TestAlone: what comes out for one trajectory is the same alone as among all
// others, but for the origin.
func TestAlone(t *testing.T) {
	recs := traffic(t, 6_000)
	among := map[string][]byte{}
	for _, o := range run(t, recs, 1, 64) {
		if o.Topic != stream.DeadLetter {
			among[o.Key] = append(append(among[o.Key], o.Value...), '\n')
		}
	}
	own := map[string][]stream.Record{}
	var last int64
	for _, r := range recs {
		last = r.Time
		var d event.Decoder
		d.Reset(r.Value)
		for {
			var s event.Step
			err := d.Next(&s)
			if err != nil {
				if _, bad := err.(*event.DecodeError); bad {
					continue
				}
				break
			}
			id := string(s.TrajectoryID)
			own[id] = append(own[id], stream.Record{Time: r.Time, Value: bytes.Clone(s.Raw)})
		}
	}
	if len(own) < 100 {
		t.Fatalf("only %d trajectories", len(own))
	}
	for id, recs := range own {
		// A last record of another trajectory brings the log clock to where it
		// was for all.
		recs = append(recs, stream.Record{Time: last, Value: []byte(`{"trajectory_id":"the clock","kind":"feedback","feedback":{"failure_id":"x","verdict":"true_positive"}}`)})
		var got []byte
		for _, o := range run(t, recs, 1, 64) {
			if o.Key == id {
				got = append(append(got, o.Value...), '\n')
			}
		}
		if !bytes.Equal(got, among[id]) {
			t.Errorf("%s: alone\n%s\namong others\n%s", id, got, among[id])
		}
	}
}
