package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/buger/jsonparser"

	"misstep/event"
)

// contestant does its work on blocks of lines, one after the other.
type contestant interface {
	name() string
	// run works on a block and returns when all of it is done.
	run(b *block) error
	close() error
}

// targets are the least ratios to ObjectEach that are wanted, by contestant.
type targets map[string]float64

var (
	generatedTargets = targets{"decode": 1.2, "detect": 0.7}
	recordedTargets  = targets{"detect": 0.5}
)

// objectEach is the measure: one pass over the top level of each line.
type objectEach struct{ members int }

func (*objectEach) name() string { return "ObjectEach" }
func (*objectEach) close() error { return nil }

func (o *objectEach) run(b *block) error {
	count := func([]byte, []byte, jsonparser.ValueType, int) error {
		o.members++
		return nil
	}
	for i := range b.ends {
		if err := jsonparser.ObjectEach(b.line(i), count); err != nil {
			return fmt.Errorf("ObjectEach: line %d: %w", b.first+i, err)
		}
	}
	return nil
}

// decode is event.Decoder alone.
type decode struct {
	dec  event.Decoder
	step event.Step
}

func (*decode) name() string { return "decode" }
func (*decode) close() error { return nil }

func (d *decode) run(b *block) error {
	for i := range b.ends {
		d.dec.Reset(b.line(i))
		for {
			err := d.dec.Next(&d.step)
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("decode: line %d: %w", b.first+i, err)
			}
		}
		if i%1024 == 1023 { // as often as an engine does
			d.dec.Release()
		}
	}
	return nil
}

// score is what one contestant did in one round.
type score struct {
	cpu    time.Duration
	allocs uint64
	lines  int
}

func (s score) rate() float64 { return float64(s.lines) / s.cpu.Seconds() }

// timed runs a contestant on a block. The garbage of those before it is
// collected first, so that each pays for its own alone.
func timed(c contestant, b *block) (score, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	err := c.run(b)
	cpu := cpuTime() - start
	runtime.ReadMemStats(&after)
	return score{max(cpu, time.Nanosecond), after.Mallocs - before.Mallocs, len(b.ends)}, err
}

// measure lets the contestants run in turns and prints what came out.
func measure(w io.Writer, title string, t traffic, want targets, s size, only string, each bool) (err error) {
	all, err := contestants(s.live, each)
	if err != nil {
		return err
	}
	defer func() {
		for _, c := range all {
			if e := c.close(); err == nil {
				err = e
			}
		}
	}()
	cs := slices.DeleteFunc(slices.Clone(all), func(c contestant) bool { return only != "" && c.name() != only })
	if len(cs) == 0 {
		return fmt.Errorf("no contestant is called %q", only)
	}
	var b block
	for left := t.warm(); left > 0; left -= s.lines {
		b.fill(t, min(left, s.lines), nil)
		for _, c := range cs {
			if err := c.run(&b); err != nil {
				return err
			}
		}
	}
	scores := make([][]score, len(cs))
	var bytes, lines int
	for range s.rounds {
		b.fill(t, s.lines, nil)
		bytes, lines = bytes+len(b.data)+len(b.ends), lines+len(b.ends)
		for i, c := range cs {
			sc, err := timed(c, &b)
			if err != nil {
				return err
			}
			scores[i] = append(scores[i], sc)
		}
	}
	// The last block has no beginnings and ends, which are not the steady path.
	b.fill(t, s.lines, midLife())
	fmt.Fprintf(w, "\n%s: %d bytes a line\n%-18s %12s %7s %15s %8s %16s %10s\n", title, bytes/lines,
		"", "lines/cpu-s", "ratio", "least..most", "target", "allocations/line", "mid-task")
	for i, c := range cs {
		steady, err := timed(c, &b)
		if err != nil {
			return err
		}
		row(w, c.name(), scores[i], scores[0], steady, want)
	}
	return nil
}

// row prints a contestant's line of the table. Its ratio is the median of the
// ratios of the rounds, in each of which all had the same block.
func row(w io.Writer, name string, own, base []score, steady score, want targets) {
	var ratios, rates []float64
	var allocs, lines float64
	for i := range own {
		ratios = append(ratios, own[i].rate()/base[i].rate())
		rates = append(rates, own[i].rate())
		allocs += float64(own[i].allocs)
		lines += float64(own[i].lines)
	}
	target := ""
	if least, ok := want[name]; ok {
		target = fmt.Sprintf(">= %.1f", least)
	}
	line := fmt.Sprintf("%-18s %12.0f %7.2f %15s %8s %16.3f %10.3f", name, median(rates), median(ratios),
		fmt.Sprintf("%.2f..%.2f", slices.Min(ratios), slices.Max(ratios)), target,
		allocs/lines, float64(steady.allocs)/float64(steady.lines))
	if least, ok := want[name]; ok && median(ratios) < least {
		line += "  MISSED"
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
