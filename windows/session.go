package windows

// Session is a run of times none of which is a gap or more after the one before
// it. The zero Session is empty.
type Session struct {
	Start, End int64 // the earliest and the latest time
	Count      int64 // times in the session; 0: there is none
}

// Observe takes the next time into the session, and gives the session that was
// ended by it: one with Count 0 when the time belongs to this one. A time before
// Start extends the session backwards if it is less than gap before it; earlier
// ones are late and change nothing, which late tells.
func (s *Session) Observe(t, gap int64) (ended Session, late bool) {
	switch {
	case s.Count == 0:
		*s = Session{Start: t, End: t}
	case t >= s.End && sub(t, s.End) >= gap:
		ended, *s = *s, Session{Start: t, End: t}
	case t < s.Start && sub(s.Start, t) >= gap:
		return Session{}, true
	}
	s.Start, s.End = min(s.Start, t), max(s.End, t)
	s.Count++
	return ended, false
}

// Deadline is the time at which the session is over unless another time comes
// before it: what to arm Deadlines with. An empty session has None.
func (s *Session) Deadline(gap int64) int64 {
	if s.Count == 0 {
		return None
	}
	return add(s.End, gap)
}
