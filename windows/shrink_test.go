package windows

import (
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSetLimit changes the limit of a ring while it is used, and compares with
// a list.
func TestSetLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Ring[int]
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		r.Init(limit)
		var model []int
		pushed := 0
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
				limit = rapid.IntRange(1, 20).Draw(t, "limit")
				r.SetLimit(limit)
				if len(model) > limit {
					model = model[len(model)-limit:]
				}
				if r.Cap() > limit {
					t.Fatalf("memory for %d values, the limit is %d", r.Cap(), limit)
				}
			} else {
				*r.Push() = pushed
				model = append(model, pushed)
				pushed++
				if len(model) > limit {
					model = model[1:]
				}
			}
			if r.Len() != len(model) || r.Next() != int64(pushed) || r.First() != int64(pushed-len(model)) || r.Limit() != limit {
				t.Fatalf("%d values from %d to %d, want %d to %d", r.Len(), r.First(), r.Next(), len(model), pushed)
			}
			for i, want := range model {
				if got, ok := r.Abs(int64(want)); !ok || *got != want || *r.At(i) != want {
					t.Fatalf("value %d is %d", i, *r.At(i))
				}
			}
		}
	})
}

// TestLiveSlots compares what a store says of its slots with its keys.
func TestLiveSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewStore[int](0)
		held := map[uint32]bool{}
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			key := []byte{rapid.Byte().Draw(t, "key")}
			hash := HashKey(nil, key)
			if rapid.Bool().Draw(t, "put") {
				slot, _ := s.Put(hash, key)
				held[slot] = true
			} else if slot, ok := s.Slot(hash, key); ok {
				s.DeleteSlot(slot)
				delete(held, slot)
			}
		}
		var want, got, walked []uint32
		for slot := range held {
			want = append(want, slot)
		}
		slices.Sort(want)
		for w, word := range s.Live(nil) {
			for ; word != 0; word &= word - 1 {
				got = append(got, uint32(w*64+bits.TrailingZeros64(word)))
			}
		}
		for slot, ok := s.Next(0); ok; slot, ok = s.Next(slot + 1) {
			walked = append(walked, slot)
		}
		if !slices.Equal(got, want) || !slices.Equal(walked, want) {
			t.Fatalf("live %v, walked %v, want %v", got, walked, want)
		}
	})
}
