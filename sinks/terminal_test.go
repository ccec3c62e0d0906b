package sinks_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"misstep/event"
	"misstep/sinks"
	"misstep/sinks/sinktest"
)

var update = flag.Bool("update", false, "write what was found into testdata as what is wanted")

// shown is one record of each shape.
func shown() []sinks.Record {
	edit := func(f func(*event.Failure)) sinks.Record {
		v := sinktest.Failure(7)
		f(v)
		return sinks.Record{Value: v}
	}
	return []sinks.Record{
		edit(func(f *event.Failure) { f.Severity, f.Count, f.Evidence = event.Info, 1, nil }),
		edit(func(f *event.Failure) { f.Severity = event.Warning }),
		edit(func(f *event.Failure) { f.State = event.StateEscalated }),
		edit(func(f *event.Failure) {
			f.Severity, f.State, f.Count, f.Subject = event.Critical, event.StateEscalated, 1200, ""
			f.Evidence = nil
			for i := range 9 {
				f.Evidence = append(f.Evidence, event.Evidence{Seq: int64(i), Note: "same arguments"})
			}
		}),
		edit(func(f *event.Failure) { f.State, f.Recovered = event.StateResolved, true }),
		edit(func(f *event.Failure) { f.State = event.StateResolved }),
		edit(func(f *event.Failure) {
			f.Subject, f.TrajectoryID = "\x1b]0;owned\x07rm -rf", "a\nb\u202ec\xff"
			f.Message = "The agent called 日本語 " + strings.Repeat("very ", 40) + "often."
			f.Evidence = []event.Evidence{{Seq: event.None, ID: "\x00id", Note: "\x1b[2J"}}
			f.Time = event.None
		}),
		{Value: &event.DeadLetter{Time: 1_700_000_000_000_000_000, Source: "AGENT_STEPS", Offset: 12, Index: 3, Reason: "type", Field: "call.tool", Message: `found 7, want a string`}},
		{Value: &event.TaskRecord{}},
		edit(func(f *event.Failure) {
			f.TrajectoryID, f.Message = "e\u0301\u0302\u0303\u0304x", "\U0001F600\U0001F600 \uAC00"
		}),
	}
}

func TestTerminalGolden(t *testing.T) {
	for name, opts := range map[string]sinks.TerminalOptions{
		"plain": {}, "color": {Color: true, Width: 100}, "narrow": {Width: 60}, "tiny": {Width: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := sinks.NewTerminal(&b, opts).Write(t.Context(), shown()); err != nil {
				t.Fatal(err)
			}
			file := "testdata/terminal-" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

// TestTerminalSafe: whatever the records say, each is at most three lines of
// printable text, no wider than asked for.
func TestTerminalSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,200}`),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		width := rapid.SampledFrom([]int{40, 41, 80, 200}).Draw(t, "width")
		f := sinktest.Failure(1)
		f.TrajectoryID, f.Subject, f.Rule = text.Draw(t, "trajectory"), text.Draw(t, "subject"), text.Draw(t, "rule")
		f.Message, f.ID = text.Draw(t, "message"), text.Draw(t, "id")
		f.Evidence = []event.Evidence{{Seq: event.None, ID: text.Draw(t, "step"), Note: text.Draw(t, "note")}}
		f.State = rapid.SampledFrom([]event.State{event.StateOpen, event.StateEscalated, event.StateResolved}).Draw(t, "state")
		d := &event.DeadLetter{Source: text.Draw(t, "source"), Reason: text.Draw(t, "reason"), Field: text.Draw(t, "field"), Message: f.Message}
		for _, v := range []any{f, d} {
			var b bytes.Buffer
			if err := sinks.NewTerminal(&b, sinks.TerminalOptions{Width: width}).Write(t.Context(), []sinks.Record{{Value: v}}); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(b.String(), "\n"); n > 3 || !strings.HasSuffix(b.String(), "\n") {
				t.Fatalf("%d lines: %q", n, b.String())
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if !utf8.ValidString(line) {
					t.Fatalf("not UTF-8: %q", line)
				}
				for _, r := range line {
					if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
						t.Fatalf("holds %U: %q", r, line)
					}
				}
				if n := sinks.Columns(line); n > width {
					t.Fatalf("%d columns of %d: %q", n, width, line)
				}
			}
		}
	})
}

func TestTerminalOptionsFor(t *testing.T) {
	if got := sinks.TerminalOptionsFor(&bytes.Buffer{}, os.Getenv); got != (sinks.TerminalOptions{}) {
		t.Errorf("a buffer gets %+v", got)
	}
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := sinks.TerminalOptionsFor(f, func(string) string { return "80" }); got != (sinks.TerminalOptions{}) {
		t.Errorf("a file gets %+v", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken pipe")

func TestWriteErrors(t *testing.T) {
	for _, s := range []sinks.Sink{
		sinks.NewTerminal(brokenWriter{}, sinks.TerminalOptions{}), sinks.NewJSONL(brokenWriter{}, nil),
	} {
		err := s.Write(t.Context(), []sinks.Record{{Value: sinktest.Failure(1), Encoded: []byte("{}")}})
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v, want %v", s.Name(), err, errBroken)
		}
	}
}
