//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is what a detector took at one moment.
type sample struct {
	rss        int64 // bytes
	goroutines int
}

// soakRetain is how long ended trajectories are remembered in a soak: so memory
// stands still long before its end.
const soakRetain = time.Minute

// soak has one detector reload its configuration every so often, kills it now
// and then in the first third of the time, and then looks at what it takes: all
// of that must stand still.
func (w *world) soak(ctx context.Context, producer <-chan error, out io.Writer) ([]sample, error) {
	const every = 10 * time.Second
	p := w.detectors[0]
	began := time.Now()
	var samples []sample
	for n := 1; ; n++ {
		select {
		case <-time.After(time.Until(began.Add(time.Duration(n) * every))):
		case err := <-producer:
			return nil, fmt.Errorf("the producer ended early, see its log: %v", err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		since := time.Since(began)
		switch {
		case since > w.opts.length:
			return samples, w.endProducer(producer)
		case since < w.opts.length/3 && w.kills < w.opts.kills && n%4 == 0:
			if err := w.killDetector(); err != nil {
				return nil, err
			}
		case n%2 == 0:
			w.file("misstep.yaml", w.conf+"log: {level: "+[]string{"debug", "info"}[n/2%2]+"}\n")
			p.signal(syscall.SIGHUP)
			w.reloads++
		}
		s, err := w.look(p)
		if err != nil {
			continue // it is just starting
		}
		if since > w.opts.length/3 {
			samples = append(samples, s)
		}
		if n%6 == 0 {
			fmt.Fprintf(out, "%s: %d MiB, %d goroutines, %d killed, %d reloads\n", since.Round(time.Second), s.rss>>20, s.goroutines, w.kills, w.reloads)
		}
	}
}

// How long the most that a detector takes is measured, after a while in which it
// comes to it.
const (
	warmUp      = 5 * time.Second
	measureLoad = 10 * time.Second
)

// capacity gives how many steps a second the detector takes while the producer
// publishes as fast as they are stored.
func capacity(ctx context.Context, o options, dir string) (rate int, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	o.rate = int(time.Second) // one every nanosecond
	w, err := newWorld(o, dir)
	if err != nil {
		return 0, err
	}
	defer w.end()
	if err := w.start(ctx); err != nil {
		return 0, err
	}
	producer, err := w.startProducer(ctx)
	if err != nil {
		return 0, err
	}
	var at [2]time.Time
	var steps [2]float64
	for i, pause := range []time.Duration{warmUp, measureLoad} {
		select {
		case <-time.After(pause):
		case err := <-producer:
			return 0, fmt.Errorf("the producer ended early, see its log: %v", err)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if steps[i], err = w.metric("misstep_steps_total"); err != nil {
			return 0, err
		}
		at[i] = time.Now()
	}
	if steps[1] <= steps[0] {
		return 0, fmt.Errorf("the detector took %.0f steps, and %.0f a while later", steps[0], steps[1])
	}
	return int((steps[1] - steps[0]) / at[1].Sub(at[0]).Seconds()), nil
}

// metric gives the sum of all samples of a metric of the detector.
func (w *world) metric(name string) (sum float64, err error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(w.http + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	found := false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		labels, ok := strings.CutPrefix(lines.Text(), name)
		if !ok || labels == "" || labels[0] != ' ' && labels[0] != '{' {
			continue
		}
		v, err := strconv.ParseFloat(labels[strings.LastIndexByte(labels, ' ')+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += v
		found = true
	}
	if !found {
		return 0, fmt.Errorf("%s/metrics has no %s", w.http, name)
	}
	return sum, nil
}

// look asks the system for the memory of a process, and itself for the rest.
func (w *world) look(p *process) (s sample, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				return s, err
			}
			s.rss = kb << 10
		}
	}
	n, err := w.metric("go_goroutines")
	s.goroutines = int(n)
	return s, err
}

// flat says what is wrong with the samples of a soak: memory that is an eighth
// higher at the end than at the beginning, or goroutines that became more.
func flat(samples []sample) (string, bool) {
	if len(samples) < 6 {
		return fmt.Sprintf("only %d samples", len(samples)), false
	}
	third := len(samples) / 3
	first, last := samples[:third], samples[len(samples)-third:]
	rss := func(part []sample) int64 {
		var v []int64
		for _, s := range part {
			v = append(v, s.rss)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	least := func(part []sample) int {
		return slices.MinFunc(part, func(a, b sample) int { return a.goroutines - b.goroutines }).goroutines
	}
	text := fmt.Sprintf("memory %d MiB, then %d MiB; goroutines %d, then %d (median and least of the first third and the last)",
		rss(first)>>20, rss(last)>>20, least(first), least(last))
	return text, rss(last) <= rss(first)+rss(first)/8 && least(last) <= least(first)+2
}
