//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/kafkatest"
	"misstep/stream"
	misstep "misstep/stream/kafka"
)

// kafkaPartitions is how many partitions the steps have.
const kafkaPartitions = 12

// kafkaScheme begins the address by which a producer knows that it is Kafka.
const kafkaScheme = "kafka://"

// kafkaTopics are the topics by their number of partitions.
func kafkaTopics() map[string]int {
	n := misstep.DefaultNames()
	return map[string]int{
		n.Steps: kafkaPartitions, n.Failures: kafkaPartitions, n.Directives: kafkaPartitions, n.Checkpoints: kafkaPartitions,
		n.Tasks: 1, n.DeadLetter: 1, n.Gaps: 1,
	}
}

// startKafka starts a broker and makes the topics.
func (w *world) startKafka(ctx context.Context) error {
	dir := filepath.Join(w.dir, "kafka")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var err error
	if w.broker, err = kafkatest.Launch(ctx, dir, kafkatest.Options{}); err != nil {
		return err
	}
	for topic, n := range kafkaTopics() {
		settings := map[string]string{"message.timestamp.type": "LogAppendTime"}
		if topic == misstep.CheckpointsTopic {
			settings["cleanup.policy"] = "compact"
		}
		if err := w.broker.CreateTopic(ctx, topic, n, settings); err != nil {
			return err
		}
	}
	w.urls = kafkaScheme + w.broker.Addr()
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	for i, port := range ports {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		conf := w.file(fmt.Sprintf("misstep%d.yaml", i), fmt.Sprintf(
			"kafka: {brokers: [\"%s\"], session: %s}\nhttp: {listen: \"%s\"}\ncheckpoint: {work: 50ms, interval: 1s}\nlog: {format: json, level: debug}\n",
			w.broker.Addr(), w.opts.lease, addr))
		p := w.detector(fmt.Sprint("detector", i), conf)
		p.http = addr
		w.detectors = append(w.detectors, p)
	}
	if err := w.calm(ctx); err != nil {
		return err
	}
	return w.allReady(ctx)
}

// kafkaPublish publishes steps to Kafka. What is not acknowledged is published
// again, so a step may be there twice; its id tells.
func kafkaPublish(addr string) (publish func(keys []string, lines [][]byte) error, close func(), err error) {
	c, err := misstep.Connect(context.Background(), misstep.ConnectOptions{Brokers: []string{addr}, ClientID: "producer"})
	if err != nil {
		return nil, nil, err
	}
	p, err := misstep.NewProducer(context.Background(), c, misstep.ProducerOptions{Topic: misstep.StepsTopic})
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return func(keys []string, lines [][]byte) error {
		messages := make([]misstep.StepMessage, len(lines))
		for i := range lines {
			messages[i] = misstep.StepMessage{Key: []byte(keys[i]), Value: lines[i]}
		}
		for try := 0; ; try++ {
			err := p.Publish(context.Background(), messages)
			if err == nil {
				return nil
			}
			if try > 600 {
				return fmt.Errorf("no step is stored any more: %w", err)
			}
			c.Refresh()
			time.Sleep(100 * time.Millisecond)
		}
	}, c.Close, nil
}

// assigned gives the partitions that a detector was given last.
func (p *process) assigned() (partitions []int32) {
	b, err := os.ReadFile(p.log)
	if err != nil || int64(len(b)) < p.from {
		return nil
	}
	for line := range strings.Lines(string(b[p.from:])) {
		if !strings.Contains(line, assignedMessage) {
			continue
		}
		var l struct{ Partitions []int32 }
		if json.Unmarshal([]byte(line), &l) == nil {
			partitions = l.Partitions
		}
	}
	return partitions
}

// assignedMessage is what a detector says when it has partitions.
const assignedMessage = "the group gives partitions"

// leaveDetector ends a detector in order, and starts it again.
func (w *world) leaveDetector() error {
	defer w.suffer(time.Now())
	w.leaves++
	return restart(w.detectors[w.rng.IntN(len(w.detectors))])
}

// killBroker kills Kafka and starts it again.
func (w *world) killBroker(ctx context.Context) error {
	defer w.suffer(time.Now())
	w.broker.Kill()
	w.nodes++
	select {
	case <-time.After(time.Second + time.Duration(w.rng.Int64N(int64(2*time.Second)))):
	case <-ctx.Done():
	}
	return w.broker.Restart(ctx)
}

