package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"misstep/stream"
)

const (
	firstRecords = 40
	allRecords   = 60
)

// logOf is a log of n records that are the same each time.
func logOf(source string, n int) stream.Log {
	log := stream.NewMemoryLog(source, 0)
	for i := range n {
		log.Append(int64(i), fmt.Appendf(nil, "key%d", i*i%23))
	}
	log.End()
	return log.Open(0)
}

// told is what a run put out and said.
type told struct {
	outs      []stream.Output
	restored  stream.Restored
	fallbacks []string
	taken     []stream.Taken
	err       error
}

// run runs the counting program to the end of its log.
func run(t *testing.T, results stream.Results, store stream.Checkpoints, log stream.Log, at func(stream.Step) error) told {
	t.Helper()
	var outs []stream.Output
	r := runTapped(t, results, store, log, at, func(o []stream.Output) { outs = append(outs, o...) })
	r.outs = outs
	return r
}

func runTapped(t *testing.T, results stream.Results, store stream.Checkpoints, log stream.Log, at func(stream.Step) error, tap func([]stream.Output)) (told told) {
	t.Helper()
	e, err := stream.New(stream.Options[string]{
		Program: Counting{}, Log: log, Results: results, Shards: 2, BatchRecords: 7,
		Tap: tap,
		Checkpoint: stream.Checkpointing{
			Store: store, Ruleset: "one", Work: -1, Spacing: -1, PartBytes: 40,
			OnRestore:  func(r stream.Restored) { told.restored = r },
			OnFallback: func(err error) { told.fallbacks = append(told.fallbacks, err.Error()) },
			OnTaken: func(taken stream.Taken) {
				if taken.Err == nil {
					told.taken = append(told.taken, taken)
				}
			},
			At: at,
		},
	})
	if err != nil {
		t.Error(err)
		return told
	}
	told.err = e.Run(t.Context())
	return told
}

// first runs over half of the first records and then over all of them, so that
// there are two checkpoints, the current one at their end.
func (c Checkpoints) first(t *testing.T) (h *history) {
	t.Helper()
	h = &history{store: c, source: "log"}
	for n := firstRecords / 2; n <= firstRecords; n += firstRecords / 2 {
		before := int64(h.records - 1)
		h.goesOn(t, n-h.records).wants(t, before)
	}
	return h
}

// history is what several runs over the same log did, which grew in between.
type history struct {
	store   Checkpoints
	source  string
	records int
	outs    []stream.Output
	current stream.Taken // checkpoint
}

// open opens the store between two runs.
func (h *history) open(t *testing.T) stream.Checkpoints {
	t.Helper()
	return h.store.take(t, "log", 0)
}

// goesOn runs to the end of the log, to which records are added before, and
// checks that all runs together put out what an uncut one does.
func (h *history) goesOn(t *testing.T, records int) told {
	t.Helper()
	h.records += records
	results, store := h.store.Open(t)
	r := run(t, results, store, logOf(h.source, h.records), nil)
	if r.err != nil {
		t.Fatalf("Run: %v", r.err)
	}
	switch n := len(r.taken); {
	case n > 0 && r.taken[n-1].Offset == int64(h.records-1):
		h.current = r.taken[n-1]
	case n > 0 || r.restored.Offset != int64(h.records-1):
		t.Fatalf("took the checkpoints %+v, want one at the end of %d records", r.taken, h.records)
	}
	h.outs = append(h.outs, r.outs...)
	want := run(t, stream.NewMemoryResults(), nil, logOf(h.source, h.records), nil).outs
	for i := range max(len(h.outs), len(want)) {
		switch {
		case i >= len(h.outs):
			t.Fatalf("output %v %q is missing", want[i].Origin, want[i].Value)
		case i >= len(want):
			t.Fatalf("output %v %q is one too many", h.outs[i].Origin, h.outs[i].Value)
		case h.outs[i].Origin != want[i].Origin || !bytes.Equal(h.outs[i].Value, want[i].Value):
			t.Fatalf("output %d is %v %q, want %v %q", i, h.outs[i].Origin, h.outs[i].Value, want[i].Origin, want[i].Value)
		}
	}
	return r
}

