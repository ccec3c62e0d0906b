package manual

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"misstep/detectors"
)

func text(t *testing.T, chosen []*detectors.Detector) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, chosen); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestManual: whatever the detectors are, the manual tells all of them, by
// every name, in lines that fit a terminal.
func TestManual(t *testing.T) {
	flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	manual := text(t, All())
	if strings.HasPrefix(manual, "\n") || !strings.Contains(manual, "\n\nretry_loop: ") {
		t.Error("the detectors are not parted by one blank line")
	}
	var table bytes.Buffer
	if err := Markdown(&table, All()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(manual) {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	for _, d := range detectors.All() {
		one := text(t, Choose(d.Name))
		for _, r := range d.Rules {
			for _, text := range []string{d.Name, flat(d.Doc), r.Name, r.Code, r.Doc, r.Threshold, r.Guards, r.Source, r.Needs.String(), r.Fault.String()} {
				for _, page := range []string{manual, one} {
					if !strings.Contains(flat(page), flat(text)) {
						t.Errorf("%s: the manual lacks %q", r.Name, text)
					}
				}
			}
			for _, name := range []string{r.Name, r.Code, strings.ToLower(r.Code)} {
				if page := text(t, Choose(name)); !strings.Contains(page, "\n  "+r.Name+" (") {
					t.Errorf("rules %s does not show %s", name, r.Name)
				}
			}
			if !strings.Contains(table.String(), "| `"+d.Name+"` | `"+r.Name+"` ("+r.Code+") | ") {
				t.Errorf("the table lacks %s", r.Name)
			}
		}
	}
}

// TestManualJSON: one object a line, and nothing of the rules left out.
func TestManualJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, All()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(detectors.All()) {
		t.Fatalf("%d lines, want one for each of %d detectors", len(lines), len(detectors.All()))
	}
	for i, d := range detectors.All() {
		var got detectorJSON
		dec := json.NewDecoder(strings.NewReader(lines[i]))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Name != d.Name || got.Class != d.Class.String() || got.Version != d.Version || len(got.Kinds) != len(d.Kinds) || len(got.Rules) != len(d.Rules) {
			t.Errorf("got %+v", got)
		}
		for j, r := range d.Rules {
			g := got.Rules[j]
			if g.Name != r.Name || g.Code != r.Code || g.Doc != r.Doc || g.Threshold != r.Threshold || g.Guards != r.Guards || g.Source != r.Source || g.Family != r.Family || strings.Join(g.Needs, ", ") != r.Needs.String() {
				t.Errorf("got %+v, want %+v", g, r)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, name := range Names() {
		if len(Choose(name)) == 0 {
			t.Errorf("nothing is called %s", name)
		}
	}
	if got := Choose("nonsense"); len(got) > 0 {
		t.Errorf("nonsense is %v", got)
	}
	if got := Choose("T1"); len(got) != 1 || len(got[0].Rules) != 2 {
		t.Errorf("T1 is %v", got)
	}
	if !slices.ContainsFunc(detectors.All(), func(d *detectors.Detector) bool { return len(d.Rules) > 2 }) {
		t.Error("choosing rules took them from their detector")
	}
}

func TestWrap(t *testing.T) {
	var b strings.Builder
	wrap(&b, "  ", "finds  ", strings.Repeat("1234567 ", 19)+strings.Repeat("x", 100)+" end")
	nine := strings.TrimSuffix(strings.Repeat("1234567 ", 9), " ") // up to the last column
	want := "  finds  " + nine + "\n" +
		"         " + nine + "\n" +
		"         1234567\n" +
		"         " + strings.Repeat("x", 100) + "\n" +
		"         end\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	wrap(&b, "  ", "needs  ", "")
	if b.String() != "  needs\n" {
		t.Errorf("nothing becomes %q", b.String())
	}
}
