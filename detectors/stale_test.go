package detectors

import (
	"fmt"
	"testing"
	"time"

	"misstep/event"
)

// TestForgottenInBetween: a trajectory that is forgotten after it was looked up
// and before its step, by the clock of a neighbour that takes its place, is not
// mixed up with that.
func TestForgottenInBetween(t *testing.T) {
	rules, err := NewRuleset(Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, out := rules.NewShard(), &collector{}
	batch := func(at time.Duration, lines ...string) {
		b := &Batch{}
		var mine []int32
		for i, line := range lines {
			var d event.Decoder
			d.Reset([]byte(line))
			var st event.Step
			if err := d.Next(&st); err != nil {
				t.Fatal(err)
			}
			b.Steps, b.At, b.Hash = append(b.Steps, st), append(b.At, int32(i)), append(b.Hash, Key(&st))
			b.Clock, mine = append(b.Clock, int64(at)), append(mine, int32(i))
		}
		s.Step(b, mine, out)
	}
	step := func(id, kind string) string { return fmt.Sprintf(`{"trajectory_id":%q,"kind":%q}`, id, kind) }
	batch(0, step("a", "task_start"), step("a", "task_end"))
	batch(48*time.Hour, step("b", "task_start"), step("a", "task_start"), step("b", "handoff_"), step("a", "task_end"), step("b", "task_end"))
	want := []string{"a 2", "a 2", "b 2"}
	var got []string
	for _, o := range out.outs {
		r := o.Record.(*event.TaskRecord)
		got = append(got, fmt.Sprint(r.TrajectoryID, " ", r.Steps))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("tasks %v, want %v", got, want)
	}
}
