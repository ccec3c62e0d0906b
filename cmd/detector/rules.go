package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"misstep/internal/manual"
)

func newRules() *cobra.Command {
	var asJSON, asMarkdown bool
	cmd := &cobra.Command{
		Use:   "rules [NAME]",
		Short: "Explain the detectors and their rules",
		Long: `rules is the manual of the detectors, printed from the code: what each rule
finds, from when on, what it lets pass and why, and what it needs to know. NAME
is a detector, or a rule by its name or its code.`,
		Example: `  detector rules
  detector rules retry_loop
  detector rules R4
  detector rules --json | jq -r '.rules[].name'
  detector rules --markdown`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("want one name at most, found %d; see %s --help", len(args), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return manual.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asMarkdown {
				return errors.New("want --json or --markdown, found both")
			}
			chosen := manual.All()
			if len(args) == 1 {
				if chosen = manual.Choose(args[0]); len(chosen) == 0 {
					return fmt.Errorf("no detector and no rule is called %q; there are %s", args[0], strings.Join(manual.Names(), ", "))
				}
			}
			w := cmd.OutOrStdout()
			switch {
			case asJSON:
				return manual.JSON(w, chosen)
			case asMarkdown:
				return manual.Markdown(w, chosen)
			}
			return manual.Text(w, chosen)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line for each detector")
	cmd.Flags().BoolVar(&asMarkdown, "markdown", false, "a Markdown table")
	return cmd
}
