package main

import (
	"fmt"
	"slices"
	"strings"

	"misstep/event"
	"misstep/internal/inject"
	"misstep/internal/quality"
)

// The marks of the part of the file that people write.
const (
	handBegin = "<!-- by hand -->\n"
	handEnd   = "<!-- end -->\n"
)

// byHand gives the part of a file that people wrote.
func byHand(was string) string {
	_, rest, ok := strings.Cut(was, handBegin)
	hand, _, ended := strings.Cut(rest, handEnd)
	if !ok || !ended {
		return "Nothing was noted yet.\n"
	}
	return hand
}

// markdown writes all that was measured.
func (m *measured) markdown(hand string) string {
	var b strings.Builder
	b.WriteString(`# Quality

What the detectors find, measured against labels. ` + "`make quality DATA=DIR`" + ` measures again and compares with this file;
with ` + "`UPDATE=1`" + ` it writes it. DIR holds a folder for each source: runs in a format that the replayer reads, ` + "`labels.jsonl`" + `
and ` + "`runs.jsonl`" + ` beside them. Recorded runs are other people's; none are kept here.

Each source is split by a hash of the task into a half to tune on and a half to check with. Unless it says "all runs", a
figure is of the half to check with. A finding fits a label when a step of its evidence is at most two steps off (none for
sycon-debate, where each answer is labelled). Intervals are of 95 %: Wilson's for precision and recall, for F1 by drawing runs
again a thousand times. "Free" is the best rule of one line for the class, which costs nothing. Delay is in steps, median and 95th
of a hundred, from the step that completes the evidence.

`)
	m.aimTable(&b)
	m.scoreTables(&b)
	m.operatorTable(&b)
	m.cleanTable(&b)
	m.liftTable(&b)
	m.abstainedTable(&b)
	m.bad(&b)
	b.WriteString("## Read by eye\n\n" + handBegin + hand + handEnd)
	return b.String()
}

func table(b *strings.Builder, head ...string) {
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat("---|", len(head)) + "\n")
}

func row(b *strings.Builder, cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func ratio(r quality.Ratio) string {
	if r.P < 0 {
		return "no finding"
	}
	return fmt.Sprintf("%.3f [%.2f, %.2f] %d/%d", r.P, r.Low, r.High, r.Hits, r.Of)
}

func f1(s *quality.Score) string {
	if s.F1 < 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.2f, %.2f]", s.F1, s.Low, s.High)
}

func best(s *quality.Score) string {
	if len(s.Free) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f, %s", max(0, s.Free[0].F1), s.Free[0].Name)
}

func delay(s *quality.Score) string {
	if s.Delay == nil {
		return "-"
	}
	return fmt.Sprintf("%d, %d", s.Delay.Median, s.Delay.P95)
}

func (m *measured) aimTable(b *strings.Builder) {
	b.WriteString("## In short\n\n")
	table(b, "class", "data", "aim", "precision", "recall", "F1", "free", "")
	for i := range m.aims {
		a := &m.aims[i]
		var want []string
		for _, w := range []struct {
			name string
			v    float64
		}{{"P", a.precision}, {"R", a.recall}, {"F1", a.f1}} {
			if w.v > 0 {
				want = append(want, fmt.Sprintf("%s %.2f", w.name, w.v))
			}
		}
		verdict := "not reached"
		if a.held() {
			verdict = "reached"
		}
		row(b, a.what, a.data, strings.Join(want, ", "), ratio(a.score.Precision), ratio(a.score.Recall), f1(a.score), best(a.score), verdict)
	}
	b.WriteString("\n")
}

func (m *measured) scoreTables(b *strings.Builder) {
	for _, s := range append(slices.Clone(m.sources), m.planted) {
		if s.skipped != "" {
			continue
		}
		if len(s.all.Scores) == 0 {
			continue
		}
		fmt.Fprintf(b, "## %s\n\n", s.name)
		if s == m.planted {
			fmt.Fprintf(b, "Planted with seed %d in %d clean runs: %d failures and %d look-alikes. Half of the bad calls come back well.\nOne of four families of wordings and tools is held out: nothing is tuned on it, and it counts in its own rows alone.\n\n",
				m.seed, m.summary.Clean, m.summary.Positives, m.summary.LookAlikes)
		}
		fmt.Fprintf(b, "%d runs, %d with labels; findings from %s up.\n\n", s.all.Runs, s.all.Labelled, s.options.From)
		table(b, "class", "of", "by", "runs", "precision", "recall", "F1", "delay", "free")
		scoreRows(b, s.check, "", func(*quality.Score) bool { return true })
		scoreRows(b, s.all, "all runs", func(x *quality.Score) bool { return x.Group == "" })
		b.WriteString("\n")
	}
}

func scoreRows(b *strings.Builder, r *quality.Report, group string, which func(*quality.Score) bool) {
	for i := range r.Scores {
		s := &r.Scores[i]
		if !which(s) {
			continue
		}
		of := s.Group
		if group != "" {
			of = group
		}
		row(b, s.Class, of, s.Level, fmt.Sprint(s.Runs), ratio(s.Precision), ratio(s.Recall), f1(s), delay(s), best(s))
	}
}

