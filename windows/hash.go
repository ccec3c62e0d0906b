package windows

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// HashKey gives the hash under which a Store keeps the state of key within
// tenant. It is the same in every process. The parts are hashed apart, so that
// ("ab", "c") and ("a", "bc") differ as any two keys do; equal hashes of
// different keys are possible, and a Store tells such keys apart.
func HashKey(tenant, key []byte) uint64 {
	h := xxhash.Sum64(key)
	if len(tenant) == 0 {
		return h
	}
	return bits.RotateLeft64(h*0x9e3779b97f4a7c15, 29) ^ xxhash.Sum64(tenant)
}

// AppendKey appends the bytes under which a Store keeps the state of key within
// tenant: the length of tenant, tenant, key. No two pairs give the same bytes.
func AppendKey(dst, tenant, key []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(tenant)))
	dst = append(dst, tenant...)
	return append(dst, key...)
}

// SplitKey takes apart what AppendKey made; both parts borrow from joined. ok
// is false when joined is nothing that AppendKey makes.
func SplitKey(joined []byte) (tenant, key []byte, ok bool) {
	n, w := binary.Uvarint(joined)
	if w <= 0 || n > uint64(len(joined)-w) {
		return nil, nil, false
	}
	rest := joined[w:]
	return rest[:n:n], rest[n:], true
}
