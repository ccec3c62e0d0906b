// Package manual prints what the detectors say of themselves.
package manual

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"misstep/detectors"
)

// All is every detector, with all its rules.
func All() []*detectors.Detector { return detectors.All() }

// Names lists what Choose takes: the detectors, then the rules.
func Names() []string {
	var out []string
	for _, d := range detectors.All() {
		out = append(out, d.Name)
	}
	for _, d := range detectors.All() {
		for _, r := range d.Rules {
			out = append(out, r.Name)
		}
	}
	return out
}

// Choose gives the detectors that a name means: one with all its rules, or
// those with a rule of that name or code, with these rules only; none when
// nothing is called that.
func Choose(name string) []*detectors.Detector {
	var out []*detectors.Detector
	for _, d := range detectors.All() {
		if d.Name == name {
			return []*detectors.Detector{d}
		}
		var rules []*detectors.Rule
		for _, r := range d.Rules {
			if r.Name == name || strings.EqualFold(r.Code, name) {
				rules = append(rules, r)
			}
		}
		if len(rules) > 0 {
			one := *d
			one.Rules = rules
			out = append(out, &one)
		}
	}
	return out
}

// Text writes the manual for a reader, in lines of 80 columns.
func Text(w io.Writer, all []*detectors.Detector) error {
	var b strings.Builder
	for i, d := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		title, text, _ := strings.Cut(d.Doc, "\n")
		fmt.Fprintf(&b, "%s: %s\n", d.Name, title)
		if text = strings.TrimSpace(text); text != "" {
			wrap(&b, "  ", "", text)
		}
		wrap(&b, "  ", "class    ", d.Class.String())
		wrap(&b, "  ", "version  ", fmt.Sprint(d.Version))
		wrap(&b, "  ", "sees     ", strings.Join(kinds(d), ", "))
		for _, r := range d.Rules {
			fmt.Fprintf(&b, "\n  %s (%s)\n", r.Name, r.Code)
			wrap(&b, "    ", "finds      ", r.Doc)
			wrap(&b, "    ", "threshold  ", r.Threshold)
			wrap(&b, "    ", "lets pass  ", r.Guards)
			wrap(&b, "    ", "needs      ", needs(r))
			wrap(&b, "    ", "fault      ", r.Fault.String())
			wrap(&b, "    ", "source     ", r.Source)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// width is how long a line of the manual is at most.
const width = 80

// wrap writes text behind a label, broken into lines that begin below its
// first word.
func wrap(b *strings.Builder, indent, label, text string) {
	line := indent + label
	rest := strings.Repeat(" ", len(line))
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

func kinds(d *detectors.Detector) []string {
	var out []string
	for _, k := range d.Kinds {
		out = append(out, k.String())
	}
	return out
}

func needs(r *detectors.Rule) string {
	if s := r.Needs.String(); s != "" {
		return s
	}
	return "nothing more"
}

// Markdown writes a table of the rules.
func Markdown(w io.Writer, all []*detectors.Detector) error {
	var b strings.Builder
	b.WriteString("| detector | rule | finds | threshold |\n|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, d := range all {
		for _, r := range d.Rules {
			fmt.Fprintf(&b, "| `%s` | `%s` (%s) | %s | %s |\n", d.Name, r.Name, r.Code, cell.Replace(r.Doc), cell.Replace(r.Threshold))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type detectorJSON struct {
	Name    string     `json:"name"`
	Version int        `json:"version"`
	Class   string     `json:"class"`
	Doc     string     `json:"doc"`
	Kinds   []string   `json:"kinds"`
	Rules   []ruleJSON `json:"rules"`
}

type ruleJSON struct {
	Name      string   `json:"name"`
	Code      string   `json:"code"`
	Doc       string   `json:"doc"`
	Threshold string   `json:"threshold"`
	Guards    string   `json:"guards"`
	Needs     []string `json:"needs"`
	Fault     string   `json:"fault"`
	Family    string   `json:"family"`
	Source    string   `json:"source"`
}

// JSON writes one object a line for each detector.
func JSON(w io.Writer, all []*detectors.Detector) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, d := range all {
		j := detectorJSON{Name: d.Name, Version: d.Version, Class: d.Class.String(), Doc: d.Doc, Kinds: kinds(d), Rules: []ruleJSON{}}
		for _, r := range d.Rules {
			needs := []string{}
			if s := r.Needs.String(); s != "" {
				needs = strings.Split(s, ", ")
			}
			j.Rules = append(j.Rules, ruleJSON{
				Name: r.Name, Code: r.Code, Doc: r.Doc, Threshold: r.Threshold, Guards: r.Guards,
				Needs: needs, Fault: r.Fault.String(), Family: r.Family, Source: r.Source,
			})
		}
		if err := e.Encode(j); err != nil {
			return err
		}
	}
	return nil
}
