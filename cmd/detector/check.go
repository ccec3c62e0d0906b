package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"misstep/internal/build"
	"misstep/internal/config"
)

func newCheck() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether a configuration is right, and what it means",
		Long: `check reads a configuration without starting or connecting anything. It prints
the effective configuration, defaults included, which is a configuration file
itself, and the hash of the ruleset: two configurations with the same hash find
the same.`,
		Example: `  detector check -c misstep.yaml
  detector check > misstep.yaml   # the defaults, to start from`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := settings{config: file}
			c, err := s.load()
			if err != nil {
				return err
			}
			rules, err := c.Ruleset()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "# ruleset %s\n%s", rules.Hash(), c.YAML())
			return err
		},
	}
	configFlag(cmd, &file)
	return cmd
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go, and the ruleset of the defaults",
		Example: "  detector version",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := config.Default().Ruleset()
			if err != nil {
				return err
			}
			b := build.Read()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "detector %s\ncommit %s\n%s\nruleset %s\n", b.Version, b.Commit, b.Go, rules.Hash())
			return err
		},
	}
}
