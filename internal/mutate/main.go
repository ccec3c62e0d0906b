// Command mutate negates every condition of the given packages in turn and
// runs their tests: a mutant that no test kills is a condition that no test
// minds. It ends with 1 when more than 5 % survive, or when a survivor is not
// in the list of those that are known, each with its reason.
//
// All mutants are compiled into one test binary for each package, through an
// overlay, and the environment says which one is active; a first run tells
// which tests reach which condition, and only those are run on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	dir, accept, except, run, tests string
	sample, workers                 int
	seed                            uint64
	packages                        []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: mutate [flags] package...")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.dir, "C", ".", "folder of the module")
	flags.StringVar(&o.accept, "accept", "", "file that lists the known survivors, each with its reason")
	flags.StringVar(&o.except, "except", "", "file that lists the files that are not held to it yet, each with its reason")
	flags.StringVar(&o.run, "run", "", "negate in this file only, e.g. retryloop.go")
	flags.StringVar(&o.tests, "tests", "", "packages, separated by commas, whose tests run as well")
	flags.IntVar(&o.sample, "sample", 0, "take that many conditions only; 0: all")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the sample")
	flags.IntVar(&o.workers, "p", 2, "mutants judged at a time")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	o.packages = flags.Args()
	if len(o.packages) == 0 {
		flags.Usage()
		return 2
	}
	began := time.Now()
	results, accepted, err := mutate(ctx, &o, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	ok := report(stdout, results, accepted, o.sample == 0 && o.run == "")
	fmt.Fprintf(stdout, "%s\n", time.Since(began).Round(100*time.Millisecond))
	if !ok {
		return 1
	}
	return 0
}

func mutate(ctx context.Context, o *options, progress io.Writer) ([]result, map[key]*acceptance, error) {
	accepted, err := readAccepted(o.accept)
	if err != nil {
		return nil, nil, err
	}
	mutated, err := list(ctx, o.dir, o.packages)
	if err != nil {
		return nil, nil, err
	}
	tests := mutated
	if o.tests != "" {
		more, err := list(ctx, o.dir, strings.Split(o.tests, ","))
		if err != nil {
			return nil, nil, err
		}
		tests = append(slices.Clone(mutated), more...)
	}
	all, err := sources(mutated)
	if err != nil {
		return nil, nil, err
	}
	apart, err := readExcept(o.except)
	if err != nil {
		return nil, nil, err
	}
	before := len(all)
	if all, err = without(all, apart); err != nil {
		return nil, nil, err
	}
	if n := before - len(all); n > 0 {
		fmt.Fprintf(progress, "%d of %d conditions are not held to it yet: %s says where and why\n", n, before, o.except)
	}
	sites := choose(all, o)
	if len(sites) == 0 {
		return nil, nil, fmt.Errorf("no condition in %s", strings.Join(o.packages, " "))
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(work)
	began := time.Now()
	bins, bad, err := build(ctx, o.dir, work, mutated, tests, sites)
	if err != nil {
		return nil, nil, err
	}
	built := time.Since(began)
	n := 0
	for _, b := range bins {
		if err := b.inspect(ctx); err != nil {
			return nil, nil, err
		}
		n += len(b.tests)
	}
	fmt.Fprintf(progress, "%d of %d conditions, %d tests in %d packages; built in %s, traced in %s\n",
		len(sites), len(all), n, len(bins), built.Round(100*time.Millisecond), (time.Since(began) - built).Round(100*time.Millisecond))
	viable := slices.DeleteFunc(slices.Clone(sites), func(s *site) bool { return slices.Contains(bad, s) })
	results, err := hunt(ctx, bins, viable, o.workers, progress)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range bad {
		results = append(results, result{s, notCompiling})
	}
	return results, accepted, nil
}

// choose applies -run and -sample.
func choose(all []*site, o *options) []*site {
	sites := slices.DeleteFunc(slices.Clone(all), func(s *site) bool {
		return o.run != "" && s.file != o.run && filepath.Base(s.file) != o.run
	})
	if o.sample > 0 && o.sample < len(sites) {
		r := rand.New(rand.NewPCG(o.seed, 0))
		r.Shuffle(len(sites), func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })
		sites = sites[:o.sample]
		slices.SortFunc(sites, func(a, b *site) int { return a.id - b.id })
	}
	return sites
}
