package detectors

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"misstep/event"
)

// bounded is a feeder whose shard has a limit, in trajectories of the smallest
// size.
func bounded(t *testing.T, live int64) *feeder {
	f := newFeeder(t)
	f.clock = int64(time.Hour)
	f.shard.Limit(live * (entrySize + openSize + 4096))
	return f
}

func (f *feeder) say(t *testing.T, format string, args ...any) {
	t.Helper()
	f.clock += int64(100 * time.Millisecond)
	f.feed(t, wireStep{line: fmt.Sprintf(format, args...)})
}

func (f *feeder) start(t *testing.T, id string) {
	f.say(t, `{"trajectory_id":%q,"id":"s","seq":0,"kind":"task_start","task":{"tools":[{"name":"f"}]}}`, id)
}

func (f *feeder) end(t *testing.T, id string) {
	f.say(t, `{"trajectory_id":%q,"id":"e","kind":"task_end","outcome":{"status":"failure"}}`, id)
}

// fail opens a failure of the trajectory.
func (f *feeder) fail(t *testing.T, id string) {
	f.say(t, `{"trajectory_id":%q,"id":"c","seq":1,"kind":"tool_call","call":{"tool":"teleport","arguments":{}}}`, id)
}

// tasks gives the task records, by trajectory.
func (f *feeder) tasks() map[string][]*event.TaskRecord {
	out := map[string][]*event.TaskRecord{}
	for _, o := range f.outs {
		if r, ok := o.Record.(*event.TaskRecord); ok {
			out[r.TrajectoryID] = append(out[r.TrajectoryID], r)
		}
	}
	return out
}

// TestEndedGiveWayFirst: beyond the limit ended trajectories are forgotten, the
// oldest first, and no live one is closed while there are any.
func TestEndedGiveWayFirst(t *testing.T) {
	f := bounded(t, 100)
	for i := range 40 {
		f.start(t, fmt.Sprint("live", i))
	}
	for i := range 2000 {
		f.start(t, fmt.Sprint("t", i))
		f.end(t, fmt.Sprint("t", i))
	}
	c := f.shard.Counts()
	if c.Forgotten < 1500 || c.Evicted != 0 || c.Bytes > f.shard.limit+2*openSize || c.Ended != c.Live-40 {
		t.Errorf("%d of 2000 ended ones forgotten, %d live ones closed, %d bytes of %d, %d trajectories of which %d ended; want most, none, no more, 40 live",
			c.Forgotten, c.Evicted, c.Bytes, f.shard.limit, c.Live, c.Ended)
	}
	f.clock += int64(time.Second)
	f.say(t, `{"trajectory_id":"t1999","kind":"outcome","outcome":{"status":"success","scored_by":"human"}}`)
	f.say(t, `{"trajectory_id":"t0","kind":"outcome","outcome":{"status":"success","scored_by":"human"}}`)
	if n := len(f.tasks()["t1999"]); n != 2 {
		t.Errorf("the late outcome of the latest ended one gave %d records in all, want 2", n)
	}
	if n, late := len(f.tasks()["t0"]), f.shard.Counts().Late; n != 1 || late != 1 {
		t.Errorf("the late outcome of the oldest gave %d records and %d late ones; want it forgotten, and counted", n, late)
	}
}

