package windows

import (
	"math"
	"time"
)

// MaxAhead is how far event time may be ahead of log time before log time
// replaces it.
const MaxAhead = int64(10 * time.Minute)

// Clock is the log clock of one partition: the latest log time seen. It never
// goes back. The zero Clock has seen none.
type Clock struct {
	now  int64
	set  bool
	back int64
	far  int64
}

// Observe takes the log time of the next record and gives the clock's time. A
// time before the clock's counts as a regression and does not move it; None
// leaves it alone.
func (c *Clock) Observe(t int64) int64 {
	switch {
	case t == None:
	case !c.set || t > c.now:
		c.now, c.set = t, true
	case t < c.now:
		c.back++
		c.far = max(c.far, sub(c.now, t))
	}
	return c.Now()
}

// Now is the clock's time, None when it has seen none.
func (c *Clock) Now() int64 {
	if !c.set {
		return None
	}
	return c.now
}

// Regressions says how many log times went back, and how far the farthest did,
// in nanoseconds.
func (c *Clock) Regressions() (count, farthest int64) { return c.back, c.far }

// Restore sets the clock to what Now and Regressions gave.
func (c *Clock) Restore(now, regressions, farthest int64) {
	*c = Clock{back: regressions, far: farthest}
	if now != None {
		c.now, c.set = now, true
	}
}

// Skew says what EventTime did to a time.
type Skew uint8

// What EventTime did to a time.
const (
	Exact  Skew = iota // nothing
	Absent             // there was none, so log time stands in
	Ahead              // it was more than MaxAhead ahead of log time, which stands in
	Back               // it was before the key's latest, which stands in
)

// EventTime is the clock of one key: the latest event time seen, as far as log
// time vouches for it. The zero EventTime has seen none.
type EventTime struct {
	last int64
	set  bool
}

// Observe takes the event time of the key's next event and the log time at
// which it came, either of them None when absent, and gives the time to reckon
// with: never before an earlier one of this key, None when there never was any.
func (e *EventTime) Observe(event, log int64) (t int64, skew Skew) {
	t = event
	switch {
	case event == None:
		t, skew = log, Absent
	case log != None && event > log && sub(event, log) > MaxAhead:
		t, skew = log, Ahead
	}
	if t == None {
		return e.Last(), skew
	}
	if e.set && t < e.last {
		if skew == Exact {
			skew = Back
		}
		return e.last, skew
	}
	e.last, e.set = t, true
	return t, skew
}

// Last is the latest time that Observe gave, None when there was none.
func (e *EventTime) Last() int64 {
	if !e.set {
		return None
	}
	return e.last
}

// Restore sets what Last gave.
func (e *EventTime) Restore(last int64) {
	*e = EventTime{}
	if last != None {
		e.last, e.set = last, true
	}
}

// sub is a - b for a >= b, and the greatest int64 where that does not fit.
func sub(a, b int64) int64 {
	if d := uint64(a) - uint64(b); d <= math.MaxInt64 {
		return int64(d)
	}
	return math.MaxInt64
}

// add is a + b for b >= 0, and the greatest int64 where that does not fit.
func add(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return math.MaxInt64
}
