//go:build unix

package stream

import (
	"context"
	"encoding/binary"
	"math/bits"
	"syscall"
	"testing"
	"time"
)

// keyed is a program with many keys, a state of 128 bytes each, and about as
// much work for each event as detection is.
type keyed struct{ keys int }

type keyedShard struct {
	state  [][16]uint64
	unread []uint64 // bit i: the snapshot lacks state[i]
	word   int
	early  []byte
	frozen bool
}

type keyedDecoder struct{ keys int }

func (p keyed) NewDecoder() Decoder[int] { return keyedDecoder(p) }
func (p keyed) NewShard() Shard[int]     { return &keyedShard{state: make([][16]uint64, p.keys)} }
func (keyedDecoder) Reset()              {}

func (d keyedDecoder) Decode(b *Batch[int], r int32, _ *Emitter) {
	h := uint64(b.Records[r].Offset) * 0x9e3779b97f4a7c15
	key := int(h>>20) % d.keys
	*b.Add(r) = key
	b.Hash[len(b.Hash)-1] = uint64(key) * 0x9e3779b97f4a7c15
}

func (s *keyedShard) Step(b *Batch[int], mine []int32, _ *Emitter) {
	for _, i := range mine {
		key := b.Events[i]
		if s.frozen && s.unread[key/64]&(1<<(key%64)) != 0 {
			s.early = s.encode(s.early, key)
		}
		st := &s.state[key]
		for n := range 400 {
			st[n%16] = st[(n+1)%16]*6364136223846793005 + uint64(n) + 1
		}
	}
}

func (s *keyedShard) encode(dst []byte, key int) []byte {
	s.unread[key/64] &^= 1 << (key % 64)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(key))
	for _, v := range s.state[key] {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func (s *keyedShard) End(int32, *Emitter)         {}
func (s *keyedShard) NextDeadline() (int64, bool) { return 0, false }

func (s *keyedShard) Freeze() {
	s.unread, s.word, s.early, s.frozen = make([]uint64, len(s.state)/64+1), 0, s.early[:0], true
	for key := range s.state {
		if s.state[key][0] != 0 {
			s.unread[key/64] |= 1 << (key % 64)
		}
	}
}

func (s *keyedShard) AppendFrozen(dst []byte, most int) ([]byte, bool, error) {
	if len(s.early) > 0 {
		dst, s.early = append(dst, s.early...), s.early[:0]
	}
	for ; s.word < len(s.unread); s.word++ {
		for s.unread[s.word] != 0 {
			if len(dst) >= most {
				return dst, false, nil
			}
			dst = s.encode(dst, s.word*64+bits.TrailingZeros64(s.unread[s.word]))
		}
	}
	s.frozen = false
	return dst, true, nil
}

func (s *keyedShard) Thaw()                                          { s.frozen = false }
func (s *keyedShard) LoadState([]byte, func(hash uint64) bool) error { return nil }

// cpu gives the processor time that this process has used: others may be busy.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCheckpoints runs the same log without checkpoints and with them, by
// turns, and gives the ratio of the processor times.
func BenchmarkCheckpoints(b *testing.B) {
	const keys, records = 100_000, 3_000_000
	run := func(store Checkpoints) (time.Duration, Stats) {
		e, err := New(Options[int]{
			Program: keyed{keys}, Log: &countLog{n: records, value: make([]byte, 500)}, Results: NewMemoryResults(), Shards: 2, End: EndIdle,
			Checkpoint: Checkpointing{Store: store, Work: 100 * time.Millisecond},
		})
		if err != nil {
			b.Fatal(err)
		}
		began := cpu(b)
		if err := e.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
		return cpu(b) - began, e.Stats()
	}
	var without, with time.Duration
	taken := int64(0)
	var cost time.Duration
	for b.Loop() {
		d, _ := run(nil)
		without += d
		d, s := run(NewMemoryCheckpoints())
		with += d
		taken += s.Checkpoints
		cost += s.CheckpointCost
	}
	b.ReportMetric(float64(with)/float64(without), "with/without")
	b.ReportMetric(float64(taken)/float64(b.N), "checkpoints/op")
	b.ReportMetric(cost.Seconds()/float64(b.N)*1000, "encode-ms/op")
}
