package main

import (
	"github.com/spf13/cobra"

	"misstep/internal/replay"
)

func newExplain() *cobra.Command {
	var f reading
	cmd := &cobra.Command{
		Use:   "explain FAILURE_ID INPUT...",
		Short: "Show the steps, the facts and the rule behind one failure",
		Long: `explain replays the inputs, finds the failure, and shows the rule that it
broke, how it went on, and the steps of its trajectory around the evidence
with what the detectors know of each. The first digits of the id suffice when
no other failure's begins with them. Give the configuration that the failure
was found with.`,
		Example: `  replayer run fixtures/sample.jsonl
  replayer explain 00796 fixtures/sample.jsonl`,
		Args: needInput(2, "a FAILURE_ID and an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(cmd, args[1:])
			if err != nil {
				return err
			}
			e, err := replay.Explain(cmd.Context(), *o, args[0])
			if err != nil {
				return err
			}
			return e.Write(cmd.OutOrStdout(), style(cmd.OutOrStdout()))
		},
	}
	f.rulesFlags(cmd)
	f.formatFlag(cmd)
	accessFlags(cmd, &f.access)
	return cmd
}
