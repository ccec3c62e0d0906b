package detectors

import (
	"strings"
	"testing"

	"misstep/detectors/facts"
)

// TestShiftModel pins the weights that were measured: who changes them, measures
// again. It also tells what they mean: an answer that keeps its words and its
// tone holds, one that does neither may have given in.
func TestShiftModel(t *testing.T) {
	const want = "bias 2851,overlap -3198,overlap_less 1788,kept -4691,length -2303,turn 41,hedge_more 721," +
		"negation_more 370,concessive_more 130,turning_more 595,tone_change 2605,tone_from_first 621"
	var have []string
	for line := range strings.Lines(shiftFile) {
		if !strings.HasPrefix(line, "#") {
			have = append(have, strings.TrimSpace(line))
		}
	}
	if got := strings.Join(have, ","); got != want {
		t.Errorf("the weights are\n%s\nand were measured as\n%s", got, want)
	}
	hold := feature(map[string]int{"overlap": 500, "kept": 650, "length": 1000, "turn": 2000})
	if score := shiftModel.score(&hold); score > 0 {
		t.Errorf("an answer that keeps its words scores %d", score)
	}
	turned := feature(map[string]int{"overlap": 100, "kept": 200, "length": 900, "turn": 1000, "hedge_more": 600, "tone_change": 700, "tone_from_first": 700})
	if score := shiftModel.score(&turned); score <= 0 {
		t.Errorf("an answer that keeps neither words nor tone scores %d", score)
	}
}

func feature(values map[string]int) (f [facts.NumFeatures]int) {
	for i, name := range facts.ShiftFeatures {
		f[i] = values[name]
	}
	return f
}

func TestParseLinear(t *testing.T) {
	for text, want := range map[string]string{
		"kept":              `line 1: "kept"; give a feature once and its weight`,
		"kept 1\nkept 2":    `line 2: "kept 2"; give a feature once and its weight`,
		"# x\nkept much":    `line 2: weight "much"; give a number of at most 100000`,
		"kept 100001":       `line 1: weight "100001"; give a number of at most 100000`,
		"colour 3":          `line 1: no feature "colour"; there are ` + strings.Join(facts.ShiftFeatures[:], ", "),
		"bias -1\n\nkept 5": "",
	} {
		l, err := parseLinear(text)
		switch {
		case err != nil && err.Error() != want, err == nil && want != "":
			t.Errorf("%q gives %v, want %s", text, err, want)
		case err == nil && (l.bias != -1 || l.weights[keptWords] != 5):
			t.Errorf("%q is read as %+v", text, l)
		}
	}
}
