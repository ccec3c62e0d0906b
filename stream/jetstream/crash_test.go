package jetstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// childDir names the data folder of a child process that is to be killed.
const childDir = "MISSTEP_CHILD_DIR"

// crashRecords is how many records the child publishes and works on.
const crashRecords = 4000

// runChild publishes what is missing of the records and runs the engine over
// all, in one process with the server, and says each step it made.
func runChild(dir string) {
	if err := child(dir); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("done")
}

func child(dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer e.Close()
	nc, err := e.Connect("child")
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := errors.Join(EnsureSteps(ctx, nc, Limits{}), EnsureResults(ctx, nc, Limits{}), EnsureCheckpoints(ctx, nc, Limits{})); err != nil {
		return err
	}
	published := make(chan error, 1)
	taken := make(chan int64, crashRecords)
	go func() { published <- publishMissing(ctx, nc, taken) }()
	log, err := OpenLog(ctx, nc, LogOptions{})
	if err != nil {
		return err
	}
	defer log.Close()
	results := NewResults(nc)
	store, err := NewCheckpoints(nc, results)
	if err != nil {
		return err
	}
	if last, ok, err := results.Last(ctx, StepsStream, 0); err != nil || ok && last.Offset == crashRecords {
		return errors.Join(err, <-published) // an earlier child was killed when all was done
	}
	ck := stream.Checkpointing{
		Store: store, Work: -1, Spacing: -1,
		OnRestore: func(r stream.Restored) {
			if r.Offset > 0 {
				fmt.Println("restored", r.Offset)
			}
		},
		OnFallback: func(err error) { fmt.Println("fell back:", err) },
		OnTaken: func(c stream.Taken) {
			fmt.Println("checkpoint at", c.Offset, c.Err)
			taken <- c.Offset
		},
	}
	if err := runCounter(ctx, log, results, e.Ownership(), ck, func(outs []stream.Output) {
		fmt.Println("took", len(outs))
		if string(outs[len(outs)-1].Value) == "refused !last" {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		return err
	}
	return <-published
}

// runCounter runs the counting program until ctx ends.
func runCounter(ctx context.Context, log stream.Log, results stream.Results, own stream.Ownership, ck stream.Checkpointing, tap func([]stream.Output)) error {
	e, err := stream.New(stream.Options[[]byte]{
		Program: counter{}, Log: log, Results: results, Ownership: own, Shards: 2, BatchRecords: 16, Checkpoint: ck, Tap: tap,
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// publishMissing publishes the records that the stream does not hold yet. Now
// and then it waits for a checkpoint that holds all so far.
func publishMissing(ctx context.Context, nc *nats.Conn, taken <-chan int64) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, StepsStream)
	if err != nil {
		return err
	}
	p, err := NewPublisher(nc, PublisherOptions{MaxPending: 20})
	if err != nil {
		return err
	}
	for i := int(s.CachedInfo().State.LastSeq) + 1; i <= crashRecords; {
		var msgs []StepMessage
		for ; len(msgs) < 50 && i <= crashRecords; i++ {
			msgs = append(msgs, StepMessage{Value: counterRecord(i, crashRecords)})
		}
		if err := p.Publish(ctx, msgs); err != nil {
			return err
		}
		fmt.Println("published", i-1)
		for at := int64(0); i%400 == 1 && at < int64(i-1); {
			select {
			case at = <-taken:
			case <-ctx.Done():
				return nil // all outputs are there
			}
		}
	}
	return nil
}

func TestKilledAnywhereEachOutputOnce(t *testing.T) {
	dir := t.TempDir()
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, 0))
	kills, restored := 0, 0
	for run := 0; ; run++ {
		if run == 100 {
			t.Fatalf("not done after %d runs", run)
		}
		last := kills >= 8 && restored > 0
		steps := 1 + random.IntN(90)
		if random.IntN(4) == 0 {
			steps = 0 // while it starts
		}
		finished, killed, loaded := runToKill(t, dir, steps, !last)
		if killed {
			kills++
		}
		if loaded {
			restored++
		}
		if finished && last {
			break
		}
		if finished && restored == 0 {
			dir = t.TempDir() // it was too quick to be killed where it matters
		}
	}
	t.Logf("seed %d: killed %d times, began with a checkpoint %d times", seed, kills, restored)
	nc := connect(t, embedded(t, dir))
	l := openLog(t, nc, LogOptions{})
	for i := 1; i <= crashRecords; {
		dst := make([]stream.Record, 256)
		n, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:n] {
			if r.Offset != int64(i) || !bytes.Equal(r.Value, counterRecord(i, crashRecords)) {
				t.Fatalf("record %d is %d %q", i, r.Offset, r.Value)
			}
			i++
		}
	}
	if err := sameOutputs(readResults(t, nc), counterOutputs(crashRecords)); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

// runToKill runs a child, and kills it after so many steps if it is to be
// killed.
func runToKill(t *testing.T, dir string, steps int, kill bool) (finished, killed, restored bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	done := false
	for n := 0; !kill || n < steps; n++ {
		if !lines.Scan() {
			break
		}
		switch line := lines.Text(); {
		case line == "done":
			done = true
		case strings.HasPrefix(line, "restored "):
			restored = true
		case strings.HasPrefix(line, "fell back"):
			t.Error(line)
		}
	}
	if kill {
		_ = cmd.Process.Kill() // it may have ended
	}
	_, _ = io.Copy(io.Discard, stdout) // to its end, whatever it is
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && kill && !exit.Exited() {
		return false, true, restored
	}
	if err != nil {
		t.Fatalf("child: %v\n%s", err, stderr.Bytes())
	}
	return done || !kill, false, restored
}

// upTo stores so many outputs and then stops the run, as a crash would.
type upTo struct {
	*Results
	left int
	stop func()
}

func (u *upTo) Append(ctx context.Context, outs []stream.Output) error {
	outs = outs[:min(len(outs), u.left)]
	if err := u.Results.Append(ctx, outs); err != nil {
		return err
	}
	if u.left -= len(outs); u.left == 0 {
		u.stop()
		return ctx.Err()
	}
	return nil
}

func TestStoppedAndStartedAgainEachOutputOnce(t *testing.T) {
	const n = 1500
	dir := t.TempDir()
	want := counterOutputs(n)
	for round, stopAt := range []int{1, 100, 101, 300, len(want)} {
		func() {
			e, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			nc, err := e.Connect("test")
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{}), EnsureCheckpoints(t.Context(), nc, Limits{})); err != nil {
				t.Fatal(err)
			}
			if round == 0 {
				var msgs []StepMessage
				for i := 1; i <= n; i++ {
					msgs = append(msgs, StepMessage{Value: counterRecord(i, n)})
				}
				if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log, err := OpenLog(ctx, nc, LogOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			r := results(nc)
			ck := stream.Checkpointing{
				Store: checkpoints(t, nc, r), Work: -1, Spacing: -1,
				OnFallback: func(err error) { t.Error(err) },
			}
			out := &upTo{Results: r, left: stopAt - len(readResults(t, nc)), stop: cancel}
			if err := runCounter(ctx, log, out, e.Ownership(), ck, nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("Run gave %v", err)
			}
			if err := sameOutputs(readResults(t, nc), want[:stopAt]); err != nil {
				t.Fatal(err)
			}
		}()
	}
}

// few takes a few outputs at a time.
type few struct{ *Results }

func (f few) Append(ctx context.Context, outs []stream.Output) error {
	n := min(len(outs), 10)
	if err := f.Results.Append(ctx, outs[:n]); err != nil || n == len(outs) {
		return err
	}
	return errors.New("the rest another time")
}

func TestAStaleOwnerStopsAndHarmsNothing(t *testing.T) {
	const n = 1500
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	var msgs []StepMessage
	for i := 1; i <= n; i++ {
		msgs = append(msgs, StepMessage{Value: counterRecord(i, n)})
	}
	if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	// The first owner is held up after its first append, as in a long pause.
	paused, goOn := make(chan struct{}), make(chan struct{})
	stale := make(chan error, 1)
	first := true
	go func() {
		log, err := OpenLog(t.Context(), nc, LogOptions{})
		if err != nil {
			stale <- err
			return
		}
		defer log.Close()
		r := NewResults(nc)
		stale <- runCounter(t.Context(), log, few{r}, nil, stream.Checkpointing{Store: checkpoints(t, nc, r), Work: -1, Spacing: -1}, func([]stream.Output) {
			if first {
				first = false
				close(paused)
				<-goOn
			}
		})
	}()
	<-paused
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := openLog(t, nc, LogOptions{})
	release := false
	r := NewResults(nc)
	err := runCounter(ctx, log, r, nil, stream.Checkpointing{Store: checkpoints(t, nc, r), Work: -1, Spacing: -1}, func(outs []stream.Output) {
		if !release {
			release = true
			close(goOn) // it wakes when it owns nothing any more
			if err := <-stale; !errors.Is(err, stream.ErrFenced) {
				t.Errorf("the stale owner's Run gave %v", err)
			}
		}
		if string(outs[len(outs)-1].Value) == "refused !last" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Run gave %v", err)
	}
	if err := sameOutputs(readResults(t, nc), counterOutputs(n)); err != nil {
		t.Fatal(err)
	}
}