func (r told) wants(t *testing.T, offset int64, fallbacks ...string) {
	t.Helper()
	if r.restored.Offset != offset {
		t.Errorf("began after offset %d, want %d", r.restored.Offset, offset)
	}
	if len(r.fallbacks) != len(fallbacks) {
		t.Fatalf("fell back for %q, want %q", r.fallbacks, fallbacks)
	}
	for i, f := range fallbacks {
		if !strings.Contains(r.fallbacks[i], f) {
			t.Errorf("fell back for %q, want %q", r.fallbacks[i], f)
		}
	}
}

func ckptIntact(t *testing.T, c Checkpoints) {
	h := c.first(t)
	ids, err := h.open(t).List(t.Context(), "log", 0)
	if err != nil || len(ids) != 2 || !slices.Contains(ids, h.current.ID) {
		t.Fatalf("List gave %q, %v, want %s and the one before", ids, err, h.current.ID)
	}
	h.goesOn(t, 20).wants(t, firstRecords-1)
}

// damage changes the n-th part of a checkpoint, nil removes it.
func damage(t *testing.T, s stream.Checkpoints, id string, n int, change func([]byte) []byte) {
	t.Helper()
	var parts [][]byte
	for i := 0; ; i++ {
		b, err := s.Get(t.Context(), "log", 0, id, i)
		if errors.Is(err, stream.ErrDamaged) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b)
	}
	if n >= len(parts) {
		t.Fatalf("checkpoint %s has %d parts, want more than %d", id, len(parts), n)
	}
	if err := s.Delete(t.Context(), "log", 0, id); err != nil {
		t.Fatal(err)
	}
	parts[n] = change(parts[n])
	for i, b := range parts {
		if b != nil {
			put(t, s, 0, id, i, b)
		}
	}
}

// changes are the ways in which a part is damaged.
var changes = []struct {
	name string
	of   func(b []byte) []byte
}{
	{"missing", func([]byte) []byte { return nil }},
	{"truncated", func(b []byte) []byte { return b[:len(b)-1] }},
	{"emptied", func([]byte) []byte { return []byte{} }},
	{"grown", func(b []byte) []byte { return append(b, 0) }},
	{"with its first byte changed", func(b []byte) []byte { b[0] ^= 1; return b }},
	{"with its last byte changed", func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }},
	{"with a byte in the middle changed", func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b }},
}

func ckptDamaged(t *testing.T, c Checkpoints) {
	h := c.first(t)
	for part := range 3 {
		for _, change := range changes {
			t.Logf("part %d %s", part, change.name)
			damaged := h.current
			damage(t, h.open(t), damaged.ID, part, change.of)
			r := h.goesOn(t, 3)
			if r.restored.Offset >= damaged.Offset || r.restored.ID == "" {
				t.Errorf("began after offset %d, want a checkpoint before %d", r.restored.Offset, damaged.Offset)
			}
			if len(r.fallbacks) != 1 || !strings.Contains(r.fallbacks[0], "the current checkpoint "+damaged.ID) {
				t.Errorf("fell back for %q", r.fallbacks)
			}
		}
	}
}

