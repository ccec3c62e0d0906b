package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"misstep/internal/inject"
	"misstep/internal/replay"
)

type injectFlags struct {
	reading
	out, labels string
	seed        uint64
	classes     []string
	operators   []string
	per         int
}

func newInject() *cobra.Command {
	var f injectFlags
	cmd := &cobra.Command{
		Use:   "inject INPUT... --out FILE --labels FILE",
		Short: "Plant failures and look-alikes in clean traffic, with their labels",
		Long: `inject takes the runs of the inputs that are clean (they ended in success, no
call of them failed and none was made twice), and writes them and copies of them
in which one thing is planted each: a failure of one of the six classes, or what
looks like one and is none. Four families of wordings and tools are planted; one
of them is marked as held out, for figures that nothing was tuned on.

The labels are one JSON object a line: trajectory_id, class, kind (positive,
lookalike or clean), the step that completes the evidence (seq, step), all steps
of it (seqs, steps), operator, family, held_out, and base, the clean run that
it stands in. The same inputs and seed give the same bytes.`,
		Example: `  replayer inject recorded/ --out planted.jsonl.gz --labels planted.labels.jsonl
  replayer inject --seed 7 --class retry_loop clean.jsonl --out loops.jsonl --labels loops.labels.jsonl
  replayer eval planted.jsonl.gz --labels planted.labels.jsonl`,
		Args: needInput(1, "an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.inject(cmd, args) },
	}
	f.formatFlag(cmd)
	accessFlags(cmd, &f.access)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "write the steps to `FILE`; - is the standard output")
	flags.StringVar(&f.labels, "labels", "", "write the labels to `FILE`; - is the standard output")
	flags.Uint64Var(&f.seed, "seed", 1, "what is planted where is a function of the inputs and this `NUMBER`")
	flags.StringSliceVar(&f.classes, "class", nil, "plant this `CLASS` only; may be given more than once; none plants nothing")
	flags.StringSliceVar(&f.operators, "operator", nil, "plant only what this `NAME` stands for, as the labels have it; may be given more than once")
	flags.IntVar(&f.per, "per", inject.DefaultPer, "how many runs each operator of each family is planted in")
	complete(cmd, "class", append(inject.Classes(), "none")...)
	return cmd
}

func (f *injectFlags) inject(cmd *cobra.Command, args []string) error {
	if f.out == "" || f.labels == "" {
		return errors.New("--out and --labels are both needed; name the files to write to")
	}
	opts := inject.Options{Seed: f.seed, Classes: f.classes, Operators: f.operators, Per: f.per}
	if f.per < 1 {
		return fmt.Errorf("--per: want 1 or more, found %d", f.per)
	}
	if strings.Join(f.classes, "") == "none" {
		opts.Classes = []string{}
	}
	in, err := inject.New(opts)
	if err != nil {
		return err
	}
	inputs, err := f.inputs(cmd, args)
	if err != nil {
		return err
	}
	var files [2]*output
	for i, name := range []string{f.out, f.labels} {
		if files[i], err = create(name, cmd.OutOrStdout(), inputs); err != nil {
			return err
		}
		defer files[i].discard()
	}
	read, err := replay.Lines(cmd.Context(), inputs, progress(cmd), in.Add)
	if err != nil {
		return err
	}
	if read.Steps == 0 && read.Refused.Total > 0 {
		return replay.ErrNothingRead
	}
	sum, err := in.Write(files[0], files[1])
	if err != nil {
		return err
	}
	for _, o := range files {
		if err := o.finish(); err != nil {
			return err
		}
	}
	return summariseInjection(cmd.ErrOrStderr(), sum)
}

func summariseInjection(w io.Writer, s *inject.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "read %d runs, of which %d are clean\n", s.Runs, s.Clean)
	if s.More > 0 {
		fmt.Fprintf(&b, "  left out %d runs beyond %d\n", s.More, inject.MaxRuns)
	}
	fmt.Fprintf(&b, "wrote %d steps: the clean runs, %d positives, %d look-alikes\n", s.Steps, s.Positives, s.LookAlikes)
	for _, c := range inject.Classes() {
		if n, ok := s.ByClass[c]; ok {
			fmt.Fprintf(&b, "  %-18s %4d positives %4d look-alikes\n", c, n[0], n[1])
		}
	}
	if s.NoPlace > 0 {
		fmt.Fprintf(&b, "  %d times no run fitted\n", s.NoPlace)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
