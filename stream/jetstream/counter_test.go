package jetstream

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"misstep/stream"
)

// counter is a small program: a record is a key, and every third record of a
// key puts out "KEY n". A record that begins with "!" is refused.
type counter struct{}

type counterDecoder struct{}

type counterShard struct {
	keys   map[string]int
	frozen []byte
}

func (counter) NewDecoder() stream.Decoder[[]byte] { return counterDecoder{} }
func (counter) NewShard() stream.Shard[[]byte]     { return &counterShard{keys: map[string]int{}} }

func (counterDecoder) Reset() {}

func (counterDecoder) Decode(b *stream.Batch[[]byte], r int32, out *stream.Emitter) {
	v := b.Records[r].Value
	if bytes.HasPrefix(v, []byte("!")) {
		out.Event(r, int32(len(b.Events)), stream.Output{Topic: stream.DeadLetter, Value: fmt.Appendf(nil, "refused %s", v)})
		return
	}
	*b.Add(r) = v
	b.Hash[len(b.Hash)-1] = counterHash(string(v))
}

func counterHash(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64()
}

func (s *counterShard) Step(b *stream.Batch[[]byte], mine []int32, out *stream.Emitter) {
	for _, i := range mine {
		key := string(b.Events[i])
		s.keys[key]++
		if n := s.keys[key]; n%3 == 0 {
			out.Event(b.At[i], i, stream.Output{Topic: stream.Failures, Class: "counted", Workflow: "w", Key: key, Value: fmt.Appendf(nil, "%s %d", key, n)})
		}
	}
}

func (s *counterShard) End(int32, *stream.Emitter) {}

func (s *counterShard) NextDeadline() (int64, bool) { return 0, false }

func (s *counterShard) Freeze() {
	s.frozen = nil
	for key, n := range s.keys {
		s.frozen = fmt.Appendf(s.frozen, "%d %s\n", n, key)
	}
}

func (s *counterShard) AppendFrozen(dst []byte, _ int) ([]byte, bool, error) {
	return append(dst, s.frozen...), true, nil
}

func (s *counterShard) Thaw() { s.frozen = nil }

func (s *counterShard) LoadState(part []byte, keep func(uint64) bool) error {
	for line := range bytes.Lines(part) {
		count, key, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		if keep(counterHash(key)) {
			s.keys[key] = n
		}
	}
	return nil
}

// counterRecord is the i-th record of the tests, and the last of n says so.
func counterRecord(i, n int) []byte {
	switch {
	case i == n:
		return []byte("!last")
	case i%17 == 0:
		return fmt.Appendf(nil, "!bad %d", i)
	}
	return fmt.Appendf(nil, "key%d", i*i%23)
}

// counterOutputs is what the program puts out for records 1 to n.
func counterOutputs(n int) []stream.Output {
	keys := map[string]int{}
	var outs []stream.Output
	for i := 1; i <= n; i++ {
		v := string(counterRecord(i, n))
		o := stream.Output{Origin: stream.Origin{Source: StepsStream, Offset: int64(i)}}
		if v[0] == '!' {
			o.Value = []byte("refused " + v)
		} else {
			keys[v]++
			if keys[v]%3 != 0 {
				continue
			}
			o.Value = fmt.Appendf(nil, "%s %d", v, keys[v])
		}
		outs = append(outs, o)
	}
	return outs
}

func sameOutputs(got, want []stream.Output) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("output %d of %d is missing: %v %s", i, len(want), want[i].Origin, want[i].Value)
		case i >= len(want):
			return fmt.Errorf("output %d is one too many: %v %s", i, got[i].Origin, got[i].Value)
		case got[i].Origin != want[i].Origin || !bytes.Equal(got[i].Value, want[i].Value):
			return fmt.Errorf("output %d is %v %s, want %v %s", i, got[i].Origin, got[i].Value, want[i].Origin, want[i].Value)
		}
	}
	return nil
}
