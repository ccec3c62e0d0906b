// Package logtest holds the tests that every log and every results of the
// engine must pass.
package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"misstep/stream"
)

// Log is one log under test, empty at first.
type Log struct {
	// Append adds records. The values are JSON objects without line breaks.
	Append func(t *testing.T, values ...[]byte)
	// End says that no record will follow; nil when such a log has no end.
	End func(t *testing.T)
	// Open gives a reader that begins at the first record whose offset is from
	// or above. The suite closes it.
	Open func(t *testing.T, from int64) stream.Log
	// Once says that the log can be opened only once.
	Once bool
	// Static says that all records must be there before the log is opened.
	Static bool
	// MaxValue is the length in bytes of the largest value it must take.
	MaxValue int
	// Timed says that the log assigns log times.
	Timed bool
}

// TestLog runs the suite; each test asks for a new log.
func TestLog(t *testing.T, newLog func(t *testing.T) Log) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, l Log)
	}{
		{"order", logOrder},
		{"positions", logPositions},
		{"values last until the next read", logValuesLast},
		{"large values", logLarge},
		{"a read waits for records", logWaits},
		{"a read ends with its context", logContext},
		{"a read ends with close", logClose},
		{"the end", logEnd},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newLog(t)) })
	}
}

func value(i int) []byte { return fmt.Appendf(nil, `{"n":%d}`, i) }

func values(from, to int) [][]byte {
	var vs [][]byte
	for i := from; i < to; i++ {
		vs = append(vs, value(i))
	}
	return vs
}

func open(t *testing.T, l Log, from int64) stream.Log {
	t.Helper()
	log := l.Open(t, from)
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return log
}

// filled opens the log and has the values appended, while it is read if it can
// be. The test calls wait before it ends.
func filled(t *testing.T, l Log, vs [][]byte) (log stream.Log, wait func()) {
	t.Helper()
	if l.Static {
		l.Append(t, vs...)
		return open(t, l, 0), func() {}
	}
	wait = background(func() { l.Append(t, vs...) })
	return open(t, l, 0), wait
}

// background runs f, and gives what waits for its end.
func background(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// read reads n records, at most batch at a time, and copies them.
func read(t *testing.T, log stream.Log, n, batch int) []stream.Record {
	t.Helper()
	var recs []stream.Record
	for len(recs) < n {
		dst := make([]stream.Record, min(batch, n-len(recs)))
		m, err := log.Read(t.Context(), dst)
		if err != nil {
			t.Fatalf("Read after %d records of %d: %v", len(recs), n, err)
		}
		if m < 1 || m > len(dst) {
			t.Fatalf("Read gave %d records for room of %d", m, len(dst))
		}
		for _, r := range dst[:m] {
			r.Value = slices.Clone(r.Value)
			recs = append(recs, r)
		}
	}
	return recs
}

func wantValues(t *testing.T, recs []stream.Record, want [][]byte) {
	t.Helper()
	for i, r := range recs {
		if !bytes.Equal(r.Value, want[i]) || r.Oversize != 0 {
			t.Fatalf("record %d is %.60q (oversize %d), want %.60q", i, r.Value, r.Oversize, want[i])
		}
	}
}

func logOrder(t *testing.T, l Log) {
	const n = 3000
	log, wait := filled(t, l, values(0, n))
	recs := read(t, log, n, 256)
	wait()
	wantValues(t, recs, values(0, n))
	for i, r := range recs {
		if i > 0 && r.Offset <= recs[i-1].Offset {
			t.Fatalf("offset %d comes after %d", r.Offset, recs[i-1].Offset)
		}
		if (r.Time != stream.NoTime) != l.Timed {
			t.Fatalf("record %d has the log time %d", i, r.Time)
		}
		if l.Timed && i > 0 && r.Time < recs[i-1].Time {
			t.Fatalf("log time %d comes after %d", r.Time, recs[i-1].Time)
		}
	}
}

func logPositions(t *testing.T, l Log) {
	if l.Once {
		t.Skip("can be opened only once")
	}
	const n = 50
	l.Append(t, values(0, n)...)
	first := open(t, l, 0)
	recs := read(t, first, n, 7)
	for _, at := range []int{0, 1, n / 2, n - 1} {
		log := open(t, l, recs[at].Offset)
		if log.Source() != first.Source() || log.Partition() != first.Partition() {
			t.Fatalf("opened again it is %s/%d, was %s/%d", log.Source(), log.Partition(), first.Source(), first.Partition())
		}
		again := read(t, log, n-at, 1000)
		wantValues(t, again, values(at, n))
		for i, r := range again {
			if r.Offset != recs[at+i].Offset || r.Time != recs[at+i].Time {
				t.Fatalf("record %d is at %d (%d), was at %d (%d)", at+i, r.Offset, r.Time, recs[at+i].Offset, recs[at+i].Time)
			}
		}
	}
}

func logValuesLast(t *testing.T, l Log) {
	const n = 500
	log, wait := filled(t, l, values(0, n))
	for got := 0; got < n; {
		dst := make([]stream.Record, 100)
		m, err := log.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, dst[:m], values(got, got+m))
		got += m
	}
	wait()
}

func logLarge(t *testing.T, l Log) {
	big := func(n int) []byte {
		v := append([]byte(`{"v":"`), bytes.Repeat([]byte{'x'}, n-8)...)
		return append(v, '"', '}')
	}
	want := [][]byte{value(0), big(l.MaxValue), value(1), big(l.MaxValue - 1), value(2)}
	log, wait := filled(t, l, want)
	wantValues(t, read(t, log, len(want), 3), want)
	wait()
}

func logWaits(t *testing.T, l Log) {
	if l.Static {
		t.Skip("never waits")
	}
	log := open(t, l, 0)
	for i := range 5 {
		got := make(chan []stream.Record, 1)
		go func() { got <- read(t, log, 1, 10) }()
		l.Append(t, value(i))
		wantValues(t, <-got, [][]byte{value(i)})
	}
}

func logContext(t *testing.T, l Log) {
	if l.Static {
		t.Skip("never waits")
	}
	log := open(t, l, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := log.Read(ctx, make([]stream.Record, 1))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Read gave %v", err)
	}
	// Nothing was lost by it.
	wait := background(func() { l.Append(t, value(0), value(1)) })
	wantValues(t, read(t, log, 2, 1), values(0, 2))
	wait()
}

func logClose(t *testing.T, l Log) {
	if l.Static {
		t.Skip("never waits")
	}
	log := l.Open(t, 0)
	done := make(chan error, 1)
	go func() {
		_, err := log.Read(t.Context(), make([]stream.Record, 1))
		done <- err
	}()
	if err := log.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := <-done; !errors.Is(err, stream.ErrClosed) {
		t.Fatalf("Read gave %v", err)
	}
	if _, err := log.Read(t.Context(), make([]stream.Record, 1)); !errors.Is(err, stream.ErrClosed) {
		t.Fatalf("Read after Close gave %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatalf("the second Close: %v", err)
	}
}

func logEnd(t *testing.T, l Log) {
	if l.End == nil {
		t.Skip("has no end")
	}
	fill := func() {
		l.Append(t, values(0, 3)...)
		l.End(t)
	}
	if l.Static {
		fill()
	} else {
		defer background(fill)()
	}
	log := open(t, l, 0)
	wantValues(t, read(t, log, 3, 2), values(0, 3))
	for range 2 {
		if n, err := log.Read(t.Context(), make([]stream.Record, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("Read gave %d and %v after the last record", n, err)
		}
	}
}
