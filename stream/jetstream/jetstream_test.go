package jetstream

import (
	"errors"
	"fmt"
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

// embedded starts a server on a folder and a free port, with all streams.
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
	if err := errors.Join(EnsureSteps(t.Context(), nc, Limits{}), EnsureResults(t.Context(), nc, Limits{}), EnsureCheckpoints(t.Context(), nc, Limits{})); err != nil {
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
	p, err := NewPublisher(nc, PublisherOptions{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// patience is how long tests wait for an answer: a machine whose disk is busy
// with something else may hold an fsync up for long.
const patience = 2 * time.Minute

func results(nc *nats.Conn) *Results {
	r := NewResults(nc)
	r.timeout = patience
	return r
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
			Open:     func(t *testing.T) stream.Results { return results(connect(t, e)) },
			Read:     func(t *testing.T) []stream.Output { return readResults(t, nc) },
			MaxValue: 1 << 20,
		}
	})
}

func TestSubjectsAndHeaders(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := results(nc)
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
