package facts

// seenSize is how many step ids are remembered for dropping redeliveries
// as the wire format says of `id`.
const seenSize = 256

// seen remembers the last seenSize step ids of a trajectory, by hash.
type seen struct {
	ids  []uint64 // grows to seenSize, then wraps
	next int      // where the next id goes
	// filters spare a new id the look through all others; a short trajectory
	// does without.
	filters *filters
}

// fewIds are looked through one by one.
const fewIds = 32

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
	s.ids, s.next = s.ids[:0], 0
}

// add remembers an id and reports whether it was there.
func (s *seen) add(id uint64) bool {
	if len(s.ids) == fewIds {
		s.filter()
	}
	if len(s.ids) < fewIds || s.filters.has(id) {
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
