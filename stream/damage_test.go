package stream

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// clone copies a machine.
func (m *machine) clone() *machine {
	c := newMachine()
	c.results.outs = append(c.results.outs, m.results.outs...)
	noteLast(c.results.last, c.results.outs)
	for p, h := range m.store.store.heads {
		c.store.store.heads[p] = bytes.Clone(h)
	}
	for p, ids := range m.store.store.parts {
		c.store.store.parts[p] = map[string]map[int][]byte{}
		for id, parts := range ids {
			c.store.store.parts[p][id] = map[int][]byte{}
			for n, b := range parts {
				c.store.store.parts[p][id][n] = bytes.Clone(b)
			}
		}
	}
	return c
}

// TestEveryByteCounts changes each byte of what is stored: a restart notices,
// says so, and puts out what it should.
func TestEveryByteCounts(t *testing.T) {
	recs := manyRecords(60)
	want := model("toy", recs, EndIdle)
	first := newMachine()
	for _, n := range []int{20, 40} {
		if err := first.engine(t, &process{}, &recordsLog{recs: recs[:n]}, Options[toyEvent]{Shards: 2}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	changed := 0
	restart := func(m *machine, what string) {
		t.Helper()
		changed++
		var told []string
		e := m.engine(t, &process{}, &recordsLog{recs: recs}, Options[toyEvent]{
			Shards: 1, End: EndIdle, Checkpoint: Checkpointing{OnFallback: func(err error) { told = append(told, err.Error()) }},
		})
		if err := e.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := sameOutputs(m.results.Outputs(), want); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(told) == 0 || e.Stats().Fallbacks != int64(len(told)) {
			t.Fatalf("%s: fell back %d times and told %q", what, e.Stats().Fallbacks, told)
		}
	}
	p := partition{"toy", 3}
	var h head
	if err := unseal(first.store.store.heads[p], &h); err != nil {
		t.Fatal(err)
	}
	for i := range first.store.store.heads[p] {
		m := first.clone()
		m.store.store.heads[p][i] ^= 0x20
		restart(m, "the head")
	}
	for n, part := range first.store.store.parts[p][h.Current] {
		for i := range part {
			m := first.clone()
			m.store.store.parts[p][h.Current][n][i] ^= 1
			restart(m, "a part")
		}
		for _, length := range []int{0, 1, 4, len(part) / 2, len(part) - 1} {
			m := first.clone()
			m.store.store.parts[p][h.Current][n] = part[:length]
			restart(m, "a truncated part")
		}
	}
	t.Logf("%d changes", changed)
}

// TestStateThatCannotBeLoaded: what has the right checksum, and is no state of
// this program all the same, is fallen back from, with nothing of it left.
func TestStateThatCannotBeLoaded(t *testing.T) {
	recs := manyRecords(60)
	m := newMachine()
	for _, n := range []int{20, 40} {
		if err := m.engine(t, &process{}, &recordsLog{recs: recs[:n]}, Options[toyEvent]{Shards: 2}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p := partition{"toy", 3}
	var h head
	var man manifest
	parts := m.store.store.parts[p]
	if err := errors.Join(unseal(m.store.store.heads[p], &h), unseal(parts[h.Current][ManifestPart], &man)); err != nil {
		t.Fatal(err)
	}
	last := len(man.Chunks)
	bad := append(bytes.Clone(parts[h.Current][last]), "{no state"...)
	man.Chunks[last-1].Length, man.Chunks[last-1].CRC = len(bad), checksum(bad)
	sealed, err := seal(&man)
	if err != nil {
		t.Fatal(err)
	}
	parts[h.Current][last], parts[h.Current][ManifestPart] = bad, sealed
	var told []string
	e := m.engine(t, &process{}, &recordsLog{recs: recs}, Options[toyEvent]{
		Shards: 2, End: EndIdle, Checkpoint: Checkpointing{OnFallback: func(err error) { told = append(told, err.Error()) }},
	})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.whole(t, model("toy", recs, EndIdle))
	if len(told) != 1 || !strings.Contains(told[0], "invalid character") {
		t.Errorf("fell back for %q", told)
	}
}

// TestFormatsThatAreNotKnown: what a later program has written is not misread.
func TestFormatsThatAreNotKnown(t *testing.T) {
	b, err := seal(&manifest{Version: formatVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := unseal(b, new(manifest)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "format version is 2, this program reads 1") {
		t.Errorf("unseal gave %v", err)
	}
	// A field that is not known is passed over.
	more, err := seal(&struct {
		Version int    `cbor:"1,keyasint"`
		ID      string `cbor:"2,keyasint"`
		New     string `cbor:"99,keyasint"`
	}{formatVersion, "A-1", "x"})
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := unseal(more, &m); err != nil || m.ID != "A-1" {
		t.Errorf("unseal gave %+v, %v", m, err)
	}
}

// namedLog is a log that may be made anew.
type namedLog struct {
	*recordsLog
	name string
}

func (l namedLog) Identity() string { return l.name }

// TestAnotherLogOfTheName: a log that was made anew under its name is not gone
// on with as if it were the one before, unless nothing of that is published.
func TestAnotherLogOfTheName(t *testing.T) {
	recs := manyRecords(40)
	m := newMachine()
	run := func(name string) (told []string, err error) {
		e := m.engine(t, &process{}, namedLog{&recordsLog{recs: recs}, name}, Options[toyEvent]{
			Shards: 2, Checkpoint: Checkpointing{OnFallback: func(err error) { told = append(told, err.Error()) }},
		})
		err = e.Run(t.Context())
		return told, err
	}
	for range 2 {
		if told, err := run("one"); err != nil || len(told) > 0 {
			t.Fatal(err, told)
		}
	}
	want := m.results.Outputs()
	if _, err := run("two"); !errors.Is(err, ErrOtherLog) {
		t.Errorf("Run gave %v", err)
	}
	if _, err := run(""); err != nil { // it does not say
		t.Error(err)
	}
	m.whole(t, want)
	// The results are removed, and with JetStream what is current.
	m.results = NewMemoryResults()
	delete(m.store.store.heads, partition{"toy", 3})
	if told, err := run("two"); err != nil || len(told) == 0 || !strings.Contains(told[0], "is of the log one, this one is two") {
		t.Errorf("Run gave %v, and fell back for %q", err, told)
	}
	m.whole(t, want)
}
