package detectors

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"misstep/event"
)

// everyLogging runs a property on traffic with and without log times.
func everyLogging(t *testing.T, check func(t *rapid.T, logged bool)) {
	for name, logged := range map[string]bool{"log_time": true, "own_clock": false} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { check(t, logged) })
		})
	}
}

// A log may hand on any step twice. With ids, that changes nothing.
func TestRedeliveryChangesNothing(t *testing.T) {
	everyLogging(t, func(rt *rapid.T, logged bool) {
		steps := drawTraffic(rt, "t1", logged)
		var twice []wireStep
		for _, s := range steps {
			twice = append(twice, s)
			for range rapid.IntRange(0, 2).Draw(rt, "redeliveries") {
				twice = append(twice, s)
			}
		}
		sameOutputs(rt, "redelivered", values(runTraffic(t, rt, twice)), values(runTraffic(t, rt, steps)), steps)
	})
}

// What comes out of a trajectory does not depend on its neighbours.
func TestNeighboursChangeNothing(t *testing.T) {
	everyLogging(t, func(rt *rapid.T, logged bool) {
		a, b := drawTraffic(rt, "t1", logged), drawTraffic(rt, "t2", logged)
		both := merge(rt, a, b, logged)
		got := map[string][]string{}
		for _, o := range runTraffic(t, rt, both) {
			got[o.Key] = append(got[o.Key], values([]Output{o})...)
		}
		sameOutputs(rt, "first of two", got["t1"], values(runTraffic(t, rt, a)), both)
		sameOutputs(rt, "second of two", got["t2"], values(runTraffic(t, rt, b)), both)
	})
}

// merge interleaves two trajectories, by log time where there is one.
func merge(t *rapid.T, a, b []wireStep, logged bool) []wireStep {
	var out []wireStep
	for len(a) > 0 && len(b) > 0 {
		first := rapid.Bool().Draw(t, "first")
		if logged && a[0].log != b[0].log {
			first = a[0].log < b[0].log
		}
		if first {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// The name of a trajectory says nothing but who it is.
func TestRenamingChangesIDsOnly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawTraffic(rt, "t1", false)
		renamed := make([]wireStep, len(steps))
		for i, s := range steps {
			renamed[i] = s
			renamed[i].line = `{"trajectory_id":"another"` + s.line[len(`{"trajectory_id":"t1"`):]
		}
		got, want := runTraffic(t, rt, renamed), runTraffic(t, rt, steps)
		for _, o := range got {
			if o.Key != "another" {
				rt.Fatalf("an output of %q after the renaming", o.Key)
			}
		}
		sameOutputs(rt, "renamed", anonymous(rt, got), anonymous(rt, want), steps)
	})
}

// anonymous are outputs without the names of their trajectories and what is
// made of them.
func anonymous(t *rapid.T, outs []Output) []string {
	var v []string
	for _, o := range outs {
		switch r := o.Record.(type) {
		case *event.Failure:
			f := *r
			f.ID, f.TrajectoryID = "", ""
			v = append(v, mustJSON(t, f))
		case *event.TaskRecord:
			k := *r
			k.ID, k.TrajectoryID = "", ""
			v = append(v, mustJSON(t, k))
		}
	}
	return v
}

// Every failure opens once, rises, and is over once; its evidence can be looked
// up; when its task is recorded, it is over.
func TestFailuresAreWellFormed(t *testing.T) {
	everyLogging(t, func(rt *rapid.T, logged bool) {
		steps := merge(rt, drawTraffic(rt, "t1", logged), drawTraffic(rt, "t2", logged), logged)
		seqs := map[string]int64{}
		for _, s := range steps {
			seqs[s.id] = s.seq
		}
		live := map[string]*event.Failure{} // the latest transition, by id
		over := map[string]bool{}
		revs := map[string]int{} // of task records, by id
		for _, o := range runTraffic(t, rt, steps) {
			switch r := o.Record.(type) {
			case *event.Failure:
				if over[r.ID] {
					rt.Fatalf("failure %s (%s of %q) goes on after it was resolved, in\n%s", r.ID, r.Rule, r.Subject, lines(steps))
				}
				checkFailure(rt, r, live[r.ID], seqs)
				for _, other := range live {
					if other.ID != r.ID && other.TrajectoryID == r.TrajectoryID && other.Class == r.Class && other.Subject == r.Subject {
						rt.Fatalf("two failures of %s are open for %q in\n%s", r.Class, r.Subject, lines(steps))
					}
				}
				live[r.ID] = r
				if r.State == event.StateResolved {
					over[r.ID] = true
					delete(live, r.ID)
				}
			case *event.TaskRecord:
				if r.Rev != revs[r.ID] {
					rt.Fatalf("task %s: rev %d, want %d, in\n%s", r.ID, r.Rev, revs[r.ID], lines(steps))
				}
				revs[r.ID]++
				for _, f := range live {
					if r.Rev == 0 && f.TrajectoryID == r.TrajectoryID {
						rt.Fatalf("failure %s of %q is open after its task, in\n%s", f.Rule, f.Subject, lines(steps))
					}
				}
			}
		}
		if len(live) > 0 {
			rt.Fatalf("%d failures are open at the end of\n%s", len(live), lines(steps))
		}
	})
}

// checkFailure checks one transition, and that it follows from the one before.
func checkFailure(t *rapid.T, f, before *event.Failure, seqs map[string]int64) {
	if before == nil {
		if f.Rev != 0 || f.State != event.StateOpen || f.Recovered {
			t.Fatalf("%+v is the first of its failure", f)
		}
	} else {
		rising := f.State == event.StateEscalated && f.Severity > before.Severity || f.State == event.StateResolved && f.Severity == before.Severity
		if f.Rev != before.Rev+1 || !rising {
			t.Fatalf("%+v\ncomes after\n%+v", f, before)
		}
		if f.Rule != before.Rule || f.Subject != before.Subject || f.Fingerprint != before.Fingerprint || f.FirstSeq != before.FirstSeq {
			t.Fatalf("%+v\nis not the failure that was\n%+v", f, before)
		}
		if f.Count < before.Count || f.Confidence < before.Confidence || f.Time < before.Time || len(f.Rules) < len(before.Rules) || !slices.Equal(f.Rules[:len(before.Rules)], before.Rules) {
			t.Fatalf("%+v\nfalls behind\n%+v", f, before)
		}
	}
	if f.Severity == event.SeverityNone || f.Confidence <= 0 || f.Confidence > 1000 || f.Count < 1 || f.Message == "" || f.Rules[0] != f.Rule || f.Fault == event.FaultUnknown && f.Class != event.ContextLoss {
		t.Fatalf("%+v is not whole", f)
	}
	rules := slices.Sorted(slices.Values(f.Rules))
	if len(slices.Compact(rules)) != len(f.Rules) {
		t.Fatalf("%+v names a rule twice", f)
	}
	if len(f.Evidence) == 0 || len(f.Evidence) > maxEvidence {
		t.Fatalf("%+v has %d pieces of evidence", f, len(f.Evidence))
	}
	for _, e := range f.Evidence {
		if seq, ok := seqs[e.ID]; !ok || seq != e.Seq || e.Note == "" {
			t.Fatalf("evidence %+v of %+v is no step", e, f)
		}
	}
}
