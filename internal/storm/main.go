//go:build unix

// Storm runs detectors as processes and kills and stops them while another
// process publishes steps, then compares what is in the results stream with
// what that process knows must be there: each output once, with the very bytes.
//
//	go run ./internal/storm -mode external -for 2m -kills 40 -stops 6
//
// It ends with 1 when an output is lost, wrong or repeated, or when a soak
// (-soak) takes more and more memory or goroutines.
package main

import (
	"context"
	"errors"
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

// The modes: which server the detectors use.
const (
	external = "external" // one, as a process of its own
	embedded = "embedded" // the detector's own, killed with it
	cluster  = "cluster"  // three, of which one at a time is lost
	onKafka  = "kafka"    // none: a Kafka broker, shared by three detectors
)

// options say what is run.
type options struct {
	mode   string
	length time.Duration
	kills  int // kill -9 of detectors, at least
	stops  int // SIGSTOP of detectors for longer than the lease, at least
	nodes  int // kill -9 of servers, at least
	leaves int // detectors that leave and come back, with Kafka
	rate   int // steps a second
	live   int // trajectories at a time
	seed   uint64
	lease  time.Duration
	bin    string // the detector; built when empty
	keep   bool   // the folder
	soak   bool   // instead of a storm
	rolls  bool   // likewise: restarts in order
	fails  bool   // likewise: kills, one at a time
}

func main() {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(playRole(role))
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	code, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	var o options
	flags := flag.NewFlagSet("storm", flag.ContinueOnError)
	flags.StringVar(&o.mode, "mode", external, "external, embedded, cluster or kafka")
	flags.DurationVar(&o.length, "for", 2*time.Minute, "how long steps are published")
	flags.IntVar(&o.kills, "kills", 40, "detectors that are killed")
	flags.IntVar(&o.stops, "stops", 6, "detectors that are stopped for longer than the lease")
	flags.IntVar(&o.nodes, "nodes", 0, "servers that are killed, if they are processes of their own")
	flags.IntVar(&o.leaves, "leaves", 0, "with Kafka: detectors that stop in order and start again")
	flags.IntVar(&o.rate, "rate", 1000, "steps a second; 0 with -soak: half of what this machine takes, which is measured first")
	flags.IntVar(&o.live, "live", 300, "trajectories at a time")
	flags.Uint64Var(&o.seed, "seed", 0, "of all that is random; 0: another each time")
	flags.DurationVar(&o.lease, "lease", 2*time.Second, "lease of the owner, or session of the members")
	flags.StringVar(&o.bin, "bin", "", "the detector; default: it is built")
	flags.BoolVar(&o.soak, "soak", false, "embedded: look at memory and goroutines while the configuration is reloaded")
	flags.BoolVar(&o.rolls, "rolling", false, "kafka: restart the detectors in order, one after the other, for as long as -for says, once at least")
	flags.BoolVar(&o.fails, "failover", false, "kafka: kill -kills detectors, the next when all is well again, and say how long their partitions have none")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with all logs")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if !slices.Contains([]string{external, embedded, cluster, onKafka}, o.mode) {
		return 2, fmt.Errorf("-mode %q: there are external, embedded, cluster, kafka", o.mode)
	}
	if o.soak && o.mode != embedded {
		return 2, fmt.Errorf("-soak goes with -mode %s", embedded)
	}
	if (o.rolls || o.fails) && o.mode != onKafka || o.rolls && o.fails {
		return 2, fmt.Errorf("-rolling or -failover goes with -mode %s", onKafka)
	}
	if o.rate < 0 || o.rate == 0 && !o.soak {
		return 2, fmt.Errorf("-rate %d: want 1 or more, or 0 with -soak", o.rate)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if o.mode == embedded {
		o.stops = 0 // there is one detector, and nobody to take its place
	}
	fmt.Fprintf(out, "storm %s for %s, seed %d\n", o.mode, o.length, o.seed)
	dir, err := os.MkdirTemp("", "misstep-storm-")
	if err != nil {
		return 2, err
	}
	r, err := storm(ctx, o, dir, out)
	if err != nil {
		fmt.Fprintf(out, "logs are in %s\n", dir)
		return 2, err
	}
	fmt.Fprint(out, r)
	if !r.clean() {
		fmt.Fprintf(out, "logs are in %s\n", dir)
		return 1, errors.New("outputs are not as they must be")
	}
	if o.keep {
		fmt.Fprintf(out, "logs are in %s\n", dir)
		return 0, nil
	}
	return 0, os.RemoveAll(dir)
}

// storm does it all in a folder.
func storm(ctx context.Context, o options, dir string, out io.Writer) (r *report, err error) {
	if o.bin == "" {
		o.bin = filepath.Join(dir, "detector")
		if err := goBuild(ctx, o.bin, "detector"); err != nil {
			return nil, err
		}
	}
	if o.rate == 0 {
		most, err := capacity(ctx, o, filepath.Join(dir, "capacity"))
		if err != nil {
			return nil, err
		}
		o.rate = max(most/2, 1)
		fmt.Fprintf(out, "the detector takes %d steps a second beside the producer; the load is half of it, %d\n", most, o.rate)
	}
	w, err := newWorld(o, dir)
	if err != nil {
		return nil, err
	}
	defer w.end()
	if err := w.start(ctx); err != nil {
		return nil, err
	}
	done, err := w.startProducer(ctx)
	if err != nil {
		return nil, err
	}
	var samples []sample
	switch {
	case o.soak:
		samples, err = w.soak(ctx, done, out)
	case o.rolls:
		err = w.roll(ctx, done, out)
	case o.fails:
		err = w.fail(ctx, done, out)
	default:
		err = w.rage(ctx, done, out)
	}
	if err != nil {
		return nil, err
	}
	if err := w.calm(ctx); err != nil {
		return nil, err
	}
	want, err := readExpected(filepath.Join(dir, expectedFile))
	if err != nil {
		return nil, err
	}
	r = &report{kills: w.kills, stops: w.stops, nodes: w.nodes, steps: want.steps}
	collect := w.collect
	if w.broker != nil {
		collect = w.collectKafka
	}
	got, err := collect(ctx, len(want.records))
	if err != nil {
		return nil, err
	}
	r.dropped, r.leaves = w.dropped, w.leaves
	r.compare(want, got)
	if o.soak {
		var ok bool
		if r.soaked, ok = flat(samples); !ok {
			r.grew = true
		}
	}
	if w.broker != nil {
		return r, w.kafkaTimes(ctx, r, got)
	}
	if !o.soak { // whose stream has lost its beginning by its end
		again, err := w.replay(ctx)
		if err != nil {
			return nil, err
		}
		r.replayed(want, again)
	}
	r.recovery = recoveries(w.ownerKills, got)
	return r, nil
}

// report says what came out.
type report struct {
	kills, stops, nodes, steps int
	leaves, dropped            int
	expected, found            int
	lost, wrong, repeated      []string
	differ                     []string        // what the replayer makes of the same stream, where it is not that
	again                      int             // what it makes of it
	recovery, alone            []time.Duration // alone: while nothing else happened
	soaked                     string          // what a soak took
	grew                       bool            // and that was more and more
	rolled                     string          // how long steps waited in restarts
	slow                       bool            // and that was too long
}

func (r *report) clean() bool {
	return len(r.lost)+len(r.wrong)+len(r.repeated)+len(r.differ) == 0 && r.expected > 0 && !r.grew && !r.slow
}

func (r *report) compare(want *expected, got []result) {
	r.expected = len(want.records)
	seen := map[string]bool{}
	for _, g := range got {
		if seen[g.key] {
			r.repeated = append(r.repeated, g.key)
			continue
		}
		seen[g.key] = true
		r.found++
		if w, ok := want.records[g.key]; !ok || w != string(g.value) {
			r.wrong = append(r.wrong, g.key+"\n  got  "+string(g.value)+"\n  want "+w)
		}
	}
	for key := range want.records {
		if !seen[key] {
			r.lost = append(r.lost, key)
		}
	}
	slices.Sort(r.lost)
}

// replayed compares what the replayer made of the stream of steps.
func (r *report) replayed(want *expected, again []result) {
	r.again = len(again)
	seen := map[string]bool{}
	for _, g := range again {
		if w, ok := want.records[g.key]; !ok || w != string(g.value) || seen[g.key] {
			r.differ = append(r.differ, g.key)
		}
		seen[g.key] = true
	}
	for key := range want.records {
		if !seen[key] {
			r.differ = append(r.differ, key)
		}
	}
	slices.Sort(r.differ)
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d steps published, %d detectors killed, %d stopped for longer than the lease, %d servers killed\n", r.steps, r.kills, r.stops, r.nodes)
	fmt.Fprintf(&b, "%d outputs expected, %d found: lost %d, wrong %d, repeated %d\n", r.expected, r.found, len(r.lost), len(r.wrong), len(r.repeated))
	if r.leaves > 0 && r.rolled == "" {
		fmt.Fprintf(&b, "%d detectors left and came back\n", r.leaves)
	}
	if r.dropped > 0 {
		fmt.Fprintf(&b, "%d outputs were there again with the same origin, as a stale owner repeats them, and dropped by it\n", r.dropped)
	}
	if r.again > 0 {
		fmt.Fprintf(&b, "the replayer makes %d of the same stream, %d of them others\n", r.again, len(r.differ))
	}
	if n := len(r.recovery); n > 0 {
		fmt.Fprintf(&b, "from the death of an owner to the next output: median %s, longest %s, of %d\n",
			r.recovery[n/2].Round(time.Millisecond), r.recovery[n-1].Round(time.Millisecond), n)
	}
	if n := len(r.alone); n > 0 {
		fmt.Fprintf(&b, "of these nothing else had happened lately, or did meanwhile, with %d: median %s, longest %s\n",
			n, r.alone[n/2].Round(time.Millisecond), r.alone[n-1].Round(time.Millisecond))
	}
	if r.rolled != "" {
		fmt.Fprintln(&b, r.rolled)
	}
	if r.soaked != "" {
		fmt.Fprintln(&b, r.soaked)
	}
	for what, keys := range map[string][]string{"replayed otherwise": r.differ, "lost": r.lost, "wrong": r.wrong, "repeated": r.repeated} {
		for i, k := range keys {
			if i == 5 {
				fmt.Fprintf(&b, "  ... and %d more %s\n", len(keys)-i, what)
				break
			}
			fmt.Fprintf(&b, "  %s: %s\n", what, k)
		}
	}
	return b.String()
}

// recoveries gives how long after each death of an owner the next output came,
// shortest first.
func recoveries(deaths []time.Time, got []result) []time.Duration {
	var out []time.Duration
	for _, d := range deaths {
		i := slices.IndexFunc(got, func(r result) bool { return r.stored.After(d) })
		if i >= 0 {
			out = append(out, got[i].stored.Sub(d))
		}
	}
	slices.Sort(out)
	return out
}
