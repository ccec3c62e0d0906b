package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"misstep/stream"
)

// Results is one store of results under test, empty at first.
type Results struct {
	// Open gives access to the store, each time as another process would.
	Open func(t *testing.T) stream.Results
	// Read gives what is in the store, in order; origins and values matter.
	Read func(t *testing.T) []stream.Output
	// Once says that the store can be opened only once.
	Once bool
	// NoOrigins says that the store does not hold origins, so Read gives none.
	NoOrigins bool
	// MaxValue is the length in bytes of the largest value it must take.
	MaxValue int
}

// TestResults runs the suite; each test asks for a new store.
func TestResults(t *testing.T, newResults func(t *testing.T) Results) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, r Results)
	}{
		{"order", resultsOrder},
		{"the last origin of each partition", resultsLast},
		{"opened again", resultsReopen},
		{"large values", resultsLarge},
		{"hostile names", resultsHostile},
		{"a context that ended", resultsContext},
		{"nothing to append", resultsNothing},
		{"an earlier owner", resultsFence},
		{"few at a time", resultsFew},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newResults(t)) })
	}
}

func output(source string, part int32, offset int64, index int32) stream.Output {
	o := stream.Origin{Source: source, Partition: part, Offset: offset, Index: index}
	return stream.Output{
		Origin: o, Topic: stream.Failures, Class: "retry_loop", Workflow: "support", Key: "t1",
		Value: fmt.Appendf(nil, `{"origin":%q}`, o.String()),
	}
}

// outputs gives n outputs of one partition, several of a record.
func outputs(source string, part int32, from, n int) []stream.Output {
	var outs []stream.Output
	for i := from; i < from+n; i++ {
		outs = append(outs, output(source, part, int64(i/3*2), int32(i%3)))
	}
	return outs
}

func (r Results) want(t *testing.T, want []stream.Output) {
	t.Helper()
	got := r.Read(t)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("output %d of %d is missing: %v", i, len(want), want[i].Origin)
		case i >= len(want):
			t.Fatalf("output %d is one too many: %v", i, got[i].Origin)
		case !r.NoOrigins && got[i].Origin != want[i].Origin, !bytes.Equal(got[i].Value, want[i].Value):
			t.Fatalf("output %d is %v %.80q, want %v %.80q", i, got[i].Origin, got[i].Value, want[i].Origin, want[i].Value)
		}
	}
}

func wantLast(t *testing.T, r stream.Results, source string, part int32, want *stream.Origin) {
	t.Helper()
	got, ok, err := r.Last(t.Context(), source, part)
	switch {
	case err != nil:
		t.Fatalf("Last: %v", err)
	case ok != (want != nil):
		t.Fatalf("Last gave %v, %v, want %v", got, ok, want)
	case ok && got != *want:
		t.Fatalf("Last gave %v, want %v", got, *want)
	}
}

