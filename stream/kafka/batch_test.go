package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

// taken takes all of what a broker could send apart, as a log does.
func taken(b []byte) (recs []record, err error) {
	var seen visible
	for len(b) > 0 {
		x, rest, err := nextBatch(b)
		if err != nil {
			return recs, err
		}
		b = rest
		if !seen.sees(&x) {
			continue
		}
		if _, err := each(&x, nil, 0, 1<<62, func(r *record) error {
			recs = append(recs, *r)
			return nil
		}); err != nil {
			return recs, err
		}
	}
	return recs, nil
}

func sample(t testing.TB, compression kafka.Compression) []byte {
	var recs []kafka.Record
	for i := range 20 {
		recs = append(recs, kafka.Record{
			Time: time.UnixMilli(1000 + int64(i)), Key: kafka.NewBytes(fmt.Appendf(nil, "key%d", i)), Value: kafka.NewBytes(bytes.Repeat([]byte{byte(i)}, i*10)),
			Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: fmt.Append(nil, i)}},
		})
	}
	return encoded(t, compression, recs...)
}

func TestBatch(t *testing.T) {
	for _, compression := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		b := sample(t, compression)
		recs, err := taken(append(bytes.Clone(b), b...))
		if err != nil || len(recs) != 40 {
			t.Fatalf("%v: %d records, %v", compression, len(recs), err)
		}
		for i := range recs {
			i, r := i%20, &recs[i]
			if v, ok := r.header("b"); r.offset != int64(i) || r.time != int64(1000+i)*1e6 || string(r.key) != fmt.Sprint("key", i) || len(r.value) != i*10 || !ok || string(v) != fmt.Sprint(i) {
				t.Fatalf("%v: record %d is %+v", compression, i, r)
			}
			if _, ok := r.header("c"); ok {
				t.Error("found a header that is not there")
			}
		}
		// The broker's own time counts for all of a batch.
		b[atAttributes+1] |= attrLogAppendTime
		if recs, err = taken(sealed(b)); err != nil || recs[0].time != 1019*1e6 {
			t.Errorf("%v: log append time is %d, %v", compression, recs[0].time, err)
		}
		// Each byte counts, but those that a broker changes.
		for i := atMagic; i < len(b); i++ {
			bad := bytes.Clone(b)
			bad[i] ^= 0x10
			if _, err := taken(bad); err == nil {
				t.Fatalf("%v: byte %d was changed, and nobody minds", compression, i)
			}
		}
		for i := range b {
			if _, err := taken(b[:i]); i > 0 && !errors.Is(err, errPart) {
				t.Fatalf("%v: %d bytes of %d: %v", compression, i, len(b), err)
			}
		}
	}
}

// FuzzBatch: whatever a broker sends is taken apart or refused.
func FuzzBatch(f *testing.F) {
	for _, compression := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		f.Add(sample(f, compression))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > batchHeader {
			b = sealed(bytes.Clone(b)) // or no other check would be reached
		}
		recs, err := taken(b)
		for i := range recs {
			recs[i].header("a")
		}
		_ = err
	})
}

// TestGuard: one key with its clock in the future moves nobody, two do.
func TestGuard(t *testing.T) {
	const minute = int64(60e9)
	g := guard{clock: stream.NoTime}
	far := 1000 * minute
	for i, s := range []struct {
		at, want int64
		key      string
	}{
		{far, 5 * minute, "a"}, // before any time counts, this process's does
		{minute, minute, "b"},
		{far, minute, "a"},
		{far + minute, minute, "a"}, // the same key again shows nothing
		{2 * minute, 2 * minute, "b"},
		{-1, 2 * minute, "b"}, // none
		{12 * minute, 12 * minute, "c"},
		{far + 3*minute, far + minute, "c"}, // another one shows it: as far as both
		{far + 2*minute, far + 2*minute, "a"},
		{3 * minute, 3 * minute, "b"}, // the engine makes it monotone
	} {
		if got := g.time(s.at, []byte(s.key), 5*minute); got != s.want {
			t.Errorf("step %d: got %d min, want %d", i, got/minute, s.want/minute)
		}
	}
}
