package detectors

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"misstep/detectors/facts"
)

//go:embed shift.txt
var shiftFile string

// keptWords is the feature that a message tells.
var keptWords = slices.Index(facts.ShiftFeatures[:], "kept")

// shiftModel weighs how an answer departs from the one before.
var shiftModel = mustLinear(shiftFile)

// linear is a linear model with integer weights: the score is the bias and the
// sum of weight times feature, in thousandths. What is above 0 counts.
type linear struct {
	bias    int
	weights [facts.NumFeatures]int
}

func (l *linear) score(features *[facts.NumFeatures]int) int {
	sum := l.bias
	for i, w := range l.weights {
		sum += w * features[i] / 1000
	}
	return sum
}

func mustLinear(text string) *linear {
	l, err := parseLinear(text)
	if err != nil {
		panic("BUG: shift.txt: " + err.Error())
	}
	return l
}

// parseLinear reads a model: a feature and its weight a line, and "bias".
func parseLinear(text string) (*linear, error) {
	l := &linear{}
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if len(f) != 2 || seen[f[0]] {
			return nil, fmt.Errorf("line %d: %q; give a feature once and its weight", n, strings.TrimSpace(line))
		}
		seen[f[0]] = true
		w, err := strconv.Atoi(f[1])
		if err != nil || w < -100_000 || w > 100_000 {
			return nil, fmt.Errorf("line %d: weight %q; give a number of at most 100000", n, f[1])
		}
		if f[0] == "bias" {
			l.bias = w
			continue
		}
		i := slices.Index(facts.ShiftFeatures[:], f[0])
		if i < 0 {
			return nil, fmt.Errorf("line %d: no feature %q; there are %s", n, f[0], strings.Join(facts.ShiftFeatures[:], ", "))
		}
		l.weights[i] = w
	}
	return l, nil
}
