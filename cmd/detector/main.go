// Command detector finds the missteps of AI agents while they happen.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes that users script against.
const (
	exitDone   = 0
	exitGate   = 1 // done, and what was asked for does not hold
	exitFailed = 2 // bad usage, configuration, input or connection
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command line and gives its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilStopped()
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, errFindings) {
		return exitGate // what was found is told already
	}
	if err != nil {
		fmt.Fprintf(stderr, "detector: %s\n", strings.TrimRight(err.Error(), "\n"))
		return exitFailed
	}
	return exitDone
}

func newRoot() *cobra.Command {
	root := newRun()
	root.Use = "detector"
	root.Short = "Find the missteps of AI agents while they happen"
	root.Long = `detector takes step events of agents, from HTTP and NATS, and reports the ways
in which they fail: on the terminal, on NATS and as Prometheus metrics. Without
a command it does what "detector run" does.

Exit codes: 0 done, 1 done and something is wrong, 2 could not do it.`
	root.Example = `  detector
  detector -c misstep.yaml
  detector check -c misstep.yaml
  detector rules retry_loop`
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		hint := "there are " + strings.Join(names, ", ")
		if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
			hint = "did you mean " + strings.Join(s, " or ") + "?"
		}
		return fmt.Errorf("no such command: %q; %s", args[0], hint)
	}
	root.AddCommand(newRun(), newCheck(), newDoctor(), newRules(), newTopics(), newVersion())
	return root
}

// noArgs is for commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("want no argument, found %q; see %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

// configFlag adds -c.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration `FILE`; without one everything is at its default")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails for a flag that is not there only
}
