package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// snapshotVersion is raised when the layout changes in a way that older
// programs would misread.
const snapshotVersion = 1

var snapshotMagic = [4]byte{'m', 's', 's', snapshotVersion}

// Snapshot appends the engine's whole state to dst: the position, the log clock
// and the shards' states. The same state with the same number of shards gives
// the same bytes. It may be called before Run and after Run has returned, and
// fails when Run ended before all outputs were published: a state that is ahead
// of its outputs would lose them.
func (e *Engine[E]) Snapshot(dst []byte) ([]byte, error) {
	if e.running.Load() {
		return dst, errors.New("snapshot: engine is running")
	}
	if e.unclean {
		return dst, errors.New("snapshot: engine ended before all outputs were published")
	}
	from := len(dst)
	dst = append(dst, snapshotMagic[:]...)
	dst = appendBlob(dst, []byte(e.source))
	dst = binary.AppendVarint(dst, int64(e.part))
	if e.hasLast {
		dst = append(dst, 1)
		dst = binary.AppendVarint(dst, e.last)
		dst = binary.AppendVarint(dst, int64(e.next))
		dst = binary.AppendVarint(dst, e.clock)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.shards)))
	var state []byte
	for i, s := range e.shards {
		var err error
		if state, err = s.AppendState(state[:0]); err != nil {
			return dst[:from], fmt.Errorf("snapshot: shard %d of %d: %w", i, len(e.shards), err)
		}
		dst = appendBlob(dst, state)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[from:], crc32.MakeTable(crc32.Castagnoli))), nil
}

// Restore puts the engine, which is new, into the state that Snapshot encoded;
// the number of shards may differ. Records up to the snapshot's position, when
// the log still gives them, are then skipped. After an error the engine is of
// no use.
func (e *Engine[E]) Restore(snapshot []byte) error {
	if e.started.Load() || e.hasLast {
		return errors.New("restore: engine is not new")
	}
	body := len(snapshot) - crc32.Size
	if body < len(snapshotMagic) || [4]byte(snapshot[:4]) != snapshotMagic {
		return fmt.Errorf("restore: not a snapshot of version %d", snapshotVersion)
	}
	want := binary.LittleEndian.Uint32(snapshot[body:])
	if got := crc32.Checksum(snapshot[:body], crc32.MakeTable(crc32.Castagnoli)); got != want {
		return fmt.Errorf("restore: checksum is %08x, want %08x: the snapshot is damaged", got, want)
	}
	r := reader{rest: snapshot[len(snapshotMagic):body]}
	source, part := string(r.blob()), r.varint()
	hasLast := r.byte() != 0
	var last, next int64
	clock := int64(NoTime)
	if hasLast {
		last, next, clock = r.varint(), r.varint(), r.varint()
	}
	shards := r.uvarint()
	if r.err != nil {
		return fmt.Errorf("restore: %w", r.err)
	}
	if source != e.source || part != int64(e.part) {
		return fmt.Errorf("restore: the snapshot is of %s/%d, this is %s/%d", source, part, e.source, e.part)
	}
	for n := range shards {
		state := r.blob()
		if r.err != nil {
			return fmt.Errorf("restore: shard %d of %d: %w", n, shards, r.err)
		}
		for i, s := range e.shards {
			keep := func(hash uint64) bool { return shardOf(hash, len(e.shards)) == i }
			if err := s.LoadState(state, keep); err != nil {
				return fmt.Errorf("restore: shard %d of %d: %w", n, shards, err)
			}
		}
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("restore: %d bytes after the last shard", len(r.rest))
	}
	e.hasLast, e.last, e.next, e.clock = hasLast, last, int32(next), clock
	if hasLast {
		e.counters.offset.Store(last)
		e.counters.clock.Store(clock)
	}
	return nil
}

func appendBlob(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// reader takes a snapshot apart; after an error it gives zeroes.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if n <= 0 || n > len(r.rest) || r.err != nil {
		if r.err == nil {
			r.err = errors.New("snapshot is cut short")
		}
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.take(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.take(n)
	return v
}

func (r *reader) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *reader) blob() []byte {
	n := r.uvarint()
	if n == 0 || r.err != nil {
		return nil
	}
	if n > uint64(len(r.rest)) {
		n = uint64(len(r.rest)) + 1
	}
	return r.take(int(n))
}
