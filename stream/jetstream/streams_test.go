package jetstream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

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
		if _, err := createStream(t.Context(), js, jetstream.StreamConfig{Name: StepsStream, Subjects: []string{"agent.steps.>"}, Retention: policy}); err != nil {
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
	if err := results(nc).Append(t.Context(), []stream.Output{{Topic: stream.Tasks, Value: []byte("x")}}); err != nil {
		t.Error(err)
	}
}
