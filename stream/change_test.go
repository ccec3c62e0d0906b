package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// gate holds a log back after a record until it is opened.
type gate struct {
	*recordsLog
	after  int64
	opened chan struct{}
	there  chan struct{} // closed when the record was given and applied
	given  bool
}

func (g *gate) Read(ctx context.Context, dst []Record) (int, error) {
	if g.given {
		select {
		case <-g.there:
		default:
			close(g.there)
		}
		select {
		case <-g.opened:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n, err := g.recordsLog.Read(ctx, dst[:1])
	g.given = g.given || n > 0 && dst[0].Offset >= g.after
	return n, err
}

// marked gives the outputs of two runs of the model: up to an offset those with
// the first mark, from there on those with the second.
func marked(outs []Output, offset int64, first, second string) []Output {
	outs = slices.Clone(outs)
	for i := range outs {
		mark := first
		if outs[i].Origin.Offset > offset {
			mark = second
		}
		if outs[i].Topic != DeadLetter {
			outs[i].Value = append(slices.Clone(outs[i].Value), mark...)
		}
	}
	return outs
}

// stands gives what is to be published when the rules change while some is
// published: of the records after the last one, what the new rules say.
func stands(published, then []Output) []Output {
	if len(published) == 0 {
		return then
	}
	last := published[len(published)-1].Origin.Offset
	return append(published, slices.DeleteFunc(then, func(o Output) bool { return o.Origin.Offset <= last })...)
}

// ruleset gives the one of the current checkpoint, empty when there is none.
func (m *machine) ruleset(t testing.TB) string {
	t.Helper()
	b, err := m.store.Head(t.Context(), "toy", 3)
	if err != nil || b == nil {
		return ""
	}
	var h head
	if err := unseal(b, &h); err != nil {
		t.Fatal(err)
	}
	if b, err = m.store.Get(t.Context(), "toy", 3, h.Current, ManifestPart); err != nil {
		t.Fatal(err)
	}
	var man manifest
	if err := unseal(b, &man); err != nil {
		t.Fatal(err)
	}
	return string(man.Ruleset)
}

func TestSwitch(t *testing.T) {
	recs := manyRecords(100)
	base := model("toy", recs, EndIdle)
	random := rand.New(rand.NewPCG(7, 0))
	for _, shards := range []int{1, 2, 7} {
		for step := StepRestore; step < numSteps; step++ {
			for left := 1; left <= 3; left++ {
				at := random.IntN(len(recs)-2) + 1
				offset := recs[at].Offset
				m, p := newMachine(), &process{}
				g := &gate{recordsLog: &recordsLog{recs: recs}, after: offset, opened: make(chan struct{}), there: make(chan struct{})}
				e := m.engine(t, p, g, Options[toyEvent]{Program: toy{" one"}, Shards: shards, Checkpoint: Checkpointing{Ruleset: "one"}})
				done := make(chan error, 1)
				go func() { done <- e.Run(t.Context()) }()
				<-g.there
				p.mu.Lock()
				p.step, p.left = step, left
				p.mu.Unlock()
				switched := e.Switch(t.Context(), toy{" two"}, "two")
				close(g.opened)
				err := <-done
				if err != nil && !errors.Is(err, errCrash) || err == nil && switched != nil {
					t.Fatalf("Run gave %v, Switch %v", err, switched)
				}
				want := marked(base, offset, " one", " two")
				if m.ruleset(t) != "two" {
					// The restart makes the change, at the last checkpoint: what is
					// published stands.
					want = stands(m.results.Outputs(), marked(base, -1, "", " two"))
				}
				// Started again under the new rules, twice.
				for range 2 {
					e = m.engine(t, &process{}, &recordsLog{recs: recs}, Options[toyEvent]{
						Program: toy{" two"}, Shards: 2, End: EndIdle, Checkpoint: Checkpointing{Ruleset: "two"},
					})
					if err := e.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := sameOutputs(m.results.Outputs(), want); err != nil {
					t.Fatalf("%d shards, crash at step %d, switch after %d (%v): %v", shards, step, offset, switched, err)
				}
			}
		}
	}
}

// TestOtherRulesetAfterRestart: what is published stands, and nothing is put
// beside it, wherever the run under the old rules ended.
func TestOtherRulesetAfterRestart(t *testing.T) {
	recs := manyRecords(60)
	base := model("toy", recs, EndIdle)
	for published := range len(model("toy", recs, EndOpen)) {
		m, p := newMachine(), &process{}
		ctx, cancel := context.WithCancelCause(t.Context())
		e := m.engine(t, p, &recordsLog{recs: recs}, Options[toyEvent]{
			Program: toy{" one"}, Shards: 2, BatchRecords: 5, Checkpoint: Checkpointing{Ruleset: "one"},
		})
		e.flush.results = &limitedResults{mortalResults{m.results, p}, published, func() { cancel(errCrash) }}
		if err := e.Run(ctx); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		cancel(nil)
		want := stands(m.results.Outputs(), marked(base, -1, "", " two"))
		// Under the new rules it crashes as well, early and late.
		for _, step := range []Step{StepBegin, StepSwing, StepManifest, 0} {
			e := m.engine(t, &process{step: step, left: 2}, &recordsLog{recs: recs}, Options[toyEvent]{
				Program: toy{" two"}, Shards: 2, BatchRecords: 5, End: EndIdle, Checkpoint: Checkpointing{Ruleset: "two"},
			})
			if err := e.Run(t.Context()); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		}
		if err := sameOutputs(m.results.Outputs(), want); err != nil {
			t.Fatalf("%d outputs were published: %v", published, err)
		}
	}
}

// limitedResults take so many outputs, and then the process ends.
type limitedResults struct {
	mortalResults
	left int
	stop func()
}

func (l *limitedResults) Append(ctx context.Context, outs []Output) error {
	outs = outs[:min(len(outs), l.left)]
	if err := l.mortalResults.Append(ctx, outs); err != nil {
		return err
	}
	if l.left -= len(outs); l.left == 0 {
		l.p.crash()
		l.stop()
		return errCrash
	}
	return nil
}
