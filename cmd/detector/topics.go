package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"misstep/internal/app"
)

func newTopics() *cobra.Command {
	var s settings
	var kind string
	var replicas int
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Print the commands that make streams, and the rights that are needed",
		Long: `topics prints what must be on a NATS server of your own: the commands that make
it, for the nats tool, and the rights of each role, as comments. It connects
nowhere. A detector makes nothing by itself, unless nats.create is true.`,
		Example: `  detector topics --for nats
  detector topics -c misstep.yaml --for nats --replicas 3 | sh`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kind != "nats" {
				return fmt.Errorf("--for: want nats, found %q", kind)
			}
			c, err := s.load()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("replicas") {
				if replicas < 1 || replicas > 5 {
					return fmt.Errorf("--replicas: want 1 to 5, found %d", replicas)
				}
				c.NATS.Replicas = replicas
			}
			return app.WriteTopics(cmd.OutOrStdout(), &c.NATS)
		},
	}
	configFlag(cmd, &s.config)
	cmd.Flags().StringVar(&kind, "for", "", "what the commands are for: nats")
	cmd.Flags().IntVar(&replicas, "replicas", 0, "copies of each message in a cluster, 1 to 5 (default: as in the configuration, 1 without one)")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"nats"}, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that is not there only
	return cmd
}