func ckptNoHead(t *testing.T, c Checkpoints) {
	h := c.first(t)
	head, err := h.open(t).Head(t.Context(), "log", 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range head {
		if i%3 > 0 && i != len(head)-1 {
			continue // each third byte is enough
		}
		bad := slices.Clone(head)
		bad[i] ^= 4
		swing(t, h.open(t), 0, bad)
		at := h.current.Offset
		h.goesOn(t, 1).wants(t, at, "which checkpoint is current: checksum is", "nothing says which checkpoint is current")
	}
	for _, bad := range [][]byte{{}, {1}, head[:len(head)-1]} {
		if len(bad) == 0 {
			continue
		}
		swing(t, h.open(t), 0, bad)
		at := h.current.Offset
		h.goesOn(t, 1).wants(t, at, "which checkpoint is current: ", "nothing says which checkpoint is current")
	}
	// The newest one that is intact is not the one that was current.
	swing(t, h.open(t), 0, head[1:])
	damage(t, h.open(t), h.current.ID, 1, func(b []byte) []byte { return b[1:] })
	r := h.goesOn(t, 1)
	if len(r.fallbacks) != 3 || r.restored.ID == "" {
		t.Errorf("began at %+v, fell back for %q", r.restored, r.fallbacks)
	}
	at := h.current.Offset
	h.store.RemoveHead(t, "log", 0)
	h.goesOn(t, 1).wants(t, at, "nothing says which checkpoint is current")
	h.goesOn(t, 1).wants(t, at+1)
}

func ckptNone(t *testing.T, c Checkpoints) {
	h := c.first(t)
	c.Wipe(t)
	current := h.current.ID
	h.goesOn(t, 3).wants(t, -1, "the current checkpoint "+current, "no checkpoint is intact; the log is applied from its beginning")
	at := h.current.Offset
	h.goesOn(t, 3).wants(t, at)
	c.Wipe(t)
	swing(t, h.open(t), 0, []byte("nonsense"))
	h.goesOn(t, 3).wants(t, -1, "which checkpoint is current: checksum", "no checkpoint is intact")
}

// ckptOther: a checkpoint that has come from elsewhere is not taken for this
// log's own.
func ckptOther(t *testing.T, c Checkpoints) {
	results, store := c.Open(t)
	other := run(t, results, store, logOf("other", 30), nil)
	if other.err != nil {
		t.Fatal(other.err)
	}
	h := c.first(t)
	s := h.open(t)
	head, err := s.Head(t.Context(), "other", 0)
	if err != nil {
		t.Fatal(err)
	}
	id := other.taken[len(other.taken)-1].ID
	for n := 0; ; n++ {
		b, err := s.Get(t.Context(), "other", 0, id, n)
		if errors.Is(err, stream.ErrDamaged) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, 0, id, n, b)
	}
	swing(t, s, 0, head)
	h.goesOn(t, 3).wants(t, firstRecords-1, "manifest is of other/0, this is log/0")
}

func ckptAhead(t *testing.T, c Checkpoints) {
	c.first(t)
	results, store := c.Open(t)
	r := run(t, results, store, logOf("log", firstRecords-1), nil)
	if !errors.Is(r.err, stream.ErrAhead) || len(r.outs) > 0 {
		t.Fatalf("a log that lacks a record: Run gave %v and %d outputs", r.err, len(r.outs))
	}
}

// ckptZombie has an owner pause before each step of a checkpoint, and go on
// after another has taken over and made several of its own.
func ckptZombie(t *testing.T, c Checkpoints) {
	for _, pause := range []stream.Step{
		stream.StepChunk, stream.StepOutputs, stream.StepManifest, stream.StepSwing, stream.StepDelete,
	} {
		h := &history{store: c, source: fmt.Sprintf("log-%d", pause)}
		for range 3 { // so that there is something to delete
			h.goesOn(t, 20)
		}
		paused, resume := make(chan struct{}), make(chan struct{})
		var once sync.Once
		at := func(s stream.Step) error {
			if s == pause {
				once.Do(func() { close(paused); <-resume })
			}
			return nil
		}
		results, store := c.Open(t)
		ended := make(chan told, 1)
		published := make(chan stream.Output, 1000)
		go func() {
			ended <- runTapped(t, results, store, logOf(h.source, h.records+20), at, func(outs []stream.Output) {
				for _, o := range outs {
					published <- o
				}
			})
		}()
		<-paused
		// Whatever it publishes, it publishes before it is taken over: nothing
		// while it pauses in the swing, else everything.
		for n := 0; pause == stream.StepSwing && len(published) > 0 || pause != stream.StepSwing && n < 20; n++ {
			h.outs = append(h.outs, <-published)
		}
		h.goesOn(t, 20)
		h.goesOn(t, 20)
		close(resume)
		// Before a deletion its last checkpoint may be current already.
		if r := <-ended; !errors.Is(r.err, stream.ErrFenced) && !(pause == stream.StepDelete && r.err == nil) {
			t.Errorf("paused before step %d: the stale owner's Run gave %v", pause, r.err)
		}
		offset := h.current.Offset
		h.goesOn(t, 5).wants(t, offset)
	}
}