func (m *measured) operatorTable(b *strings.Builder) {
	if m.planted.skipped != "" {
		return
	}
	b.WriteString("## What was planted, one by one\n\nAll runs, both halves, without the family that is held out. Of a look-alike, the share that was taken for a failure. A look-alike is healthy,\nso that a finding of another class is a false alarm there too.\n\n")
	table(b, "class", "", "planted", "found, or alarmed", "other classes")
	for _, o := range m.planted.all.Operators {
		row(b, o.Class, o.Kind, o.Operator, fmt.Sprintf("%d/%d", o.Found.Hits, o.Found.Of), fmt.Sprint(o.Others))
	}
	b.WriteString("\n")
}

func percent(r quality.Ratio) string {
	if r.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %% [%.1f, %.1f] %d/%d", 100*r.P, 100*r.Low, 100*r.High, r.Hits, r.Of)
}

// cleanTable gives how often there is an alert where nothing is known to be
// wrong, in all runs: of each source, and of all together.
func (m *measured) cleanTable(b *strings.Builder) {
	b.WriteString("## Alerts on clean runs\n\nRuns that succeeded and have no label of a failure, all of them. A run that succeeds can hold a true finding that was put right.\n\n")
	table(b, "source", "class", "critical", "error and up", "warning and up")
	type key struct{ class, severity string }
	sum := map[key][2]int{}
	for _, s := range m.sources {
		if s.skipped != "" || len(s.all.Clean) == 0 {
			continue
		}
		for i := 0; i < len(s.all.Clean); i += 3 {
			cells := []string{s.name, or(s.all.Clean[i].Class, "any")}
			for _, c := range s.all.Clean[i : i+3] {
				k := key{c.Class, c.From}
				n := sum[k]
				n[0] += c.Alerted.Hits
				n[1] += c.Alerted.Of
				sum[k] = n
				cells = append(cells, percent(c.Alerted))
			}
			if s.all.Clean[i].Class == "" {
				row(b, cells...)
			}
		}
	}
	for _, class := range append([]string{""}, quality.Classes()...) {
		cells := []string{"all sources", or(class, "any")}
		for s := event.Critical; s >= event.Warning; s-- {
			n := sum[key{class, s.String()}]
			cells = append(cells, percent(quality.Share(n[0], n[1])))
		}
		row(b, cells...)
	}
	b.WriteString("\n")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (m *measured) liftTable(b *strings.Builder) {
	b.WriteString("## Runs that failed against runs that passed\n\nWith a finding at error or above that was not put right; all runs.\n\n")
	table(b, "source", "rule", "failed", "passed", "times")
	for _, s := range m.sources {
		if s.skipped != "" {
			continue
		}
		for _, l := range s.all.Lifts {
			times := "never in passed"
			if l.Times >= 0 {
				times = fmt.Sprintf("%.1f", l.Times)
			}
			name := l.Class + "/" + l.Rule
			if l.Rule == "" {
				name = "any"
			}
			row(b, s.name, name, percent(l.Failed), percent(l.Passed), times)
		}
	}
	b.WriteString("\n")
}

func (m *measured) abstainedTable(b *strings.Builder) {
	b.WriteString("## What could not be judged\n\nTasks of which a detector could not judge all, for want of facts.\n\n")
	table(b, "source", "detector", "tasks")
	for _, s := range m.sources {
		if s.skipped != "" {
			continue
		}
		for _, a := range s.all.Abstained {
			row(b, s.name, a.Detector, percent(a.Tasks))
		}
	}
	b.WriteString("\n")
	for _, s := range m.sources {
		if s.skipped != "" {
			fmt.Fprintf(b, "%s was not measured: %s.\n", s.name, s.skipped)
		}
	}
	b.WriteString("\n")
}

// bad lists what is no achievement, and what is not found.
func (m *measured) bad(b *strings.Builder) {
	b.WriteString("## The bad figures\n\n")
	for i := range m.aims {
		if a := &m.aims[i]; !a.held() {
			fmt.Fprintf(b, "- %s on %s: the aim is not reached (F1 %s).\n", a.what, a.data, f1(a.score))
		}
	}
	for _, s := range append(slices.Clone(m.sources), m.planted) {
		if s.skipped != "" {
			continue
		}
		for i := range s.check.Scores {
			if x := &s.check.Scores[i]; x.Group == "" && len(x.Free) > 0 && x.F1 <= x.Free[0].F1 {
				fmt.Fprintf(b, "- %s by %s on %s: no better than the rule \"%s\" (%.3f against %.3f).\n", x.Class, x.Level, s.name, x.Free[0].Name, max(0, x.F1), x.Free[0].F1)
			}
		}
	}
	b.WriteString("\n")
	if m.planted.skipped != "" {
		return
	}
	b.WriteString("Planted and found in less than half of the runs, or a look-alike that raised an alarm:\n\n")
	for _, o := range m.planted.all.Operators {
		switch {
		case o.Kind == inject.Positive && 2*o.Found.Hits < o.Found.Of:
			fmt.Fprintf(b, "- not found: %s, %s (%d of %d)\n", o.Class, o.Operator, o.Found.Hits, o.Found.Of)
		case o.Kind == inject.LookAlike && o.Found.Hits+o.Others > 0:
			fmt.Fprintf(b, "- false alarm: %s, %s (%d of %d; of other classes %d)\n", o.Class, o.Operator, o.Found.Hits, o.Found.Of, o.Others)
		}
	}
	b.WriteString("\n")
}
