package app_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/internal/kafkatest"
	"misstep/stream"
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
		{&n.Steps, partitions, map[string]string{"message.timestamp.type": "LogAppendTime"}}, {&n.Failures, partitions, nil}, {&n.Directives, partitions, nil},
		{&n.Tasks, 1, nil}, {&n.DeadLetter, 1, nil}, {&n.Gaps, 1, nil}, {&k.c.Kafka.Checkpoint, partitions, map[string]string{"cleanup.policy": "compact"}},
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

// TestKafka: steps that come over HTTP and from other producers are judged, once
// each, over a restart and with two processes.
func TestKafka(t *testing.T) {
	k := newKafkaTest(t, 4)
	d := k.start("")
	for range 5 {
		d.post(misstep(fmt.Sprint("run-", k.seq)))
		k.seq++
	}
	k.exactly(d)
	n := &k.c.Kafka.Topics
	for _, m := range k.records(n.Failures) {
		o, err := stream.ParseOrigin(header(&m, "misstep-origin"))
		if err != nil || o.Source != n.Steps || int(o.Partition) != m.Partition || header(&m, "trajectory_id") != string(m.Key) {
			t.Errorf("failure of %s has the headers %v in partition %d: %v", m.Key, m.Headers, m.Partition, err)
		}
		if want := misstepkafka.Murmur2.Of(m.Key, 4); int(want) != m.Partition {
			t.Errorf("failure of %s is in partition %d, its steps are in %d", m.Key, m.Partition, want)
		}
	}
	d.stop()
	k.publish(5)
	d = k.start("state restored")
	k.exactly(d)
	other := k.start(`"partitions":[`)
	k.until(other, "half of the partitions", func() bool { return other.shows("misstep_partitions 2") && d.shows("misstep_partitions 2") })
	k.publish(20)
	k.exactly(d)
	d.stop()
	k.until(other, "all partitions", func() bool { return other.shows("misstep_partitions 4") })
	k.publish(5)
	k.exactly(other)
}

// TestKafkaKeys: a step that is not of its record's key, or in a partition that
// is not its key's, or has none, goes to the dead letter, and the rest is judged.
func TestKafkaKeys(t *testing.T) {
	k := newKafkaTest(t, 2)
	d := k.start("")
	k.publish(2)
	step := func(id string) string { return fmt.Sprintf(`{"trajectory_id":%q,"kind":"user_message","text":"x"}`, id) }
	for _, m := range []struct {
		key   []byte
		value string
		wrong int32 // added to the partition
	}{
		{[]byte("a"), "[" + step("a") + "," + step("b") + "]", 0},
		{[]byte("c"), step("d"), 0},
		{nil, step("e"), 0},
		{[]byte("f"), step("f"), 1},
	} {
		p := (misstepkafka.Murmur2.Of(m.key, 2) + m.wrong) % 2
		rec := kafka.Record{Value: kafka.NewBytes([]byte(m.value))}
		if m.key != nil {
			rec.Key = kafka.NewBytes(m.key)
		}
		r, err := k.client.Produce(t.Context(), &kafka.ProduceRequest{Topic: k.c.Kafka.Topics.Steps, Partition: int(p), RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(rec)})
		if err := errors.Join(err, r.Error); err != nil {
			t.Fatal(err)
		}
	}
	k.until(d, "the dead letters", func() bool { return d.shows(`misstep_refused_total{reason="key"} 4`) })
	letters := k.records(k.c.Kafka.Topics.DeadLetter)
	for _, want := range []string{"the record's key is another", "the record has no key", "in a partition that its key does not belong to"} {
		if !slices.ContainsFunc(letters, func(m kafka.Message) bool { return strings.Contains(string(m.Value), want) }) {
			t.Errorf("no dead letter says %q", want)
		}
	}
	if len(letters) != 4 {
		t.Errorf("%d dead letters", len(letters))
	}
	k.exactly(d)
}

// TestKafkaWithoutItsPointer: whoever deletes the group, the checkpoints or
// both, or sets the offsets back, costs work and repeats nothing.
func TestKafkaWithoutItsPointer(t *testing.T) {
	k := newKafkaTest(t, 2)
	deleteGroup := func() {
		r, err := k.client.DeleteGroups(t.Context(), &kafka.DeleteGroupsRequest{GroupIDs: []string{k.c.Kafka.Group}})
		if err := errors.Join(err, r.Errors[k.c.Kafka.Group]); err != nil {
			t.Fatal(err)
		}
	}
	deleteCheckpoints := func() {
		r, err := k.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{k.c.Kafka.Checkpoint}})
		if err := errors.Join(err, r.Errors[k.c.Kafka.Checkpoint]); err != nil {
			t.Fatal(err)
		}
		for k.broker.CreateTopic(t.Context(), k.c.Kafka.Checkpoint, 2, map[string]string{"cleanup.policy": "compact"}) != nil {
			<-time.After(20 * time.Millisecond) // until it is deleted
		}
	}
	d := k.start("")
	k.publish(10)
	k.exactly(d)
	for _, c := range []struct {
		what string
		do   func()
		says string
	}{
		{"the group", deleteGroup, "nothing says which checkpoint is current"},
		{"the checkpoints", deleteCheckpoints, "no checkpoint is intact; the log is applied from its beginning"},
		{"both", func() { deleteGroup(); deleteCheckpoints() }, "no checkpoint is intact; the log is applied from its beginning"},
		{"the offsets", func() {
			out, err := k.broker.Tool(t.Context(), "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", k.broker.Addr(),
				"--group", k.c.Kafka.Group, "--reset-offsets", "--to-earliest", "--all-topics", "--execute")
			if err != nil {
				t.Fatal(err, out)
			}
		}, "somebody else has set the group's offset"},
	} {
		d.stop()
		c.do()
		k.publish(3)
		d = k.start(c.says)
		k.exactly(d)
	}
}

