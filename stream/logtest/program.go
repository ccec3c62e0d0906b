package logtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"misstep/stream"
)

// Counting is a program whose every output tells its whole state of a key: a
// record is a key, and puts out "KEY n" for the n-th time, followed by the
// program's Mark. A key that nothing was heard of for 100 puts out "KEY idle
// n", once.
type Counting struct{ Mark string }

// Idle is after which log time without an event a key counts as idle.
const Idle = 100

type countingDecoder struct{}

type countingShard struct {
	mark   string
	keys   map[string]counted
	frozen []byte
}

type counted struct {
	n   uint64
	due int64 // stream.NoTime for none
}

// NewDecoder implements stream.Program.
func (Counting) NewDecoder() stream.Decoder[string] { return countingDecoder{} }

// NewShard implements stream.Program.
func (c Counting) NewShard() stream.Shard[string] {
	return &countingShard{mark: c.Mark, keys: map[string]counted{}}
}

func (countingDecoder) Reset() {}

func (countingDecoder) Decode(b *stream.Batch[string], r int32, _ *stream.Emitter) {
	*b.Add(r) = string(b.Records[r].Value)
	b.Hash[len(b.Hash)-1] = hashOf(string(b.Records[r].Value))
}

func hashOf(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64() * 0x9e3779b97f4a7c15
}

func (s *countingShard) Step(b *stream.Batch[string], mine []int32, out *stream.Emitter) {
	for _, i := range mine {
		r, key := b.At[i], b.Events[i]
		s.fire(r, b.Clock[r], out)
		c := counted{s.keys[key].n + 1, stream.NoTime}
		if b.Clock[r] != stream.NoTime {
			c.due = b.Clock[r] + Idle
		}
		s.keys[key] = c
		out.Event(r, i, s.output(key, fmt.Sprintf("%s %d", key, c.n)))
	}
	last := int32(len(b.Clock) - 1)
	s.fire(last, b.Clock[last], out)
}

func (s *countingShard) output(key, text string) stream.Output {
	return stream.Output{Topic: stream.Failures, Class: "counted", Workflow: "w", Key: key, Value: []byte(text + s.mark)}
}

func (s *countingShard) fire(r int32, clock int64, out *stream.Emitter) {
	if clock == stream.NoTime {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		if c := s.keys[key]; c.due != stream.NoTime && c.due <= clock {
			out.Deadline(r, c.due, key, s.output(key, fmt.Sprintf("%s idle %d", key, c.n)))
			s.keys[key] = counted{c.n, stream.NoTime}
		}
	}
}

func (s *countingShard) End(int32, *stream.Emitter) {}

func (s *countingShard) NextDeadline() (next int64, ok bool) {
	for _, c := range s.keys {
		if c.due != stream.NoTime && (!ok || c.due < next) {
			next, ok = c.due, true
		}
	}
	return next, ok
}

// Freeze encodes all at once.
func (s *countingShard) Freeze() {
	s.frozen = s.frozen[:0]
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		c := s.keys[key]
		entry := binary.AppendUvarint(nil, uint64(len(key)))
		entry = binary.AppendVarint(binary.AppendUvarint(append(entry, key...), c.n), c.due)
		s.frozen = append(binary.AppendUvarint(s.frozen, uint64(len(entry))), entry...)
	}
}

func (s *countingShard) AppendFrozen(dst []byte, most int) ([]byte, bool, error) {
	from := len(dst)
	for len(s.frozen) > 0 && len(dst)-from < most {
		n, size := binary.Uvarint(s.frozen)
		end := size + int(n)
		dst, s.frozen = append(dst, s.frozen[:end]...), s.frozen[end:]
	}
	return dst, len(s.frozen) == 0, nil
}

func (s *countingShard) Thaw() { s.frozen = nil }

var errState = errors.New("the state cannot be read")

func (s *countingShard) LoadState(part []byte, keep func(uint64) bool) error {
	for len(part) > 0 {
		n, size := binary.Uvarint(part)
		if size <= 0 || n > uint64(len(part)-size) {
			return errState
		}
		entry := part[size : size+int(n)]
		part = part[size+int(n):]
		length, size := binary.Uvarint(entry)
		if size <= 0 || length > uint64(len(entry)-size) {
			return errState
		}
		key := string(entry[size : size+int(length)])
		entry = entry[size+int(length):]
		count, size := binary.Uvarint(entry)
		if size <= 0 {
			return errState
		}
		due, size := binary.Varint(entry[size:])
		if size <= 0 {
			return errState
		}
		if keep(hashOf(key)) {
			s.keys[key] = counted{count, due}
		}
	}
	return nil
}
