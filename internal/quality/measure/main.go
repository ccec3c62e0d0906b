// Command measure measures the detectors on every source of a folder and on
// failures planted in their clean runs, and writes what it measured to a file,
// or compares it with what the file says.
//
//	go run ./internal/quality/measure -update DIR
//
// A source is a folder with runs in a format that the replayer reads, beside
// them perhaps labels.jsonl and runs.jsonl (see replayer eval --help).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"misstep/internal/replay"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errDiffers):
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
}

// errDiffers says that the figures are not those of the file.
var errDiffers = errors.New("the figures are not those of the file; with -update they are written to it")

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("file", "QUALITY.md", "the file of figures")
	update := flags.Bool("update", false, "write the file instead of comparing with it")
	config := flags.String("c", "", "configuration file; default: every detector as it is")
	seed := flags.Uint64("seed", 1, "of what is planted")
	per := flags.Int("per", 3, "runs for each operator and family of what is planted")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("want one folder of sources, as in: make quality DATA=DIR")
	}
	c, err := replay.LoadConfig(*config)
	if err != nil {
		return err
	}
	rules, err := c.Ruleset()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "measure-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }() // a folder of the system's
	m := &measured{rules: rules, temp: temp, seed: *seed, per: *per, log: stderr}
	if err := m.all(context.Background(), flags.Arg(0)); err != nil {
		return err
	}
	was, err := os.ReadFile(*file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now := m.markdown(byHand(string(was)))
	if *update {
		return os.WriteFile(*file, []byte(now), 0o644)
	}
	if changes := compare(string(was), now); len(changes) > 0 {
		for _, c := range changes {
			fmt.Fprintln(stdout, c)
		}
		return errDiffers
	}
	_, err = fmt.Fprintln(stdout, "the figures are those of the file")
	return err
}
