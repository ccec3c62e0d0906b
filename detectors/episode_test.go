package detectors

import (
	"fmt"
	"testing"

	"misstep/event"
)

func TestMaskedSubject(t *testing.T) {
	for subject, want := range map[string]string{
		"": "", "get_order": "get_order", "get_order_17": "get_order_#", "7": "#", "a1b22c": "a#b#c", "calls of x9": "calls of x#",
		"/:09": "/:#",
	} {
		if got := maskedSubject(subject); got != want {
			t.Errorf("%q is masked as %q, want %q", subject, got, want)
		}
	}
}

// TestFingerprint checks that the same trouble in another trajectory has the
// same fingerprint, and another trouble another.
func TestFingerprint(t *testing.T) {
	fingerprint := func(trajectory, tool, text string) string {
		f := newFeeder(t)
		for i := range 4 {
			body := fmt.Sprintf(`"kind":"tool_call","call":{"tool":%q}`, tool)
			if i%2 == 1 {
				body = fmt.Sprintf(`"kind":"tool_result","result":{"tool":%q,"status":"error","content":%q}`, tool, text)
			}
			f.feed(t, wireStep{line: fmt.Sprintf(`{"trajectory_id":%q,%s}`, trajectory, body)})
		}
		if len(f.outs) != 1 {
			t.Fatalf("%d outputs of a loop of %s", len(f.outs), tool)
		}
		return f.outs[0].Record.(*event.Failure).Fingerprint
	}
	one := fingerprint("t1", "get_order", "order 7 hung up")
	if other := fingerprint("t2", "get_order", "order 8 hung up"); other != one {
		t.Errorf("the same trouble has the fingerprints %s and %s", one, other)
	}
	for _, other := range []string{fingerprint("t1", "get_orders", "order 7 hung up"), fingerprint("t1", "get_order", "order 7 went away")} {
		if other == one {
			t.Errorf("another trouble has the same fingerprint %s", one)
		}
	}
}

// TestConfidence checks that confidence grows with each family
// of rules, and within a family counts once.
func TestConfidence(t *testing.T) {
	a1, a2, b := &Rule{Family: "a"}, &Rule{Family: "a"}, &Rule{Family: "b"}
	cases := []struct {
		rules   []*Rule
		weights []int
		want    int
	}{
		{[]*Rule{a1}, []int{850}, 850},
		{[]*Rule{a1, a2}, []int{850, 600}, 850},
		{[]*Rule{a1, a2}, []int{600, 850}, 850},
		{[]*Rule{a1, b}, []int{850, 900}, 985},
		{[]*Rule{a1, b, a2}, []int{400, 500, 600}, 800},
		{[]*Rule{a1, b}, []int{1000, 500}, 1000},
		{[]*Rule{a1, b}, []int{999, 999}, 1000},
		{[]*Rule{a1, b}, []int{970, 975}, 999}, // 0.00075 is missing
	}
	for _, c := range cases {
		e := episode{rules: c.rules, weights: c.weights}
		if got := e.confidence(); got != c.want {
			t.Errorf("weights %v give %d, want %d", c.weights, got, c.want)
		}
	}
}

// TestEpisodesAreCapped checks that names that a model invents do not open
// failures without end.
func TestEpisodesAreCapped(t *testing.T) {
	f := newFeeder(t)
	f.feed(t, wireStep{line: `{"trajectory_id":"t1","kind":"task_start","task":{"tools":[]}}`})
	for i := range maxEpisodes + 10 {
		f.feed(t, wireStep{line: fmt.Sprintf(`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"invented %d"}}`, i)})
	}
	if n := len(f.outs); n != maxEpisodes {
		t.Errorf("%d failures are open, want %d", n, maxEpisodes)
	}
	if n := f.shard.Counts().EpisodesCapped; n != 10 {
		t.Errorf("%d were counted as not opened, want 10", n)
	}
}
