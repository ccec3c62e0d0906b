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
	queue queue // each armed slot that is not in due has one entry in it, at or before its deadline
	armed int
	min   int64 // nothing is due before it

	// The slots that are due at dueAt, in the order of their keys, from next
	// on. They have no entry in the queue.
	due   []uint32
	next  int
	dueAt int64
}

type deadline struct {
	at    int64 // None when not armed
	entry int64 // time of the slot's valid entry in the queue, None when there is none
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
	for {
		top, place, ok := d.queue.first()
		if !ok {
			return 0, false
		}
		if d.stands(top, place) {
			d.setMin()
			return top.at, true
		}
	}
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

// stands reports whether the first entry of the queue tells its slot's deadline.
// Else it is dropped, or put where the deadline has moved.
func (d *Deadlines) stands(top queued, place int) bool {
	s := &d.slots[top.slot]
	switch {
	case s.entry != top.at: // a valid entry is elsewhere or there is none
		d.queue.drop(place)
	case s.at == None:
		s.entry = None
		d.queue.drop(place)
	case s.at > top.at: // it moved later
		d.queue.drop(place)
		d.push(top.slot, s.at)
	default:
		return true
	}
	return false
}

// collect moves the slots with the earliest deadline that is not after now from
// the queue to due.
func (d *Deadlines) collect(now int64) {
	d.due, d.next, d.dueAt = d.due[:0], 0, None
	for {
		top, place, ok := d.queue.first()
		if !ok || top.at > now || len(d.due) > 0 && top.at > d.dueAt {
			break
		}
		if d.stands(top, place) {
			d.slots[top.slot].entry = None
			d.queue.drop(place)
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
	if top, _, ok := d.queue.first(); ok {
		d.min = top.at
	}
	if d.next < len(d.due) {
		d.min = min(d.min, d.dueAt)
	}
}

// prune drops the entries that mean nothing any more once they are the
// majority, which keeps the queue within twice the armed slots.
func (d *Deadlines) prune() {
	if d.queue.len() <= 2*d.armed+64 {
		return
	}
	d.queue.keep(func(q queued) bool {
		s := &d.slots[q.slot]
		if s.entry != q.at {
			return false
		}
		s.entry = None // a second entry of the slot is not kept
		return s.at != None
	})
	for q := range d.queue.all() {
		d.slots[q.slot].entry = q.at
	}
	d.setMin()
}

func (d *Deadlines) push(slot uint32, at int64) {
	d.slots[slot].entry = at
	d.queue.push(queued{at, slot})
	d.min = min(d.min, at)
}
