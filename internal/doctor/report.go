// Package doctor looks at the broker that a configuration names, and says what
// is wrong with it and how to mend it. It changes nothing there.
package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"misstep/sinks"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and could work better or stop working
	Wrong   Level = "wrong"   // it does not work, or finds what is not so
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"` // what was looked at: connection, topics, rights, ...
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"`
}

// Report is what was found, in the order in which it was looked at.
type Report struct {
	Findings []Finding
}

func (r *Report) add(l Level, check, mend, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{l, check, fmt.Sprintf(format, args...), mend})
}

// Wrong is how many findings are of that level.
func (r *Report) Wrong() int { return r.count(Wrong) }

func (r *Report) count(l Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// width is that of the column of levels.
const width = len(Warning)

// Write writes the report for a reader, with a line for each finding and one
// for its mend.
func (r *Report) Write(w io.Writer, color bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s  %-11s %s\n", paint(color, f.Level), f.Check, sinks.Clean(f.Found, maxLine))
		if f.Mend != "" {
			fmt.Fprintf(&b, "%*s  %-11s -> %s\n", width, "", "", sinks.Clean(f.Mend, maxLine))
		}
	}
	fmt.Fprintf(&b, "%d wrong, %d to look at, %d in order\n", r.Wrong(), r.count(Warning), r.count(OK))
	_, err := io.WriteString(w, b.String())
	return err
}

// Color reports whether what is written to w may be in colour.
func Color(w io.Writer, getenv func(string) string) bool {
	return sinks.TerminalOptionsFor(w, getenv).Color
}

// maxLine is how many columns of a finding are shown.
const maxLine = 1000

func paint(color bool, l Level) string {
	text := fmt.Sprintf("%-*s", width, l)
	if !color {
		return text
	}
	code := map[Level]string{OK: "32", Warning: "33", Wrong: "31"}[l]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// WriteJSON writes one JSON object a line.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, f := range r.Findings {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// count says how many there are of something.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// round makes a time span readable.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Hour:
		return d.Round(time.Minute)
	case d > time.Minute:
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
