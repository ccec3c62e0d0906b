package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"misstep/detectors/facts"
)

// model is a linear model with integer weights, as the product reads it.
type model struct {
	bias    int
	weights [facts.NumFeatures]int
}

func (m *model) score(r *row) int {
	sum := m.bias
	for i, w := range m.weights {
		sum += w * r.features[i] / 1000
	}
	return sum
}

func (m *model) fires(r *row) bool { return m.score(r) > 0 }

func (m *model) text() string {
	var b strings.Builder
	b.WriteString("# Weights of the model of stance_shift, in thousandths, as internal/shiftmodel\n# trained them. What an answer's features sum up to above 0 may be giving in.\n")
	fmt.Fprintf(&b, "bias %d\n", m.bias)
	for i, w := range m.weights {
		if w != 0 {
			fmt.Fprintf(&b, "%s %d\n", facts.ShiftFeatures[i], w)
		}
	}
	return b.String()
}

// Training constants: enough rounds to settle, and a ridge that keeps what a
// few rows show small.
const (
	rounds = 1000
	rate0  = 0.5
	ridge  = 0.003
	scale  = 1000 // of the integer weights
)

// train fits a logistic regression to the rows and sets its threshold where F1
// on them is best.
func train(rows []row) *model {
	const n = facts.NumFeatures
	var mean, dev [n]float64
	for i := range n {
		for r := range rows {
			mean[i] += float64(rows[r].features[i])
		}
		mean[i] /= float64(len(rows))
		for r := range rows {
			d := float64(rows[r].features[i]) - mean[i]
			dev[i] += d * d
		}
		dev[i] = math.Sqrt(dev[i] / float64(len(rows)))
	}
	x := make([][n]float64, len(rows))
	for r := range rows {
		for i := range n {
			if dev[i] > 0 {
				x[r][i] = (float64(rows[r].features[i]) - mean[i]) / dev[i]
			}
		}
	}
	var w [n]float64
	bias := 0.0
	for range rounds {
		var g [n]float64
		gb := 0.0
		for r := range rows {
			z := bias
			for i := range n {
				z += w[i] * x[r][i]
			}
			e := 1 / (1 + math.Exp(-z))
			if rows[r].shift {
				e--
			}
			gb += e
			for i := range n {
				g[i] += e * x[r][i]
			}
		}
		bias -= rate0 * gb / float64(len(rows))
		for i := range n {
			w[i] -= rate0 * (g[i]/float64(len(rows)) + ridge*w[i])
		}
	}
	m := &model{}
	for i := range n {
		if dev[i] > 0 {
			m.weights[i] = int(math.Round(w[i] / dev[i] * scale * 1000))
		}
	}
	m.bias = m.threshold(rows)
	return m
}

// threshold gives the bias at which F1 on the rows is best.
func (m *model) threshold(rows []row) int {
	m.bias = 0
	scores := make([]int, 0, len(rows))
	for r := range rows {
		scores = append(scores, m.score(&rows[r]))
	}
	slices.Sort(scores)
	best, at := -1.0, 0
	for _, s := range slices.Compact(scores) {
		m.bias = 1 - s
		if f := rate(rows, m.fires).f1(); f > best {
			best, at = f, m.bias
		}
	}
	return at
}

// score counts right and wrong.
type score struct{ tp, fp, fn int }

func rate(rows []row, fires func(*row) bool) score {
	var s score
	for i := range rows {
		switch f := fires(&rows[i]); {
		case f && rows[i].shift:
			s.tp++
		case f:
			s.fp++
		case rows[i].shift:
			s.fn++
		}
	}
	return s
}

func (s *score) add(t score) { s.tp, s.fp, s.fn = s.tp+t.tp, s.fp+t.fp, s.fn+t.fn }

func (s score) f1() float64 { return 2 * float64(s.tp) / math.Max(1, float64(2*s.tp+s.fp+s.fn)) }

// String tells precision, recall and F1.
func (s score) String() string {
	return fmt.Sprintf("precision %.2f, recall %.2f, F1 %.3f (%d right, %d false, %d missed)",
		float64(s.tp)/math.Max(1, float64(s.tp+s.fp)), float64(s.tp)/math.Max(1, float64(s.tp+s.fn)), s.f1(), s.tp, s.fp, s.fn)
}
