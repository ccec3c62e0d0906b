package detectors

import (
	"unsafe"

	"misstep/event"
	"misstep/windows"
)

// What a shard's memory is bounded by, and what gives way first:
//
//  1. A trajectory beyond maxTrajectory keeps fewer calls; its rules count as
//     capped until the task ends.
//  2. Beyond the shard's limit ended trajectories are forgotten, the ones that
//     would be forgotten next first: a late outcome then finds none.
//  3. Then live ones are closed and kept as ended ones, those longest without a
//     step first: without an open failure while there are any, then any.
//
// Each is counted, and a task that was closed so says so in its coverage. What
// is chosen in 2 and 3 depends on the neighbours, which contract 1 excepts.

// maxTrajectory is how many bytes one trajectory may take before it is
// shortened: some twenty times the usual.
const maxTrajectory = 256 << 10

// shortCalls is how many calls of an agent a trajectory keeps that was
// shortened.
const shortCalls = 16

// capped is the reason of all rules where a bound was reached.
const capped = "capped"

// Sizes in bytes, by which state is accounted. What hangs on strings is a guess.
const (
	entrySize   = int64(unsafe.Sizeof(entry{})) + 150 // with its key, its place in the table and its deadline
	openSize    = int64(unsafe.Sizeof(trajectory{})) + 200
	pastSize    = int64(unsafe.Sizeof(past{})) + int64(unsafe.Sizeof(event.TaskRecord{})) + 600
	episodeSize = int64(unsafe.Sizeof(episode{})) + 1000
)

// Limit bounds the memory of the shard's state to about so many bytes; 0: no
// bound. It holds from the next Step on.
func (s *Shard) Limit(bytes int64) { s.limit = bytes }

// account brings the bytes of a trajectory up to date.
func (s *Shard) account(e *entry) {
	n := entrySize
	if t := e.open; t != nil {
		n += openSize + t.facts.Extra() + int64(cap(t.episodes.open))*episodeSize
		if n > maxTrajectory && !t.capped {
			t.capped = true
			t.facts.Shorten(s.w, shortCalls)
			s.counts.Shortened++
		}
	}
	if p := e.past; p != nil {
		n += pastSize + p.facts.Extra()
	}
	s.counts.Bytes += n - e.size
	e.size = n
}

// accountEvery is after how many steps of a trajectory its bytes are looked at.
const accountEvery = 8

// shrink makes room; clock is the log's. No slot that is in use may be held
// across it.
func (s *Shard) shrink(clock int64, emit func(Output)) {
	for s.limit > 0 && s.counts.Bytes > s.limit && s.live.Len() > 1 {
		slot, ok := s.victim()
		if !ok {
			return
		}
		if s.frozen.active {
			s.before(slot, s.deadlines.At(slot))
		}
		e := s.live.At(slot)
		t := e.open
		if t == nil {
			if e.past != nil {
				s.counts.Forgotten++
			}
			s.deadlines.Disarm(slot)
			s.forget(slot, e)
			continue
		}
		s.counts.Evicted++
		if len(t.episodes.open) > 0 {
			s.counts.EvictedOpen++
		}
		t.capped = true
		s.closeTask(t, event.Outcome{}, e.time.Last(), emit)
		s.rest(e)
		e.lost = true
		s.arm(slot, e, clock)
		s.account(e)
	}
}

// sample is among how many of a kind the one to give way is looked for: enough
// that it is one of the oldest, few enough that one round is cheap.
const sample = 16

// victim gives the trajectory that gives way next.
func (s *Shard) victim() (uint32, bool) {
	var best [3]uint32 // by rank: ended, live, live with an open failure
	var seen [3]int
	var at [3]int64
	ended := s.counts.Ended > 0
	slot := s.hand
	for range s.live.Len() {
		next, ok := s.live.Next(slot)
		if !ok {
			if next, ok = s.live.Next(0); !ok {
				break
			}
		}
		slot = next + 1
		e, rank := s.live.At(next), 0
		if e.open != nil {
			if rank = 1; len(e.open.episodes.open) > 0 {
				rank = 2
			}
		}
		if d := s.deadlines.At(next); seen[rank] == 0 || d < at[rank] {
			best[rank], at[rank] = next, d
		}
		seen[rank]++
		if seen[0] >= sample || !ended && seen[1] >= sample {
			break
		}
	}
	s.hand = slot
	for rank, n := range seen {
		if n > 0 {
			return best[rank], true
		}
	}
	return windows.NoSlot, false
}

// forget drops a trajectory without an open task.
func (s *Shard) forget(slot uint32, e *entry) {
	if e.past != nil {
		s.counts.Ended--
		e.past.record = nil
		s.sparePast = append(s.sparePast, e.past)
	}
	s.counts.Bytes -= e.size
	*e = entry{}
	s.live.DeleteSlot(slot)
}
