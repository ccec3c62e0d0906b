package windows

import (
	"bytes"
	"math"
	"slices"
)

// never is the cached minimum when nothing is armed.
const never = math.MaxInt64

// Deadlines keeps at most one deadline for each slot and gives those that are
// due in the order (deadline, key). Make one with NewDeadlines.
//
// It is lazy: a deadline that moves later, as one of idleness does with every
// event, only has its new time noted. Its place in the queue is mended when the
// old time comes.
type Deadlines struct {
	key   func(slot uint32) []byte
	slots []deadline
	heap  []queued // by time; each armed slot that is not in due has one entry, at or before its deadline
	armed int
	min   int64 // nothing is due before it

	// The slots that are due at dueAt, in the order of their keys, from next
	// on. They have no entry in heap.
	due   []uint32
	next  int
	dueAt int64
}

type deadline struct {
	at    int64 // None when not armed
	entry int64 // time of the slot's valid entry in heap, None when there is none
}

type queued struct {
	at   int64
	slot uint32
}

// NewDeadlines makes Deadlines over the slots of a store; key gives the key of
// an armed slot (Store.Key), by whose bytes equal deadlines are ordered.
func NewDeadlines(key func(slot uint32) []byte) *Deadlines {
	return &Deadlines{key: key, min: never, dueAt: None}
}

// Len is the number of armed slots.
func (d *Deadlines) Len() int { return d.armed }

// At gives the deadline of a slot, None when it is not armed.
func (d *Deadlines) At(slot uint32) int64 {
	if int(slot) >= len(d.slots) {
		return None
	}
	return d.slots[slot].at
}

// Wake gives a time before which Next gives nothing, and false when nothing is
// armed. It may be earlier than the earliest deadline.
func (d *Deadlines) Wake() (int64, bool) {
	if d.armed == 0 {
		return 0, false
	}
	return d.min, true
}

// Earliest gives the earliest deadline, and false when nothing is armed. It
// mends the places of those that moved later, which Next would do else.
func (d *Deadlines) Earliest() (int64, bool) {
	if d.armed == 0 {
		return 0, false
	}
	d.requeue()
	for len(d.heap) > 0 {
		top := d.heap[0]
		s := &d.slots[top.slot]
		switch {
		case s.entry != top.at: // a valid entry is elsewhere or there is none
			d.pop()
		case s.at == None:
			s.entry = None
			d.pop()
		case s.at > top.at: // it moved later
			s.entry = s.at
			d.heap[0].at = s.at
			d.down(0)
		default:
			d.setMin()
			return s.at, true
		}
	}
	return 0, false
}

// Arm sets the deadline of a slot, in place of the one it has. None disarms it.
// Later deadlines cost nothing but the note.
func (d *Deadlines) Arm(slot uint32, at int64) {
	if int(slot) < len(d.slots) {
		if s := &d.slots[slot]; s.at != None && s.entry != None && s.entry <= at {
			s.at = at
			return
		}
	}
	d.arm(slot, at)
}

func (d *Deadlines) arm(slot uint32, at int64) {
	if at == None {
		d.Disarm(slot)
		return
	}
	for int(slot) >= len(d.slots) {
		d.slots = append(d.slots, deadline{at: None, entry: None})
	}
	s := &d.slots[slot]
	if s.at == None {
		d.armed++
	}
	s.at = at
	if s.entry != None && s.entry <= at {
		return
	}
	if d.next < len(d.due) && at <= d.dueAt {
		d.requeue()
		if s.entry == at {
			return
		}
	}
	d.push(slot, at)
	d.prune()
}

// Disarm takes a slot's deadline away. Whoever deletes a key disarms its slot.
func (d *Deadlines) Disarm(slot uint32) {
	if int(slot) >= len(d.slots) || d.slots[slot].at == None {
		return
	}
	d.slots[slot].at = None
	d.armed--
	d.prune()
}

