// Command replayer takes recorded traffic of agents through the same program
// that the detector runs live.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"misstep/internal/replay"
)

// The exit codes that users script against.
const (
	exitDone   = 0
	exitGate   = 1 // done, and the gate does not hold
	exitFailed = 2 // could not do it
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command line and gives its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "replayer: %s\n", strings.TrimRight(err.Error(), "\n"))
	var gate *replay.GateError
	if errors.As(err, &gate) {
		return exitGate
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "replayer",
		Short: "Take recorded traffic of agents through the detectors",
		Long: `replayer takes recorded traffic of agents through the same program that the
detector runs live.

An INPUT is a file, a folder (every known file in it, in the order of the
paths) or - for the standard input. Files are step events (.jsonl, .ndjson,
.json), OpenAI chat transcripts or OTLP/JSON traces with OpenInference spans,
plain or compressed (.gz, .zst); which they hold is recognised. nats://HOST:PORT/STREAM?from=...&to=... is a part of a
stream: from and to are sequences or RFC 3339 times, both included, and it ends
at the latest at what is the last message when it is looked at; subject=... is
a part of that. All inputs are one log: a trajectory may go on from one to the
next.

Exit codes: 0 done, 1 the gate that was asked for does not hold, 2 could not
do it.`,
		Example: `  replayer run fixtures/sample.jsonl
  replayer run --fail-on error recorded/
  replayer explain 3f1c recorded/
  replayer run 'nats://localhost:4222/AGENT_STEPS?from=2026-03-02T09:00:00Z'
  replayer convert transcripts.jsonl --out steps.jsonl.gz
  replayer inject recorded/ --out planted.jsonl --labels labels.jsonl
  replayer eval planted.jsonl --labels labels.jsonl`,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		SilenceErrors:              true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newRun(), newExplain(), newConvert(), newPublish(), newInject(), newEval(), newVersion())
	return root
}

// knownCommand refuses what is no command, with what it may have meant.
func knownCommand(cmd *cobra.Command, args []string) error {
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

// noArgs is for commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("want no argument, found %q; see %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

// needInput asks for one argument at least.
func needInput(least int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return fmt.Errorf("want %s, found %d arguments; see %s --help", usage, len(args), cmd.CommandPath())
		}
		return nil
	}
}
