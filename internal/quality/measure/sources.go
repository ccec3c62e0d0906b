package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/inject"
	"misstep/internal/quality"
	"misstep/internal/replay"
)

// source is one folder of runs.
type source struct {
	name    string
	options quality.Options
	data    *quality.Data
	check   *quality.Report // the half that nothing is tuned on; nil without labels
	all     *quality.Report
	skipped string // why it was not measured
}

// measured is all that was measured.
type measured struct {
	rules *detectors.Ruleset
	temp  string
	seed  uint64
	per   int
	log   io.Writer

	sources []*source
	planted *source
	ids     *source
	summary *inject.Summary
	aims    []aim
}

func (m *measured) all(ctx context.Context, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		s, err := m.source(ctx, filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		m.sources = append(m.sources, s)
	}
	if err := m.plant(ctx); err != nil {
		return err
	}
	m.aims = m.reached()
	return nil
}

// source measures one folder. One that holds no runs is left out, with the
// reason.
func (m *measured) source(ctx context.Context, folder string) (*source, error) {
	s := &source{name: filepath.Base(folder)}
	in, err := replay.Find([]string{folder}, replay.Auto, nil)
	if err != nil {
		s.skipped = "no runs in a format that is read"
		return s, nil
	}
	s.options = quality.Options{Inputs: in, Rules: m.rules, Tolerance: 2, From: event.Warning}
	if strings.HasPrefix(s.name, "sycon") {
		// Each answer is labelled, by its own step; and where there is nothing
		// but words, findings are candidates.
		s.options.Tolerance, s.options.From = 0, event.Info
	}
	if name := filepath.Join(folder, "labels.jsonl"); exists(name) {
		s.options.Labels = []string{name}
	}
	if name := filepath.Join(folder, "runs.jsonl"); exists(name) {
		s.options.Outcomes = []string{name}
	}
	return s, m.measure(ctx, s)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (m *measured) measure(ctx context.Context, s *source) error {
	fmt.Fprintln(m.log, "measure", s.name)
	var err error
	if s.data, err = quality.Load(ctx, &s.options); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if s.all, err = s.data.Report(&s.options); err != nil {
		return err
	}
	half := s.options
	half.Split = quality.Check
	s.check, err = s.data.Report(&half)
	return err
}

// plant plants in the clean runs of all sources with an outcome, and measures
// that; and once more ids with a digit changed, in many runs.
func (m *measured) plant(ctx context.Context) (err error) {
	if m.planted, m.summary, err = m.plantOf(ctx, "planted", inject.Options{Seed: m.seed, Per: m.per}); err != nil {
		return err
	}
	m.ids, _, err = m.plantOf(ctx, "planted ids", inject.Options{Seed: m.seed, Per: 10 * m.per, Operators: []string{"mutated_id"}})
	return err
}

func (m *measured) plantOf(ctx context.Context, name string, o inject.Options) (*source, *inject.Summary, error) {
	in, err := inject.New(o)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range m.sources {
		if s.skipped != "" || len(s.options.Outcomes) == 0 {
			continue
		}
		if _, err := replay.Lines(ctx, s.options.Inputs, nil, in.Add); err != nil {
			return nil, nil, err
		}
	}
	steps, labels := filepath.Join(m.temp, name+".jsonl"), filepath.Join(m.temp, name+".labels.jsonl")
	sum, err := m.write(in, steps, labels)
	if errors.Is(err, inject.ErrNoCleanRun) {
		return &source{name: name, skipped: "no source has a clean run with an outcome"}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	inputs, err := replay.Find([]string{steps}, replay.Auto, nil)
	if err != nil {
		return nil, nil, err
	}
	s := &source{name: name, options: quality.Options{
		Inputs: inputs, Rules: m.rules, Tolerance: 2, From: event.Warning, Labels: []string{labels},
	}}
	return s, sum, m.measure(ctx, s)
}

func (m *measured) write(in *inject.Injector, steps, labels string) (sum *inject.Summary, err error) {
	var files [2]*os.File
	var writers [2]*bufio.Writer
	for i, name := range []string{steps, labels} {
		if files[i], err = os.Create(name); err != nil {
			return nil, err
		}
		defer func(f *os.File) { _ = f.Close() }(files[i]) // flushed and checked below
		writers[i] = bufio.NewWriter(files[i])
	}
	if sum, err = in.Write(writers[0], writers[1]); err != nil {
		return nil, err
	}
	for i := range writers {
		if err := writers[i].Flush(); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// aim is a figure that is worth reaching, and what was reached.
type aim struct {
	what, data string
	precision  float64 // at least; 0: not asked for
	recall     float64
	f1         float64
	score      *quality.Score
	rule       string // the best rule of one line, and its F1
	ruleF1     float64
}

// held reports whether all that is asked for was reached.
func (a *aim) held() bool {
	s := a.score
	return s != nil && s.F1 >= a.f1 && s.Precision.P >= a.precision && s.Recall.P >= a.recall && s.F1 > a.ruleF1
}

// find gives the first source whose name begins so.
func (m *measured) find(name string) *source {
	for _, s := range m.sources {
		if strings.HasPrefix(s.name, name) && s.skipped == "" {
			return s
		}
	}
	return nil
}

func pick(r *quality.Report, class, level string) *quality.Score {
	return pickGroup(r, class, level, "")
}

func pickGroup(r *quality.Report, class, level, group string) *quality.Score {
	if r == nil {
		return nil
	}
	for i := range r.Scores {
		if s := &r.Scores[i]; s.Class == class && s.Level == level && s.Group == group {
			return s
		}
	}
	return nil
}

var fabricated = regexp.MustCompile(`fabricated_result|tool_skipped`)

// reached puts the aims beside what was measured, on the half that nothing is
// tuned on.
func (m *measured) reached() []aim {
	var out []aim
	add := func(a aim) {
		if a.score == nil {
			return
		}
		if len(a.score.Free) > 0 {
			a.rule, a.ruleF1 = a.score.Free[0].Name, a.score.Free[0].F1
		}
		out = append(out, a)
	}
	if s := m.find("trail"); s != nil {
		half := s.options
		half.Split = quality.Check
		add(aim{what: "tool_misuse", data: s.name + ", by step", f1: .82, score: pick(s.check, "tool_misuse", "step")})
		// People took a parameter that a tool does not have for a wrong argument.
		const param = "unknown_parameter"
		every := func(*quality.Label) bool { return true }
		both := s.data.View(&half, "tool_misuse", quality.Rules{Also: param}, every, func(l *quality.Label) bool { return l.Class == "tool_misuse" })
		add(aim{what: "tool_misuse and " + param, data: s.name + ", by step", f1: .82, score: &both[0]})
		told := func(l *quality.Label) bool { return fabricated.MatchString(l.Note) }
		views := s.data.View(&half, "hallucinated_tool", quality.Rules{Not: param}, every, told)
		add(aim{what: "hallucinated_tool without " + param, data: s.name + ", fabricated result or skipped tool, by run", f1: .70, score: &views[1]})
		views = s.data.View(&half, "hallucinated_tool", quality.Rules{}, every, told)
		add(aim{what: "hallucinated_tool", data: s.name + ", fabricated result or skipped tool, by run", f1: .70, score: &views[1]})
		add(aim{what: "retry_loop", data: s.name + ", by step", f1: .75, score: pick(s.check, "retry_loop", "step")})
	}
	if s := m.find("sycon"); s != nil {
		add(aim{what: "pressure_drift", data: s.name + ", candidates, by step", f1: .50, score: pick(s.check, "pressure_drift", "step")})
	}
	if m.planted.skipped != "" {
		return out
	}
	half := m.ids.options
	half.Split = quality.Check
	ids := m.ids.data.View(&half, "tool_misuse", quality.Rules{Only: "fabricated_argument"},
		func(*quality.Label) bool { return true }, func(l *quality.Label) bool { return l.Operator == "mutated_id" })
	add(aim{what: "tool_misuse, fabricated_argument", data: "planted in many runs, a digit of an id changed", precision: .95, recall: .97, score: &ids[0]})
	for _, a := range []aim{
		{what: "tool_misuse", f1: .90},
		{what: "hallucinated_tool", f1: .95},
		{what: "retry_loop", f1: .95, recall: .98},
		{what: "context_loss", precision: .90, recall: .80},
		{what: "pressure_drift", precision: .95, recall: .95},
		{what: "plan_corruption", precision: .90, recall: .85},
	} {
		a.data, a.score = "planted, by step", pick(m.planted.check, a.what, "step")
		add(a)
		a.data, a.score = "planted, family held out, all runs, by step", pickGroup(m.planted.all, a.what, "step", quality.HeldOut)
		add(a)
	}
	return out
}
