package jetstream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

func readNumbers(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i < to; {
		dst := make([]stream.Record, min(64, to-i))
		n, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:n] {
			if want := fmt.Sprint(i); string(r.Value) != want {
				t.Fatalf("%q came where %s was due", r.Value, want)
			}
			i++
		}
	}
}

func publishNumbers(t *testing.T, nc *nats.Conn, from, to int) {
	t.Helper()
	var msgs []StepMessage
	for i := from; i < to; i++ {
		msgs = append(msgs, StepMessage{Value: fmt.Append(nil, i)})
	}
	if err := publisher(t, nc).Publish(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
}

func TestTheLogGoesOnAfterTheServerWasAway(t *testing.T) {
	dir := t.TempDir()
	start := func(listen string) *Embedded {
		t.Helper()
		e, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: listen})
		// Another process may have the port for a moment.
		var inUse *AddrInUseError
		for end := time.Now().Add(patience); errors.As(err, &inUse) && time.Now().Before(end); {
			e, err = StartEmbedded(EmbeddedOptions{Dir: dir, Listen: listen})
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := start("127.0.0.1:0")
	addr := e.Addr()
	nc, err := nats.Connect(e.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{})); err != nil {
		t.Fatal(err)
	}
	publishNumbers(t, nc, 0, 3000)
	problems := 0
	l := openLog(t, nc, LogOptions{OnError: func(error) { problems++ }})
	readNumbers(t, l, 0, 100)
	r := results(nc)
	out := func(i int) []stream.Output {
		return []stream.Output{{Topic: stream.Tasks, Origin: stream.Origin{Source: "s", Offset: int64(i)}, Value: fmt.Append(nil, i)}}
	}
	if err := r.Append(t.Context(), out(1)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = start(addr)
	defer e.Close()
	readNumbers(t, l, 100, 3000)
	publishNumbers(t, connect(t, e), 3000, 3500)
	readNumbers(t, l, 3000, 3500)
	if problems == 0 {
		t.Error("nobody was told of the trouble")
	}
	if err := r.Append(t.Context(), out(2)); err != nil {
		t.Fatal(err)
	}
	if got := readResults(t, nc); len(got) != 2 {
		t.Errorf("%d results are stored, want 2", len(got))
	}
}

func TestTheLogGoesOnWhenItsConsumerIsDeleted(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	publishNumbers(t, nc, 0, 10)
	l := openLog(t, nc, LogOptions{})
	readNumbers(t, l, 0, 10)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := js.DeleteConsumer(t.Context(), StepsStream, l.consumer); err != nil {
			t.Fatal(err)
		}
		from := 10 + round*5000
		publishNumbers(t, nc, from, from+5000)
		readNumbers(t, l, from, from+5000)
	}
}

func TestAClosedConnectionEndsTheLog(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	l := openLog(t, nc, LogOptions{})
	done := make(chan error, 1)
	go func() {
		_, err := l.Read(t.Context(), make([]stream.Record, 1))
		done <- err
	}()
	nc.Close()
	if err := <-done; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Fatalf("Read gave %v", err)
	}
}

// TestAnAnswerThatIsCutOff: a request whose answer was on its way when the
// connection broke fails at once.
func TestAnAnswerThatIsCutOff(t *testing.T) {
	s := natsServer(t, withJetStream)
	nc, err := Connect(t.Context(), ConnectOptions{URLs: []string{s.ClientURL()}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	silent, err := nc.SubscribeSync("silent")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := answered(t.Context(), nc, patience)
	defer stop()
	done := make(chan error, 1)
	go func() {
		_, err := nc.RequestWithContext(ctx, "silent", nil)
		done <- why(ctx, err)
	}()
	if _, err := silent.NextMsgWithContext(t.Context()); err != nil { // it is under way
		t.Fatal(err)
	}
	s.Shutdown()
	if err := <-done; !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "connection was lost while an answer was due") {
		t.Errorf("got %v", err)
	}
}
