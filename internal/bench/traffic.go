package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"misstep/internal/gen"
)

// traffic gives lines without end, none of them twice.
type traffic interface {
	// warm is the number of lines after which it is stationary.
	warm() int
	// next gives a line without its newline, valid until the next call.
	next() []byte
}

// block is a run of lines in memory.
type block struct {
	data  []byte
	ends  []int // of each line in data
	first int   // number of the first line
}

func (b *block) line(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.data[start:b.ends[i]:b.ends[i]]
}

// fill takes the next n lines of the traffic that keep lets through.
func (b *block) fill(t traffic, n int, keep func(line []byte) bool) {
	b.first += len(b.ends)
	b.data, b.ends = b.data[:0], b.ends[:0]
	for range n {
		if line := t.next(); keep == nil || keep(line) {
			b.data = append(b.data, line...)
			b.ends = append(b.ends, len(b.data))
		}
	}
}

// midLife lets through what is no beginning and no end of a task: the steps of
// trajectories that began before it was made, without their task_end.
func midLife() func(line []byte) bool {
	young := map[string]bool{}
	return func(line []byte) bool {
		kind, id := member(line, "kind"), member(line, "trajectory_id")
		if string(kind) == "task_start" {
			young[string(id)] = true
		}
		return string(kind) != "task_end" && !young[string(id)]
	}
}

// member finds a member of a line whose value is a string without escapes.
func member(line []byte, name string) []byte {
	_, rest, _ := bytes.Cut(line, []byte(`"`+name+`":"`))
	v, _, _ := bytes.Cut(rest, []byte(`"`))
	return v
}

// generated is the traffic of package gen.
type generated struct{ g *gen.Generator }

func newGenerated(live int) *generated {
	return &generated{gen.New(gen.Options{Seed: 1, Trajectories: live})}
}

func (g *generated) warm() int { return g.g.Warm() }

func (g *generated) next() []byte {
	line, _ := g.g.Next()
	return bytes.TrimSuffix(line, []byte("\n"))
}

// recorded plays runs of a file again and again, each time as another
// trajectory, interleaved like live ones.
type recorded struct {
	rng  rand.PCG
	runs [][][]byte // lines, from the opening brace on
	live []playing
	copy int
	buf  []byte
}

// playing is one run on its way.
type playing struct{ run, next, copy int }

var idMark = []byte(`"trajectory_id":"`)

func newRecorded(path string, live int) (*recorded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recorded mix: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("recorded mix: %s: %w", path, err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("recorded mix: %s: %w", path, err)
	}
	r := &recorded{live: make([]playing, live)}
	r.rng.Seed(1, 1)
	at := map[string]int{}
	for line := range bytes.Lines(all) {
		line = bytes.TrimSpace(line)
		id := string(member(line, "trajectory_id"))
		if id == "" {
			return nil, fmt.Errorf("recorded mix: %s: a line has no %s", path, idMark)
		}
		i, ok := at[id]
		if !ok {
			i = len(r.runs)
			at[id] = i
			r.runs = append(r.runs, nil)
		}
		r.runs[i] = append(r.runs[i], line)
	}
	if len(r.runs) == 0 {
		return nil, fmt.Errorf("recorded mix: %s: no line", path)
	}
	for i := range r.live {
		r.live[i] = r.start()
	}
	return r, nil
}

func (r *recorded) start() playing {
	r.copy++
	return playing{run: r.below(len(r.runs)), copy: r.copy}
}

func (r *recorded) below(n int) int { return int((r.rng.Uint64() >> 32) * uint64(n) >> 32) }

// warm is two lives of an average run.
func (r *recorded) warm() int { return 60 * len(r.live) }

func (r *recorded) next() []byte {
	p := &r.live[r.below(len(r.live))]
	line := r.runs[p.run][p.next]
	i := bytes.Index(line, idMark) + len(idMark)
	r.buf = append(r.buf[:0], line[:i]...)
	r.buf = strconv.AppendInt(r.buf, int64(p.copy), 36)
	r.buf = append(r.buf, '/')
	r.buf = append(r.buf, line[i:]...)
	if p.next++; p.next == len(r.runs[p.run]) {
		*p = r.start()
	}
	return r.buf
}
