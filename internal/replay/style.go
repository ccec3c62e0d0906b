package replay

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"misstep/event"
	"misstep/sinks"
)

// Style says how text is written for a reader.
type Style struct{ Color bool }

// StyleFor fits the style to what w is: colour for a terminal, unless the
// environment says otherwise.
func StyleFor(w io.Writer, getenv func(string) string) Style {
	return Style{Color: sinks.TerminalOptionsFor(w, getenv).Color}
}

// The colours, as parameters of the escape sequence.
const (
	red, green, yellow, cyan = "31", "32", "33", "36"
	bold, dim, alarm         = "1", "2", "1;97;41"
)

var severityColors = [...]string{event.SeverityNone: "", event.Info: cyan, event.Warning: yellow, event.Error: red, event.Critical: alarm}

func (s Style) paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func (s Style) severity(v event.Severity, text string) string {
	return s.paint(severityColors[v], text)
}

// foreign makes text that anybody may have written safe to print on a line,
// cut to most columns.
func foreign(text string, most int) string { return sinks.Clean(text, most) }

// printer writes lines and remembers the first error.
type printer struct {
	w     io.Writer
	style Style
	err   error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// row is one line of a table; its cells are plain text.
type row []string

// table writes rows of ASCII with their columns aligned; the first is the head.
// align has a letter for each column: l or r.
func (p *printer) table(indent, align string, rows []row) {
	widths := make([]int, len(align))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, r := range rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range r {
			if i > 0 {
				b.WriteString("  ")
			}
			blank := strings.Repeat(" ", widths[i]-len(cell))
			if align[i] == 'r' {
				cell = blank + cell
			} else {
				cell += blank
			}
			b.WriteString(cell)
		}
		text := strings.TrimRight(b.String(), " ")
		if n == 0 {
			text = p.style.paint(dim, text)
		}
		p.line("%s", text)
	}
}

// count writes a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// share is n of total in per cent, with one decimal.
func share(n, total int64) string {
	if total == 0 {
		return "0.0 %"
	}
	mille := (n*2000 + total) / (2 * total)
	return fmt.Sprintf("%d.%d %%", mille/10, mille%10)
}

// stamp is a time in Unix nanoseconds, empty when there is none.
func stamp(ns int64) string {
	if ns == event.None || ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.DateTime)
}

// dollars is an amount of micro-USD.
func dollars(micro int64) string {
	return fmt.Sprintf("%d.%04d USD", micro/1_000_000, (micro%1_000_000+50)/100)
}
