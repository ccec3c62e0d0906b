package jetstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

func taskOutput(source string, offset int64) stream.Output {
	return stream.Output{Topic: stream.Tasks, Origin: stream.Origin{Source: source, Offset: offset}, Key: "k", Value: []byte("{}")}
}

// TestFenceGone: the outputs tell what a fence said that somebody removed, and
// each partition's are its own.
func TestFenceGone(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := results(nc)
	for i, source := range []string{"a", "b", "a", "b", "b"} {
		if err := r.Append(t.Context(), []stream.Output{taskOutput(source, int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("agent.fence.>")); err != nil {
		t.Fatal(err)
	}
	next := results(nc)
	for source, want := range map[string]int64{"a": 2, "b": 4, "c": -1} {
		if err := next.Fence(t.Context(), source, 0); err != nil {
			t.Fatal(err)
		}
		o, ok, err := next.Last(t.Context(), source, 0)
		if err != nil || ok != (want >= 0) || ok && o.Offset != want {
			t.Errorf("%s: Last gave %v, %v, %v, want %d", source, o, ok, err, want)
		}
	}
}

// TestFenceBroken: what is no fence stands in no one's way without a word, and
// the mend that is named is one.
func TestFenceBroken(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	r := results(nc)
	if err := r.Append(t.Context(), []stream.Output{taskOutput("a", 7)}); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), fenceSubject("a", 0), []byte(`{"v":1,"sou`))
	if err != nil {
		t.Fatal(err)
	}
	next := results(nc)
	_, _, err = next.Last(t.Context(), "a", 0)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("remove it with `nats stream rmm %s %d`", ResultsStream, ack.Sequence)) {
		t.Errorf("Last gave %v", err)
	}
	s, err := js.Stream(t.Context(), ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), ack.Sequence); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetLastMsgForSubject(t.Context(), fenceSubject("a", 0)); err != nil {
		t.Errorf("the fence before it: %v", err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(fenceSubject("a", 0))); err != nil {
		t.Fatal(err)
	}
	if o, ok, err := next.Last(t.Context(), "a", 0); err != nil || !ok || o.Offset != 7 {
		t.Errorf("Last gave %v, %v, %v", o, ok, err)
	}
}
