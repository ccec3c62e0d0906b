package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"misstep/internal/replay"
)

type runFlags struct {
	reading
	out, tasks, coverage, junit string
	failOn, end                 string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run INPUT...",
		Short: "Find the failures in recorded traffic",
		Long: `run takes the inputs through the detectors. It prints each failure, then what
could not be judged, the tasks, and the counts by class, rule and severity.

With --out - the failures go to the standard output as JSON, and the summary
to the standard error.`,
		Example: `  replayer run fixtures/sample.jsonl
  replayer run --fail-on error --junit report.xml recorded/
  replayer run steps.jsonl.zst --out failures.jsonl --tasks tasks.jsonl --coverage coverage.json
  zcat steps.jsonl.gz | replayer run - --out - | jq .rule`,
		Args: needInput(1, "an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.rulesFlags(cmd)
	f.formatFlag(cmd)
	accessFlags(cmd, &f.access)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "write every transition of every failure to `FILE`, one JSON object a line, instead of the list; - is the standard output")
	flags.StringVar(&f.tasks, "tasks", "", "write the task records to `FILE`, one JSON object a line")
	flags.StringVar(&f.coverage, "coverage", "", "write what could not be judged to `FILE`, one JSON object")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to `FILE`: a test case for each trajectory, failed from --fail-on (default warning) on")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with 1 when a failure reaches this `SEVERITY`: info, warning, error or critical")
	flags.StringVar(&f.end, "end", "idle", "what becomes of trajectories that are open at the end: idle closes them, open leaves them")
	complete(cmd, "fail-on", "info", "warning", "error", "critical")
	complete(cmd, "end", "idle", "open")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) (err error) {
	opts, err := f.options(cmd, args)
	if err != nil {
		return err
	}
	var files [4]*output
	for i, name := range []string{f.out, f.tasks, f.coverage, f.junit} {
		if files[i], err = create(name, cmd.OutOrStdout(), opts.Inputs); err != nil {
			return err
		}
		defer files[i].discard()
	}
	opts.Failures, opts.Tasks = files[0].writer(), files[1].writer()
	if files[3] != nil {
		opts.JUnit = &replay.JUnit{From: opts.FailOn}
	}
	report, err := replay.Run(cmd.Context(), *opts)
	if err != nil {
		return err
	}
	if files[2] != nil {
		if err := replay.WriteCoverage(files[2], &report.Coverage); err != nil {
			return err
		}
	}
	if files[3] != nil {
		if err := opts.JUnit.Write(files[3]); err != nil {
			return err
		}
	}
	for _, o := range files {
		if err := o.finish(); err != nil {
			return err
		}
	}
	if err := f.print(cmd, report); err != nil {
		return err
	}
	if report.Events == 0 && report.Coverage.Refused.Total > 0 {
		return replay.ErrNothingRead
	}
	return report.Gate.Err()
}

func (f *runFlags) options(cmd *cobra.Command, args []string) (*replay.Options, error) {
	if f.end != "idle" && f.end != "open" {
		return nil, fmt.Errorf("--end: want idle or open, found %q", f.end)
	}
	gate, err := replay.ParseSeverity(f.failOn)
	if err != nil {
		return nil, fmt.Errorf("--fail-on: %w", err)
	}
	o, err := f.reading.options(cmd, args)
	if err != nil {
		return nil, err
	}
	o.EndOpen, o.FailOn = f.end == "open", gate
	return o, nil
}

// print writes the list, unless the failures go elsewhere, and the summary.
func (f *runFlags) print(cmd *cobra.Command, r *replay.Report) error {
	var w io.Writer = cmd.OutOrStdout()
	for _, name := range []string{f.out, f.tasks, f.coverage, f.junit} {
		if name == "-" {
			w = cmd.ErrOrStderr()
		}
	}
	if f.out == "" {
		if err := replay.List(w, r, style(w)); err != nil {
			return err
		}
	}
	return replay.Summary(w, r, style(w))
}
