package quality

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteJSON writes the report as one JSON object a line: the summary, then each
// score, clean rate, lift, operator and abstention, with its type.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	lines := []any{struct {
		Type      string `json:"type"`
		Runs      int    `json:"runs"`
		Steps     int    `json:"steps"`
		Labelled  int    `json:"labelled_runs"`
		NoRun     int    `json:"labels_without_run"`
		NoStep    int    `json:"labels_without_step"`
		Split     string `json:"split,omitempty"`
		From      string `json:"from"`
		Tolerance int    `json:"tolerance"`
		Failed    int    `json:"failed_runs"`
		Passed    int    `json:"passed_runs"`
	}{"eval", r.Runs, r.Steps, r.Labelled, r.NoRun, r.NoStep, r.Split, r.From.String(), r.Tolerance, r.Failed, r.Passed}}
	for i := range r.Scores {
		lines = append(lines, struct {
			Type string `json:"type"`
			*Score
		}{"score", &r.Scores[i]})
	}
	for i := range r.Clean {
		lines = append(lines, struct {
			Type string `json:"type"`
			*CleanRate
		}{"clean", &r.Clean[i]})
	}
	for i := range r.Lifts {
		lines = append(lines, struct {
			Type string `json:"type"`
			*Lift
		}{"lift", &r.Lifts[i]})
	}
	for i := range r.Operators {
		lines = append(lines, struct {
			Type string `json:"type"`
			*OperatorScore
		}{"operator", &r.Operators[i]})
	}
	for i := range r.Abstained {
		lines = append(lines, struct {
			Type string `json:"type"`
			*Abstained
		}{"abstained", &r.Abstained[i]})
	}
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Runs: %d with %d steps, %d of them labelled", r.Runs, r.Steps, r.Labelled)
	if r.Split != "" {
		fmt.Fprintf(&b, " (the half %s)", r.Split)
	}
	fmt.Fprintf(&b, "\nFindings from %s up; a step may be %d off\n", r.From, r.Tolerance)
	if r.NoRun > 0 {
		fmt.Fprintf(&b, "%d labels are of runs that are not in the inputs\n", r.NoRun)
	}
	if r.NoStep > 0 {
		fmt.Fprintf(&b, "%d labels are of steps that are not in their run\n", r.NoStep)
	}
	r.writeScores(&b)
	r.writeOperators(&b)
	r.writeClean(&b)
	r.writeLifts(&b)
	if len(r.Abstained) > 0 {
		b.WriteString("\nTasks that could not be judged in full\n")
		for _, a := range r.Abstained {
			fmt.Fprintf(&b, "  %-18s %s\n", a.Detector, percent(a.Tasks))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeScores(b *strings.Builder) {
	if len(r.Scores) == 0 {
		b.WriteString("\nNo label is of one of the six classes\n")
		return
	}
	fmt.Fprintf(b, "\n%-26s %-4s %-22s %-22s %-16s %-8s %s\n", "Class", "by", "precision", "recall", "F1", "delay", "free rules, F1")
	for i := range r.Scores {
		s := &r.Scores[i]
		name := s.Class
		if s.Group != "" {
			name = "  " + s.Group
		}
		fmt.Fprintf(b, "%-26s %-4s %-22s %-22s %-16s %-8s %s\n", name, s.Level, share(s.Precision), share(s.Recall), f1(s), delay(s.Delay), freeRules(s.Free))
	}
}

func share(r Ratio) string {
	if r.P < 0 {
		return "- (none)"
	}
	return fmt.Sprintf("%s [%s %s] %d/%d", dec(r.P), dec(r.Low), dec(r.High), r.Hits, r.Of)
}

func f1(s *Score) string {
	if s.F1 < 0 {
		return "-"
	}
	return fmt.Sprintf("%s [%s %s]", dec(s.F1), dec(s.Low), dec(s.High))
}

func delay(d *Delay) string {
	if d == nil {
		return "-"
	}
	return fmt.Sprintf("%d/%d", d.Median, d.P95)
}

func freeRules(list []BaselineScore) string {
	var parts []string
	for _, f := range list {
		v := "-"
		if f.F1 >= 0 {
			v = dec(f.F1)
		}
		parts = append(parts, f.Name+" "+v)
	}
	return strings.Join(parts, ", ")
}

// dec writes a share with two places, without the nought before the point.
func dec(x float64) string {
	s := fmt.Sprintf("%.2f", x)
	if x < 1 {
		s = strings.TrimPrefix(s, "0")
	}
	if s == "1.00" {
		return "1"
	}
	return s
}

func percent(r Ratio) string {
	if r.P < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %% [%.1f %.1f] %d/%d", 100*r.P, 100*r.Low, 100*r.High, r.Hits, r.Of)
}

func (r *Report) writeOperators(b *strings.Builder) {
	if len(r.Operators) == 0 {
		return
	}
	b.WriteString("\nPlanted, found\n")
	for _, o := range r.Operators {
		what := "found"
		if o.Kind == lookAlike {
			what = "ALARM"
			if o.Found.Hits == 0 {
				what = "quiet"
			}
		} else if o.Found.Hits == 0 {
			what = "MISSED"
		}
		if o.Others > 0 {
			what += fmt.Sprintf(" (other classes: %d)", o.Others)
		}
		fmt.Fprintf(b, "  %-18s %-9s %-28s %3d/%-3d %s\n", o.Class, o.Kind, o.Operator, o.Found.Hits, o.Found.Of, what)
	}
}

func (r *Report) writeClean(b *strings.Builder) {
	if len(r.Clean) == 0 {
		return
	}
	fmt.Fprintf(b, "\nAlerts on %d clean runs, from a severity up\n", r.Clean[0].Alerted.Of)
	for i := 0; i < len(r.Clean); i += 3 {
		name := r.Clean[i].Class
		if name == "" {
			name = "any class"
		}
		fmt.Fprintf(b, "  %-18s", name)
		for _, c := range r.Clean[i : i+3] {
			fmt.Fprintf(b, " %s %s;", c.From, percent(c.Alerted))
		}
		b.WriteString("\n")
	}
}

func (r *Report) writeLifts(b *strings.Builder) {
	if len(r.Lifts) == 0 {
		return
	}
	fmt.Fprintf(b, "\nFindings at error or above, not put right: %d runs that failed against %d that passed\n", r.Failed, r.Passed)
	for _, l := range r.Lifts {
		name := l.Class + "/" + l.Rule
		if l.Rule == "" {
			name = "any"
		}
		times := "never in runs that passed"
		if l.Times >= 0 {
			times = fmt.Sprintf("%.1f times", l.Times)
		}
		fmt.Fprintf(b, "  %-40s %s; %s; %s\n", name, percent(l.Failed), percent(l.Passed), times)
	}
}
