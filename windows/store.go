package windows

import (
	"bytes"
	"iter"
	"math"
	"math/bits"
	"slices"
)

// NoSlot is the slot of a key that a Store does not hold.
const NoSlot = math.MaxUint32

const (
	chunkBits = 8
	chunkLen  = 1 << chunkBits
	inlineKey = 40 // a UUID with its tenant's length fits
	minTable  = 16

	// Keys are hostile and their hash is no secret, so the work for one key is
	// bounded: a key that finds maxTwins keys of the same tag, or no free place
	// within maxProbe, goes to a map with a secret hash. By chance neither
	// happens below the load at which the table grows.
	maxTwins = 8
	maxProbe = 256
)

// Store keeps values by key. Make one with NewStore.
//
// A value stays where it is from Put to Delete, so a *T may be kept that long.
// The slot of a key is a small number, stable for the same time, under which
// other structures (Deadlines) can refer to it.
//
// The caller brings the hash with each key, and always the same one for the
// same key. Keys whose hashes are equal are told apart by their bytes.
type Store[T any] struct {
	table   []uint64 // 0, or the tag (upper half) and the slot + 1 of an entry
	shift   uint     // tag >> shift is an entry's home in table
	used    int      // places taken in table
	crowd   map[string]uint32
	chunks  []*[chunkLen]entry[T]
	free    []uint32
	live    []uint64 // bit i: slot i holds a key
	made    int      // slots ever handed out, all below it exist
	version uint64

	words []uint64 // scratch of SlotBatch
	slots []uint32 // scratch of GetBatch
	sink  uint64   // keeps the loads of SlotBatch alive
}

// entry is two cache lines where a T has 48 bytes, and the first alone tells the
// hash and the value.
type entry[T any] struct {
	hash   uint64
	size   uint32 // of the key, in bytes
	val    T
	inline [inlineKey]byte
	long   []byte // the key when it does not fit inline; the buffer stays for the next
}

func (e *entry[T]) key() []byte {
	if e.size <= inlineKey {
		return e.inline[:e.size]
	}
	return e.long
}

// NewStore makes a store with room for n keys; it grows as needed.
func NewStore[T any](n int) *Store[T] {
	size := minTable
	for size*5/8 < n {
		size *= 2
	}
	s := &Store[T]{}
	s.setTable(make([]uint64, size))
	return s
}

func (s *Store[T]) setTable(t []uint64) {
	s.table = t
	s.shift = uint(32 - bits.TrailingZeros(uint(len(t))))
}

// tagOf mixes the hash, so that keys that share some of its bits, as those of
// one shard do, still spread over the whole table.
func tagOf(hash uint64) uint32 {
	return uint32((hash * 0x9e3779b97f4a7c15) >> 32)
}

func (s *Store[T]) entry(slot uint32) *entry[T] {
	return &s.chunks[slot>>chunkBits][slot%chunkLen]
}

// Len is the number of keys.
func (s *Store[T]) Len() int { return s.made - len(s.free) }

// Version changes with each Delete: as long as it is the same, slots and
// pointers that were looked up before are still those of their keys.
func (s *Store[T]) Version() uint64 { return s.version }

// At gives the value in a slot. The slot must be that of a live key.
func (s *Store[T]) At(slot uint32) *T { return &s.entry(slot).val }

// Key gives the key of a slot, valid until the key is deleted; the caller does
// not change it.
func (s *Store[T]) Key(slot uint32) []byte { return s.entry(slot).key() }

// Hash gives the hash under which the key of a slot was put.
func (s *Store[T]) Hash(slot uint32) uint64 { return s.entry(slot).hash }

// Get gives the value of key.
func (s *Store[T]) Get(hash uint64, key []byte) (*T, bool) {
	slot := s.find(hash, key)
	if slot == NoSlot {
		return nil, false
	}
	return s.At(slot), true
}

// Slot gives the slot of key.
func (s *Store[T]) Slot(hash uint64, key []byte) (slot uint32, ok bool) {
	slot = s.find(hash, key)
	return slot, slot != NoSlot
}

func (s *Store[T]) find(hash uint64, key []byte) uint32 {
	tag, mask, twins := tagOf(hash), uint32(len(s.table)-1), 0
	i := tag >> s.shift
	for range maxProbe {
		w := s.table[i&mask]
		if w == 0 {
			break
		}
		if uint32(w>>32) == tag {
			slot := uint32(w) - 1
			if e := s.entry(slot); e.hash == hash && bytes.Equal(e.key(), key) {
				return slot
			}
			if twins++; twins == maxTwins {
				break
			}
		}
		i++
	}
	if len(s.crowd) > 0 {
		if slot, ok := s.crowd[string(key)]; ok {
			return slot
		}
	}
	return NoSlot
}

