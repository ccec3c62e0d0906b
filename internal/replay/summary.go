package replay

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"misstep/event"
)

// Summary writes what a replay could not judge, then what it found.
func Summary(w io.Writer, r *Report, s Style) error {
	p := &printer{w: w, style: s}
	p.coverage(r)
	p.tasks(&r.Tasks)
	p.failures(r)
	return p.err
}

func (p *printer) title(s string) { p.line("%s", p.style.paint(bold, s)) }

func (p *printer) coverage(r *Report) {
	c := &r.Coverage
	p.title("Coverage")
	from := count(int64(r.Files), "file", "files")
	if r.Streams > 0 {
		from = count(int64(r.Streams), "stream", "streams")
		if r.Files > r.Streams {
			from += " and " + count(int64(r.Files-r.Streams), "file", "files")
		}
	}
	p.line("  read %s in %s from %s", count(r.Events, "step", "steps"), count(r.Tasks.Total, "closed task", "closed tasks"), from)
	p.skipped(c.Skipped)
	p.refused(&c.Refused)
	var odd []string
	note := func(n uint64, one, many string) {
		if n > 0 {
			odd = append(odd, count(int64(n), one, many))
		}
	}
	note(c.UnknownKinds, "step of an unknown kind, skipped", "steps of an unknown kind, skipped")
	note(c.Duplicates, "duplicate, dropped", "duplicates, dropped")
	note(c.Orphans, "result without a call", "results without a call")
	note(c.Late, "outcome or feedback without a task", "outcomes or feedbacks without a task")
	note(c.TimeAhead, "time too far ahead, replaced by log time", "times too far ahead, replaced by log time")
	note(c.TimeBack, "time before an earlier step's, replaced by that", "times before an earlier step's, replaced by that")
	note(c.BadCatalogues, "list of tools that cannot be read", "lists of tools that cannot be read")
	note(c.Capped, "failure not opened, too many were open", "failures not opened, too many were open")
	note(uint64(c.GapRecords), "record missing: the stream does not hold it any more", "records missing: the stream does not hold them any more")
	note(uint64(r.Tasks.Partial), "task whose beginning was not seen", "tasks whose beginning was not seen")
	for _, s := range odd {
		p.line("  %s", s)
	}
	if n := c.Pressure; n.Decisions > 0 {
		p.line("  users pressed against %s; %d reversed with nothing new", count(int64(n.Decisions), "denial", "denials"), n.Reversed)
	}
	rows := []row{{"detector", "rule", "judged", "abstained"}}
	for _, v := range c.Rules {
		rows = append(rows, row{v.Detector, v.Rule, strconv.FormatInt(v.Judged, 10), v.why()})
	}
	p.table("  ", "llrl", rows)
	p.line("")
}

// maxSkipped is how many skipped files are named.
const maxSkipped = 10

func (p *printer) skipped(files []string) {
	for _, s := range files[:min(len(files), maxSkipped)] {
		p.line("  skipped %s", foreign(s, maxText))
	}
	if more := len(files) - maxSkipped; more > 0 {
		p.line("  ... and skipped %s", count(int64(more), "more file", "more files"))
	}
}

// why lists the reasons for which a rule could not judge tasks, most first.
func (v *RuleCoverage) why() string {
	if v.Off {
		return "off by configuration"
	}
	return counts(v.Abstained)
}

func counts(m map[string]int64) string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b string) int {
		if m[a] != m[b] {
			return int(min(max(m[b]-m[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	for i, k := range names {
		names[i] = strconv.FormatInt(m[k], 10) + " " + k
	}
	return strings.Join(names, ", ")
}

func (p *printer) refused(r *Refused) {
	if r.Total == 0 {
		p.line("  refused nothing")
		return
	}
	p.line("  %s", p.style.paint(red, "refused "+strconv.FormatInt(r.Total, 10)+": "+counts(r.ByReason)))
	for _, v := range r.First {
		p.line("    %s", v.text())
	}
	if more := r.Total - int64(len(r.First)); more > 0 {
		p.line("    ... and %d more", more)
	}
}

// text is a refusal on one line: where, which field, why and how to mend it.
func (v *Refusal) text() string {
	s := foreign(v.File, maxText) + ":" + strconv.FormatInt(v.Line, 10)
	if v.At > 0 {
		s += ", byte " + strconv.Itoa(v.At)
	}
	s += ": "
	if v.Field != "" {
		s += foreign(v.Field, maxName) + ": "
	}
	return s + foreign(v.Message, maxText)
}

func (p *printer) tasks(t *TaskCounts) {
	p.title("Tasks")
	var parts []string
	for o, n := range t.Outcome {
		if n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+" "+event.OutcomeStatus(o).String())
		}
	}
	if len(parts) == 0 {
		parts = []string{"none closed"}
	}
	p.line("  by outcome: %s", strings.Join(parts, ", "))
	if t.Open {
		p.line("  tasks that were open at the end are not among them")
	}
	p.line("  alerted: %d of %d (%s) at warning or above, %d (%s) at error or above",
		t.AlertedFrom(event.Warning), t.Total, share(t.AlertedFrom(event.Warning), t.Total),
		t.AlertedFrom(event.Error), share(t.AlertedFrom(event.Error), t.Total))
	p.line("")
}

func (p *printer) failures(r *Report) {
	p.title("Failures")
	if r.Failures == 0 {
		p.line("  none")
		return
	}
	rows := []row{{"class", "rule", "info", "warning", "error", "critical", "all", "recovered"}}
	total := RuleCount{}
	for i := range r.Rules {
		c := &r.Rules[i]
		rows = append(rows, c.row(c.Class.String(), c.Rule))
		total.add(c)
		if i+1 < len(r.Rules) && r.Rules[i+1].Class == c.Class {
			continue
		}
		if i > 0 && r.Rules[i-1].Class == c.Class {
			rows = append(rows, r.class(c.Class).row(c.Class.String(), "(all rules)"))
		}
	}
	rows = append(rows, total.row("all", ""))
	p.table("  ", "llrrrrrr", rows)
}

func (r *Report) class(c event.Class) *RuleCount {
	sum := &RuleCount{Class: c}
	for i := range r.Rules {
		if r.Rules[i].Class == c {
			sum.add(&r.Rules[i])
		}
	}
	return sum
}

func (c *RuleCount) add(d *RuleCount) {
	for i, n := range d.BySeverity {
		c.BySeverity[i] += n
	}
	c.Recovered += d.Recovered
}

func (c *RuleCount) row(class, rule string) row {
	out := row{class, rule}
	for s := event.Info; s <= event.Critical; s++ {
		out = append(out, strconv.Itoa(c.BySeverity[s]))
	}
	return append(out, strconv.Itoa(c.Total()), strconv.Itoa(c.Recovered))
}

// WriteCoverage writes the coverage as one JSON object on one line.
func WriteCoverage(w io.Writer, c *Coverage) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(c)
}
