// Command bench measures what a step costs, as ratios to one pass of
// buger/jsonparser's ObjectEach over the same bytes in the same run, so that the
// figures of two machines can be compared. It counts processor time, not wall
// time, and takes medians over interleaved rounds.
//
// With MISSTEP_BENCH_TAU set to a .jsonl.gz file of recorded steps, it measures
// on that mix as well.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"

	"misstep/internal/gen"
)

// tauEnv names the file of recorded steps.
const tauEnv = "MISSTEP_BENCH_TAU"

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

// size says how much is measured.
type size struct{ live, lines, rounds int }

func run(args []string, stdout, stderr io.Writer) (err error) {
	var s size
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&s.live, "live", gen.Live, "trajectories live at a time")
	flags.IntVar(&s.lines, "lines", 100_000, "lines in a round")
	flags.IntVar(&s.rounds, "rounds", 7, "rounds")
	only := flags.String("only", "", "run this contestant alone: ObjectEach, decode or detect")
	each := flags.Bool("each", false, "and with each detector alone, and with none: what each of them costs")
	profile := flags.String("cpuprofile", "", "write a processor profile to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || s.live < 1 || s.lines < 1 || s.rounds < 1 {
		return fmt.Errorf("found arguments %q, -live %d, -lines %d, -rounds %d: name flags alone, with one at least", flags.Args(), s.live, s.lines, s.rounds)
	}
	fmt.Fprintf(stdout, "%s %s/%s, %d processors; %d rounds of %d lines, %d trajectories live\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), s.rounds, s.lines, s.live)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			if e := f.Close(); err == nil {
				err = e
			}
		}()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	if err := measure(stdout, "generated traffic", newGenerated(s.live), generatedTargets, s, *only, *each); err != nil {
		return err
	}
	path := os.Getenv(tauEnv)
	if path == "" {
		fmt.Fprintf(stdout, "\nSKIPPED: the recorded mix. Set %s to a .jsonl.gz file of steps to measure on it.\n", tauEnv)
		return nil
	}
	rec, err := newRecorded(path, s.live)
	if err != nil {
		return err
	}
	return measure(stdout, "recorded mix", rec, recordedTargets, s, *only, *each)
}
