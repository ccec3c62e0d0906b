package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"misstep/internal/doctor"
)

// errFindings says that a command is done, and that its gate does not hold.
var errFindings = errors.New("something is wrong")

func newDoctor() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at the broker: rights, topics, settings, partitioner, clocks, lag, coverage",
		Long: `doctor connects to the Kafka cluster or the NATS server of a configuration, looks
at all that a detector needs there, and at the newest steps, and says what is
wrong, each with its mend. It changes nothing, and needs no right beyond those of
a detector.

Exit codes: 0 nothing is wrong (there may be something to look at), 1 something
is wrong, 2 it could not look.`,
		Example: `  detector doctor -c misstep.yaml
  detector doctor -c misstep.yaml --json | jq 'select(.level == "wrong")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			var r *doctor.Report
			if c.Kafka.Used() {
				r, err = doctor.Kafka(cmd.Context(), &c.Kafka)
			} else {
				r, err = doctor.NATS(cmd.Context(), &c.NATS)
			}
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				err = r.WriteJSON(w)
			} else {
				err = r.Write(w, doctor.Color(w, os.Getenv))
			}
			if err == nil && r.Wrong() > 0 {
				err = errFindings
			}
			return err
		},
	}
	configFlag(cmd, &s.config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line, instead of text")
	return cmd
}
