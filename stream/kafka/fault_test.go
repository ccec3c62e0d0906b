package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
	"misstep/stream/logtest"
)

// flaky is a connection on which now and then no answer comes: the broker has
// done what it was asked, and nobody knows.
type flaky struct {
	net.Conn
	reads, cut *atomic.Int64 // of all connections
}

func (f flaky) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if err == nil && f.reads.Add(1)%11 == 0 {
		f.cut.Add(1)
		return 0, errors.Join(net.ErrClosed, f.Close())
	}
	return n, err
}

// paced is a log that gives the next records when the outputs of those before
// are there, one of each.
type paced struct {
	stream.Log
	given int64
	there func() int64
}

func (p *paced) Read(ctx context.Context, dst []stream.Record) (int, error) {
	for p.there() < p.given {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n, err := p.Log.Read(ctx, dst)
	p.given += int64(n)
	return n, err
}

func (p *paced) Seek(ctx context.Context, after, known int64) error {
	return p.Log.(stream.Seeker).Seek(ctx, after, known)
}

// TestAnswersThatAreLost: while answers of the broker are lost, whatever they are
// to, each output is there, with its bytes, and a consumer that drops repeats by
// their origin has each once, in order. So it is over restarts.
func TestAnswersThatAreLost(t *testing.T) {
	b, steady := cluster(t)
	failures := create(t, b, unique("failures"), 1, nil)
	checkpoints := create(t, b, unique("checkpoints"), 1, map[string]string{"cleanup.policy": "compact"})
	source := create(t, b, unique("steps"), 1, nil)
	m := &owners{c: steady, group: unique("group"), topic: source}
	var reads, cut atomic.Int64
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return flaky{conn, &reads, &cut}, nil
	}
	pool := &kafka.Transport{Dial: dial, ClientID: clientID}
	defer pool.CloseIdleConnections()
	c := &Cluster{
		Client: &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: pool}, Dialer: &kafka.Dialer{DialFunc: dial}, Brokers: []string{b.Addr()}, pool: pool,
	}
	run := func(records int, results stream.Results, store stream.Checkpoints) (outs []stream.Output, taken int) {
		log := stream.NewMemoryLog(source, 0)
		for i := range records {
			log.Append(int64(i), fmt.Appendf(nil, "key%d", i*i%23))
		}
		log.End()
		slow := &paced{Log: log.Open(0)}
		e, err := stream.New(stream.Options[string]{
			Program: logtest.Counting{}, Log: slow, Results: results, Shards: 1, BatchRecords: 20,
			Tap: func(o []stream.Output) { outs = append(outs, o...) },
			Checkpoint: stream.Checkpointing{Store: store, Ruleset: "one", Work: -1, Spacing: -1, PartBytes: 200, OnTaken: func(c stream.Taken) {
				if c.Err == nil {
					taken++
				}
			}},
		})
		if err == nil {
			slow.there = func() int64 { return e.Stats().Outputs + e.Stats().Suppressed }
			err = e.Run(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return outs, taken
	}
	const runs, each = 3, 60
	checkpointsTaken := 0
	for n := 1; n <= runs; n++ {
		r := NewResults(c, ResultsOptions{Topics: map[stream.Topic]string{stream.Failures: failures}, Group: m.group})
		s := NewCheckpoints(c, r, CheckpointsOptions{Topic: checkpoints, Group: m.group, Owner: m.join(t)})
		_, taken := run(n*each, r, s)
		checkpointsTaken += taken
		s.Close()
	}
	want, _ := run(runs*each, stream.NewMemoryResults(), nil)
	var got []stream.Output
	repeated := 0
	everything(t, steady, failures, 0, func(r *record) {
		v, _ := r.header(HeaderOrigin)
		o, err := stream.ParseOrigin(string(v))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 && o.Compare(got[len(got)-1].Origin) <= 0 {
			repeated++
			return
		}
		got = append(got, stream.Output{Origin: o, Value: append([]byte{}, r.value...)})
	})
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i].Origin != want[i].Origin || string(got[i].Value) != string(want[i].Value) {
			t.Fatalf("%d outputs, want %d; the first that differs is the %d.", len(got), len(want), i)
		}
	}
	t.Logf("%d outputs, %d answers lost, %d outputs repeated, %d checkpoints", len(got), cut.Load(), repeated, checkpointsTaken)
	if cut.Load() < 3 || checkpointsTaken < runs {
		t.Errorf("%d answers were lost, and %d checkpoints taken", cut.Load(), checkpointsTaken)
	}
}
