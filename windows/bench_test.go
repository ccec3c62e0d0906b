package windows

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchState is as large as what the detect program reads of a trajectory on
// every event.
type benchState struct{ words [40]uint64 }

func benchStore(n int) (*Store[benchState], [][]byte, []uint64) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := NewStore[benchState](0)
	keys, hashes := make([][]byte, n), make([]uint64, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "%016x-%016x", rng.Uint64(), i)
		hashes[i] = HashKey(nil, keys[i])
		slot, _ := s.Put(hashes[i], keys[i])
		s.At(slot).words[0] = uint64(i)
	}
	rng.Shuffle(n, func(i, j int) {
		keys[i], keys[j] = keys[j], keys[i]
		hashes[i], hashes[j] = hashes[j], hashes[i]
	})
	// The keys of a batch stand in its input, which is in the cache.
	var arena []byte
	for i, key := range keys {
		arena = append(arena, key...)
		keys[i] = arena[len(arena)-len(key):]
	}
	return s, keys, hashes
}

func BenchmarkStore(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		s, keys, hashes := benchStore(n)
		b.Run(fmt.Sprintf("single/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				v, _ := s.Get(hashes[i], keys[i])
				v.words[0]++
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("batch64/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			out := make([]*benchState, 64)
			i, k := 0, 64
			for b.Loop() {
				if k == 64 {
					if i += 64; i+64 > n {
						i = 0
					}
					s.GetBatch(hashes[i:i+64], keys[i:i+64], out)
					k = 0
				}
				out[k].words[0]++
				k++
			}
		})
	}
}

func BenchmarkHashKey(b *testing.B) {
	key := []byte("0b3f6f0e-3d1c-4c52-9a55-0123456789ab")
	for b.Loop() {
		binary.LittleEndian.PutUint64(key, HashKey(nil, key))
	}
}

func BenchmarkDeadlines(b *testing.B) {
	const n = 100_000
	key := make([]byte, 4*n)
	for i := range uint32(n) {
		binary.BigEndian.PutUint32(key[4*i:], i)
	}
	fill := func() *Deadlines {
		d := NewDeadlines(func(s uint32) []byte { return key[4*s : 4*s+4] })
		for i := range uint32(n) {
			d.Arm(i, int64(i)+n)
		}
		return d
	}
	b.Run("nothing-due", func(b *testing.B) {
		d := fill()
		for b.Loop() {
			if _, _, ok := d.Next(5); ok {
				b.Fatal("due")
			}
		}
	})
	b.Run("later", func(b *testing.B) {
		d := fill()
		i := uint32(0)
		for b.Loop() {
			d.Arm(i%n, int64(n+n+i))
			i += 7919
		}
	})
	b.Run("fire-and-arm", func(b *testing.B) {
		d := fill()
		now := int64(0)
		b.ReportAllocs()
		for b.Loop() {
			slot, at, ok := d.Next(now)
			if !ok {
				now++
				continue
			}
			d.Arm(slot, at+n)
		}
	})
}
