package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"misstep/stream"
)

// Checkpoints is one store of checkpoints under test, empty at first.
type Checkpoints struct {
	// Open gives access to the store, and to the results that may fence it,
	// each time as another process would. Who had it before is a stale owner.
	Open func(t *testing.T) (stream.Results, stream.Checkpoints)
	// RemoveHead removes the head of a partition.
	RemoveHead func(t *testing.T, source string, partition int32)
	// PlainSources says that a source is always a name without surprises.
	PlainSources bool
	// Wipe removes all parts, and whatever holds them.
	Wipe func(t *testing.T)
}

// TestCheckpoints runs the suite; each test asks for a new store.
func TestCheckpoints(t *testing.T, newStore func(t *testing.T) Checkpoints) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, c Checkpoints)
	}{
		{"parts", ckptParts},
		{"a part is written once", ckptOnce},
		{"heads", ckptHeads},
		{"a stale owner", ckptStale},
		{"hostile sources", ckptHostile},
		{"a context that ended", ckptContext},
		{"intact", ckptIntact},
		{"a damaged current checkpoint", ckptDamaged},
		{"no current checkpoint", ckptNoHead},
		{"none is intact", ckptNone},
		{"of another log", ckptOther},
		{"ahead of its log", ckptAhead},
		{"a stale engine", ckptZombie},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newStore(t)) })
	}
}

func (c Checkpoints) take(t *testing.T, source string, part int32) stream.Checkpoints {
	t.Helper()
	results, store := c.Open(t)
	for _, s := range []any{results, store} {
		if f, ok := s.(stream.Fencer); ok {
			if err := f.Fence(t.Context(), source, part); err != nil {
				t.Fatalf("Fence: %v", err)
			}
		}
	}
	return store
}

func put(t *testing.T, s stream.Checkpoints, part int32, id string, n int, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), "log", part, id, n, data); err != nil {
		t.Fatalf("Put %d of %s: %v", n, id, err)
	}
}

func wantPart(t *testing.T, s stream.Checkpoints, part int32, id string, n int, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), "log", part, id, n)
	if want == nil {
		if !errors.Is(err, stream.ErrDamaged) {
			t.Fatalf("Get %d of %s gave %d bytes, %v", n, id, len(got), err)
		}
		return
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Get %d of %s gave %d bytes, %v, want %d", n, id, len(got), err, len(want))
	}
}

func wantIDs(t *testing.T, s stream.Checkpoints, part int32, want ...string) {
	t.Helper()
	got, err := s.List(t.Context(), "log", part)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("List gave %q, %v, want %q", got, err, want)
	}
}

func ckptParts(t *testing.T, c Checkpoints) {
	s := c.take(t, "log", 0)
	wantIDs(t, s, 0)
	wantPart(t, s, 0, "A-1", 1, nil)
	large := bytes.Repeat([]byte("0123456789abcdef"), stream.MaxChunk/16)
	parts := [][]byte{[]byte("manifest"), large, {0}, []byte("\r\n\r\n")}
	for n, p := range parts {
		put(t, s, 0, "A-1", n, p)
	}
	put(t, s, 0, "B-1", 2, []byte("an orphan"))
	put(t, s, 1, "A-1", 1, []byte("another partition's"))
	for _, s := range []stream.Checkpoints{s, c.take(t, "log", 0)} {
		for n, p := range parts {
			wantPart(t, s, 0, "A-1", n, p)
		}
		wantPart(t, s, 0, "A-1", 4, nil)
		wantPart(t, s, 1, "A-1", 1, []byte("another partition's"))
		wantIDs(t, s, 0, "A-1", "B-1")
		wantIDs(t, s, 1, "A-1")
		wantIDs(t, s, 2)
	}
	s = c.take(t, "log", 0)
	if err := s.Put(t.Context(), "log", 0, "A-1", 9, append(large, 0)); err == nil {
		t.Fatal("took a part that is too large")
	}
	for range 2 {
		if err := s.Delete(t.Context(), "log", 0, "A-1"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantIDs(t, s, 0, "B-1")
		wantPart(t, s, 0, "A-1", 1, nil)
		wantIDs(t, s, 1, "A-1")
	}
}

func ckptOnce(t *testing.T, c Checkpoints) {
	s := c.take(t, "log", 0)
	put(t, s, 0, "A-1", 1, []byte("first"))
	put(t, s, 0, "A-1", 1, []byte("first")) // an answer that was lost
	if err := s.Put(t.Context(), "log", 0, "A-1", 1, []byte("other")); err == nil {
		t.Fatal("a part was written over")
	}
	wantPart(t, s, 0, "A-1", 1, []byte("first"))
}

func wantHead(t *testing.T, s stream.Checkpoints, part int32, want []byte) {
	t.Helper()
	got, err := s.Head(t.Context(), "log", part)
	if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("Head gave %q, %v, want %q", got, err, want)
	}
}

