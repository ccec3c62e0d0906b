package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"misstep/internal/quality"
	"misstep/internal/replay"
)

type evalFlags struct {
	reading
	labels, runs        []string
	tolerance           int
	from, split, family string
	note, cases         string
	json                bool
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval INPUT... --labels FILE",
		Short: "Measure what the detectors find against labels",
		Long: `eval takes the inputs through the detectors and compares what they find with
labels: by class precision, recall and F1 with their 95 % intervals, by step and
by run, how many steps after the evidence a failure opened (median/95th), and
beside each what rules of one line reach, which cost nothing. Then how often an
alert is raised on clean runs, which rules tell runs that failed from runs that
passed, and which tasks could not be judged.

A label is one JSON object a line: trajectory_id and seq or step, or trace_id and
span_id; class is one of the six, none or other:... (a failure outside of the
six). Without a step it is of the whole run. What inject writes is understood
too. --runs names files of objects with trajectory_id and success.

A finding fits a label when a step of its evidence is at most --tolerance steps
off. --split takes one half of the tasks, by a hash of the task, so that nobody
tunes on what is reported.`,
		Example: `  replayer eval planted.jsonl.gz --labels planted.labels.jsonl
  replayer eval traces.jsonl.gz --labels labels.jsonl --split check --cases cases.jsonl
  replayer eval steps.jsonl.gz --labels labels.jsonl --runs runs.jsonl --tolerance 0 --from info --json`,
		Args: needInput(1, "an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.eval(cmd, args) },
	}
	f.rulesFlags(cmd)
	f.formatFlag(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.labels, "labels", nil, "labels, one JSON object a line, from `FILE`; may be given more than once")
	flags.StringArrayVar(&f.runs, "runs", nil, "which runs succeeded, one JSON object a line, from `FILE`; may be given more than once")
	flags.IntVar(&f.tolerance, "tolerance", 2, "how many `STEPS` a finding and its label may be apart")
	flags.StringVar(&f.from, "from", "warning", "count findings of this `SEVERITY` or above: info, warning, error or critical")
	flags.StringVar(&f.split, "split", "", "only this `HALF` of the tasks: tune or check")
	flags.StringVar(&f.family, "family", "", "of what was planted only this `FAMILY`; the one that is held out is listed one by one only so")
	flags.StringVar(&f.note, "note", "", "only labels whose note this `REGEXP` fits are failures")
	flags.StringVar(&f.cases, "cases", "", "write every label, every false finding and every alert on a clean run to `FILE`, one JSON object a line, to read them by eye")
	flags.BoolVar(&f.json, "json", false, "write one JSON object a line")
	complete(cmd, "from", "info", "warning", "error", "critical")
	complete(cmd, "split", quality.Tune, quality.Check)
	return cmd
}

func (f *evalFlags) options(cmd *cobra.Command, args []string) (*quality.Options, error) {
	if len(f.labels) == 0 && len(f.runs) == 0 {
		return nil, errors.New("--labels is missing; name a file of labels, or with --runs one that says which runs succeeded")
	}
	if f.tolerance < 0 {
		return nil, fmt.Errorf("--tolerance: want 0 or more, found %d", f.tolerance)
	}
	if f.split != "" && f.split != quality.Tune && f.split != quality.Check {
		return nil, fmt.Errorf("--split: want tune or check, found %q", f.split)
	}
	o := &quality.Options{Labels: f.labels, Outcomes: f.runs, Tolerance: f.tolerance, Split: f.split, Family: f.family}
	var err error
	if o.From, err = replay.ParseSeverity(f.from); err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	if f.note != "" {
		if o.Note, err = regexp.Compile(f.note); err != nil {
			return nil, fmt.Errorf("--note: %w", err)
		}
	}
	r, err := f.reading.options(cmd, args)
	if err != nil {
		return nil, err
	}
	for _, in := range r.Inputs.Files {
		if in.Name == "-" {
			return nil, errors.New("-: eval reads its inputs twice, which the standard input cannot be; name a file")
		}
	}
	o.Inputs, o.Rules, o.Shards = r.Inputs, r.Rules, r.Shards
	return o, nil
}

func (f *evalFlags) eval(cmd *cobra.Command, args []string) error {
	o, err := f.options(cmd, args)
	if err != nil {
		return err
	}
	cases, err := create(f.cases, cmd.OutOrStdout(), o.Inputs)
	if err != nil {
		return err
	}
	defer cases.discard()
	var failed error
	if cases != nil {
		e := json.NewEncoder(cases)
		e.SetEscapeHTML(false)
		o.Cases = func(c quality.Case) {
			if err := e.Encode(&c); err != nil && failed == nil {
				failed = err
			}
		}
	}
	report, err := quality.Evaluate(cmd.Context(), o)
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := cases.finish(); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if f.cases == "-" {
		w = cmd.ErrOrStderr()
	}
	if f.json {
		return report.WriteJSON(w)
	}
	return report.Write(w)
}