func appendAll(t *testing.T, r stream.Results, outs []stream.Output) {
	t.Helper()
	if err := r.Append(t.Context(), outs); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// take opens the store and takes the partition over, as an engine does.
func take(t *testing.T, r stream.Results, source string, part int32) {
	t.Helper()
	if f, ok := r.(stream.Fencer); ok {
		if err := f.Fence(t.Context(), source, part); err != nil {
			t.Fatalf("Fence: %v", err)
		}
	}
}

func resultsOrder(t *testing.T, r Results) {
	store := r.Open(t)
	take(t, store, "log", 0)
	outs := outputs("log", 0, 0, 2600)
	for from, step := 0, 1; from < len(outs); step = step*2 + 1 {
		to := min(from+step, len(outs))
		appendAll(t, store, outs[from:to])
		from = to
	}
	r.want(t, outs)
}

func resultsLast(t *testing.T, r Results) {
	store := r.Open(t)
	for part := range int32(2) {
		take(t, store, "log", part)
		wantLast(t, store, "log", part, nil)
	}
	outs := outputs("log", 0, 0, 5)
	appendAll(t, store, outs)
	wantLast(t, store, "log", 0, &outs[4].Origin)
	wantLast(t, store, "log", 1, nil)
	wantLast(t, store, "other", 0, nil)
	other := outputs("log", 1, 300, 2)
	appendAll(t, store, other)
	wantLast(t, store, "log", 0, &outs[4].Origin)
	wantLast(t, store, "log", 1, &other[1].Origin)
	more := outputs("log", 0, 5, 1)
	appendAll(t, store, more)
	wantLast(t, store, "log", 0, &more[0].Origin)
}

func resultsReopen(t *testing.T, r Results) {
	if r.Once {
		t.Skip("can be opened only once")
	}
	store := r.Open(t)
	take(t, store, "log", 7)
	outs := outputs("log", 7, 0, 10)
	appendAll(t, store, outs)
	again := r.Open(t)
	wantLast(t, again, "log", 7, &outs[9].Origin)
	take(t, again, "log", 7)
	wantLast(t, again, "log", 7, &outs[9].Origin)
	more := outputs("log", 7, 10, 3)
	appendAll(t, again, more)
	r.want(t, append(outs, more...))
}

func resultsLarge(t *testing.T, r Results) {
	store := r.Open(t)
	take(t, store, "log", 0)
	outs := outputs("log", 0, 0, 12)
	for i := range outs {
		if i%2 == 0 {
			outs[i].Value = bytes.Repeat([]byte{'x'}, r.MaxValue)
		}
	}
	appendAll(t, store, outs)
	r.want(t, outs)
}

// Hostile is what a producer may give as a name.
var Hostile = []string{
	"", "_", ".", "..", "a.b", "*", ">", "a b", " ", "\t", "\r\nNats-Rollup: all\r\n\r\n", "\x00", "%", "%2E", "\xff\xfe", "é", "日本語", "$JS.API",
	strings.Repeat("long", 2560), strings.Repeat("é", 5000), strings.Repeat(".", 300),
}

func resultsHostile(t *testing.T, r Results) {
	store := r.Open(t)
	var outs []stream.Output
	for i, name := range Hostile {
		source := "log " + name
		if len(source) > 200 {
			source = source[:200] // a log's name is the operator's choice
		}
		take(t, store, source, 0)
		o := output(source, 0, int64(i), 0)
		o.Class, o.Workflow, o.Key = name, name, name
		appendAll(t, store, []stream.Output{o})
		wantLast(t, store, source, 0, &o.Origin)
		outs = append(outs, o)
	}
	r.want(t, outs)
}

func resultsContext(t *testing.T, r Results) {
	store := r.Open(t)
	take(t, store, "log", 0)
	outs := outputs("log", 0, 0, 50)
	appendAll(t, store, outs[:20])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Append(ctx, outs[20:]); !errors.Is(err, context.Canceled) {
		t.Fatalf("Append gave %v", err)
	}
	// Whatever of it is there is a prefix, and Last tells which.
	last, ok, err := store.Last(t.Context(), "log", 0)
	if err != nil || !ok {
		t.Fatalf("Last: %v, %v", ok, err)
	}
	n := 0
	for n < len(outs) && outs[n].Origin.Compare(last) <= 0 {
		n++
	}
	r.want(t, outs[:n])
	appendAll(t, store, outs[n:])
	r.want(t, outs)
}

func resultsNothing(t *testing.T, r Results) {
	store := r.Open(t)
	take(t, store, "log", 0)
	appendAll(t, store, nil)
	wantLast(t, store, "log", 0, nil)
	r.want(t, nil)
}

func resultsFence(t *testing.T, r Results) {
	if r.Once {
		t.Skip("can be opened only once")
	}
	old := r.Open(t)
	if _, ok := old.(stream.Fencer); !ok {
		t.Skip("does not fence")
	}
	take(t, old, "log", 0)
	outs := outputs("log", 0, 0, 20)
	appendAll(t, old, outs[:10])
	fresh := r.Open(t)
	take(t, fresh, "log", 0)
	wantLast(t, fresh, "log", 0, &outs[9].Origin)
	for range 2 {
		if err := old.Append(t.Context(), outs[10:]); !errors.Is(err, stream.ErrFenced) {
			t.Fatalf("the earlier owner's Append gave %v", err)
		}
		r.want(t, outs[:10])
	}
	appendAll(t, fresh, outs[10:])
	if err := old.Append(t.Context(), outs[10:]); !errors.Is(err, stream.ErrFenced) {
		t.Fatalf("the earlier owner's Append gave %v", err)
	}
	r.want(t, outs)
	wantLast(t, fresh, "log", 0, &outs[19].Origin)
}

// resultsFew opens the store anew after appends of one to three outputs, and the
// earlier owner tries to go on.
func resultsFew(t *testing.T, r Results) {
	if r.Once {
		t.Skip("can be opened only once")
	}
	outs := outputs("log", 0, 0, 60)
	var old stream.Results
	for from, n := 0, 1; from < len(outs); n = n%3 + 1 {
		store := r.Open(t)
		take(t, store, "log", 0)
		if from > 0 {
			wantLast(t, store, "log", 0, &outs[from-1].Origin)
		} else {
			wantLast(t, store, "log", 0, nil)
		}
		for range 2 {
			to := min(from+n, len(outs))
			appendAll(t, store, outs[from:to])
			from = to
		}
		if _, ok := old.(stream.Fencer); ok {
			if err := old.Append(t.Context(), outs[from-1:from]); !errors.Is(err, stream.ErrFenced) {
				t.Fatalf("the earlier owner's Append gave %v", err)
			}
		}
		old = store
	}
	r.want(t, outs)
}