func swing(t *testing.T, s stream.Checkpoints, part int32, head []byte) {
	t.Helper()
	if err := s.Swing(t.Context(), "log", part, head); err != nil {
		t.Fatalf("Swing: %v", err)
	}
}

func ckptHeads(t *testing.T, c Checkpoints) {
	results, s := c.Open(t)
	take(t, results, "log", 0)
	take(t, results, "log", 1)
	wantHead(t, s, 0, nil)
	outs := outputs("log", 0, 0, 5)
	for i, head := range [][]byte{[]byte("one"), {0, 0xff, '"'}, bytes.Repeat([]byte("long"), 2000)} {
		swing(t, s, 0, head)
		wantHead(t, s, 0, head)
		// An append keeps the head, and a swing the last origin.
		appendAll(t, results, outs[i:i+1])
		wantHead(t, s, 0, head)
		wantLast(t, results, "log", 0, &outs[i].Origin)
	}
	wantHead(t, s, 1, nil)
	swing(t, s, 1, []byte("other"))
	wantLast(t, results, "log", 1, nil)
	again := c.take(t, "log", 0)
	wantHead(t, again, 0, bytes.Repeat([]byte("long"), 2000))
	wantHead(t, again, 1, []byte("other"))
	c.RemoveHead(t, "log", 1)
	wantHead(t, again, 1, nil)
}

func ckptStale(t *testing.T, c Checkpoints) {
	old := c.take(t, "log", 0)
	swing(t, old, 0, []byte("old"))
	put(t, old, 0, "A-1", 1, []byte("old"))
	fresh := c.take(t, "log", 0)
	wantHead(t, fresh, 0, []byte("old"))
	for range 2 {
		if err := old.Swing(t.Context(), "log", 0, []byte("stale")); !errors.Is(err, stream.ErrFenced) {
			t.Fatalf("a stale owner's Swing gave %v", err)
		}
		wantHead(t, fresh, 0, []byte("old"))
	}
	swing(t, fresh, 0, []byte("new"))
	put(t, fresh, 0, "B-1", 1, []byte("new"))
	if err := old.Swing(t.Context(), "log", 0, []byte("stale")); !errors.Is(err, stream.ErrFenced) {
		t.Fatalf("a stale owner's Swing gave %v", err)
	}
	if err := old.Put(t.Context(), "log", 0, "B-1", 1, []byte("stale")); err == nil {
		t.Fatal("a stale owner wrote over a part")
	}
	wantHead(t, fresh, 0, []byte("new"))
	wantPart(t, fresh, 0, "B-1", 1, []byte("new"))
}

func ckptHostile(t *testing.T, c Checkpoints) {
	if c.PlainSources {
		t.Skip("its sources have plain names")
	}
	results, s := c.Open(t)
	for i, name := range Hostile {
		source := "log " + name
		if len(source) > 200 {
			source = source[:200]
		}
		take(t, results, source, 0)
		want := fmt.Append(nil, i)
		if err := errors.Join(s.Put(t.Context(), source, 0, "A-1", 1, want), s.Swing(t.Context(), source, 0, want)); err != nil {
			t.Fatalf("%q: %v", source, err)
		}
		got, err := s.Get(t.Context(), source, 0, "A-1", 1)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q: Get gave %q, %v", source, got, err)
		}
		if ids, err := s.List(t.Context(), source, 0); err != nil || !slices.Equal(ids, []string{"A-1"}) {
			t.Fatalf("%q: List gave %q, %v", source, ids, err)
		}
	}
}

func ckptContext(t *testing.T, c Checkpoints) {
	s := c.take(t, "log", 0)
	swing(t, s, 0, []byte("one"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"Swing": s.Swing(ctx, "log", 0, []byte("two")),
		"Put":   s.Put(ctx, "log", 0, "A-1", 1, []byte("x")),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%s gave %v", name, err)
		}
	}
	swing(t, s, 0, []byte("three"))
	wantHead(t, s, 0, []byte("three"))
}
