package windows

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRingAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 20).Draw(t, "limit")
		var r Ring[int64]
		r.Init(limit)
		var all []int64 // every value since the reset
		first := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				v := rapid.Int64().Draw(t, "value")
				*r.Push() = v
				all = append(all, v)
			},
			"reset": func(t *rapid.T) {
				first = rapid.Int64Range(0, 100).Draw(t, "first")
				r.Reset(first)
				all = nil
			},
			"init": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
					limit = rapid.IntRange(0, 20).Draw(t, "limit")
					r.Init(limit)
					all, first = nil, 0
				}
			},
			"": func(t *rapid.T) {
				held := all[max(0, len(all)-limit):]
				if r.Len() != len(held) || r.Limit() != limit {
					t.Fatalf("%d of %d values, want %d of %d", r.Len(), r.Limit(), len(held), limit)
				}
				next := first + int64(len(all))
				if r.Next() != next || r.First() != next-int64(len(held)) {
					t.Fatalf("indices %d to %d, want %d to %d", r.First(), r.Next(), next-int64(len(held)), next)
				}
				for i, want := range held {
					if got := *r.At(i); got != want {
						t.Fatalf("at %d: %d, want %d", i, got, want)
					}
					if got := *r.Last(len(held) - 1 - i); got != want {
						t.Fatalf("last %d: %d, want %d", len(held)-1-i, got, want)
					}
				}
				for i := first - 2; i < next+2; i++ {
					v, ok := r.Abs(i)
					if in := i >= r.First() && i < next; ok != in {
						t.Fatalf("abs %d: %v, want %v", i, ok, in)
					} else if in && *v != held[i-r.First()] {
						t.Fatalf("abs %d: %d, want %d", i, *v, held[i-r.First()])
					}
				}
			},
		})
	})
}

func TestRingStartsSmall(t *testing.T) {
	var r Ring[[]byte]
	r.Init(64)
	for i := range 5 {
		*r.Push() = make([]byte, i)
	}
	if len(r.buf) != 8 {
		t.Errorf("5 values take %d places, want 8", len(r.buf))
	}
}

func TestRingKeepsBuffers(t *testing.T) {
	var r Ring[[]byte]
	r.Init(8)
	use := func() {
		for range 20 {
			p := r.Push()
			*p = append((*p)[:0], "some bytes of a step"...)
		}
	}
	use()
	if n := testing.AllocsPerRun(10, func() { r.Init(8); use() }); n != 0 {
		t.Errorf("%v allocations for values that fit the kept buffers", n)
	}
}

func TestRingIndexOutOfRange(t *testing.T) {
	var r Ring[int]
	r.Init(3)
	*r.Push() = 1
	for _, i := range []int{-1, 1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("At(%d) of one value did not panic", i)
				}
			}()
			r.At(i)
		}()
	}
}
