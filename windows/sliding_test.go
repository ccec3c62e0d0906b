package windows

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slid is one accepted Add of the naive model, which keeps them all.
type slid struct{ bucket, n *big.Int }

func bucketOf(t, slide int64) *big.Int {
	q, m := new(big.Int).DivMod(big.NewInt(t), big.NewInt(slide), new(big.Int))
	_ = m // DivMod rounds down for a positive divisor
	return q
}

func TestSlidingAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slide := rapid.Int64Range(1, 7).Draw(t, "slide")
		k := rapid.Int64Range(1, 6).Draw(t, "slides")
		s, err := NewSliding(k*slide, slide)
		if err != nil {
			t.Fatal(err)
		}
		var all []slid
		var head *big.Int
		base := rapid.SampledFrom([]int64{0, math.MinInt64 + 60, math.MaxInt64 - 60}).Draw(t, "base")
		at := func(t *rapid.T) int64 { return base + rapid.Int64Range(-50, 50).Draw(t, "t") }
		within := func(b, now *big.Int) bool {
			age := new(big.Int).Sub(now, b)
			return age.Sign() >= 0 && age.Cmp(big.NewInt(k)) < 0
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				when := at(t)
				n := rapid.OneOf(rapid.Int64Range(-1, 5), rapid.Just(int64(math.MaxInt64-3))).Draw(t, "n")
				b := bucketOf(when, slide)
				late := head != nil && b.Cmp(head) < 0 && !within(b, head)
				if got := s.Add(when, n); got == late {
					t.Fatalf("add at %d: %v, late is %v", when, got, late)
				}
				if late {
					return
				}
				all = append(all, slid{b, big.NewInt(max(n, 0))})
				if head == nil || b.Cmp(head) > 0 {
					head = b
				}
			},
			"sum": func(t *rapid.T) {
				now := at(t)
				want := new(big.Int)
				for _, a := range all {
					if within(a.bucket, bucketOf(now, slide)) && within(a.bucket, head) {
						want.Add(want, a.n)
					}
				}
				if !want.IsInt64() {
					want.SetInt64(math.MaxInt64)
				}
				if got := s.Sum(now); got != want.Int64() {
					t.Fatalf("sum at %d: %d, want %d", now, got, want)
				}
			},
			"restore": func(t *rapid.T) {
				again, _ := NewSliding(k*slide, slide)
				again.Add(at(t), 1) // must leave no trace
				again.Restore(s.Head())
				for number, count := range s.Buckets() {
					if !again.SetBucket(number, count) {
						t.Fatalf("bucket %d of head %d is not taken back", number, s.Head())
					}
				}
				s = again
			},
		})
	})
}

func TestSlidingBucketsStop(t *testing.T) {
	s, _ := NewSliding(30, 10)
	s.Add(5, 1)
	s.Add(15, 2)
	var got []int64
	for number, count := range s.Buckets() {
		got = append(got, number, count)
		break
	}
	if !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("first bucket %d", got)
	}
}

func TestSlidingRefusesSizes(t *testing.T) {
	for _, c := range [][2]int64{{0, 1}, {10, 0}, {10, -5}, {10, 3}, {5, 10}, {MaxBuckets + 1, 1}} {
		if _, err := NewSliding(c[0], c[1]); err == nil {
			t.Errorf("size %d and slide %d are accepted", c[0], c[1])
		}
	}
}

func TestSlidingRefusesForeignBuckets(t *testing.T) {
	s, _ := NewSliding(30, 10)
	if s.SetBucket(0, 1) {
		t.Error("a bucket is taken without a head")
	}
	s.Restore(5)
	for _, c := range [][2]int64{{6, 1}, {2, 1}, {math.MinInt64, 1}, {5, -1}} {
		if s.SetBucket(c[0], c[1]) {
			t.Errorf("bucket %d with count %d is taken at head 5", c[0], c[1])
		}
	}
	if s.Sum(59) != 0 {
		t.Errorf("sum is %d", s.Sum(59))
	}
}

func TestSessionAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := rapid.Int64Range(1, 10).Draw(t, "gap")
		var s Session
		var times []int64 // of the current session
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			at := rapid.Int64Range(-30, 30).Draw(t, "t")
			lo, hi := int64(0), int64(0)
			for i, x := range times {
				if i == 0 {
					lo, hi = x, x
				}
				lo, hi = min(lo, x), max(hi, x)
			}
			was := s
			ended, late := s.Observe(at, gap)
			switch {
			case len(times) == 0 || at-hi >= gap:
				if late || ended != was {
					t.Fatalf("%d after %v: ended %+v, late %v, want %+v", at, times, ended, late, was)
				}
				times = []int64{at}
			case lo-at >= gap:
				if !late || s != was || ended.Count != 0 {
					t.Fatalf("%d before %v: late %v, session %+v", at, times, late, s)
				}
				continue
			default:
				if late || ended.Count != 0 {
					t.Fatalf("%d within %v: ended %+v, late %v", at, times, ended, late)
				}
				times = append(times, at)
			}
			want := Session{Start: times[0], End: times[0], Count: int64(len(times))}
			for _, x := range times {
				want.Start, want.End = min(want.Start, x), max(want.End, x)
			}
			if s != want || s.Deadline(gap) != want.End+gap {
				t.Fatalf("session %+v with deadline %d, want %+v", s, s.Deadline(gap), want)
			}
		}
	})
	var s Session
	if s.Deadline(5) != None {
		t.Errorf("empty session has deadline %d", s.Deadline(5))
	}
	s.Observe(math.MaxInt64-1, 5)
	if s.Deadline(5) != math.MaxInt64 {
		t.Errorf("deadline %d at the end of time", s.Deadline(5))
	}
	if ended, _ := s.Observe(math.MinInt64+1, 5); ended.Count != 0 {
		t.Errorf("a time far before ended %+v", ended)
	}
}