// TestLiveGiveWay: those longest without a step are closed, those with an open
// failure last; it shows in their records, and they are no beginning when they
// go on.
func TestLiveGiveWay(t *testing.T) {
	f := bounded(t, 50)
	for i := range 20 {
		f.start(t, fmt.Sprint("bad", i))
		f.fail(t, fmt.Sprint("bad", i))
	}
	for i := range 300 {
		f.start(t, fmt.Sprint("t", i))
	}
	c := f.shard.Counts()
	if c.Evicted < 100 || c.EvictedOpen != 0 || c.Bytes > f.shard.limit+2*openSize {
		t.Errorf("%d closed, %d of them with an open failure, %d bytes of %d", c.Evicted, c.EvictedOpen, c.Bytes, f.shard.limit)
	}
	closed := f.tasks()
	if len(closed["t0"]) != 1 || len(closed["t299"]) != 0 {
		t.Fatalf("%d records of the first, %d of the last; want the first closed, the last not", len(closed["t0"]), len(closed["t299"]))
	}
	r := closed["t0"][0]
	rules := 0
	for _, d := range All() {
		rules += len(d.Rules)
	}
	if r.Now.Outcome != event.OutcomeUnknown || len(r.Coverage) != rules || slices.ContainsFunc(r.Coverage, func(a event.Abstention) bool { return a.Reason != "capped" }) {
		t.Errorf("its record says %s, coverage %v; want unknown, every rule capped", r.Now.Outcome, r.Coverage)
	}

	// It goes on: nothing that needs its beginning is said. One that was not
	// closed is judged.
	f.outs = nil
	f.say(t, `{"trajectory_id":"t0","id":"x","seq":9,"kind":"tool_call","call":{"tool":"f","arguments":{}}}`)
	f.end(t, "t0")
	own := slices.DeleteFunc(f.outs, func(o Output) bool { return o.Key != "t0" })
	if r := own[0].Record.(*event.TaskRecord); len(own) != 1 || !r.Partial || r.Steps != 2 {
		t.Errorf("gone on: partial %t, %d steps, %d outputs; want a partial task of 2 steps and its record alone", r.Partial, r.Steps, len(own))
	}

	// Only failures are left: they give way too, resolved.
	f.shard.Limit(5 * (entrySize + openSize + 4096))
	for i := range 20 {
		f.start(t, fmt.Sprint("worse", i))
		f.fail(t, fmt.Sprint("worse", i))
	}
	if c := f.shard.Counts(); c.EvictedOpen == 0 || c.Bytes > f.shard.limit+2*(openSize+4096)+2*episodeSize {
		t.Errorf("%d with an open failure closed, %d bytes of %d", c.EvictedOpen, c.Bytes, f.shard.limit)
	}
	open := map[string]int{}
	for _, o := range f.outs {
		if r, ok := o.Record.(*event.Failure); ok {
			if r.State == event.StateResolved {
				open[r.ID]--
			} else if r.Rev == 0 {
				open[r.ID]++
			}
		}
	}
	left := 0
	for _, n := range open {
		left += n
	}
	if live := f.shard.Counts().Live - f.shard.Counts().Ended; int64(left) > live {
		t.Errorf("%d failures are open, of %d live trajectories", left, live)
	}
}

// TestAccount: the bytes of a shard are those of its trajectories, and none are
// left when all are forgotten.
func TestAccount(t *testing.T) {
	f := newFeeder(t)
	f.clock = int64(time.Hour)
	for i := range 50 {
		id := fmt.Sprint("t", i)
		f.start(t, id)
		for j := range i {
			f.say(t, `{"trajectory_id":%q,"agent":"a%d","kind":"tool_call","call":{"tool":"f%d","arguments":{}}}`, id, j%5, j)
		}
		if i%3 == 0 {
			f.end(t, id)
		}
	}
	sum := int64(0)
	ended := int64(0)
	for _, e := range f.shard.live.All() {
		f.shard.account(e)
		sum += e.size
		if e.open == nil {
			ended++
		}
	}
	if c := f.shard.Counts(); c.Bytes != sum || c.Ended != ended {
		t.Errorf("%d bytes and %d ended, want %d and %d", c.Bytes, c.Ended, sum, ended)
	}
	next := newFeeder(t)
	if err := next.shard.LoadState(encode(f.shard), func(uint64) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if c := next.shard.Counts(); c.Ended != ended || c.Bytes < sum/2 || c.Bytes > sum {
		t.Errorf("restored: %d bytes and %d ended, want about %d and %d", c.Bytes, c.Ended, sum, ended)
	}
	for _, f := range []*feeder{f, next} {
		f.shard.End(0, f)
		if c := f.shard.Counts(); c.Bytes != 0 || c.Ended != 0 || c.Live != 0 {
			t.Errorf("at the end %d bytes, %d ended, %d in memory; want none", c.Bytes, c.Ended, c.Live)
		}
	}
}

// TestHotTrajectory: 10,000 steps of one task take bounded memory, are counted
// exactly, and are told once, beside the cap that it has.
func TestHotTrajectory(t *testing.T) {
	f := newFeeder(t)
	f.clock = int64(time.Hour)
	f.say(t, `{"trajectory_id":"t","id":"s","kind":"task_start","task":{"tools":[{"name":"f"}],"limits":{"max_steps":1000}}}`)
	const calls = 6000
	for i := range calls {
		f.say(t, `{"trajectory_id":"t","id":"call-%d","kind":"tool_call","call":{"id":"c%d","tool":"f","arguments":{"n":%d}}}`, i, i, i)
		f.say(t, `{"trajectory_id":"t","id":"result-%d","kind":"tool_result","result":{"call_id":"c%d","status":"ok","content":"row %s"}}`, i, i, strings.Repeat("x", i%100))
	}
	c := f.shard.Counts()
	f.end(t, "t")
	told := map[string]int{}
	for _, o := range f.outs {
		if r, ok := o.Record.(*event.Failure); ok {
			told[fmt.Sprint(r.Rule, " ", r.State)]++
		}
	}
	want := map[string]int{"runaway open": 1, "runaway resolved": 1, "budget open": 1, "budget escalated": 1, "budget resolved": 1}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %v, want %v", told, want)
	}
	r := f.tasks()["t"][0]
	if r.Steps != 2*calls+2 || r.Tools[0].OK != calls || c.Bytes > 96<<10 {
		t.Errorf("%d steps, %d calls, %d bytes; want %d, %d and at most 96 KiB", r.Steps, r.Tools[0].OK, c.Bytes, 2*calls+2, calls)
	}
}

