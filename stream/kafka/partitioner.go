package kafka

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// Partitioner says which partition a key belongs to, as the producers of a topic
// decide it.
type Partitioner string

// The partitioners that can be declared.
const (
	Murmur2 Partitioner = "murmur2" // Java, franz-go, librdkafka's murmur2_random
	CRC32   Partitioner = "crc32"   // librdkafka's default, consistent_random
	FNV1a   Partitioner = "fnv1a"   // sarama's default
)

// Partitioners are all of them.
func Partitioners() []Partitioner { return []Partitioner{Murmur2, CRC32, FNV1a} }

// Check says whether it is one of them.
func (p Partitioner) Check() error {
	all := Partitioners()
	if slices.Contains(all, p) {
		return nil
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	return fmt.Errorf("partitioner %q: there are %s", string(p), strings.Join(names, ", "))
}

// Of gives the partition of a key in a topic of n partitions.
func (p Partitioner) Of(key []byte, n int) int32 {
	switch p {
	case CRC32:
		return int32(crc32.ChecksumIEEE(key) % uint32(n))
	case FNV1a:
		i := int32(fnv1a(key)) % int32(n)
		return max(i, -i)
	}
	return int32(murmur2(key)&0x7fffffff) % int32(n)
}

func fnv1a(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// murmur2 is the hash of the Java client, with its seed.
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
