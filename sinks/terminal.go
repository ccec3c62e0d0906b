package sinks

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"misstep/event"
)

// TerminalOptions say how failures are written for a reader.
type TerminalOptions struct {
	Color bool
	Width int // columns of a line, 0: no limit
}

// TerminalOptionsFor fits the options to what w is: colour and width for a
// terminal, neither for anything else. The environment variable NO_COLOR, when
// it is not empty, takes the colour away; COLUMNS sets the width.
func TerminalOptionsFor(w io.Writer, getenv func(string) string) TerminalOptions {
	f, ok := w.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return TerminalOptions{}
	}
	o := TerminalOptions{Color: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb", Width: terminalWidth(f)}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		o.Width = n
	}
	return o
}

// Terminal writes failures and refused input for a reader, at most three lines
// each. Task records are not shown.
type Terminal struct {
	w      io.Writer
	opts   TerminalOptions
	closed bool
}

// minWidth is the narrowest line that is still of use.
const minWidth = 40

// NewTerminal writes to w. Close does not close w.
func NewTerminal(w io.Writer, opts TerminalOptions) *Terminal {
	if opts.Width > 0 {
		opts.Width = max(opts.Width, minWidth)
	}
	return &Terminal{w: w, opts: opts}
}

// Name is terminal.
func (t *Terminal) Name() string { return "terminal" }

// Write shows the records of one call at once.
func (t *Terminal) Write(ctx context.Context, records []Record) error {
	if t.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range records {
		switch v := r.Value.(type) {
		case *event.Failure:
			t.failure(&b, v)
		case *event.DeadLetter:
			t.refused(&b, v)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	if _, err := io.WriteString(t.w, b.String()); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}

// Close ends the sink; everything was written already.
func (t *Terminal) Close() error {
	t.closed = true
	return nil
}

// The colours, as parameters of the escape sequence.
const (
	red, green, yellow, cyan = "31", "32", "33", "36"
	bold, dim, alarm         = "1", "2", "1;97;41"
)

var severityColors = [...]string{event.Info: cyan, event.Warning: yellow, event.Error: red, event.Critical: alarm}

// line collects pieces until the width is used up.
type line struct {
	t    *Terminal
	b    *strings.Builder
	used int
}

func (t *Terminal) line(b *strings.Builder) *line { return &line{t: t, b: b} }

// put adds text that may be foreign, cut to most columns and to what is left
// of the line.
func (l *line) put(color, s string, most int) *line {
	if l.t.opts.Width > 0 {
		left := l.t.opts.Width - l.used
		if left <= 0 {
			return l
		}
		most = min(most, left)
	}
	s = clean(s, most)
	l.used += columns(s)
	if l.t.opts.Color && color != "" && s != "" {
		s = "\x1b[" + color + "m" + s + "\x1b[0m"
	}
	l.b.WriteString(s)
	return l
}

func (l *line) end() { l.b.WriteByte('\n') }

// Foreign names are cut to so many columns, text to so many.
const (
	maxName = 64
	maxText = 400
)

func (t *Terminal) failure(b *strings.Builder, f *event.Failure) {
	color, word := "", strings.ToUpper(f.Severity.String())
	if int(f.Severity) < len(severityColors) {
		color = severityColors[f.Severity]
	}
	if f.State == event.StateResolved {
		color, word = green, "RESOLVED"
	}
	l := t.line(b).put(dim, stamp(f.Time), maxName).put("", " ", 1)
	l.put(color, fmt.Sprintf("%-8s", word), maxName).put("", " ", 1)
	l.put(bold, f.Class.String()+"/"+f.Rule, maxName)
	if f.Subject != "" {
		l.put("", " ", 1).put("", f.Subject, maxName)
	}
	if f.Count > 1 {
		l.put("", " x"+strconv.Itoa(f.Count), maxName)
	}
	switch {
	case f.State == event.StateEscalated:
		l.put("", " (escalated)", maxName)
	case f.State == event.StateResolved && f.Recovered:
		l.put("", " (recovered)", maxName)
	}
	l.put(dim, "  trajectory ", maxName).put("", f.TrajectoryID, maxName)
	l.end()
	if f.State == event.StateResolved {
		return
	}
	t.line(b).put("", "  ", 2).put("", f.Message, maxText).end()
	l = t.line(b).put(dim, "  "+f.ID, maxName)
	if s := evidence(f.Evidence); s != "" {
		l.put("", "  ", 2).put("", s, maxText)
	}
	l.end()
}

// shownEvidence is how many pieces of evidence are shown: the first, and the
// last ones.
const shownEvidence = 4

func evidence(all []event.Evidence) string {
	var parts []string
	for i, e := range all {
		if skip := len(all) - shownEvidence; skip > 0 && i > 0 && i <= skip {
			if i == skip {
				parts = append(parts, "...")
			}
			continue
		}
		part := e.ID
		if e.Seq != event.None {
			part = "#" + strconv.FormatInt(e.Seq, 10)
		}
		if e.Note != "" {
			part += " " + e.Note
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

func (t *Terminal) refused(b *strings.Builder, d *event.DeadLetter) {
	l := t.line(b).put(dim, stamp(d.Time), maxName).put("", " ", 1)
	l.put(yellow, "REFUSED ", maxName).put("", " ", 1).put(bold, d.Reason, maxName)
	if d.Field != "" {
		l.put("", " "+d.Field, maxName)
	}
	l.put("", ": ", 2).put("", d.Message, maxText)
	l.put(dim, fmt.Sprintf("  %s/%d/%d/%d", d.Source, d.Partition, d.Offset, d.Index), maxName).end()
}

// stamp is a time in Unix nanoseconds, or as many blanks.
func stamp(ns int64) string {
	if ns == event.None {
		return strings.Repeat(" ", len(time.DateTime))
	}
	return time.Unix(0, ns).UTC().Format(time.DateTime)
}
