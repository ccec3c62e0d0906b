package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"testing"

	"github.com/nats-io/nats.go"

	"misstep/stream"
)

var everyRecord = flag.Bool("every-record", false, "crash at each record of the log, not at some")

var errCrash = errors.New("crash")

// crash is a log that ends the run at a record, and results that do so at its
// output.
type crash struct {
	*Log
	nc   *nats.Conn
	at   int64
	how  crashing
	end  context.CancelCauseFunc
	wait chan int64 // nil: do not; the offsets of checkpoints
}

type crashing int

const (
	applied crashing = iota // when the record is applied
	unsent                  // before its output is sent
	unknown                 // when its output is stored, before it is known
)

// Read gives records up to the one at which the run ends.
func (c *crash) Read(ctx context.Context, dst []stream.Record) (int, error) {
	left := c.at - int64(c.next) + 1
	if left > 0 {
		return c.Log.Read(ctx, dst[:min(int64(len(dst)), left)])
	}
	if c.how == applied {
		for at := int64(0); c.wait != nil && at < c.at; {
			select {
			case at = <-c.wait:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		c.end(errCrash)
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func (c *crash) send(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	origin := msg.Header.Get(HeaderOrigin)
	if msg.Header.Get("Nats-Batch-Commit") != "" {
		var f fenceBody
		if err := json.Unmarshal(msg.Data, &f); err != nil {
			return nil, err
		}
		origin = f.Origin // of the batch's last output
	}
	o, err := stream.ParseOrigin(origin)
	if err != nil || o.Offset != c.at || c.how == applied {
		return c.nc.RequestMsgWithContext(ctx, msg)
	}
	if c.how == unknown {
		if _, err := c.nc.RequestMsgWithContext(ctx, msg); err != nil {
			return nil, err
		}
	}
	c.end(errCrash)
	return nil, nats.ErrTimeout
}

// run runs the counter to where it crashes, and gives where it began.
func (c *crash) run(t *testing.T, nc *nats.Conn) (restored int64) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	log, err := OpenLog(ctx, nc, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Log, c.nc, c.end = log, nc, cancel
	r := results(nc)
	r.send = c.send
	err = runCounter(ctx, c, r, nil, stream.Checkpointing{
		Store: checkpoints(t, nc, r), Work: -1, Spacing: -1,
		OnRestore: func(r stream.Restored) { restored = r.Offset },
		OnTaken: func(taken stream.Taken) {
			if taken.Err == nil {
				select {
				case c.wait <- taken.Offset:
				default:
				}
			}
		},
	}, nil)
	if !errors.Is(err, errCrash) {
		t.Fatalf("record %d, crash %d: Run gave %v", c.at, c.how, err)
	}
	return restored
}

// TestCrashAtEveryRecord ends the engine at one record after the other of a log,
// and at the output of each that has one: before it is sent, and when it is
// stored but not known to be. What comes out of all runs is what one puts out.
func TestCrashAtEveryRecord(t *testing.T) {
	const n = 2000
	stride := 7
	if *everyRecord {
		stride = 1
	}
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	var msgs []StepMessage
	for i := 1; i <= n; i++ {
		msgs = append(msgs, StepMessage{Value: counterRecord(i, n)})
	}
	if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	want := counterOutputs(n)
	has := map[int64]bool{}
	for _, o := range want {
		has[o.Origin.Offset] = true
	}
	runs, fromCheckpoint := 0, 0
	for at := int64(1); at <= n; at += int64(stride) {
		ways := []crashing{applied}
		if has[at] {
			ways = []crashing{unsent, unknown, applied}
		}
		for _, how := range ways {
			c := &crash{at: at, how: how}
			if runs++; runs%16 == 0 && how == applied {
				c.wait = make(chan int64, 64)
			}
			if c.run(t, nc) >= 0 {
				fromCheckpoint++
			}
		}
	}
	// The last record's outputs are known to be there when a checkpoint after
	// them is.
	(&crash{at: n, wait: make(chan int64, 64)}).run(t, nc)
	if err := sameOutputs(readResults(t, nc), want); err != nil {
		t.Fatal(err)
	}
	if fromCheckpoint < runs/2 {
		t.Errorf("of %d runs %d began with a checkpoint", runs, fromCheckpoint)
	}
	t.Logf("%d runs, %d of them from a checkpoint", runs, fromCheckpoint)
}
