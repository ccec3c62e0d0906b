package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/build"
	"misstep/internal/config"
	"misstep/internal/replay"
	"misstep/sinks"
)

// reading are the flags of every command that reads inputs.
type reading struct {
	config string
	format string
	shards int
}

func (r *reading) formatFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.format, "format", string(replay.Auto), "what the inputs hold: auto, steps or chat")
	complete(cmd, "format", "auto\trecognise it", "steps\tstep events", "chat\tOpenAI chat transcripts")
}

func (r *reading) rulesFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&r.config, "config", "c", "", "configuration `FILE`; default: every detector as it is")
	cmd.Flags().IntVar(&r.shards, "shards", 0, "state machines that the trajectories are spread over, 0 for one for each processor; the output is the same")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails for a flag that is not there only
}

// complete sets what the shell offers for a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, // fails for a flag that is not there only
		func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values, cobra.ShellCompDirectiveNoFileComp
		})
}

func (r *reading) inputs(cmd *cobra.Command, args []string) (*replay.Inputs, error) {
	f, err := replay.ParseFormat(r.format)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return replay.Find(args, f, cmd.InOrStdin())
}

// ruleset gives the rules of the configuration, and its number of shards where
// the flag names none.
func (r *reading) ruleset() (*detectors.Ruleset, error) {
	if r.shards < 0 {
		return nil, fmt.Errorf("--shards: want 0 or more, found %d", r.shards)
	}
	if r.config == "" {
		return config.Default().Ruleset()
	}
	c, err := config.Load(r.config)
	if err != nil {
		return nil, err
	}
	if r.shards == 0 {
		r.shards = c.Shards
	}
	return c.Ruleset()
}

// style fits the text to where it goes.
func style(w io.Writer) replay.Style {
	o := sinks.TerminalOptionsFor(w, os.Getenv)
	return replay.Style{Color: o.Color}
}

// progress tells how far the work is, on the standard error.
func progress(cmd *cobra.Command) *replay.Progress {
	w := cmd.ErrOrStderr()
	return &replay.Progress{W: w, Terminal: sinks.TerminalOptionsFor(w, os.Getenv).Width > 0}
}

// parseSeverity reads the value of a flag; empty is SeverityNone.
func parseSeverity(flag, s string) (event.Severity, error) {
	if s == "" {
		return event.SeverityNone, nil
	}
	var names []string
	for v := event.Info; v <= event.Critical; v++ {
		if v.String() == s {
			return v, nil
		}
		names = append(names, v.String())
	}
	return event.SeverityNone, fmt.Errorf("--%s: severity %q is not known; there are %s", flag, s, strings.Join(names, ", "))
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go, and the ruleset of the defaults",
		Example: "  replayer version",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := config.Default().Ruleset()
			if err != nil {
				return err
			}
			b := build.Read()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "replayer %s\ncommit %s\n%s\nruleset %s\n", b.Version, b.Commit, b.Go, rules.Hash())
			return err
		},
	}
}
