package replay

import (
	"io"
	"strconv"
	"strings"

	"misstep/event"
)

// Foreign names are cut to so many columns, text to so many.
const (
	maxName = 64
	maxText = 400
)

// List writes the failures for a reader, one after the other in log order: each
// with its last severity, how often it counted, and how it ended.
func List(w io.Writer, r *Report, s Style) error {
	p := &printer{w: w, style: s}
	for _, e := range r.Entries {
		p.entry(e)
	}
	if r.More > 0 {
		p.line("... and %s more; --out writes all of them to a file\n", count(int64(r.More), "failure", "failures"))
	}
	return p.err
}

func (p *printer) entry(e *Entry) {
	f := e.Last
	head := p.style.severity(f.Severity, pad(strings.ToUpper(f.Severity.String()), 8)) + " " +
		p.style.paint(bold, f.Class.String()+"/"+f.Rule)
	if f.Subject != "" {
		head += " " + foreign(f.Subject, maxName)
	}
	if f.Count > 1 {
		head += " x" + strconv.Itoa(f.Count)
	}
	if end := e.end(); end != "" {
		color := yellow
		if e.Recovered() {
			color = green
		}
		head += " " + p.style.paint(color, "("+end+")")
	}
	p.line("%s", head)
	p.line("  %s", foreign(f.Message, maxText))
	where := "trajectory " + foreign(f.TrajectoryID, maxName)
	if f.TaskID != "" {
		where += ", task " + foreign(f.TaskID, maxName)
	}
	if len(f.Evidence) > 0 {
		where += ", steps " + foreign(steps(f.Evidence), maxText)
	}
	if t := stamp(e.First.Time); t != "" {
		where += ", " + t
	}
	p.line("  %s", p.style.paint(dim, where))
	id := f.ID
	if len(f.Rules) > 1 {
		id += "  also " + strings.Join(f.Rules[1:], ", ")
	}
	p.line("  %s\n", p.style.paint(dim, id))
}

// end says how the failure ended; empty when it went on to the end of its task.
func (e *Entry) end() string {
	switch {
	case e.Recovered():
		return "recovered"
	case e.Last.State != event.StateResolved:
		return "still open"
	}
	return ""
}

// steps names the evidence by seq, or by id where a step has none.
func steps(evidence []event.Evidence) string {
	names := make([]string, len(evidence))
	for i, v := range evidence {
		names[i] = stepName(v.Seq, v.ID)
	}
	return strings.Join(names, " ")
}

func stepName(seq int64, id string) string {
	if seq != event.None {
		return "#" + strconv.FormatInt(seq, 10)
	}
	return id
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-len(s)))
}
