package windows

import "bytes"

// SlotBatch sets slots[i] to the slot of keys[i], whose hash is hashes[i], or
// to NoSlot. The three are equally long. It is for keys that are not in the
// processor's cache: it waits for memory about twice for the whole batch where
// Slot waits twice for each key.
//
// What was looked up holds until the Version changes; a key that was absent may
// be put by an earlier event of the same batch, so the caller asks Put for it.
func (s *Store[T]) SlotBatch(hashes []uint64, keys [][]byte, slots []uint32) {
	n := len(hashes)
	if cap(s.words) < n {
		s.words = make([]uint64, n)
	}
	words, keys, slots := s.words[:n], keys[:n], slots[:n]
	table, shift := s.table, s.shift&31
	// Loads that do not depend on each other, and no branch that depends on
	// them: the processor has many of them under way at the same time.
	for i, h := range hashes {
		words[i] = table[tagOf(h)>>shift]
	}
	mask := uint32(len(table) - 1)
	for i, h := range hashes {
		tag := tagOf(h)
		slots[i] = NoSlot
		w, at := words[i], tag>>shift
		for range maxProbe {
			if w == 0 {
				break
			}
			if uint32(w>>32) == tag {
				slots[i] = uint32(w) - 1
				break
			}
			at++
			w = table[at&mask]
		}
	}
	var sum uint64
	for i, slot := range slots {
		if slot == NoSlot {
			continue
		}
		e := s.entry(slot)
		words[i] = e.hash
		sum += uint64(e.inline[inlineKey-1])
	}
	s.sink = sum
	for i, slot := range slots {
		if slot != NoSlot && words[i] == hashes[i] && bytes.Equal(s.entry(slot).key(), keys[i]) {
			continue
		}
		if slot != NoSlot || len(s.crowd) > 0 {
			slots[i] = s.find(hashes[i], keys[i])
		}
	}
}

// GetBatch sets out[i] to the value of keys[i], whose hash is hashes[i], or to
// nil. See SlotBatch, of which it is the form for those who need no slots.
func (s *Store[T]) GetBatch(hashes []uint64, keys [][]byte, out []*T) {
	if cap(s.slots) < len(hashes) {
		s.slots = make([]uint32, len(hashes))
	}
	slots := s.slots[:len(hashes)]
	s.SlotBatch(hashes, keys, slots)
	for i, slot := range slots {
		out[i] = nil
		if slot != NoSlot {
			out[i] = s.At(slot)
		}
	}
}
