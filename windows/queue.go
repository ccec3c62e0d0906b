package windows

import "iter"

// queue holds entries and gives the earliest first. Deadlines that lie one and
// the same span ahead of a clock come in the order of their times: those make a
// lane, into which and out of which they go without a search. Only what fits
// into no lane goes into a heap.
type queue struct {
	lanes [numLanes]lane
	heap  []queued
}

// numLanes is for how many spans there are lanes: two, and some for those that
// come in another order after a restart.
const numLanes = 4

type queued struct {
	at   int64
	slot uint32
}

// lane is entries whose times never fall from one to the next.
type lane struct {
	entries []queued
	head    int // of those that are left
}

func (l *lane) left() []queued { return l.entries[l.head:] }

func (q *queue) len() int {
	n := len(q.heap)
	for i := range q.lanes {
		n += len(q.lanes[i].left())
	}
	return n
}

// all yields the entries in any order.
func (q *queue) all() iter.Seq[queued] {
	return func(yield func(queued) bool) {
		for _, e := range q.heap {
			if !yield(e) {
				return
			}
		}
		for i := range q.lanes {
			for _, e := range q.lanes[i].left() {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// first gives the earliest entry and its place: a lane's number, or numLanes for
// the heap. ok is false when there is none.
func (q *queue) first() (e queued, place int, ok bool) {
	if len(q.heap) > 0 {
		e, place, ok = q.heap[0], numLanes, true
	}
	for i := range q.lanes {
		l := &q.lanes[i]
		if l.head < len(l.entries) && (!ok || l.entries[l.head].at < e.at) {
			e, place, ok = l.entries[l.head], i, true
		}
	}
	return e, place, ok
}

// drop takes the first entry of a place away.
func (q *queue) drop(place int) {
	if place == numLanes {
		q.pop()
		return
	}
	l := &q.lanes[place]
	if l.head++; l.head == len(l.entries) {
		l.entries, l.head = l.entries[:0], 0
	}
}

// push adds an entry: to the lane that ends the latest before it, else to the
// heap.
func (q *queue) push(e queued) {
	best, end := -1, int64(None)
	for i := range q.lanes {
		n := len(q.lanes[i].entries)
		switch {
		case n == 0:
			if best < 0 {
				best = i
			}
		case q.lanes[i].entries[n-1].at <= e.at && q.lanes[i].entries[n-1].at > end:
			best, end = i, q.lanes[i].entries[n-1].at
		}
	}
	if best < 0 {
		q.up(e)
		return
	}
	l := &q.lanes[best]
	if len(l.entries) == cap(l.entries) && l.head > len(l.entries)/2 {
		l.entries, l.head = append(l.entries[:0], l.left()...), 0
	}
	l.entries = append(l.entries, e)
}

// keep drops the entries for which want gives false; it asks for each once.
func (q *queue) keep(want func(queued) bool) {
	few := func(of, kept []queued) []queued {
		for _, e := range of {
			if want(e) {
				kept = append(kept, e)
			}
		}
		return kept
	}
	q.heap = few(q.heap, q.heap[:0])
	for i := (len(q.heap) - 2) / 4; i >= 0 && len(q.heap) > 1; i-- {
		q.down(i)
	}
	for i := range q.lanes {
		l := &q.lanes[i]
		l.entries, l.head = few(l.left(), l.entries[:0]), 0
	}
}

// up, pop and down keep a heap of four children a node: a node's children are
// one cache line.

func (q *queue) up(e queued) {
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if q.heap[up].at <= e.at {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

func (q *queue) pop() {
	n := len(q.heap) - 1
	q.heap[0] = q.heap[n]
	q.heap = q.heap[:n]
	if n > 0 {
		q.down(0)
	}
}

func (q *queue) down(i int) {
	h := q.heap
	e := h[i]
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		least := c
		for k := c + 1; k < min(c+4, len(h)); k++ {
			if h[k].at < h[least].at {
				least = k
			}
		}
		if h[least].at >= e.at {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}
