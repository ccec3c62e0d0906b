package windows

import (
	"fmt"
	"math"
)

// MaxBuckets is the largest number of slides in the size of a Sliding.
const MaxBuckets = 1 << 16

// Sliding counts what happened in a sliding window: the last size nanoseconds,
// in steps of slide. Make one with NewSliding. A window at a time holds the
// slide that this time is in and those before it, size/slide in all; slides
// begin at multiples of slide. Counts never wrap around.
type Sliding struct {
	slide  int64
	counts []int64 // by slide number modulo len; made on the first Add
	n      int64   // slides in a window
	head   int64   // number of the latest slide that was added to
	set    bool
}

// NewSliding makes a counter with windows of size in steps of slide, both in
// nanoseconds. It holds nothing until the first Add.
func NewSliding(size, slide int64) (Sliding, error) {
	if slide <= 0 || size < slide || size%slide != 0 || size/slide > MaxBuckets {
		return Sliding{}, fmt.Errorf(
			"sliding window of %d ns in steps of %d ns: size must be 1 to %d times the slide", size, slide, MaxBuckets)
	}
	return Sliding{slide: slide, n: size / slide}, nil
}

// Add counts n more at time t. It is false when t is late: before the window at
// the latest time that was added; a late one is not counted. A negative n
// counts as 0.
func (s *Sliding) Add(t, n int64) bool {
	k := s.number(t)
	switch {
	case !s.set:
		if s.counts == nil {
			s.counts = make([]int64, s.n)
		}
		s.head, s.set = k, true
	case k > s.head:
		gone := sub(k, s.head)
		if gone >= s.n {
			clear(s.counts)
		} else {
			for i := int64(1); i <= gone; i++ {
				s.counts[s.place(s.head+i)] = 0
			}
		}
		s.head = k
	case sub(s.head, k) >= s.n:
		return false
	}
	c := &s.counts[s.place(k)]
	*c = add(*c, max(n, 0))
	return true
}

// Sum is the count in the window at time now. What came after now is not in it,
// nor, when now is before the latest time that was added, what is no longer
// held.
func (s *Sliding) Sum(now int64) int64 {
	if !s.set {
		return 0
	}
	k, sum := s.number(now), int64(0)
	for b, count := range s.Buckets() {
		if b <= k && sub(k, b) < s.n {
			sum = add(sum, count)
		}
	}
	return sum
}

// Buckets yields the slides that are held and not zero, oldest first: number
// (its time divided by slide, rounded down) and count. It is what a checkpoint
// keeps, along with Head; Restore takes it back.
func (s *Sliding) Buckets() func(yield func(number, count int64) bool) {
	return func(yield func(int64, int64) bool) {
		if !s.set {
			return
		}
		for i := s.n - 1; i >= 0; i-- {
			k := s.head - i
			if k > s.head {
				continue // before the beginning of time
			}
			if c := s.counts[s.place(k)]; c != 0 && !yield(k, c) {
				return
			}
		}
	}
}

// Head is the number of the latest slide that was added to, None when there is
// none. Windows are judged late by it.
func (s *Sliding) Head() int64 {
	if !s.set {
		return None
	}
	return s.head
}

// Restore empties the counter and sets Head, None for a counter that nothing
// was added to. SetBucket then sets the counts.
func (s *Sliding) Restore(head int64) {
	s.set = head != None
	s.head = head
	if s.set && s.counts == nil {
		s.counts = make([]int64, s.n)
	}
	clear(s.counts)
}

// SetBucket sets the count of one slide after Restore. It is false when the
// number is not one that is held.
func (s *Sliding) SetBucket(number, count int64) bool {
	if !s.set || number > s.head || sub(s.head, number) >= s.n || count < 0 {
		return false
	}
	s.counts[s.place(number)] = count
	return true
}

// number is the slide that t is in, rounded down also before 1970.
func (s *Sliding) number(t int64) int64 {
	k := t / s.slide
	if t%s.slide < 0 {
		k--
	}
	// None marks an absent Head. No slide but the first of all can be it.
	return max(k, math.MinInt64+1)
}

func (s *Sliding) place(k int64) int64 {
	i := k % s.n
	if i < 0 {
		i += s.n
	}
	return i
}
