package quality

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Ratio is a share with its 95 % interval.
type Ratio struct {
	Hits int     `json:"hits"`
	Of   int     `json:"of"`
	P    float64 `json:"p"` // NaN is written as -1: there was nothing to judge
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// wilson gives a share with Wilson's score interval.
func wilson(hits, of int) Ratio {
	if of == 0 {
		return Ratio{P: -1, Low: 0, High: 1}
	}
	const z = 1.959963984540054
	n, p := float64(of), float64(hits)/float64(of)
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n)) / (1 + z*z/n)
	return Ratio{hits, of, p, max(0, mid-half), min(1, mid+half)}
}

// Share gives a share with its interval.
func Share(hits, of int) Ratio { return wilson(hits, of) }

// tally counts what one run adds to a score.
type tally struct {
	right, wrong  int // findings
	found, missed int // labels
}

func (t *tally) add(o tally) {
	t.right += o.right
	t.wrong += o.wrong
	t.found += o.found
	t.missed += o.missed
}

// f1 is the harmonic mean of precision over findings and recall over labels, 0
// where nothing was found, -1 where there is neither label nor finding.
func (t *tally) f1() float64 {
	findings, labels := t.right+t.wrong, t.found+t.missed
	if labels == 0 {
		return -1
	}
	if t.right == 0 || t.found == 0 {
		return 0
	}
	p, r := float64(t.right)/float64(findings), float64(t.found)/float64(labels)
	return 2 * p * r / (p + r)
}

// resamples is how often runs are drawn again for the interval of an F1.
const resamples = 1000

// bootstrap gives the 95 % interval of the F1 of runs, drawn with a fixed seed.
func bootstrap(runs []tally) (low, high float64) {
	if len(runs) == 0 {
		return 0, 1
	}
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]float64, 0, resamples)
	for range resamples {
		var t tally
		for range runs {
			t.add(runs[r.IntN(len(runs))])
		}
		if f := t.f1(); f >= 0 {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return 0, 1
	}
	slices.Sort(all)
	return all[len(all)*25/1000], all[len(all)*975/1000]
}

// quantile gives the q-th of a hundred of sorted numbers.
func quantile(sorted []int, q int) int {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*q/100)]
}
