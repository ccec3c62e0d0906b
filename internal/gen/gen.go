// Package gen writes step traffic for benchmarks and tests: many trajectories
// interleaved, with the mix of kinds, lengths and sizes that recorded agents
// show, and with planted loops whose truth it tells. The same options give the
// same bytes on every platform.
package gen

import (
	"io"
	"math/rand/v2"
)

// Live is how many trajectories are live at a time unless Options says else.
const Live = 10_000

// Options say what to write. The zero value is 10,000 live trajectories, one
// in 50 of them with a planted loop, without end.
type Options struct {
	Seed         uint64
	Trajectories int // live at a time; 0: Live
	Steps        int // lines until the end; 0: no end
	// LoopPerMille is the share of trajectories with a planted loop. 0: 20;
	// negative: none.
	LoopPerMille int
}

// Truth is one planted loop whose third failure has been written.
type Truth struct {
	Trajectory string
	Class      string // always retry_loop
	Rule       string // code of the rule that finds it: R1, R2 or R4
	Tool       string // that failed, of a cycle the first of the two
	Seq        int    // of the result that completes the third failure or round
}

// Generator writes step events. It is for one goroutine.
type Generator struct {
	opts  Options
	rng   rng
	live  []trajectory
	next  uint64 // number of the next trajectory
	line  int
	buf   []byte
	truth []Truth
}

// New gives a generator at its first line.
func New(o Options) *Generator {
	if o.Trajectories <= 0 {
		o.Trajectories = Live
	}
	if o.LoopPerMille == 0 {
		o.LoopPerMille = 20
	}
	return &Generator{
		opts: o,
		rng:  newRNG(o.Seed, 1),
		live: make([]trajectory, 0, o.Trajectories),
	}
}

// Warm is the number of lines after which the traffic is stationary: all
// trajectories live, their ages mixed, the share of each kind steady.
func (g *Generator) Warm() int { return 8 * g.opts.Trajectories }

// Next gives the next step event as one line of JSON with its newline, valid
// until the next call; false after the last.
func (g *Generator) Next() ([]byte, bool) {
	if g.opts.Steps > 0 && g.line >= g.opts.Steps {
		return nil, false
	}
	i := g.pick()
	t := &g.live[i]
	g.buf = t.appendStep(g.buf[:0], g.line, g.opts.Trajectories)
	g.line++
	if t.loop.found {
		t.loop.found = false
		g.truth = append(g.truth, t.truth())
	}
	if t.left == 0 {
		g.live[i] = g.start(false)
	}
	return g.buf, true
}

// pick gives the trajectory whose turn it is. Until all are live, a quarter of
// the lines starts another one, and those get the rest of a life already under
// way, so that their ends are spread from the beginning on.
func (g *Generator) pick() int {
	if n := len(g.live); n == 0 || n < g.opts.Trajectories && g.rng.below(4) == 0 {
		g.live = append(g.live, g.start(true))
		return n
	}
	return g.rng.below(len(g.live))
}

func (g *Generator) start(underWay bool) trajectory {
	n := g.next
	g.next++
	t := trajectory{rng: newRNG(g.opts.Seed, n+2), number: n}
	t.init(underWay, g.opts.LoopPerMille)
	return t
}

// WriteTo writes all lines that are left. Without Options.Steps it ends only
// with an error of w.
func (g *Generator) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		line, ok := g.Next()
		if !ok {
			return sum, nil
		}
		n, err := w.Write(line)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
}

// Truth gives the planted loops whose third failure has been written, in the
// order of the lines.
func (g *Generator) Truth() []Truth { return g.truth }

// rng draws integers with PCG alone, whose sequence is fixed; how math/rand/v2
// makes ranges of it is not.
type rng struct{ pcg rand.PCG }

func newRNG(seed, stream uint64) rng {
	var r rng
	r.pcg.Seed(seed, stream)
	return r
}

// below gives a number from 0 to n-1.
func (r *rng) below(n int) int { return int((r.pcg.Uint64() >> 32) * uint64(n) >> 32) }

// between gives a number from lo to hi.
func (r *rng) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// chance is true n times in 1000.
func (r *rng) chance(n int) bool { return r.below(1000) < n }
