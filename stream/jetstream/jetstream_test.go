package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"misstep/stream"
	"misstep/stream/logtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// embedded starts a server on a folder and a free port, with both streams.
func embedded(t testing.TB, dir string) *Embedded {
	t.Helper()
	e, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	nc := connect(t, e)
	if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{})); err != nil {
		t.Fatal(err)
	}
	return e
}

func connect(t testing.TB, e *Embedded) *nats.Conn {
	t.Helper()
	nc, err := e.Connect(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func publisher(t testing.TB, nc *nats.Conn) *Publisher {
	t.Helper()
	p, err := NewPublisher(nc, PublisherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openLog(t testing.TB, nc *nats.Conn, opts LogOptions) *Log {
	t.Helper()
	l, err := OpenLog(t.Context(), nc, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func steps(values ...[]byte) []StepMessage {
	var msgs []StepMessage
	for i, v := range values {
		msgs = append(msgs, StepMessage{Workflow: []string{"", "support", "a.b *"}[i%3], Value: v})
	}
	return msgs
}

func TestLog(t *testing.T) {
	logtest.TestLog(t, func(t *testing.T) logtest.Log {
		e := embedded(t, t.TempDir())
		p := publisher(t, connect(t, e))
		nc := connect(t, e)
		return logtest.Log{
			Append: func(t *testing.T, values ...[]byte) {
				if err := p.Publish(t.Context(), steps(values...)); err != nil {
					t.Error(err)
				}
			},
			Open:     func(t *testing.T, from int64) stream.Log { return openLog(t, nc, LogOptions{From: from}) },
			MaxValue: 1 << 20,
			Timed:    true,
		}
	})
}

// readResults gives what is in the results stream, but for fences.
func readResults(t testing.TB, nc *nats.Conn) []stream.Output {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	var outs []stream.Output
	for seq, last := uint64(1), s.CachedInfo().State.LastSeq; seq <= last; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a fence that was written over
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(msg.Subject, fencePrefix) {
			continue
		}
		o, err := stream.ParseOrigin(msg.Header.Get(HeaderOrigin))
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, stream.Output{Origin: o, Key: msg.Header.Get(HeaderTrajectory), Value: msg.Data, Class: msg.Subject})
	}
	return outs
}

func TestResults(t *testing.T) {
	logtest.TestResults(t, func(t *testing.T) logtest.Results {
		e := embedded(t, t.TempDir())
		nc := connect(t, e)
		return logtest.Results{
			Open:     func(t *testing.T) stream.Results { return NewResults(connect(t, e)) },
			Read:     func(t *testing.T) []stream.Output { return readResults(t, nc) },
			MaxValue: 1 << 20,
		}
	})
}

func TestSubjectsAndHeaders(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := NewResults(nc)
	o := stream.Origin{Source: "AGENT_STEPS", Offset: 41, Index: 2}
	outs := []stream.Output{
		{Topic: stream.Failures, Class: "retry_loop", Workflow: "a.b", Key: "t 1", Value: []byte("1")},
		{Topic: stream.Failures, Class: "tool_misuse", Key: "t\r\nx: y", Value: []byte("2")},
		{Topic: stream.Tasks, Workflow: "w", Key: "é", Value: []byte("3")},
		{Topic: stream.Directives, Value: []byte("4")},
		{Topic: stream.DeadLetter, Value: []byte("5")},
	}
	for i := range outs {
		outs[i].Origin = o
		o.Index++
	}
	if err := r.Append(t.Context(), outs); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range readResults(t, nc) {
		got = append(got, fmt.Sprintf("%s %s %q %s", o.Class, o.Origin, o.Key, o.Value))
	}
	want := []string{
		`agent.failures.retry_loop.a%2Eb AGENT_STEPS/0/41/2 "t 1" 1`,
		`agent.failures.tool_misuse._ AGENT_STEPS/0/41/3 "t%0D%0Ax: y" 2`,
		`agent.tasks AGENT_STEPS/0/41/4 "%C3%A9" 3`,
		`agent.directives._ AGENT_STEPS/0/41/5 "" 4`,
		`agent.deadletter AGENT_STEPS/0/41/6 "" 5`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("stored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := r.Append(t.Context(), []stream.Output{{Topic: "nonsense", Origin: o}}); err == nil {
		t.Error("took an unknown topic")
	}
}

func TestSubjectToken(t *testing.T) {
	for in, want := range map[string]string{
		"": "_", "_": "%5F", "a": "a", "support-2_x": "support-2_x", "a.b": "a%2Eb", "*": "%2A", ">": "%3E", "a b": "a%20b", "%": "%25", "~": "%7E",
		"\x00\t\n": "%00%09%0A", "é": "%C3%A9", "\xff": "%FF", "$JS": "$JS",
		strings.Repeat("x", 128):   strings.Repeat("x", 128),
		strings.Repeat("x", 129):   strings.Repeat("x", 111) + "~0ec9eb33e74510bc",
		strings.Repeat("x", 10240): strings.Repeat("x", 111) + "~04f8f86af2cd14ff",
	} {
		if got := SubjectToken(in); got != want {
			t.Errorf("%.40q is %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		gen := rapid.OneOf(rapid.String(), rapid.SampledFrom(logtest.Hostile), rapid.StringN(100, 200, 300))
		a, b := gen.Draw(rt, "a"), gen.Draw(rt, "b")
		ta, tb := SubjectToken(a), SubjectToken(b)
		if (a == b) != (ta == tb) {
			rt.Fatalf("%q and %q are %q and %q", a, b, ta, tb)
		}
		if len(ta) > maxToken || ta == "" || strings.ContainsAny(ta, ".*> \t\r\n\x00\x7f") {
			rt.Fatalf("%q is the token %q", a, ta)
		}
		for i := range len(ta) {
			if ta[i] <= ' ' || ta[i] >= 0x7f {
				rt.Fatalf("%q is the token %q", a, ta)
			}
		}
	})
}

func TestGapsAreToldAndReadOver(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	p := publisher(t, nc)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var values [][]byte
	for i := 1; i <= 20; i++ {
		values = append(values, fmt.Appendf(nil, "%d", i))
	}
	if err := p.Publish(t.Context(), steps(values...)); err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{7, 8, 9, 15} {
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(4)); err != nil {
		t.Fatal(err)
	}
	var gaps []string
	l := openLog(t, nc, LogOptions{OnGap: func(from, to int64) { gaps = append(gaps, fmt.Sprint(from, "-", to)) }})
	var got []string
	for len(got) < 13 {
		dst := make([]stream.Record, 5)
		n, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:n] {
			got = append(got, fmt.Sprintf("%d:%s", r.Offset, r.Value))
		}
	}
	if want := "4:4 5:5 6:6 10:10 11:11 12:12 13:13 14:14 16:16 17:17 18:18 19:19 20:20"; strings.Join(got, " ") != want {
		t.Errorf("read %s, want %s", got, want)
	}
	if want := "1-3 7-9 15-15"; strings.Join(gaps, " ") != want {
		t.Errorf("gaps %s, want %s", gaps, want)
	}
}

func TestAStreamMadeAnewIsRefused(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	if err := publisher(t, nc).Publish(t.Context(), steps([]byte("1"))); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, nc, LogOptions{From: 3})
	if _, err := l.Read(t.Context(), make([]stream.Record, 1)); !errors.Is(err, ErrOtherStream) || !strings.Contains(err.Error(), "AGENT_STEPS ends at sequence 1, and 3 was to be read next") {
		t.Fatalf("Read gave %v", err)
	}
}

func TestStreamsThatCannotBeReplayedAreRefused(t *testing.T) {
	e, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	nc := connect(t, e)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for policy, name := range map[jetstream.RetentionPolicy]string{jetstream.WorkQueuePolicy: "work queue", jetstream.InterestPolicy: "interest"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: StepsStream, Subjects: []string{"agent.steps.>"}, Retention: policy}); err != nil {
			t.Fatal(err)
		}
		want := "stream AGENT_STEPS has " + name + " retention, so messages are gone once they are consumed and cannot be read again after a restart: " +
			"add a stream with limits retention that has AGENT_STEPS as its source, and read that one"
		if err := EnsureSteps(t.Context(), nc, Limits{}); err == nil || err.Error() != want {
			t.Errorf("EnsureSteps gave %v, want %s", err, want)
		}
		if _, err := OpenLog(t.Context(), nc, LogOptions{}); err == nil || err.Error() != want {
			t.Errorf("OpenLog gave %v, want %s", err, want)
		}
		if err := js.DeleteStream(t.Context(), StepsStream); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenLog(t.Context(), nc, LogOptions{}); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("OpenLog without a stream gave %v", err)
	}
	// A stream for results that lacks something is mended, and keeps the rest.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: ResultsStream, Subjects: []string{"agent.failures.>", "mine"}, MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := EnsureResults(t.Context(), nc, Limits{MaxAge: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := js.Stream(t.Context(), ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	if !c.AllowAtomicPublish || !c.AllowRollup || !c.AllowMsgTTL || c.MaxAge != time.Hour || len(c.Subjects) != len(resultSubjects)+1 {
		t.Errorf("the mended stream is %+v", c)
	}
	if err := NewResults(nc).Append(t.Context(), []stream.Output{{Topic: stream.Tasks, Value: []byte("x")}}); err != nil {
		t.Error(err)
	}
}

func TestListenAddress(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:4222":     "can be reached from other machines",
		":4222":            "can be reached from other machines",
		"192.168.1.4:1":    "can be reached from other machines",
		"[::]:4222":        "can be reached from other machines",
		"example.com:4222": "can be reached from other machines",
		"127.0.0.1":        "want host:port",
		"127.0.0.1:x":      `"x" is no port`,
		"127.0.0.1:65536":  `"65536" is no port`,
		"localhost:0":      "",
		"127.0.0.9:1":      "",
		"[::1]:4222":       "",
	} {
		_, _, err := loopback(listen)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", listen, err, want)
		}
	}
	if _, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "0.0.0.0:0"}); err == nil {
		t.Error("listens to all the world")
	}
}

func TestAddressInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dir := t.TempDir()
	_, err = StartEmbedded(EmbeddedOptions{Dir: dir, Listen: other.Addr().String()})
	var inUse *AddrInUseError
	if !errors.As(err, &inUse) || inUse.Addr != other.Addr().String() {
		t.Fatalf("StartEmbedded gave %v", err)
	}
	if want := fmt.Sprintf("(process %d)", os.Getpid()); inUse.Holder != "" && !strings.HasSuffix(inUse.Holder, want) {
		t.Errorf("the holder is %q, want one that ends with %s", inUse.Holder, want)
	} else if inUse.Holder == "" && portHolderKnown {
		t.Error("the holder is not known")
	}
	// Nothing is left of the attempt.
	e := embedded(t, dir)
	var folder *stream.FolderInUseError
	if _, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: e.Addr()}); !errors.As(err, &folder) || folder.PID != os.Getpid() {
		t.Errorf("StartEmbedded gave %v", err)
	}
}

// portHolderKnown says that this system tells who listens at a port.
var portHolderKnown = func() bool { _, err := os.Stat("/proc/self/fd"); return err == nil }()

func TestPublisherErrors(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	p := publisher(t, nc)
	if err := p.Publish(t.Context(), steps(make([]byte, MaxPayload+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Publish gave %v", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxBytes, c.Discard = 3<<20, jetstream.DiscardNew
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte{'x'}, 1<<20)
	if err := p.Publish(t.Context(), steps(big, big, big, big)); !errors.Is(err, ErrStorage) {
		t.Errorf("Publish gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Publish(ctx, steps(big)); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStorage) {
		t.Errorf("Publish gave %v", err)
	}
	if err := js.DeleteStream(t.Context(), StepsStream); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), steps([]byte("1"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Publish without a stream gave %v", err)
	}
	if n := len(p.room); n != 0 {
		t.Errorf("%d places were not given back", n)
	}
	nc.Close()
	if err := p.Publish(t.Context(), steps([]byte("1"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Publish without a connection gave %v", err)
	}
	r := NewResults(nc)
	if err := r.Append(t.Context(), []stream.Output{{Topic: stream.Tasks}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append without a connection gave %v", err)
	}
	if err := r.Fence(t.Context(), "x", 0); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Fence without a connection gave %v", err)
	}
}

func TestManyPublishersShareTheBound(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	p, err := NewPublisher(nc, PublisherOptions{MaxPending: 3})
	if err != nil {
		t.Fatal(err)
	}
	const publishers, each = 8, 50
	done := make(chan error, publishers)
	for i := range publishers {
		go func() {
			var msgs []StepMessage
			for j := range each {
				msgs = append(msgs, StepMessage{Value: fmt.Appendf(nil, "%d %d", i, j)})
			}
			done <- p.Publish(t.Context(), msgs)
		}()
	}
	for range publishers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	next := make([]int, publishers)
	l := openLog(t, nc, LogOptions{})
	for n := 0; n < publishers*each; {
		dst := make([]stream.Record, 100)
		m, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:m] {
			var i, j int
			if _, err := fmt.Sscan(string(r.Value), &i, &j); err != nil || j != next[i] {
				t.Fatalf("%q came where %d was due", r.Value, next[i])
			}
			next[i]++
		}
		n += m
	}
}
