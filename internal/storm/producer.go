//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/gen"
)

const expectedFile = "expected.jsonl"

// expected is what must come out.
type expected struct {
	records map[string]string // by id/rev
	steps   int               // that were published
}

// line is one line of the file that tells it.
type line struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	Steps int    `json:"steps,omitempty"` // on the last line
}

func readExpected(file string) (*expected, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	e := &expected{records: map[string]string{}}
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if l.Key == "" {
			e.steps = l.Steps
			continue
		}
		e.records[l.Key] = l.Value
	}
	if e.steps == 0 {
		return nil, fmt.Errorf("%s: the producer did not come to its end", file)
	}
	return e, nil
}

// produce publishes generated steps until it is told to end, and writes what
// must come of them.
func produce(url string, args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("produce takes FILE SEED LIVE RATE RETAIN, found %q", args)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	live, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	rate, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	retain, err := time.ParseDuration(args[4])
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	p, err := newProducer(args[0], seed, live, retain)
	if err != nil {
		return err
	}
	if addr, ok := strings.CutPrefix(url, kafkaScheme); ok {
		publish, done, err := kafkaPublish(addr)
		if err != nil {
			return err
		}
		defer done()
		p.publish = publish
	} else {
		nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
		if err != nil {
			return err
		}
		defer nc.Close()
		if p.js, err = jetstream.New(nc); err != nil {
			return err
		}
		p.publish = p.publishNATS
	}
	for began := time.Now(); ctx.Err() == nil; {
		if due := time.Duration(p.steps) * time.Second / time.Duration(rate); due > time.Since(began) {
			select {
			case <-time.After(due - time.Since(began)):
			case <-ctx.Done():
			}
		}
		if err := p.batch(); err != nil {
			return err
		}
	}
	return p.close()
}

// producer publishes, and runs the detect program alone, without any log, over
// what it published.
type producer struct {
	js jetstream.JetStream
	// publish returns when all lines are stored, each at least once; keys are
	// their trajectories.
	publish func(keys []string, lines [][]byte) error
	gen     *gen.Generator
	next    []byte // line that is not published yet
	shard   *detectors.Shard
	dec     event.Decoder
	file    *os.File
	out     *json.Encoder
	buf     *bufio.Writer
	err     error
	steps   int
}

func newProducer(file string, seed uint64, live int, retain time.Duration) (*producer, error) {
	rules, err := detectors.NewRuleset(detectors.Config{Retain: retain})
	if err != nil {
		return nil, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	p := &producer{
		gen:   gen.New(gen.Options{Seed: seed, Trajectories: live, LoopPerMille: 200}),
		shard: rules.NewShard(), file: f, buf: bufio.NewWriter(f),
	}
	p.out = json.NewEncoder(p.buf)
	return p, nil
}

// most is how many steps are published at a time, each of another trajectory:
// so the steps of one are in the log in their order, although one may be
// published twice.
const most = 32

func (p *producer) batch() error {
	var lines [][]byte
	var keys []string
	var steps []event.Step
	seen := map[string]bool{}
	for len(lines) < most {
		if p.next == nil {
			l, ok := p.gen.Next()
			if !ok {
				return errors.New("the generator ended")
			}
			p.next = append([]byte(nil), l...)
		}
		var d event.Decoder
		d.Reset(p.next)
		var s event.Step
		if err := d.Next(&s); err != nil {
			return err
		}
		if seen[string(s.TrajectoryID)] {
			break
		}
		seen[string(s.TrajectoryID)] = true
		lines, keys, steps = append(lines, p.next), append(keys, string(s.TrajectoryID)), append(steps, s)
		p.next = nil
	}
	if err := p.publish(keys, lines); err != nil {
		return err
	}
	for i := range steps {
		b := &detectors.Batch{
			Steps: steps[i : i+1], At: []int32{0}, Hash: []uint64{detectors.Key(&steps[i])},
			Clock: []int64{time.Now().UnixNano()},
		}
		p.shard.Step(b, []int32{0}, p)
	}
	p.steps += len(steps)
	return p.err
}

// publishNATS stores each once: what is not acknowledged is published again,
// under the same message id.
func (p *producer) publishNATS(_ []string, lines [][]byte) error {
	left := make([]int, len(lines))
	for i := range left {
		left[i] = i
	}
	for tries := 0; len(left) > 0; tries++ {
		if tries > 2000 {
			return errors.New("no step is stored any more")
		}
		var acks []jetstream.PubAckFuture
		var again []int
		for _, i := range left {
			f, err := p.js.PublishMsgAsync(&nats.Msg{Subject: "agent.steps", Data: lines[i]}, jetstream.WithMsgID(strconv.Itoa(p.steps+i)), jetstream.WithStallWait(time.Second))
			if err != nil {
				again = append(again, i)
				acks = append(acks, nil)
				continue
			}
			acks = append(acks, f)
		}
		wait := time.NewTimer(2 * time.Second)
		for n, f := range acks {
			if f == nil {
				continue
			}
			select {
			case <-f.Ok():
			case <-f.Err():
				again = append(again, left[n])
			case <-wait.C:
				again = append(again, left[n])
				wait.Reset(0)
			}
		}
		wait.Stop()
		if left = again; len(left) > 0 {
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// Event implements detectors.Emitter.
func (p *producer) Event(_, _ int32, o detectors.Output) {
	key, err := keyOf(o.Value)
	if err == nil {
		err = p.out.Encode(line{Key: key, Value: string(o.Value)})
	}
	p.err = errors.Join(p.err, err)
}

// Deadline implements detectors.Emitter.
func (p *producer) Deadline(int32, int64, string, detectors.Output) {
	p.err = errors.Join(p.err, errors.New("a trajectory went idle: the storm is too long, or too slow"))
}

func (p *producer) close() error {
	return errors.Join(p.out.Encode(line{Steps: p.steps}), p.buf.Flush(), p.file.Close())
}

// keyOf gives id/rev of a record.
func keyOf(value []byte) (string, error) {
	var r struct {
		ID  string `json:"id"`
		Rev int    `json:"rev"`
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return "", err
	}
	return r.ID + "/" + strconv.Itoa(r.Rev), nil
}
