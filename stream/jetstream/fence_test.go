package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"misstep/stream"
)

// fault is what becomes of one write.
type fault int

const (
	notSent fault = iota // the connection ends before it
	unheard              // it lands, and its answer is lost
	late                 // it lands much later, and its answer is lost
	faults
)

func (f fault) String() string { return [...]string{"not sent", "unheard", "late"}[f] }

// broken sends what is written until the n-th message from the first on, to
// which the fault happens. Those after it are sent again.
type broken struct {
	nc    *nats.Conn
	fault fault
	n     int
	held  *nats.Msg
}

func (b *broken) send(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	b.n--
	if b.n != 0 {
		return b.nc.RequestMsgWithContext(ctx, msg)
	}
	switch b.fault {
	case unheard:
		if _, err := b.nc.RequestMsgWithContext(ctx, msg); err != nil {
			return nil, err
		}
	case late:
		b.held = msg
	}
	return nil, nats.ErrTimeout
}

// flushes are sizes of appends: some go without a batch, some do not, and swings
// of the checkpoints, 0, are between them.
var flushes = []int{2, 0, 1, maxSingles + 1, 3}

// run appends outputs, and after an error goes on from what Last tells, as the
// engine does. It ends at the first error if once is set.
func (r *Results) run(t *testing.T, source string, outs []stream.Output, once bool) error {
	t.Helper()
	last, any, err := r.Last(t.Context(), source, 0)
	if err != nil {
		return err
	}
	sizes := append([]int{}, flushes...)
	done := 0
	for any && done < len(outs) && outs[done].Origin.Compare(last) <= 0 {
		done++
	}
	for i, errs := 0, 0; done < len(outs); {
		n := min(sizes[i%len(sizes)], len(outs)-done)
		if n == 0 {
			err = r.swing(t.Context(), place{source, 0}, fmt.Append(nil, done))
		} else {
			err = r.Append(t.Context(), outs[done:done+n])
		}
		switch {
		case err == nil:
			done += n
			i++
		case once || errs == 3 || errors.Is(err, stream.ErrFenced):
			return err
		default:
			errs++
			if last, any, err = r.Last(t.Context(), source, 0); err != nil {
				return err
			}
			for done = 0; any && done < len(outs) && outs[done].Origin.Compare(last) <= 0; {
				done++
			}
		}
	}
	return nil
}

func flushed(source string) (outs []stream.Output, writes int) {
	for _, n := range flushes {
		for range n {
			outs = append(outs, taskOutput(source, int64(len(outs)+1)))
		}
		writes += n
		if n > maxSingles {
			writes -= n - 1
		}
		if n == 0 {
			writes += 2 // the swing, and the fence that is open again
		}
	}
	return outs, writes + 2 // the first, and the first that is open
}

// TestEveryWriteCanFail has each message that is written fail in each way, and
// then the same owner go on, or the next one: every output is there once and in
// order, and what arrives late is refused.
func TestEveryWriteCanFail(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	_, writes := flushed("")
	var sources []string
	for n := 1; n <= writes; n++ {
		for fault := range faults {
			for _, other := range []bool{false, true} {
				source := fmt.Sprintf("%d %v %v", n, fault, other)
				sources = append(sources, source)
				outs, _ := flushed(source)
				b := &broken{nc: nc, fault: fault, n: n}
				r := results(nc)
				r.send = b.send
				if err := r.Fence(t.Context(), source, 0); err == nil {
					if err := r.run(t, source, outs, other); (err != nil) != other {
						t.Fatalf("%s: the first owner's run gave %v", source, err)
					}
				} else if !other {
					if err := errors.Join(r.Fence(t.Context(), source, 0), r.run(t, source, outs, false)); err != nil {
						t.Fatalf("%s: after the first fence: %v", source, err)
					}
				}
				if b.n > 0 {
					t.Fatalf("%s: the message was not reached", source)
				}
				next := results(nc)
				if other {
					if err := next.Fence(t.Context(), source, 0); err != nil {
						t.Fatalf("%s: %v", source, err)
					}
				}
				arrive(t, source, nc, b.held)
				if other {
					if err := next.run(t, source, outs, false); err != nil {
						t.Fatalf("%s: the next owner: %v", source, err)
					}
					if n == 1 {
						continue // the first owner never was one
					}
					if err := r.Append(t.Context(), []stream.Output{taskOutput(source, 99)}); !errors.Is(err, stream.ErrFenced) {
						t.Fatalf("%s: the first owner's Append gave %v", source, err)
					}
				}
			}
		}
	}
	got := map[string][]stream.Output{}
	for _, o := range readResults(t, nc) {
		got[o.Origin.Source] = append(got[o.Origin.Source], o)
	}
	for _, source := range sources {
		outs, _ := flushed(source)
		if len(got[source]) != len(outs) {
			t.Fatalf("%s: %d outputs, want %d: %v", source, len(got[source]), len(outs), got[source])
		}
		for i, o := range got[source] {
			if o.Origin != outs[i].Origin {
				t.Fatalf("%s: output %d is %v, want %v", source, i, o.Origin, outs[i].Origin)
			}
		}
	}
}

