package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// test is one test function of a binary.
type test struct {
	name    string
	wall    time.Duration
	cpu     time.Duration
	reaches map[int]bool // ids of sites
}

// verdict says what became of a mutant.
type verdict int

const (
	notCompiling verdict = iota
	killed
	timedOut
	survived
	notReached // survived, since no test comes by
)

// result is the verdict on one site.
type result struct {
	site    *site
	verdict verdict
}

// inspect fills in the tests of a binary: what each reaches and takes. An
// error names a test that fails although nothing is negated.
func (b *binary) inspect(ctx context.Context) error {
	if help, _ := exec.CommandContext(ctx, b.path, "-h").CombinedOutput(); bytes.Contains(help, []byte("-rapid.seed")) {
		// Random inputs would make one verdict today and another tomorrow.
		b.args = append(b.args, "-rapid.seed=1", "-rapid.nofailfile")
	}
	cmd := exec.CommandContext(ctx, b.path, "-test.list", "^(Test|Fuzz|Example)")
	cmd.Dir = b.pkg.Dir
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: list tests: %w", b.pkg.ImportPath, err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		t := &test{name: name, reaches: map[int]bool{}}
		trace := b.path + ".trace"
		cmd := b.command(ctx, []*test{t}, 10*time.Minute, time.Hour)
		cmd.Env = append(cmd.Env, reachedEnv+"="+trace)
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %s fails with nothing negated: %w\n%s", b.pkg.ImportPath, name, err, out)
		}
		t.wall = time.Since(began)
		t.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if err := t.readTrace(trace); err != nil {
			return err
		}
		b.tests = append(b.tests, t)
	}
	slices.SortStableFunc(b.tests, func(a, b *test) int { return cmp.Compare(a.wall, b.wall) })
	return nil
}

func (t *test) readTrace(name string) error {
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil // the binary holds no site
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		id, err := strconv.Atoi(s.Text())
		if err != nil {
			return fmt.Errorf("trace of %s: %w", t.name, err)
		}
		t.reaches[id] = true
	}
	return os.Remove(name)
}

// command runs some tests of the binary. cpu is the processor time after which
// the system ends it, where it can.
func (b *binary) command(ctx context.Context, ts []*test, wall, cpu time.Duration) *exec.Cmd {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.name
	}
	args := append([]string{
		b.path, "-test.run=^(" + strings.Join(names, "|") + ")$", "-test.short", "-test.failfast",
		"-test.paniconexit0", "-test.timeout=" + wall.String(),
	}, b.args...)
	if runtime.GOOS != "windows" {
		// Processor time does not depend on what else the machine does, and a
		// loop without end must not eat the memory of all others either.
		limits := fmt.Sprintf(`ulimit -t %d; ulimit -v 8388608 2>/dev/null; exec "$@"`, int(math.Ceil(cpu.Seconds())))
		args = append([]string{"sh", "-c", limits, "sh"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = b.pkg.Dir
	cmd.Env = os.Environ()
	cmd.WaitDelay = time.Second
	return cmd
}

// judge runs the tests that reach a site, the quick ones first, with the site
// negated.
func judge(ctx context.Context, bins []*binary, s *site) (verdict, error) {
	v := notReached
	for _, b := range bins {
		for _, ts := range b.batches(s.id) {
			v = survived
			var wall, cpu time.Duration
			for _, t := range ts {
				wall, cpu = wall+t.wall, cpu+t.cpu
			}
			cmd := b.command(ctx, ts, 30*time.Second+20*wall, 3*time.Second+5*cpu)
			cmd.Env = append(cmd.Env, activeEnv+"="+strconv.Itoa(s.id))
			out, err := cmd.CombinedOutput()
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			if err == nil {
				continue
			}
			if cmd.ProcessState == nil {
				return 0, err // it did not even start
			}
			if cmd.ProcessState.ExitCode() < 0 || bytes.Contains(out, []byte("panic: test timed out")) {
				return timedOut, nil
			}
			return killed, nil
		}
	}
	return v, nil
}

// batches gives the tests that reach a site, cut such that each batch takes
// about five times as long as the one before: most mutants die of the first.
func (b *binary) batches(id int) [][]*test {
	var out [][]*test
	var batch []*test
	var sum time.Duration
	limit := 100 * time.Millisecond
	for _, t := range b.tests {
		if !t.reaches[id] {
			continue
		}
		if sum += t.wall; sum > limit && len(batch) > 0 {
			out = append(out, batch)
			batch, sum, limit = nil, t.wall, 5*limit
		}
		batch = append(batch, t)
	}
	if len(batch) > 0 {
		out = append(out, batch)
	}
	return out
}

// hunt judges all sites and says now and then how far it is.
func hunt(ctx context.Context, bins []*binary, sites []*site, workers int, progress io.Writer) ([]result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]result, len(sites))
	jobs := make(chan int)
	finished := make(chan verdict)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range jobs {
				v, err := judge(ctx, near(bins, sites[i]), sites[i])
				if err != nil {
					cancel(err)
					return
				}
				results[i] = result{sites[i], v}
				finished <- v
			}
		})
	}
	go func() {
		defer close(finished)
		defer wg.Wait()
		defer close(jobs)
		for i := range sites {
			select {
			case jobs <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	began, done, alive := time.Now(), 0, 0
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case v, ok := <-finished:
			if !ok {
				return results, context.Cause(ctx)
			}
			done++
			if v >= survived {
				alive++
			}
		case <-tick.C:
			fmt.Fprintf(progress, "%d of %d mutants judged, %d survived, %s\n",
				done, len(sites), alive, time.Since(began).Round(time.Second))
		}
	}
}

// near orders the binaries such that a site's own package comes first.
func near(bins []*binary, s *site) []*binary {
	dir := filepath.Dir(s.path)
	out := slices.Clone(bins)
	slices.SortStableFunc(out, func(a, b *binary) int {
		return cmp.Compare(rank(a.pkg.Dir == dir), rank(b.pkg.Dir == dir))
	})
	return out
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}
