package replay

import (
	"io"
	"strconv"
	"strings"
	"time"

	"misstep/detectors"
	"misstep/event"
)

// around is how many steps are shown before and after a piece of evidence.
const around = 3

// Write writes the explanation for a reader.
func (e *Explanation) Write(w io.Writer, s Style) error {
	p := &printer{w: w, style: s}
	f := e.Entry.Last
	p.entry(e.Entry)
	p.pair("fingerprint", f.Fingerprint)
	p.pair("trajectory", foreign(f.TrajectoryID, maxText))
	p.pair("labels", foreign(labels(f), maxText))
	p.pair("fault", f.Fault.String())
	p.pair("confidence", strconv.FormatFloat(float64(f.Confidence)/1000, 'f', 3, 64))
	p.pair("wasted", count(f.Wasted.Tokens, "token", "tokens")+", "+dollars(f.Wasted.CostMicroUSD))
	p.pair("ruleset", f.Ruleset)
	for _, r := range e.Rules {
		p.rule(e.Detector, r)
	}
	p.transitions(e.Entry.Transitions)
	p.steps(e)
	return p.err
}

func labels(f *event.Failure) string {
	var parts []string
	for _, l := range [][2]string{
		{"tenant", f.Tenant}, {"task", f.TaskID}, {"workflow", f.Workflow}, {"agent", f.Agent}, {"release", f.Release}, {"model", f.Model},
	} {
		if l[1] != "" {
			parts = append(parts, l[0]+" "+l[1])
		}
	}
	return strings.Join(parts, ", ")
}

func (p *printer) pair(name, text string) {
	if text != "" {
		p.line("  %s %s", p.style.paint(dim, pad(name, 11)), text)
	}
}

func (p *printer) rule(d *detectors.Detector, r *detectors.Rule) {
	p.line("")
	p.title("Rule " + r.Name + " (" + r.Code + ") of " + d.Name + ", version " + strconv.Itoa(d.Version))
	p.pair("what", r.Doc)
	p.pair("when", r.Threshold)
	p.pair("but not", r.Guards)
	if r.Needs != 0 {
		p.pair("needs", r.Needs.String())
	}
	p.pair("source", r.Source)
}

func (p *printer) transitions(all []*event.Failure) {
	p.line("")
	p.title("Transitions")
	for _, f := range all {
		s := "  rev " + strconv.Itoa(f.Rev) + "  " + pad(f.State.String(), 9) + "  " +
			p.style.severity(f.Severity, pad(f.Severity.String(), 8)) + "  count " + strconv.Itoa(f.Count) +
			", confidence " + strconv.FormatFloat(float64(f.Confidence)/1000, 'f', 3, 64)
		if f.LastSeq != event.None {
			s += ", up to #" + strconv.FormatInt(f.LastSeq, 10)
		}
		if f.Recovered {
			s += ", recovered"
		}
		if t := stamp(f.Time); t != "" {
			s += ", " + t
		}
		p.line("%s", s)
	}
}

func (p *printer) steps(e *Explanation) {
	p.line("")
	p.title("Steps around the evidence, which is marked >")
	shown := window(e.Steps)
	skipped := 0
	var last int64 = event.None
	for i := range e.Steps {
		v := &e.Steps[i]
		if !shown[i] {
			skipped++
			continue
		}
		p.gap(skipped)
		skipped = 0
		p.step(v, last)
		last = v.Time
	}
	p.gap(skipped)
}

func (p *printer) gap(steps int) {
	if steps > 0 {
		p.line("    %s", p.style.paint(dim, "... "+count(int64(steps), "step", "steps")))
	}
}

// window says which steps are evidence or near to it; the first step, which
// names the tools, is shown anyway.
func window(steps []Step) []bool {
	shown := make([]bool, len(steps))
	for i := range steps {
		if !steps[i].Marked {
			continue
		}
		for k := max(0, i-around); k <= min(i+around, len(steps)-1); k++ {
			shown[k] = true
		}
	}
	if len(shown) > 0 {
		shown[0] = true
	}
	return shown
}

func (p *printer) step(v *Step, last int64) {
	mark := "  "
	if v.Marked {
		mark = p.style.paint(red, "> ")
	}
	text := v.Text
	if v.Marked {
		text = p.style.paint(bold, text)
	}
	p.line("  %s%s %s %s", mark, pad(foreign(stepName(v.Seq, v.ID), maxName), 4), pad(when(v.Time, last), 19), text)
	indent := strings.Repeat(" ", 29)
	if v.Evidence != "" {
		p.line("%s%s", indent, p.style.paint(red, "evidence: "+foreign(v.Evidence, maxText)))
	}
	if len(v.Facts) > 0 {
		p.line("%s%s", indent, p.style.paint(dim, strings.Join(v.Facts, "; ")))
	}
}

// when is the time of a step: the first in full, the others from the one before.
func when(ns, last int64) string {
	switch {
	case ns == event.None:
		return ""
	case last == event.None:
		return stamp(ns)
	}
	d := time.Duration(ns - last)
	if d < 0 {
		return d.Round(time.Millisecond).String()
	}
	return "+" + d.Round(time.Millisecond).String()
}