// arrive has a message that was held back arrive when it is not wanted any more.
func arrive(t *testing.T, source string, nc *nats.Conn, msg *nats.Msg) {
	t.Helper()
	if msg == nil {
		return
	}
	msg.Reply = ""
	resp, err := nc.RequestMsgWithContext(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(resp.Data), "wrong last sequence") {
		t.Errorf("%s: what came late to %s was not refused: %s", source, msg.Subject, resp.Data)
	}
}

// hook sends, and does something before the n-th message.
func hook(nc *nats.Conn, n int, do func() (answer string)) func(context.Context, *nats.Msg) (*nats.Msg, error) {
	return func(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
		if n--; n == 0 {
			if answer := do(); answer != "" {
				return &nats.Msg{Data: []byte(answer)}, nil
			}
		}
		return nc.RequestMsgWithContext(ctx, msg)
	}
}

// TestTakenOverBetweenTwo: an owner that loses the partition in the middle of an
// append has stored what is before, and nothing after.
func TestTakenOverBetweenTwo(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	for n := 1; n <= 4; n++ { // the fence that is open, and three outputs
		source := fmt.Sprint(n)
		outs := []stream.Output{taskOutput(source, 1), taskOutput(source, 2), taskOutput(source, 3)}
		old, fresh := results(nc), results(nc)
		if err := old.Fence(t.Context(), source, 0); err != nil {
			t.Fatal(err)
		}
		old.send = hook(nc, n, func() string {
			if err := fresh.Fence(t.Context(), source, 0); err != nil {
				t.Error(err)
			}
			return ""
		})
		if err := old.Append(t.Context(), outs); !errors.Is(err, stream.ErrFenced) {
			t.Fatalf("%d: Append gave %v", n, err)
		}
		last, ok, err := fresh.Last(t.Context(), source, 0)
		if want := int64(max(n-2, 0)); err != nil || ok != (want > 0) || last.Offset != want {
			t.Fatalf("%d: Last gave %v, %v, %v, want %d", n, last, ok, err, want)
		}
		if err := fresh.Append(t.Context(), outs[last.Offset:]); err != nil {
			t.Fatal(err)
		}
	}
	if got := readResults(t, nc); len(got) != 4*3 {
		t.Errorf("%d results are stored, want 12", len(got))
	}
}

// TestTheNextOwnerDiesAsItLooks: the outputs after a fence are found as well when
// the owner that wrote the next one did not come to look for them, and its owner
// neither.
func TestTheNextOwnerDiesAsItLooks(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := results(nc)
	for i := int64(1); i <= maxAfter+3; i++ {
		if err := r.Append(t.Context(), []stream.Output{taskOutput("s", i), taskOutput("other", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.fences[place{"s", 0}].after; got != 3 {
		t.Errorf("%d outputs follow the fence, want 3", got)
	}
	for range 2 {
		dead := results(nc)
		f, err := dead.readFence(t.Context(), place{"s", 0})
		if err != nil || !f.body.Open {
			t.Fatalf("the fence is %+v, %v", f, err)
		}
		body := f.next(place{"s", 0}, dead.owner)
		body.Open, body.Since = true, f.from()
		if _, err := dead.writeFence(t.Context(), place{"s", 0}, f, body); err != nil {
			t.Fatal(err)
		}
	}
	// Whoever asks without an owner's right is told as well.
	for _, ask := range []func(*Results) error{
		func(*Results) error { return nil },
		func(r *Results) error { return r.Fence(t.Context(), "s", 0) },
		func(r *Results) error { return r.swing(t.Context(), place{"s", 0}, []byte("head")) },
		func(r *Results) error { return nil },
	} {
		next := results(nc)
		if err := ask(next); err != nil {
			t.Fatal(err)
		}
		if last, ok, err := next.Last(t.Context(), "s", 0); err != nil || !ok || last.Offset != maxAfter+3 {
			t.Errorf("Last gave %v, %v, %v", last, ok, err)
		}
	}
	// The swing has counted them all, so nobody looks for more.
	if f, err := r.readFence(t.Context(), place{"s", 0}); err != nil || f.body.Open || f.body.Since != 0 || string(f.body.Head) != "head" {
		t.Errorf("the fence is %+v, %v", f, err)
	}
}

// TestBusy: a clustered stream may refuse what comes before it is done with the
// message before, although it has answered to that.
func TestBusy(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := results(nc)
	r.send = hook(nc, 3, func() string {
		return fmt.Sprintf(`{"error":{"code":400,"err_code":%d,"description":"wrong last sequence"},"stream":%q}`, codeWrongLastConstant, ResultsStream)
	})
	if err := r.Append(t.Context(), []stream.Output{taskOutput("s", 1), taskOutput("s", 2)}); err != nil {
		t.Fatal(err)
	}
	if got := readResults(t, nc); len(got) != 2 {
		t.Errorf("%d results are stored, want 2", len(got))
	}
}