// TestShortened: a trajectory that its producer makes large keeps fewer calls,
// says so, and goes on.
func TestShortened(t *testing.T) {
	f := newFeeder(t)
	f.clock = int64(time.Hour)
	f.start(t, "t")
	long := strings.Repeat("i", 450)
	for i := range 3000 {
		f.say(t, `{"trajectory_id":"t","agent":"a%d","id":"%s-%d","kind":"tool_call","call":{"tool":"f%d","arguments":{"n":%d}}}`, i%40, long, i, i, i)
	}
	if c := f.shard.Counts(); c.Shortened != 1 || c.Bytes > 2*maxTrajectory {
		t.Errorf("%d shortened, %d bytes; want 1 and at most %d", c.Shortened, c.Bytes, 2*maxTrajectory)
	}
	next := newFeeder(t)
	if err := next.shard.LoadState(encode(f.shard), func(uint64) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(next.shard), encode(f.shard)) {
		t.Error("restored, it is another")
	}
	f.end(t, "t")
	if r := f.tasks()["t"][0]; r.Steps != 3002 || len(r.Coverage) == 0 || r.Coverage[0].Reason != "capped" {
		t.Errorf("%d steps, coverage %v; want 3002, capped", r.Steps, r.Coverage)
	}
}

// TestLostGoesOn: a trajectory that was closed for want of memory and begins a
// task again is whole.
func TestLostGoesOn(t *testing.T) {
	f := bounded(t, 1000)
	for i := range 20 {
		f.start(t, fmt.Sprint("t", i))
	}
	f.shard.Limit(f.shard.Counts().Bytes - 1)
	f.start(t, "one more")
	id := ""
	for _, e := range f.shard.live.All() {
		if e.lost && e.past != nil {
			id = e.past.record.TrajectoryID
		}
	}
	if id == "" {
		t.Fatal("none was closed and is remembered")
	}
	f.shard.Limit(0)
	f.outs = nil
	f.start(t, id) // this one was seen
	f.say(t, `{"trajectory_id":%q,"id":"again","seq":7,"kind":"task_start","task":{"tools":[{"name":"f"}]}}`, id)
	f.fail(t, id)
	f.end(t, id)
	if r := f.tasks()[id]; len(r) != 1 || r[0].Partial || len(f.outs) != 3 {
		t.Errorf("%d records, %d outputs; want one of a task that is whole, and its failure opened and resolved", len(r), len(f.outs))
	}
}

// TestSnapshotWhileEvicting: what gives way while a snapshot is under way is in
// it as it was.
func TestSnapshotWhileEvicting(t *testing.T) {
	f := bounded(t, 100)
	f.shard.Limit(0)
	for i := range 300 {
		f.start(t, fmt.Sprint("t", i))
		if i%3 == 0 {
			f.end(t, fmt.Sprint("t", i))
		}
	}
	want := encode(f.shard)
	f.shard.Freeze()
	f.shard.Limit(50_000)
	f.start(t, "one more")
	if c := f.shard.Counts(); c.Evicted == 0 || c.Forgotten == 0 {
		t.Fatalf("%d closed, %d forgotten", c.Evicted, c.Forgotten)
	}
	next := newFeeder(t)
	for done := false; !done; {
		var part []byte
		part, done = f.shard.AppendFrozen(nil, 4000)
		if err := next.shard.LoadState(part, func(uint64) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(encode(next.shard), want) {
		t.Error("the snapshot is not of the moment when it was begun")
	}
}

// TestOddNames: a tool that has the name of what is counted for all further ones
// is still itself after a restart.
func TestOddNames(t *testing.T) {
	f := newFeeder(t)
	f.clock = int64(time.Hour)
	f.say(t, `{"trajectory_id":"t","id":"s","kind":"task_start","task":{"tools":[{"name":"__other__","parameters":{"type":"object","properties":{"n":{"type":"integer"}}}}]}}`)
	next := newFeeder(t)
	next.clock = f.clock
	if err := next.shard.LoadState(encode(f.shard), func(uint64) bool { return true }); err != nil {
		t.Fatal(err)
	}
	next.say(t, `{"trajectory_id":"t","id":"c","kind":"tool_call","call":{"tool":"__other__","arguments":{"n":"many"}}}`)
	if len(next.outs) != 1 || next.outs[0].Record.(*event.Failure).Rule != "schema_violation" {
		t.Errorf("%d outputs of a call against the schema, want that alone", len(next.outs))
	}
}
