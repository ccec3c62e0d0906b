package jetstream

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
	"misstep/stream/logtest"
)

func checkpoints(t testing.TB, nc *nats.Conn, r *Results) *Checkpoints {
	t.Helper()
	c, err := NewCheckpoints(nc, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deleteCheckpoints removes the stream with all in it.
func deleteCheckpoints(t testing.TB, nc *nats.Conn) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), CheckpointsStream); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpoints(t *testing.T) {
	logtest.TestCheckpoints(t, func(t *testing.T) logtest.Checkpoints {
		e := embedded(t, t.TempDir())
		nc := connect(t, e)
		return logtest.Checkpoints{
			Open: func(t *testing.T) (stream.Results, stream.Checkpoints) {
				nc := connect(t, e)
				r := results(nc)
				return r, checkpoints(t, nc, r)
			},
			RemoveHead: func(t *testing.T, source string, partition int32) {
				r := results(nc)
				err := errors.Join(r.Fence(t.Context(), source, partition), checkpoints(t, nc, r).Swing(t.Context(), source, partition, nil))
				if err != nil {
					t.Fatal(err)
				}
			},
			Wipe: func(t *testing.T) {
				// Not deleted: a server that is still at work on the files of one
				// may find them again when the next one is made at once.
				js, err := jetstream.New(nc)
				if err != nil {
					t.Fatal(err)
				}
				s, err := js.Stream(t.Context(), CheckpointsStream)
				if err == nil {
					err = s.Purge(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// TestCheckpointsStreamGone: what is gone is damage, which a restart falls back
// from; a server that does not answer is not.
func TestCheckpointsStreamGone(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	c := checkpoints(t, nc, results(nc))
	deleteCheckpoints(t, nc)
	_, err := c.Get(t.Context(), "log", 0, "A-1", 0)
	if !errors.Is(err, stream.ErrDamaged) {
		t.Errorf("Get gave %v", err)
	}
	if _, err := c.List(t.Context(), "log", 0); !errors.Is(err, stream.ErrDamaged) {
		t.Errorf("List gave %v", err)
	}
	if err := c.Put(t.Context(), "log", 0, "A-1", 0, []byte("x")); err == nil || errors.Is(err, stream.ErrDamaged) {
		t.Errorf("Put gave %v", err)
	}
	nc.Close()
	if _, err := c.Get(t.Context(), "log", 0, "A-1", 0); err == nil || errors.Is(err, stream.ErrDamaged) {
		t.Errorf("without a connection Get gave %v", err)
	}
}

func TestSeek(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	var values [][]byte
	for i := range 10 {
		values = append(values, counterRecord(i+1, 100))
	}
	if err := publisher(t, nc).Publish(t.Context(), steps(values...)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, after, known, want int64 }{
		{0, -1, -1, 1},
		{0, -1, 10, 1},
		{0, 4, 10, 5},
		{0, 9, 9, 10},
		{8, 4, 4, 8}, // where it was to begin lies further on
	} {
		l := openLog(t, nc, LogOptions{From: c.from})
		if err := l.Seek(t.Context(), c.after, c.known); err != nil {
			t.Fatal(err)
		}
		var rec [1]stream.Record
		if _, err := l.Read(t.Context(), rec[:]); err != nil || rec[0].Offset != c.want {
			t.Errorf("%+v: Read gave offset %d, %v", c, rec[0].Offset, err)
		}
	}
	err := openLog(t, nc, LogOptions{}).Seek(t.Context(), 4, 11)
	if !errors.Is(err, stream.ErrAhead) || !errors.Is(err, ErrOtherStream) {
		t.Errorf("a stream that lacks a message: Seek gave %v", err)
	}
	// The mend that it names is one.
	if !strings.Contains(fmt.Sprint(err), "`nats stream purge AGENT_STEPS --seq=12`") {
		t.Errorf("Seek gave %v", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err == nil {
		err = s.Purge(t.Context(), jetstream.WithPurgeSequence(12))
	}
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, nc, LogOptions{})
	if err := l.Seek(t.Context(), 4, 11); err != nil {
		t.Fatal(err)
	}
	if err := publisher(t, nc).Publish(t.Context(), steps([]byte("next"))); err != nil {
		t.Fatal(err)
	}
	var rec [1]stream.Record
	if _, err := l.Read(t.Context(), rec[:]); err != nil || rec[0].Offset != 12 {
		t.Errorf("Read gave offset %d, %v", rec[0].Offset, err)
	}
}

func TestIdle(t *testing.T) {
	nc := connect(t, embedded(t, t.TempDir()))
	l := openLog(t, nc, LogOptions{})
	want := func(after int64, ok bool, since int64) int64 {
		t.Helper()
		now, got, err := l.Idle(t.Context(), after)
		if err != nil || got != ok || now < since {
			t.Fatalf("Idle gave %d, %v, %v, want %v after %d", now, got, err, ok, since)
		}
		return now
	}
	empty := want(0, true, 0)
	if err := publisher(t, nc).Publish(t.Context(), steps([]byte("a"), []byte("b"))); err != nil {
		t.Fatal(err)
	}
	var recs [2]stream.Record
	for n := 0; n < 2; {
		m, err := l.Read(t.Context(), recs[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if recs[0].Time < empty {
		t.Errorf("a record came at %d, when it was %d already", recs[0].Time, empty)
	}
	want(0, false, 0)
	want(1, false, 0)
	want(2, true, recs[1].Time)
	want(math.MaxInt64, true, recs[1].Time)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), StepsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(0, true, recs[1].Time) // nothing is left to read
	if err := publisher(t, nc).Publish(t.Context(), []StepMessage{{Value: []byte("c")}, {Workflow: "w", Value: []byte("d")}}); err != nil {
		t.Fatal(err)
	}
	want(3, false, 0)
	if err := s.DeleteMsg(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	want(3, true, 0)
	if err := publisher(t, nc).Publish(t.Context(), []StepMessage{{Workflow: "w", Value: []byte("e")}}); err != nil {
		t.Fatal(err)
	}
	want(3, false, 0)
	l = openLog(t, nc, LogOptions{Subject: StepsSubject})
	want(3, true, 0) // what came since is of another subject
	nc.Close()
	if _, _, err := l.Idle(t.Context(), 2); err == nil {
		t.Error("Idle gives a time without a connection")
	}
}
