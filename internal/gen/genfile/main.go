// Command genfile writes generated step traffic to a file.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"misstep/internal/gen"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "genfile:", err)
		os.Exit(2)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	var o gen.Options
	flags := flag.NewFlagSet("genfile", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.Steps, "steps", 100_000, "number of step events")
	flags.IntVar(&o.Trajectories, "trajectories", gen.Live, "trajectories live at a time")
	flags.IntVar(&o.LoopPerMille, "loops", 20, "trajectories with a planted loop, in 1000; -1: none")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed")
	out := flags.String("out", "-", "file to write; -: standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.Steps <= 0 {
		return fmt.Errorf("found arguments %q and -steps %d: name flags alone, with one step at least", flags.Args(), o.Steps)
	}
	if *out == "-" {
		return write(stdout, o)
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := write(f, o); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func write(w io.Writer, o gen.Options) error {
	b := bufio.NewWriterSize(w, 1<<20)
	if _, err := gen.New(o).WriteTo(b); err != nil {
		return err
	}
	return b.Flush()
}
