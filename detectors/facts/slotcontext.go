package facts

import "misstep/event"

// Context is what an agent's latest model calls were given, in tokens.
type Context struct {
	Last int64 // of the latest model call, 0 while none told
	High int64 // of the one before a fall that is not yet borne out, 0 for none
	Fell int64 // Ordinal of the step whose fall the latest step bore out, 0 for none
}

// Least that the context must fall by to have been cut.
const (
	leastFall    = 2000
	fallPerMille = 400
)

// slotModel follows the size of an agent's context. A fall counts when the
// next model call bears it out: one that is alone is another prompt.
func (t *Trajectory) slotModel(s *event.Step) {
	n := s.ModelCall.ContextTokens
	if n == event.None {
		n = s.Usage.InputTokens
	}
	c := &t.cur.Context
	c.Fell = 0
	if n <= 0 {
		return
	}
	if c.High > 0 {
		if fell(c.High, n) && n >= c.Last-c.Last/4 {
			c.Fell = t.Ordinal
		}
		c.High = 0
	} else if fell(c.Last, n) {
		c.High = c.Last
	}
	c.Last = n
}

func fell(from, to int64) bool {
	return from-to >= leastFall && (from-to)*1000 >= from*fallPerMille
}
