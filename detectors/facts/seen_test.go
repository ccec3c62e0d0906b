package facts

import (
	"slices"
	"testing"

	"misstep/event"
	"pgregory.net/rapid"
)

func stringValue(b []byte) event.Value { return event.Value{Raw: b, Form: event.String} }

// TestSeen compares with a plain list of the last ids, with restarts.
func TestSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s seen
		var model []uint64
		n := rapid.IntRange(1, 1500).Draw(t, "n")
		pool := rapid.Uint64Range(1, uint64(rapid.IntRange(1, 600).Draw(t, "pool")))
		for range n {
			// Spread, so that ids fall into all words of the filters.
			id := pool.Draw(t, "id") * 0x9e3779b97f4a7c15
			want := slices.Contains(model, id)
			if got := s.add(id); got != want {
				t.Fatalf("add(%x) = %t, want %t", id, got, want)
			}
			if !want {
				model = append(model, id)
				model = model[max(0, len(model)-seenSize):]
			}
			if rapid.IntRange(0, 99).Draw(t, "restart") == 0 {
				var r seen
				if err := r.restore(s.list(), int(s.next)); err != nil {
					t.Fatal(err)
				}
				s = r
			}
		}
	})
}
