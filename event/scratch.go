package event

// scratch is space that is handed out piece by piece and taken back at once.
// It grows by chunks, so that a piece never moves.
type scratch struct {
	chunks [][]byte // all of len 0
	at     int      // the chunk in use
	free   []byte   // what is left of it
}

const scratchChunk = 4096

// room gives a piece of length 0 and capacity n or more, to be kept by keep.
func (s *scratch) room(n int) []byte {
	for n > cap(s.free) {
		if s.free != nil {
			s.at++
		}
		if s.at >= len(s.chunks) {
			s.chunks = append(s.chunks, make([]byte, 0, max(n, scratchChunk)))
		}
		s.free = s.chunks[s.at]
	}
	return s.free[:0]
}

// keep hands out what was appended to the piece that room gave last.
func (s *scratch) keep(piece []byte) []byte {
	n := len(piece)
	s.free = s.free[n:n:cap(s.free)]
	return piece[:n:n]
}

func (s *scratch) release() {
	s.at, s.free = 0, nil
	if len(s.chunks) > 0 {
		s.free = s.chunks[0]
	}
}
