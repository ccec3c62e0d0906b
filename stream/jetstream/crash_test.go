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
	if err := errors.Join(EnsureSteps(ctx, nc, Limits{}), EnsureResults(ctx, nc, Limits{})); err != nil {
		return err
	}
	published := make(chan error, 1)
	go func() { published <- publishMissing(ctx, nc) }()
	log, err := OpenLog(ctx, nc, LogOptions{})
	if err != nil {
		return err
	}
	defer log.Close()
	if err := runCounter(ctx, log, NewResults(nc), e.Ownership(), func(outs []stream.Output) {
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
func runCounter(ctx context.Context, log stream.Log, results stream.Results, own stream.Ownership, tap func([]stream.Output)) error {
	e, err := stream.New(stream.Options[[]byte]{
		Program: counter{}, Log: log, Results: results, Ownership: own, Shards: 2, BatchRecords: 16, Tap: tap,
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// publishMissing publishes the records that the stream does not hold yet.
func publishMissing(ctx context.Context, nc *nats.Conn) error {
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
	}
	return nil
}

func TestKilledAnywhereEachOutputOnce(t *testing.T) {
	dir := t.TempDir()
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for run := 0; ; run++ {
		if run == 100 {
			t.Fatalf("not done after %d runs", run)
		}
		last := kills >= 8
		steps := 1 + random.IntN(30)
		if random.IntN(4) == 0 {
			steps = 0 // while it starts
		}
		finished, killed := runToKill(t, dir, steps, !last)
		if killed {
			kills++
		}
		if finished && last {
			break
		}
	}
	t.Logf("seed %d: killed %d times", seed, kills)
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
func runToKill(t *testing.T, dir string, steps int, kill bool) (finished, killed bool) {
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
		if lines.Text() == "done" {
			done = true
		}
	}
	if kill {
		_ = cmd.Process.Kill() // it may have ended
	}
	_, _ = io.Copy(io.Discard, stdout) // to its end, whatever it is
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && kill && !exit.Exited() {
		return false, true
	}
	if err != nil {
		t.Fatalf("child: %v\n%s", err, stderr.Bytes())
	}
	return done || !kill, false
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
			if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{})); err != nil {
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
			out := &upTo{Results: results(nc), left: stopAt - len(readResults(t, nc)), stop: cancel}
			if err := runCounter(ctx, log, out, e.Ownership(), nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("Run gave %v", err)
			}
			if err := sameOutputs(readResults(t, nc), want[:stopAt]); err != nil {
				t.Fatal(err)
			}
		}()
	}
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
		stale <- runCounter(t.Context(), log, NewResults(nc), nil, func([]stream.Output) {
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
	err := runCounter(ctx, log, NewResults(nc), nil, func(outs []stream.Output) {
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
