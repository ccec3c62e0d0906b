package detectors

import (
	"math"

	"misstep/event"
)

// NextDeadline gives the earliest time at which something of the shard counts
// as idle or is forgotten; false when there is nothing.
func (s *Shard) NextDeadline() (deadline int64, ok bool) { return s.deadlines.Earliest() }

// fire closes what is idle by the clock of record at.
func (s *Shard) fire(clock int64, at int32, out Emitter) {
	if clock == event.None {
		return
	}
	for {
		slot, deadline, ok := s.deadlines.Next(clock)
		if !ok {
			return
		}
		s.expire(slot, deadline, at, out)
	}
}

// abandoned is the outcome of a task that went idle.
var abandoned = event.Outcome{Status: event.OutcomeAbandoned, Has: true}

// expire ends what is idle: an open task is abandoned; a trajectory without one
// is forgotten.
func (s *Shard) expire(slot uint32, deadline int64, at int32, out Emitter) {
	if s.frozen.active {
		s.before(slot, deadline)
	}
	e := s.live.At(slot)
	if t := e.open; t != nil {
		key := string(s.live.Key(slot))
		s.counts.Abandoned++
		if e.time.Last() == event.None { // the deadline is of no time
			s.closeTask(t, abandoned, event.None, func(o Output) { out.Deadline(at, deadline, key, o) })
		} else {
			s.closeTask(t, abandoned, deadline, func(o Output) { out.Deadline(at, deadline, key, o) })
		}
		s.rest(e)
		s.account(e)
		s.deadlines.Arm(slot, later(deadline, s.retain))
		return
	}
	s.forget(slot, e)
}

// End closes everything in the order (deadline, key), as if the log had been
// idle for good. What it puts out belongs to record at.
func (s *Shard) End(at int32, out Emitter) {
	for {
		slot, deadline, ok := s.deadlines.Next(1<<63 - 1)
		if !ok {
			return
		}
		s.expire(slot, deadline, at, out)
	}
}

// arm sets when the trajectory counts as idle or, without an open task, when it
// is forgotten.
func (s *Shard) arm(slot uint32, e *entry, clock int64) {
	if clock == event.None {
		clock = max(e.time.Last(), 0)
	}
	if e.open == nil && e.past != nil {
		s.deadlines.Arm(slot, later(clock, s.retain))
		return
	}
	s.deadlines.Arm(slot, later(clock, s.idle))
}

// later adds, and stays at the end of time.
func later(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}
