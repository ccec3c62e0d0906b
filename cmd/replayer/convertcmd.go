package main

import (
	"errors"

	"github.com/spf13/cobra"

	"misstep/internal/replay"
)

func newConvert() *cobra.Command {
	var f reading
	var out string
	cmd := &cobra.Command{
		Use:   "convert INPUT... --out FILE",
		Short: "Turn any format that is understood into step events",
		Long: `convert writes the inputs as step events, one JSON object a line, compressed
when the name of the file ends in .gz or .zst. Step events are written with
their members in one order, without those that the format does not know.

A chat transcript becomes one trajectory. Its messages have no times, and its
tool results no status: none are made up. A trace becomes one trajectory, whose
step ids begin with the ids of the trace and of the span that told of it.`,
		Example: `  replayer convert transcripts.jsonl --out steps.jsonl.gz
  replayer convert --format chat - --out - < transcripts.jsonl`,
		Args: needInput(1, "an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("--out is missing; name a file to write to, or - for the standard output")
			}
			inputs, err := f.inputs(cmd, args)
			if err != nil {
				return err
			}
			o, err := create(out, cmd.OutOrStdout(), inputs)
			if err != nil {
				return err
			}
			defer o.discard()
			done, err := replay.Convert(cmd.Context(), inputs, o, progress(cmd))
			if err != nil {
				return err
			}
			if err := o.finish(); err != nil {
				return err
			}
			w := cmd.ErrOrStderr()
			if err := done.WriteSummary(w, style(w)); err != nil {
				return err
			}
			if done.Steps == 0 && done.Refused.Total > 0 {
				return replay.ErrNothingRead
			}
			return nil
		},
	}
	f.formatFlag(cmd)
	accessFlags(cmd, &f.access)
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write to; - is the standard output")
	return cmd
}
