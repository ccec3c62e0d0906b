package windows

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestClockAgainstMaximum(t *testing.T) {
	anyTime := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64(), rapid.Just(int64(None)))
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		var seen []int64
		var back, far int64
		for _, at := range rapid.SliceOfN(anyTime, 0, 20).Draw(t, "times") {
			want := int64(None)
			if at != None {
				if len(seen) > 0 && at < slices.Max(seen) {
					back++
					if d := slices.Max(seen) - at; d < 0 {
						far = math.MaxInt64
					} else {
						far = max(far, d)
					}
				}
				seen = append(seen, at)
			}
			if len(seen) > 0 {
				want = slices.Max(seen)
			}
			if got := c.Observe(at); got != want || c.Now() != want {
				t.Fatalf("after %d: %d, now %d, want %d", at, got, c.Now(), want)
			}
			if n, d := c.Regressions(); n != back || d != far {
				t.Fatalf("%d regressions of at most %d, want %d of %d", n, d, back, far)
			}
			var again Clock
			again.Restore(c.Now(), c.back, c.far)
			if again != c {
				t.Fatalf("restored %+v, want %+v", again, c)
			}
		}
	})
}

func TestEventTime(t *testing.T) {
	const min, sec = int64(time.Minute), int64(time.Second)
	type step struct {
		event, log int64
		want       int64
		skew       Skew
	}
	for name, steps := range map[string][]step{
		"forward":                 {{1, 2, 1, Exact}, {2, 2, 2, Exact}, {2, 3, 2, Exact}},
		"back":                    {{5 * sec, 6 * sec, 5 * sec, Exact}, {4 * sec, 6 * sec, 5 * sec, Back}, {6 * sec, 7 * sec, 6 * sec, Exact}},
		"none":                    {{None, 7, 7, Absent}, {None, 9, 9, Absent}},
		"none at all":             {{None, None, None, Absent}, {3, None, 3, Exact}, {None, None, 3, Absent}},
		"absent, log time behind": {{5 * sec, sec, 5 * sec, Exact}, {None, 2 * sec, 5 * sec, Absent}},
		"ten minutes ahead":       {{10 * min, 0, 10 * min, Exact}},
		"more than ten minutes":   {{10*min + 1, 0, 0, Ahead}, {10*min + 2, 1, 1, Ahead}, {2, 2, 2, Exact}},
		"ahead but held":          {{10 * min, 0, 10 * min, Exact}, {20*min + 2, 1, 10 * min, Ahead}},
		"no log time, no guard":   {{1, None, 1, Exact}, {math.MaxInt64, None, math.MaxInt64, Exact}},
		"farther than an int64":   {{math.MaxInt64, math.MinInt64 + 1, math.MinInt64 + 1, Ahead}},
		"long before log time":    {{math.MinInt64 + 1, math.MaxInt64, math.MinInt64 + 1, Exact}},
		"before 1970, zero value": {{-7, -7, -7, Exact}, {0, 0, 0, Exact}},
	} {
		t.Run(name, func(t *testing.T) {
			var e EventTime
			for i, s := range steps {
				got, skew := e.Observe(s.event, s.log)
				if got != s.want || skew != s.skew || e.Last() != s.want {
					t.Errorf("step %d: %d, skew %d, last %d; want %d, skew %d", i, got, skew, e.Last(), s.want, s.skew)
				}
				var again EventTime
				again.Restore(e.Last())
				if again != e {
					t.Errorf("step %d: restored %+v, want %+v", i, again, e)
				}
			}
		})
	}
}
