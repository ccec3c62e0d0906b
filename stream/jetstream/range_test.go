package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

func readRange(t *testing.T, nc *nats.Conn, opts RangeOptions) (got, gaps string) {
	t.Helper()
	r, err := FindRange(t.Context(), nc, opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenRange(t.Context(), nc, r, func(from, to int64) { gaps += fmt.Sprintf("%d-%d ", from, to) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dst := make([]stream.Record, 4)
	for {
		n, err := l.Read(t.Context(), dst)
		for _, rec := range dst[:n] {
			got += fmt.Sprintf("%d:%s ", rec.Offset, rec.Value)
		}
		if errors.Is(err, io.EOF) {
			if got != "" && r.Empty() {
				t.Errorf("Empty is %t and read %s", r.Empty(), got)
			}
			return got, gaps
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRange(t *testing.T) {
	nc, js := external(t)
	s := create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.*"}, MaxMsgs: 12})
	if got, gaps := readRange(t, nc, RangeOptions{Stream: "MINE"}); got+gaps != "" {
		t.Errorf("an empty stream gave %s, gaps %s", got, gaps)
	}
	for i := 1; i <= 15; i++ {
		if _, err := js.Publish(t.Context(), []string{"my.a", "my.b"}[i%2], fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, gone := range []uint64{7, 8, 15} {
		if err := s.DeleteMsg(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	at := func(seq uint64) time.Time {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return m.Time
	}
	seq := func(n int64) Bound { return Bound{Sequence: n} }
	for _, c := range []struct {
		name       string
		opts       RangeOptions
		want, gaps string
	}{
		{"all", RangeOptions{}, "4:4 5:5 6:6 9:9 10:10 11:11 12:12 13:13 14:14 ", "7-8 "},
		{"sequences", RangeOptions{From: seq(5), To: seq(6)}, "5:5 6:6 ", ""},
		{"one", RangeOptions{From: seq(5), To: seq(5)}, "5:5 ", ""},
		{"ends in a hole", RangeOptions{From: seq(6), To: seq(7)}, "6:6 ", "7-7 "},
		{"hole alone", RangeOptions{From: seq(7), To: seq(8)}, "", "7-8 "},
		{"ends beyond the end", RangeOptions{From: seq(13), To: seq(99)}, "13:13 14:14 ", ""},
		{"begins before the beginning", RangeOptions{From: seq(2), To: seq(4)}, "4:4 ", "2-3 "},
		{"gone", RangeOptions{To: seq(3)}, "", ""},
		{"not there yet", RangeOptions{From: seq(15)}, "", ""},
		{"the wrong way round", RangeOptions{From: seq(6), To: seq(5)}, "", ""},
		{"subject", RangeOptions{Subject: "my.b", From: seq(5)}, "5:5 9:9 11:11 13:13 ", ""},
		{"subject without messages", RangeOptions{Subject: "my.c"}, "", ""},
		{"times", RangeOptions{From: Bound{Time: at(10)}, To: Bound{Time: at(12)}}, "10:10 11:11 12:12 ", ""},
		{"between times", RangeOptions{From: Bound{Time: at(10).Add(1)}, To: Bound{Time: at(12).Add(-1)}}, "11:11 ", ""},
		{"future", RangeOptions{From: Bound{Time: time.Now().Add(time.Hour)}}, "", ""},
		{"past", RangeOptions{To: Bound{Time: at(4).Add(-1)}}, "", ""},
	} {
		c.opts.Stream = "MINE"
		got, gaps := readRange(t, nc, c.opts)
		if got != c.want || gaps != c.gaps {
			t.Errorf("%s: read %s, gaps %s; want %s, gaps %s", c.name, got, gaps, c.want, c.gaps)
		}
	}
	for from, want := range map[Bound]bool{
		{}: false, seq(2): false, seq(7): false, seq(14): false, seq(15): true, seq(99): true,
		{Time: at(14)}: false, {Time: at(14).Add(1)}: true,
	} {
		r, err := FindRange(t.Context(), nc, RangeOptions{Stream: "MINE", From: from, To: seq(99)})
		if err != nil {
			t.Fatal(err)
		}
		if last, beyond := r.Beyond(); beyond != want || last != 14 {
			t.Errorf("from %v: Beyond gave %d, %t", from, last, beyond)
		}
	}
	if _, err := FindRange(t.Context(), nc, RangeOptions{Stream: "OTHER"}); err == nil || !strings.Contains(err.Error(), "stream OTHER: there is no such stream") {
		t.Errorf("got %v", err)
	}
}

// TestARangeThatIsTakenAway ends when retention has taken the rest of it.
func TestARangeThatIsTakenAway(t *testing.T) {
	nc, js := external(t)
	s := create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my"}})
	for i := range 3 {
		if _, err := js.Publish(t.Context(), "my", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := FindRange(t.Context(), nc, RangeOptions{Stream: "MINE"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	gaps := ""
	l, err := OpenRange(t.Context(), nc, r, func(from, to int64) { gaps += fmt.Sprintf("%d-%d ", from, to) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	if _, err := l.Read(ctx, make([]stream.Record, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	cancel()
	if _, err := l.Read(t.Context(), make([]stream.Record, 1)); !errors.Is(err, io.EOF) || gaps != "1-3 " {
		t.Errorf("got %v, gaps %s", err, gaps)
	}
}

func TestParseBound(t *testing.T) {
	for s, want := range map[string]Bound{
		"1": {Sequence: 1}, "9223372036854775807": {Sequence: 9223372036854775807}, "2026-03-02T09:00:00.5Z": {Time: time.Date(2026, 3, 2, 9, 0, 0, 5e8, time.UTC)},
	} {
		if got, err := ParseBound(s); err != nil || got.Sequence != want.Sequence || !got.Time.Equal(want.Time) {
			t.Errorf("%s is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "x", "2026-03-02", "1.5"} {
		if got, err := ParseBound(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}
