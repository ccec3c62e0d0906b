package app_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/internal/kafkatest"
	misstepkafka "misstep/stream/kafka"
)

// kafkaBroker is the broker of these tests, with ACLs for those that come with
// a name.
var kafkaBroker = &kafkatest.Shared{Options: kafkatest.Options{Secured: true, Authorize: true, Users: map[string]string{"detector": "pw"}}}

// kafkaTest is a set of topics and a group of one test's own.
type kafkaTest struct {
	t       *testing.T
	broker  *kafkatest.Broker
	client  *kafka.Client
	c       *config.Config
	cluster *misstepkafka.Cluster
	seq     int
}

func newKafkaTest(t *testing.T, partitions int) *kafkaTest {
	t.Helper()
	b := kafkaBroker.Start(t)
	k := &kafkaTest{t: t, broker: b, c: settings("unused")}
	var done func()
	k.client, done = b.Client()
	t.Cleanup(done)
	id := rand.Text()
	k.c.Kafka.Brokers = []string{b.Addr()}
	k.c.Kafka.Group = "g-" + id
	k.c.Kafka.Session, k.c.Kafka.Heartbeat = 3*time.Second, 200*time.Millisecond
	n := &k.c.Kafka.Topics
	for _, topic := range []struct {
		name       *string
		partitions int
		settings   map[string]string
	}{
		{&n.Steps, partitions, map[string]string{"message.timestamp.type": "LogAppendTime"}},
		{&n.Failures, partitions, nil},
		{&n.Directives, partitions, nil},
		{&n.Tasks, 1, nil},
		{&n.DeadLetter, 1, nil},
		{&n.Gaps, 1, nil},
		{&k.c.Kafka.Checkpoint, partitions, map[string]string{"cleanup.policy": "compact"}},
	} {
		*topic.name += "-" + id
		if err := b.CreateTopic(t.Context(), *topic.name, topic.partitions, topic.settings); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if k.cluster, err = misstepkafka.Connect(t.Context(), misstepkafka.ConnectOptions{Brokers: k.c.Kafka.Brokers, ClientID: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.cluster.Close)
	return k
}

// kafkaDetector is a detector on Kafka.
type kafkaDetector struct {
	*detector
	log  buffer
	stop func()
}

// start starts a detector and waits until it has partitions, or until what is
// wanted of the log.
func (k *kafkaTest) start(until string) *kafkaDetector {
	k.t.Helper()
	c := *k.c
	ctx, cancel := context.WithCancel(k.t.Context())
	up, done := make(chan app.Running, 1), make(chan error, 1)
	d := &kafkaDetector{}
	go func() {
		done <- app.Run(ctx, app.Options{Config: &c, Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.New(&d.log), Started: func(r app.Running) { up <- r }})
	}()
	stopped := false
	d.stop = func() {
		k.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			k.t.Errorf("stopped with %v; the log is\n%s", err, d.log.String())
		}
	}
	k.t.Cleanup(d.stop)
	select {
	case r := <-up:
		d.detector = &detector{t: k.t, Running: r}
	case err := <-done:
		stopped = true
		k.t.Fatalf("did not start: %v", err)
	}
	k.until(d, until, func() bool {
		if until != "" {
			return strings.Contains(d.log.String(), until)
		}
		code, _ := d.get("/readyz")
		return code == 200
	})
	return d
}

// until waits for something that is bound to be.
func (k *kafkaTest) until(d *kafkaDetector, what string, is func() bool) {
	k.t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			k.t.Fatalf("%q does not come; the log is\n%s", what, d.log.String())
		}
		<-time.After(10 * time.Millisecond)
	}
}

// publish has steps of so many trajectories published, of which each comes to
// one failure. It gives their ids.
func (k *kafkaTest) publish(n int) (ids []string) {
	k.t.Helper()
	p, err := misstepkafka.NewProducer(k.t.Context(), k.cluster, misstepkafka.ProducerOptions{Topic: k.c.Kafka.Topics.Steps})
	if err != nil {
		k.t.Fatal(err)
	}
	var messages []misstepkafka.StepMessage
	for range n {
		id := fmt.Sprint("run-", k.seq)
		k.seq++
		ids = append(ids, id)
		messages = append(messages, misstepkafka.StepMessage{Key: []byte(id), Value: []byte(misstep(id))})
	}
	if err := p.Publish(k.t.Context(), messages); err != nil {
		k.t.Fatal(err)
	}
	return ids
}

// records reads a topic as it is now.
func (k *kafkaTest) records(topic string) (out []kafka.Message) {
	k.t.Helper()
	m, err := k.client.Metadata(k.t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, p := range m.Topics[0].Partitions {
		l, err := k.client.ListOffsets(k.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(p.ID)}}})
		if err != nil || len(l.Topics[topic]) != 1 {
			k.t.Fatal(err)
		}
		end := l.Topics[topic][0].LastOffset
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: k.c.Kafka.Brokers, Topic: topic, Partition: p.ID, MaxWait: 50 * time.Millisecond})
		for at := int64(0); at < end; {
			msg, err := r.ReadMessage(k.t.Context())
			if err != nil {
				k.t.Fatal(err)
			}
			out = append(out, msg)
			at = msg.Offset + 1
		}
		if err := r.Close(); err != nil {
			k.t.Error(err)
		}
	}
	return out
}

// exactly waits until all trajectories have a failure, and sees that each has
// one.
func (k *kafkaTest) exactly(d *kafkaDetector) {
	k.t.Helper()
	var got []kafka.Message
	k.until(d, fmt.Sprint(k.seq, " failures"), func() bool {
		got = k.records(k.c.Kafka.Topics.Failures)
		return len(got) >= k.seq
	})
	seen := map[string]int{}
	for _, m := range got {
		seen[string(m.Key)]++
	}
	if len(got) != k.seq || len(seen) != k.seq {
		k.t.Fatalf("%d failures of %d trajectories, want one of each of %d; the log is\n%s", len(got), len(seen), k.seq, d.log.String())
	}
}

func header(m *kafka.Message, name string) string {
	i := slices.IndexFunc(m.Headers, func(h kafka.Header) bool { return h.Key == name })
	if i < 0 {
		return ""
	}
	return string(m.Headers[i].Value)
}
