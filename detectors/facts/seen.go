package facts

// seenSize is how many step ids are remembered for dropping redeliveries
// as the wire format says of `id`.
const seenSize = 256

// seen remembers the last seenSize step ids of a trajectory, by hash.
type seen struct {
	ids  []uint64 // grows to seenSize, then wraps
	next int      // where the next id goes
	// What spares a new id the look through all others: first is the filter of
	// a short trajectory, in the same cache line as the rest; filters take over
	// from fewIds on.
	first   [2]uint64
	filters *filters
}

// fewIds are what first is good for: of 32 ids, one in seven that is new is
// looked through for in vain.
const fewIds = 32

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

func (s *seen) reset() {
	s.ids, s.next, s.first = s.ids[:0], 0, [2]uint64{}
}

// add remembers an id and reports whether it was there.
func (s *seen) add(id uint64) bool {
	if len(s.ids) == fewIds {
		s.filter()
	}
	word, bits := firstBits(id)
	if len(s.ids) < fewIds && s.first[word]&bits == bits || len(s.ids) >= fewIds && s.filters.has(id) {
		for _, v := range s.ids {
			if v == id {
				return true
			}
		}
	}
	if cap(s.ids) == 0 {
		s.ids = make([]uint64, 0, fewIds)
	}
	if len(s.ids) < seenSize {
		s.ids = append(s.ids, id)
	} else {
		s.ids[s.next] = id
	}
	if len(s.ids) > fewIds {
		s.note(id)
	} else {
		s.first[word] |= bits
	}
	s.next = (s.next + 1) % seenSize
	return false
}

// filter begins to keep filters, over the few ids that are there.
func (s *seen) filter() {
	if s.filters == nil {
		s.filters = new(filters)
	}
	*s.filters = filters{}
	for _, v := range s.ids {
		word, bits := filterBits(v)
		s.filters.half[0][word] |= bits
	}
}

// note puts the id that goes to s.next into the filters.
func (s *seen) note(id uint64) {
	const half = seenSize / 2
	g := s.next / half
	if s.next%half == 0 {
		s.filters.fading, s.filters.half[g] = s.filters.half[g], filter{}
	}
	word, bits := filterBits(id)
	s.filters.half[g][word] |= bits
}