// Put gives the slot of key, which it adds when it is not there; fresh says so.
// The key is copied. The value of a fresh slot is the zero T or what a deleted
// key left in it, whose buffers are worth keeping: the caller resets it.
func (s *Store[T]) Put(hash uint64, key []byte) (slot uint32, fresh bool) {
	if slot = s.find(hash, key); slot != NoSlot {
		return slot, false
	}
	if n := len(s.free); n > 0 {
		slot = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		slot = uint32(s.made)
		if slot%chunkLen == 0 {
			s.chunks = append(s.chunks, new([chunkLen]entry[T]))
		}
		s.made++
	}
	for int(slot/64) >= len(s.live) {
		s.live = append(s.live, 0)
	}
	s.live[slot/64] |= 1 << (slot % 64)
	e := s.entry(slot)
	e.hash, e.size = hash, uint32(len(key))
	if len(key) <= inlineKey {
		copy(e.inline[:], key)
	} else {
		e.long = append(e.long[:0], key...)
	}
	if (s.used+1)*8 > len(s.table)*5 {
		s.grow()
	}
	s.place(tagOf(hash), slot)
	return slot, true
}

// place enters a slot whose key is in neither table nor crowd.
func (s *Store[T]) place(tag, slot uint32) {
	mask, twins := uint32(len(s.table)-1), 0
	i := tag >> s.shift
	for range maxProbe {
		w := s.table[i&mask]
		if w == 0 {
			s.table[i&mask] = uint64(tag)<<32 | uint64(slot+1)
			s.used++
			return
		}
		if uint32(w>>32) == tag {
			if twins++; twins == maxTwins {
				break
			}
		}
		i++
	}
	if s.crowd == nil {
		s.crowd = make(map[string]uint32)
	}
	s.crowd[string(s.Key(slot))] = slot
}

// grow doubles the table. It reads the table alone, front to back, and moves no
// value.
func (s *Store[T]) grow() {
	old := s.table
	s.setTable(make([]uint64, 2*len(old)))
	s.used = 0
	for _, w := range old {
		if w != 0 {
			s.place(uint32(w>>32), uint32(w)-1)
		}
	}
}

// Delete forgets key and reports whether it was there. Its value stays as it is
// until its slot is given to another key.
func (s *Store[T]) Delete(hash uint64, key []byte) bool {
	slot := s.find(hash, key)
	if slot == NoSlot {
		return false
	}
	s.DeleteSlot(slot)
	return true
}

// DeleteSlot forgets the key of a slot, which must be live.
func (s *Store[T]) DeleteSlot(slot uint32) {
	e := s.entry(slot)
	if !s.unplace(tagOf(e.hash), slot) {
		delete(s.crowd, string(e.key()))
	}
	s.live[slot/64] &^= 1 << (slot % 64)
	s.free = append(s.free, slot)
	s.version++
}

// unplace takes a slot out of the table and closes the hole, so that no
// tombstone makes later searches longer.
func (s *Store[T]) unplace(tag, slot uint32) bool {
	mask := uint32(len(s.table) - 1)
	word := uint64(tag)<<32 | uint64(slot+1)
	hole := tag >> s.shift
	for probes := 0; s.table[hole&mask] != word; probes++ {
		if s.table[hole&mask] == 0 || probes == maxProbe {
			return false
		}
		hole++
	}
	hole &= mask
	// No entry lies maxProbe or more behind its home, so none beyond that
	// distance can want the hole.
	for i := (hole + 1) & mask; s.table[i] != 0 && (i-hole)&mask < maxProbe; i = (i + 1) & mask {
		home := uint32(s.table[i]>>32) >> s.shift
		if (i-home)&mask >= (i-hole)&mask {
			s.table[hole] = s.table[i]
			hole = i
		}
	}
	s.table[hole] = 0
	s.used--
	return true
}

// Live appends a bit for each slot, 64 to a word from the lowest on: whether it
// holds a key.
func (s *Store[T]) Live(dst []uint64) []uint64 { return append(dst, s.live...) }

// Next gives the first slot from the given one on that holds a key.
func (s *Store[T]) Next(slot uint32) (next uint32, ok bool) {
	w := int(slot / 64)
	if w >= len(s.live) {
		return 0, false
	}
	word := s.live[w] >> (slot % 64) << (slot % 64)
	for word == 0 {
		if w++; w == len(s.live) {
			return 0, false
		}
		word = s.live[w]
	}
	return uint32(w*64 + bits.TrailingZeros64(word)), true
}

// Slots appends the slots of all keys to dst, in the order of the keys' bytes.
func (s *Store[T]) Slots(dst []uint32) []uint32 {
	n := len(dst)
	for w, word := range s.live {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, uint32(w*64+bits.TrailingZeros64(word)))
		}
	}
	slices.SortFunc(dst[n:], func(a, b uint32) int { return bytes.Compare(s.Key(a), s.Key(b)) })
	return dst
}

// All yields keys and values in the order of the keys' bytes. Between two
// yields nothing may be put, and nothing but the key just yielded deleted.
func (s *Store[T]) All() iter.Seq2[[]byte, *T] {
	return func(yield func([]byte, *T) bool) {
		for _, slot := range s.Slots(nil) {
			if !yield(s.Key(slot), s.At(slot)) {
				return
			}
		}
	}
}
