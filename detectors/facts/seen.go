package facts

// seenSize is how many step ids are remembered for dropping redeliveries
// as the wire format says of `id`.
const seenSize = 256

// seen remembers the last seenSize step ids of a trajectory, by hash. The ids
// of a short trajectory stand in place; many takes over where they are more.
type seen struct {
	first [2]uint64 // a filter over few: spares a new id the look through it
	n     int32     // ids held
	next  int32     // where in many the next id goes
	many  *manyIDs  // holds the ids when n > fewIDs; kept for reuse
	few   [fewIDs]uint64
}

// fewIDs are what first is good for: of 32 ids, one in seven that is new is
// looked through for in vain.
const fewIDs = 32

// manyIDs is a ring of ids with what spares a new one the look through all.
type manyIDs struct {
	filters filters
	ids     [seenSize]uint64
}

// firstBits gives the bits in first that stand for an id.
func firstBits(id uint64) (word, bits uint64) {
	return id >> 63, 1<<(id>>18&63) | 1<<(id>>24&63)
}

// filters are blocked Bloom filters: one for each half of the ring of ids, and
// one for what is left of the half that is being overwritten.
type filters struct {
	half   [2]filter
	fading filter
}

type filter [16]uint64

func (f *filter) has(word, bits uint64) bool { return f[word]&bits == bits }

func (f *filters) has(id uint64) bool {
	word, bits := filterBits(id)
	return f.half[0].has(word, bits) || f.half[1].has(word, bits) || f.fading.has(word, bits)
}

// filterBits gives the word and the three bits in it that stand for an id.
func filterBits(id uint64) (word, bits uint64) {
	return id >> 60, 1<<(id&63) | 1<<(id>>6&63) | 1<<(id>>12&63)
}

func (s *seen) reset() { s.n, s.next, s.first = 0, 0, [2]uint64{} }

// list gives the ids held, valid until the next add.
func (s *seen) list() []uint64 {
	if s.n <= fewIDs {
		return s.few[:s.n]
	}
	return s.many.ids[:s.n]
}

// add remembers an id and reports whether it was there.
func (s *seen) add(id uint64) bool {
	if s.n >= fewIDs {
		return s.addToMany(id)
	}
	word, bits := firstBits(id)
	if s.first[word]&bits == bits {
		for _, v := range s.few[:s.n] {
			if v == id {
				return true
			}
		}
	}
	s.first[word] |= bits
	s.few[s.n] = id
	s.n++
	return false
}

func (s *seen) addToMany(id uint64) bool {
	if s.n == fewIDs {
		if s.many == nil {
			s.many = new(manyIDs)
		}
		copy(s.many.ids[:], s.few[:])
		s.many.filter(s.few[:])
	}
	m := s.many
	if m.filters.has(id) {
		for _, v := range m.ids[:s.n] {
			if v == id {
				return true
			}
		}
	}
	if s.n == fewIDs {
		s.next = fewIDs
	}
	s.n = min(s.n+1, seenSize)
	m.ids[s.next] = id
	m.note(int(s.next), id)
	s.next = (s.next + 1) % seenSize
	return false
}

// filter begins to keep filters, over the few ids that are there.
func (m *manyIDs) filter(few []uint64) {
	m.filters = filters{}
	for _, v := range few {
		word, bits := filterBits(v)
		m.filters.half[0][word] |= bits
	}
}

// note puts the id at a place into the filters.
func (m *manyIDs) note(at int, id uint64) {
	const half = seenSize / 2
	f := &m.filters
	if at%half == 0 {
		f.fading, f.half[at/half] = f.half[at/half], filter{}
	}
	word, bits := filterBits(id)
	f.half[at/half][word] |= bits
}
