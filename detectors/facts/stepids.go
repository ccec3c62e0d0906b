package facts

import "misstep/event"

// stepIDs holds the step ids that an agent's calls cite, one behind the other:
// so keeping one more touches the cache line of the one before.
type stepIDs struct{ buf []byte }

// stepID is one id among them.
type stepID struct {
	at  uint32
	len uint16 // event.MaxName at most
}

func (s *stepIDs) reset() { s.buf = s.buf[:0] }

func (s *stepIDs) get(id stepID) []byte { return s.buf[id.at : id.at+uint32(id.len)] }

func (s *stepIDs) add(id []byte) stepID {
	at := len(s.buf)
	s.buf = append(s.buf, id...)
	return stepID{uint32(at), uint16(len(id))}
}

// keep remembers the id of a step; one without goes by its ordinal.
func (a *Agent) keep(w *Workspace, t *Trajectory, s *event.Step) stepID {
	id := s.ID
	if len(id) == 0 {
		w.text = appendInt(w.text[:0], t.Ordinal-1)
		id = w.text
	}
	if len(a.ids.buf)+len(id) > cap(a.ids.buf) {
		a.tidy(w, len(id))
	}
	return a.ids.add(id)
}

// tidy drops the ids of calls that the ring has overwritten, and makes room for
// more bytes, twice what is held then.
func (a *Agent) tidy(w *Workspace, more int) {
	old := append(w.masked[:0], a.ids.buf...)
	w.masked = old
	size := more
	for i := range a.calls.Len() {
		c := a.calls.At(i)
		size += int(c.id.len) + int(c.resultID.len)
	}
	if cap(a.ids.buf) < 2*size || cap(a.ids.buf) > 8*max(size, leastIDs) {
		a.ids.buf = make([]byte, 0, max(2*size, leastIDs))
	}
	a.ids.reset()
	from := stepIDs{old}
	for i := range a.calls.Len() {
		c := a.calls.At(i)
		c.id, c.resultID = a.ids.add(from.get(c.id)), a.ids.add(from.get(c.resultID))
	}
}

// leastIDs is the room for ids that an agent begins with, in bytes.
const leastIDs = 128

func appendInt(dst []byte, n int64) []byte {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(dst, b[i:]...)
		}
	}
}