// TestKafkaRights: without the right to write results the detector says so, is
// not ready and loses nothing; it goes on when the right is there.
func TestKafkaRights(t *testing.T) {
	k := newKafkaTest(t, 2)
	k.c.Kafka.Brokers = []string{k.broker.Listener(kafkatest.SASL)}
	k.c.Kafka.SASL = config.KafkaSASL{Mechanism: "SCRAM-SHA-512", User: "detector", PasswordFile: filepath.Join(t.TempDir(), "password")}
	if err := os.WriteFile(k.c.Kafka.SASL.PasswordFile, []byte("pw"), 0o600); err != nil {
		t.Fatal(err)
	}
	acl := func(name string, kind kafka.ResourceType, allow kafka.ACLPermissionType, ops ...kafka.ACLOperationType) {
		var all []kafka.ACLEntry
		for _, op := range ops {
			all = append(all, kafka.ACLEntry{
				ResourceType: kind, ResourceName: name, ResourcePatternType: kafka.PatternTypeLiteral,
				Principal: "User:detector", Host: "*", Operation: op, PermissionType: allow,
			})
		}
		r, err := k.client.CreateACLs(t.Context(), &kafka.CreateACLsRequest{ACLs: all})
		if err := errors.Join(append(r.Errors, err)...); err != nil {
			t.Fatal(err)
		}
	}
	n := &k.c.Kafka.Topics
	allow := kafka.ACLPermissionTypeAllow
	for _, topic := range []string{n.Steps, n.Failures, n.Tasks, n.Directives, n.DeadLetter, n.Gaps, k.c.Kafka.Checkpoint} {
		acl(topic, kafka.ResourceTypeTopic, allow, kafka.ACLOperationTypeRead, kafka.ACLOperationTypeWrite, kafka.ACLOperationTypeDescribe)
	}
	acl(k.c.Kafka.Group, kafka.ResourceTypeGroup, allow, kafka.ACLOperationTypeRead)
	d := k.start("")
	k.c.Kafka.Brokers = []string{k.broker.Addr()} // of what looks on
	k.publish(2)
	k.exactly(d)
	// The right is taken away while it runs.
	acl(n.Failures, kafka.ResourceTypeTopic, kafka.ACLPermissionTypeDeny, kafka.ACLOperationTypeWrite)
	k.publish(3)
	k.until(d, "the reason", func() bool {
		code, body := d.get("/readyz")
		return code == 503 && strings.Contains(body, "Topic Authorization Failed")
	})
	if got := len(k.records(n.Failures)); got != 2 {
		t.Errorf("%d failures were written without the right", got)
	}
	r, err := k.client.DeleteACLs(t.Context(), &kafka.DeleteACLsRequest{Filters: []kafka.DeleteACLsFilter{{
		ResourceTypeFilter: kafka.ResourceTypeTopic, ResourceNameFilter: n.Failures, ResourcePatternTypeFilter: kafka.PatternTypeLiteral,
		PrincipalFilter: "User:detector", HostFilter: "*", Operation: kafka.ACLOperationTypeWrite, PermissionType: kafka.ACLPermissionTypeDeny,
	}}})
	if err != nil || len(r.Results) != 1 || r.Results[0].Error != nil {
		t.Fatalf("%v %+v", err, r)
	}
	k.exactly(d)
	k.until(d, "ready again", func() bool { code, _ := d.get("/readyz"); return code == 200 })
}

// TestKafkaRollingRestart: three detectors are restarted one after the other. No
// partition is without a detector for more than five seconds, and nothing is
// repeated.
func TestKafkaRollingRestart(t *testing.T) {
	k := newKafkaTest(t, 6)
	var ds []*kafkaDetector
	for range 3 {
		ds = append(ds, k.start(`"partitions":[`))
	}
	k.until(ds[0], "two partitions each", func() bool {
		for _, d := range ds {
			if !d.shows("misstep_partitions 2") {
				return false
			}
		}
		return true
	})
	k.publish(12)
	k.exactly(ds[0])
	ctx, cancel := context.WithCancel(t.Context())
	published, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			k.publish(6)
			<-time.After(100 * time.Millisecond)
		}
	}()
	for i := range ds {
		ds[i].stop()
		ds[i] = k.start(`"partitions":[`)
	}
	cancel()
	<-ended
	k.exactly(ds[0])
	// Between a step and its failure, as the topics have it.
	took := map[string]time.Duration{}
	for _, m := range k.records(k.c.Kafka.Topics.Steps) {
		took[string(m.Key)] = -time.Duration(m.Time.UnixNano())
	}
	longest := time.Duration(0)
	for _, m := range k.records(k.c.Kafka.Topics.Failures) {
		longest = max(longest, took[string(m.Key)]+time.Duration(m.Time.UnixNano()))
	}
	t.Logf("%d trajectories in %v; the longest wait is %v", k.seq, time.Since(published).Round(time.Second), longest)
	if longest > 5*time.Second {
		t.Errorf("a step waited for %v", longest)
	}
}
