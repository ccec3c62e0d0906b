package windows

// Ring holds the last values of a sequence, up to a limit. It starts small and
// doubles, so that a key that sees few values costs little. The zero Ring holds
// nothing until Init; a Ring is not copied once it is in use.
//
// Values have two indices: one from the oldest that is still held (At), and an
// absolute one that counts all values ever pushed (Abs), which stays that of
// its value.
type Ring[T any] struct {
	buf   []T
	total int64 // values ever pushed
	start int32 // of the oldest in buf
	n     int32
	limit int32
}

const ringStart = 4

// Init empties the ring and sets how many values it holds at most. The buffers
// of earlier values are kept unless the limit changes.
func (r *Ring[T]) Init(limit int) {
	if int(r.limit) != limit {
		r.buf = nil
	}
	r.limit = int32(limit)
	r.Reset(0)
}

// Reset empties the ring; the next value has the absolute index first. What
// the values refer to is kept for those to come.
func (r *Ring[T]) Reset(first int64) {
	r.total, r.start, r.n = first, 0, 0
}

// Push adds a value in the place of the oldest when the ring is full, and gives
// a pointer to it, valid until the next Push. It may hold what an earlier value
// left there, whose buffers are worth keeping: the caller sets it. A ring
// without Init gives a value that it does not hold.
func (r *Ring[T]) Push() *T {
	if int(r.n) == len(r.buf) && r.n < r.limit {
		r.grow()
	}
	r.total++
	if int(r.n) < len(r.buf) {
		r.n++
		return r.at(r.n - 1)
	}
	if len(r.buf) == 0 {
		return new(T)
	}
	p := &r.buf[r.start]
	if r.start++; int(r.start) == len(r.buf) {
		r.start = 0
	}
	return p
}

// Spare gives the place that the next Push will give, nil where that makes room
// first. It is for those who look at it early, not to be written to.
func (r *Ring[T]) Spare() *T {
	switch {
	case int(r.n) < len(r.buf):
		return r.at(r.n)
	case r.n == 0 || r.n < r.limit:
		return nil
	}
	return &r.buf[r.start]
}

func (r *Ring[T]) grow() {
	size := min(max(2*len(r.buf), ringStart), int(r.limit))
	buf := make([]T, size)
	k := copy(buf, r.buf[r.start:])
	copy(buf[k:], r.buf[:r.start])
	r.buf, r.start = buf, 0
}

func (r *Ring[T]) at(i int32) *T {
	i += r.start
	if int(i) >= len(r.buf) {
		i -= int32(len(r.buf))
	}
	return &r.buf[i]
}

// Len is the number of values that are held.
func (r *Ring[T]) Len() int { return int(r.n) }

// Limit is the number of values that are held at most.
func (r *Ring[T]) Limit() int { return int(r.limit) }

// At gives the value i of those held, 0 being the oldest. It panics when i is
// not within 0 and Len-1.
func (r *Ring[T]) At(i int) *T {
	if uint(i) >= uint(r.n) {
		panic("windows: ring index out of range")
	}
	return r.at(int32(i))
}

// Last gives the value i of those held, 0 being the newest. It panics when i is
// not within 0 and Len-1.
func (r *Ring[T]) Last(i int) *T { return r.At(int(r.n) - 1 - i) }

// First is the absolute index of the oldest value that is held.
func (r *Ring[T]) First() int64 { return r.total - int64(r.n) }

// Next is the absolute index of the next value, which is the number of values
// ever pushed.
func (r *Ring[T]) Next() int64 { return r.total }

// Abs gives the value with an absolute index, if it is still held.
func (r *Ring[T]) Abs(i int64) (*T, bool) {
	if i < r.First() || i >= r.total {
		return nil, false
	}
	return r.at(int32(i - r.First())), true
}

// Cap is for how many values there is memory.
func (r *Ring[T]) Cap() int { return len(r.buf) }

// SetLimit changes how many values are kept, and frees the memory of more. The
// latest stay, with their numbers.
func (r *Ring[T]) SetLimit(limit int) {
	n := min(int(r.n), limit)
	buf := make([]T, n)
	for i := range buf {
		buf[i] = *r.At(int(r.n) - n + i)
	}
	r.buf, r.start, r.n, r.limit = buf, 0, int32(n), int32(limit)
}