// collectKafka reads the topics of results as a consumer does: what is not above
// the highest origin of its source and partition is dropped.
func (w *world) collectKafka(ctx context.Context, expected int) ([]result, error) {
	const patience = 60 * time.Second
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, failed := make(chan kafka.Message, 1000), make(chan error, 64)
	n := misstep.DefaultNames()
	readers := 0
	for topic, partitions := range kafkaTopics() {
		if !slices.Contains([]string{n.Failures, n.Tasks, n.DeadLetter}, topic) {
			continue
		}
		for p := range partitions {
			readers++
			go func() { failed <- w.readAll(ctx, topic, p, found) }()
		}
	}
	defer func() {
		cancel()
		for range readers {
			<-failed
		}
	}()
	var out []result
	distinct := map[string]bool{}
	last := map[string]stream.Origin{}
	for {
		wait := patience
		if len(distinct) >= expected {
			wait = 3 * time.Second
		}
		select {
		case m := <-found:
			r, origin, err := w.resultOf(&m)
			if err != nil {
				return nil, err
			}
			of := fmt.Sprint(m.Topic, " ", origin.Source, " ", origin.Partition)
			if before, ok := last[of]; ok && origin.Compare(before) <= 0 {
				w.dropped++
				continue
			}
			last[of] = origin
			out = append(out, r)
			distinct[r.key] = true
		case err := <-failed:
			failed <- err
			return nil, err
		case <-time.After(wait):
			return out, nil
		}
	}
}

func (w *world) resultOf(m *kafka.Message) (result, stream.Origin, error) {
	var origin stream.Origin
	var err error
	for _, h := range m.Headers {
		if h.Key == misstep.HeaderOrigin {
			if origin, err = stream.ParseOrigin(string(h.Value)); err != nil {
				return result{}, origin, err
			}
		}
	}
	key := "dead letter of " + origin.String()
	if m.Topic != misstep.DeadLetterTopic {
		if key, err = keyOf(m.Value); err != nil {
			return result{}, origin, err
		}
	}
	return result{key: key, value: m.Value, stored: m.Time, partition: origin.Partition, offset: origin.Offset}, origin, nil
}

// readAll reads a partition from its beginning until ctx ends.
func (w *world) readAll(ctx context.Context, topic string, partition int, found chan<- kafka.Message) error {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.broker.Addr()}, Topic: topic, Partition: partition, MaxWait: 200 * time.Millisecond})
	defer r.Close()
	for {
		m, err := r.ReadMessage(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", topic, partition, errors.Join(err))
		}
		select {
		case found <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// kafkaTimes says how long steps waited.
func (w *world) kafkaTimes(ctx context.Context, r *report, got []result) error {
	r.recovery, r.alone = kafkaRecoveries(w.deaths, w.troubles, w.opts.lease, got)
	n := len(r.alone)
	switch {
	case w.opts.rolls:
		steps, err := w.stepTimes(ctx)
		if err != nil {
			return err
		}
		longest, err := waited(steps, got)
		if err != nil {
			return err
		}
		var ok bool
		r.rolled, ok = rolled(longest, w.leaves, w.dropped)
		r.slow = !ok
	case w.opts.fails:
		most := w.opts.lease + overSession
		r.rolled = fmt.Sprintf("at most %s is wanted, of a session of %s", most, w.opts.lease)
		r.slow = n == 0 || r.alone[n-1] > most
	}
	return nil
}

// kafkaRecoveries gives how long after each kill of a detector the last of its
// partitions had its next output, shortest first; alone are those during which
// nothing else happened, nor for a session before. What a death costs besides,
// as a broker that is down, is not in these.
func kafkaRecoveries(deaths []death, troubles []trouble, session time.Duration, got []result) (all, alone []time.Duration) {
	by := map[int32][]time.Time{}
	for _, r := range got {
		by[r.partition] = append(by[r.partition], r.stored)
	}
	for _, times := range by {
		slices.SortFunc(times, time.Time.Compare)
	}
	for _, d := range deaths {
		longest := time.Duration(-1)
		for _, p := range d.partitions {
			i := slices.IndexFunc(by[p], func(t time.Time) bool { return t.After(d.at) })
			if i >= 0 {
				longest = max(longest, by[p][i].Sub(d.at))
			}
		}
		if longest < 0 {
			continue
		}
		all = append(all, longest)
		if !slices.ContainsFunc(troubles, func(t trouble) bool {
			return !t.from.Equal(d.at) && t.from.Before(d.at.Add(longest)) && t.to.Add(session).After(d.at)
		}) {
			alone = append(alone, longest)
		}
	}
	slices.Sort(all)
	slices.Sort(alone)
	return all, alone
}

// trouble is the time of one thing that was done to a process, until it ran
// again.
type trouble struct{ from, to time.Time }

// suffer notes what was done since then.
func (w *world) suffer(from time.Time) { w.troubles = append(w.troubles, trouble{from, time.Now()}) }

// death is the kill of a detector that had partitions.
type death struct {
	at         time.Time
	partitions []int32
}
