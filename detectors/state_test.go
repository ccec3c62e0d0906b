package detectors

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"misstep/event"
)

// A state that is written, read and gone on with gives what an uninterrupted
// run gives, and is written the same again.
func TestStateGoesOn(t *testing.T) {
	everyLogging(t, func(rt *rapid.T, logged bool) {
		steps := merge(rt, drawTraffic(rt, "t1", logged), drawTraffic(rt, "t2", logged), logged)
		want := values(runTraffic(t, rt, steps))
		f := newFeeder(t)
		for _, s := range steps {
			f.feed(rt, s)
			if rapid.IntRange(0, 3).Draw(rt, "checkpoint") == 0 {
				next := newFeeder(t)
				next.outs, next.clock = f.outs, f.clock
				once := encode(f.shard)
				if err := next.shard.LoadState(once, func(uint64) bool { return true }); err != nil {
					rt.Fatal(err)
				}
				if again := encode(next.shard); !bytes.Equal(once, again) {
					rt.Fatalf("the state of\n%s is written as %d bytes, then as %d others", lines(steps), len(once), len(again))
				}
				f = next
			}
		}
		f.shard.End(0, f)
		sameOutputs(rt, "interrupted", values(f.outs), want, steps)
	})
}

func encode(s *Shard) []byte { return s.AppendState(nil) }

// A half of a state holds the half of the trajectories that its keeper accepts.
func TestStateIsShared(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := drawTraffic(rt, "t1", false), drawTraffic(rt, "t2", false)
		steps := merge(rt, a, b, false)
		cut := rapid.IntRange(0, len(steps)).Draw(rt, "cut")
		whole := newFeeder(t)
		for _, s := range steps[:cut] {
			whole.feed(rt, s)
		}
		state := encode(whole.shard)
		half := func(h uint64) bool { return h == Key(&event.Step{TrajectoryID: []byte("t1")}) }
		first, second := newFeeder(t), newFeeder(t)
		for f, keep := range map[*feeder]func(uint64) bool{first: half, second: func(h uint64) bool { return !half(h) }} {
			if err := f.shard.LoadState(state, keep); err != nil {
				rt.Fatal(err)
			}
		}
		for _, s := range steps[cut:] {
			if s.id[:2] == "t1" {
				first.feed(rt, s)
			} else {
				second.feed(rt, s)
			}
		}
		first.shard.End(0, first)
		second.shard.End(0, second)
		got := map[string][]string{}
		for _, o := range slices.Concat(whole.outs, first.outs, second.outs) {
			got[o.Key] = append(got[o.Key], values([]Output{o})...)
		}
		sameOutputs(rt, "first half", got["t1"], values(runTraffic(t, rt, a)), a)
		sameOutputs(rt, "second half", got["t2"], values(runTraffic(t, rt, b)), b)
	})
}