// Next gives the first slot in the order (deadline, key) whose deadline is not
// after now, and disarms it; ok is false when there is none. The caller fires
// it, arms what it likes and calls again. A deadline that is armed in between
// and is due is given in its turn.
func (d *Deadlines) Next(now int64) (slot uint32, at int64, ok bool) {
	if now < d.min {
		return 0, 0, false
	}
	return d.take(now)
}

func (d *Deadlines) take(now int64) (slot uint32, at int64, ok bool) {
	for {
		for d.next < len(d.due) && d.dueAt <= now {
			slot = d.due[d.next]
			d.next++
			if s := &d.slots[slot]; s.at == d.dueAt && s.entry == None {
				s.at = None
				d.armed--
				d.prune()
				d.setMin()
				return slot, d.dueAt, true
			}
		}
		if d.next == len(d.due) {
			d.collect(now)
		}
		if d.next == len(d.due) || d.dueAt > now {
			d.setMin()
			return 0, 0, false
		}
	}
}

// collect moves the slots with the earliest deadline that is not after now from
// heap to due.
func (d *Deadlines) collect(now int64) {
	d.due, d.next, d.dueAt = d.due[:0], 0, None
	for len(d.heap) > 0 {
		top := d.heap[0]
		if top.at > now || len(d.due) > 0 && top.at > d.dueAt {
			break
		}
		s := &d.slots[top.slot]
		switch {
		case s.entry != top.at: // a valid entry is elsewhere or there is none
			d.pop()
		case s.at == None:
			s.entry = None
			d.pop()
		case s.at > top.at: // it moved later
			s.entry = s.at
			d.heap[0].at = s.at
			d.down(0)
		default:
			s.entry = None
			d.pop()
			d.due = append(d.due, top.slot)
			d.dueAt = top.at
		}
	}
	if len(d.due) > 1 {
		slices.SortFunc(d.due, func(a, b uint32) int { return bytes.Compare(d.key(a), d.key(b)) })
	}
}

// requeue puts the rest of due back, when a deadline comes in between.
func (d *Deadlines) requeue() {
	for _, slot := range d.due[d.next:] {
		if s := &d.slots[slot]; s.at == d.dueAt && s.entry == None {
			d.push(slot, s.at)
		}
	}
	d.due, d.next, d.dueAt = d.due[:0], 0, None
	d.setMin()
}

func (d *Deadlines) setMin() {
	d.min = never
	if len(d.heap) > 0 {
		d.min = d.heap[0].at
	}
	if d.next < len(d.due) {
		d.min = min(d.min, d.dueAt)
	}
}

// prune drops the entries that mean nothing any more once they are the
// majority, which keeps heap within twice the armed slots.
func (d *Deadlines) prune() {
	if len(d.heap) <= 2*d.armed+64 {
		return
	}
	kept := d.heap[:0]
	for _, q := range d.heap {
		s := &d.slots[q.slot]
		if s.entry != q.at {
			continue
		}
		s.entry = None // a second entry of the slot is not kept
		if s.at != None {
			kept = append(kept, queued{s.at, q.slot})
		}
	}
	d.heap = kept
	for _, q := range kept {
		d.slots[q.slot].entry = q.at
	}
	for i := (len(kept) - 2) / 4; i >= 0; i-- {
		d.down(i)
	}
	d.setMin()
}

// push, pop and down keep a heap of four children a node: a node's children are
// one cache line.

func (d *Deadlines) push(slot uint32, at int64) {
	d.slots[slot].entry = at
	d.heap = append(d.heap, queued{at, slot})
	i := len(d.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if d.heap[up].at <= at {
			break
		}
		d.heap[i] = d.heap[up]
		i = up
	}
	d.heap[i] = queued{at, slot}
	d.min = min(d.min, at)
}

func (d *Deadlines) pop() {
	n := len(d.heap) - 1
	d.heap[0] = d.heap[n]
	d.heap = d.heap[:n]
	if n > 0 {
		d.down(0)
	}
}

func (d *Deadlines) down(i int) {
	h := d.heap
	q := h[i]
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
		if h[least].at >= q.at {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = q
}
