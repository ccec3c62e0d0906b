package jetstream

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// TestMendTail: a stream goes on behind what the results know, also when it is
// empty or an earlier mend was cut off, and holds what it held.
func TestMendTail(t *testing.T) {
	for _, c := range []struct {
		name          string
		steps, filled int
		known         int64 // 0: nothing
		lost          string
		last, msgs    uint64
	}{
		{"nothing is known", 5, 0, 0, "", 5, 5},
		{"nothing is lost", 5, 0, 5, "", 5, 5},
		{"less is known", 5, 0, 3, "", 5, 5},
		{"the end is lost", 5, 0, 10_009, "6-10009", 10_009, 5},
		{"all is lost", 0, 0, 9, "1-9", 9, 0},
		{"cut off before", 5, 2, 9, "8-9", 9, 5},
		{"cut off at last", 5, 4, 9, "", 9, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc := connect(t, embedded(t, t.TempDir()))
			if c.steps > 0 {
				publishNumbers(t, nc, 1, c.steps+1)
			}
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			for range c.filled {
				if _, err := js.Publish(t.Context(), fillSubject, nil); err != nil {
					t.Fatal(err)
				}
			}
			if c.known > 0 {
				r := results(nc)
				if err := r.Append(t.Context(), []stream.Output{taskOutput(StepsStream, c.known)}); err != nil {
					t.Fatal(err)
				}
			}
			lost := ""
			if err := MendTail(t.Context(), nc, func(from, to int64) { lost += fmt.Sprintf("%d-%d", from, to) }); err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), StepsStream)
			if err != nil {
				t.Fatal(err)
			}
			if state := s.CachedInfo().State; lost != c.lost || state.LastSeq != c.last || state.Msgs != c.msgs {
				t.Errorf("lost %q, and it ends at %d with %d messages; want %q, %d, %d", lost, state.LastSeq, state.Msgs, c.lost, c.last, c.msgs)
			}
			publishNumbers(t, nc, int(c.last)+1, int(c.last)+2)
			l := openLog(t, nc, LogOptions{})
			if c.known > 0 {
				if err := l.Seek(t.Context(), -1, c.known); err != nil {
					t.Fatal(err)
				}
			}
			recs := make([]stream.Record, 16)
			n := 0
			for n < c.steps+1 {
				got, err := l.Read(t.Context(), recs[n:])
				if err != nil {
					t.Fatal(err)
				}
				n += got
			}
			for i, rec := range recs[:n] {
				want := int64(i + 1)
				if i == c.steps {
					want = int64(c.last) + 1
				}
				if rec.Offset != want || string(rec.Value) != fmt.Sprint(want) {
					t.Errorf("record %d is %q at %d, want %d", i, rec.Value, rec.Offset, want)
				}
			}
		})
	}
}

// TestMendTailWithoutStreams: there is nothing to mend on the first start.
func TestMendTailWithoutStreams(t *testing.T) {
	e, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := MendTail(t.Context(), connect(t, e), func(from, to int64) { t.Error("something is lost") }); err != nil {
		t.Error(err)
	}
}