// A snapshot is of the moment at which it was begun, whatever comes after, and
// each of its parts stands by itself.
func TestSnapshotWhileGoingOn(t *testing.T) {
	everyLogging(t, func(rt *rapid.T, logged bool) {
		var steps []wireStep
		for _, name := range []string{"t1", "t2", "t3"} {
			steps = merge(rt, steps, drawTraffic(rt, name, logged), logged)
		}
		cut := rapid.IntRange(0, len(steps)).Draw(rt, "cut")
		size := rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(rt, "size")
		f := newFeeder(t)
		for _, s := range steps[:cut] {
			f.feed(rt, s)
		}
		want := encode(f.shard)
		f.shard.Freeze()
		var parts [][]byte
		take := func() bool {
			part, done := f.shard.AppendFrozen(nil, size)
			parts = append(parts, part)
			return done
		}
		done := false
		for _, s := range steps[cut:] {
			f.feed(rt, s)
			if !done && rapid.Bool().Draw(rt, "take") {
				done = take()
			}
		}
		if !done && rapid.Bool().Draw(rt, "end") {
			f.shard.End(0, f) // forgets them all
		}
		for !done {
			done = take()
		}
		next := newFeeder(t)
		for _, i := range rapid.Permutation(upTo(len(parts))).Draw(rt, "order") {
			if err := next.shard.LoadState(parts[i], func(uint64) bool { return true }); err != nil {
				rt.Fatal(err)
			}
		}
		if got := encode(next.shard); !bytes.Equal(got, want) {
			rt.Fatalf("%d parts give %d bytes of state, want the %d of the moment it was begun", len(parts), len(got), len(want))
		}
	})
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestThaw: a snapshot that is given up costs nothing, and another can begin.
func TestThaw(t *testing.T) {
	f := loopThrice(t)
	f.shard.Freeze()
	f.shard.Thaw()
	f.feed(t, wireStep{line: failedAgain("r4")})
	if n := len(f.shard.frozen.out.Buf); n != 0 {
		t.Errorf("%d bytes were written after the snapshot was given up", n)
	}
	want := encode(f.shard)
	f.shard.Freeze()
	part, done := f.shard.AppendFrozen(nil, 1)
	if !done || !bytes.Equal(part, want) {
		t.Errorf("the snapshot after it is not whole: %d bytes", len(part))
	}
}

func failedAgain(id string) string {
	return fmt.Sprintf(`{"trajectory_id":"t","id":%q,"kind":"tool_call","call":{"tool":"f","arguments":{}}}`, id)
}

// loopThrice feeds a loop that is open at its end.
func loopThrice(t *testing.T) *feeder {
	t.Helper()
	f := newFeeder(t)
	f.feed(t, wireStep{line: `{"trajectory_id":"t","id":"0","kind":"task_start","task":{"tools":[{"name":"f","parameters":{"type":"object"}}]}}`})
	for i := range 3 {
		f.feed(t, wireStep{line: failedAgain(fmt.Sprint("c", i))})
		f.feed(t, wireStep{line: fmt.Sprintf(`{"trajectory_id":"t","id":"r%d","kind":"tool_result","result":{"tool":"f","status":"error","content":"gone"}}`, i)})
	}
	if len(f.outs) == 0 {
		t.Fatal("a call that failed three times is no failure")
	}
	return f
}

// TestOtherVersions: what this build cannot read is dropped, section by
// section; who lost it abstains until the task has ended, and says so.
func TestOtherVersions(t *testing.T) {
	for _, c := range []struct {
		section string
		fails   bool   // the next failure of the call is told
		reason  string // in the coverage of the task
	}{
		{"", true, ""},
		{"facts", false, "hallucinated_tool no_catalogue"},
		{"episodes", true, ""},
		{"tool_misuse", true, "tool_misuse upgrade"},
	} {
		t.Run(c.section, func(t *testing.T) {
			f := loopThrice(t)
			var s shardState
			if err := cbor.Unmarshal(encode(f.shard), &s); err != nil {
				t.Fatal(err)
			}
			found := false
			for i := range s.Trajectories[0].Sections {
				if sec := &s.Trajectories[0].Sections[i]; sec.Name == c.section {
					sec.Version += 7
					found = true
				}
			}
			if !found && c.section != "" {
				t.Fatalf("there is no section %s", c.section)
			}
			b, err := cbor.Marshal(&s)
			if err != nil {
				t.Fatal(err)
			}
			next := newFeeder(t)
			for range 2 { // what was lost is known after the next restart too
				next = newFeeder(t)
				if err := next.shard.LoadState(b, func(uint64) bool { return true }); err != nil {
					t.Fatal(err)
				}
				b = encode(next.shard)
			}
			for i := range 2 {
				next.feed(t, wireStep{line: failedAgain(fmt.Sprint("d", i))})
				next.feed(t, wireStep{line: fmt.Sprintf(`{"trajectory_id":"t","id":"s%d","kind":"tool_result","result":{"tool":"f","status":"error","content":"gone"}}`, i)})
			}
			next.feed(t, wireStep{line: `{"trajectory_id":"t","id":"e","kind":"task_end","outcome":{"status":"failure"}}`})
			var told bool
			var why []string
			for _, o := range next.outs {
				switch r := o.Record.(type) {
				case *event.Failure:
					told = told || r.Rule == "identical_failing_call" && r.Count >= 5
				case *event.TaskRecord:
					for _, a := range r.Coverage {
						if a.Detector != PlanCorruption.Name {
							why = append(why, a.Detector+" "+a.Reason)
						}
					}
				}
			}
			if told != c.fails {
				t.Errorf("the fifth failure of the call is told: %t, want %t", told, c.fails)
			}
			if all := strings.Join(why, ", "); c.reason == "" && len(why) > 0 || !strings.Contains(all, c.reason) {
				t.Errorf("coverage says %q, want %q", all, c.reason)
			}
		})
	}
}

// TestBrokenState: bytes that are no state, or one that cannot be, are refused.
func TestBrokenState(t *testing.T) {
	whole := encode(loopThrice(t).shard)
	for i := range whole {
		for _, b := range [][]byte{whole[:i], append(append(bytes.Clone(whole[:i]), ^whole[i]), whole[i+1:]...)} {
			// It need not be refused, since its checksum is the engine's affair, but it
			// must not bring the process down.
			_ = newFeeder(t).shard.LoadState(b, func(uint64) bool { return true })
		}
	}
	if err := newFeeder(t).shard.LoadState(whole[:len(whole)-1], func(uint64) bool { return true }); err == nil {
		t.Error("a state that is cut was taken")
	}
}
