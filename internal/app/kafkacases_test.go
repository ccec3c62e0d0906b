package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/config"
	"misstep/internal/kafkatest"
	"misstep/stream"
	misstepkafka "misstep/stream/kafka"
)

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
	step := func(id string) string {
		return fmt.Sprintf(`{"trajectory_id":%q,"kind":"user_message","text":"x"}`, id)
	}
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

// TestKafkaWithoutCheckpoints: where no topic keeps the state, a start reads again
// what is younger than the horizon, and repeats nothing.
func TestKafkaWithoutCheckpoints(t *testing.T) {
	k := newKafkaTest(t, 2)
	k.c.Kafka.Checkpoint, k.c.Kafka.Replay = "", time.Minute
	for range 3 {
		d := k.start("")
		k.publish(5)
		k.exactly(d)
		d.stop()
	}
	// A trajectory that was running is known: its tools are those it began with.
	d := k.start("")
	d.post(`[{"trajectory_id":"runs","id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}}]`)
	k.until(d, "the step", func() bool { return d.shows(`misstep_steps_total{kind="task_start"} 16`) })
	d.stop()
	d = k.start("")
	d.post(`[{"trajectory_id":"runs","id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`)
	k.seq++
	k.exactly(d)
}

// TestKafkaPartitionsAdded: new partitions are read. A trajectory that moves to
// one of them goes on there as partial, so that nothing is said of it that needs
// its beginning; one that stays is judged as before.
func TestKafkaPartitionsAdded(t *testing.T) {
	k := newKafkaTest(t, 2)
	d := k.start("")
	var stays, moves string
	for i := 0; stays == "" || moves == ""; i++ {
		id := fmt.Sprint("t", i)
		switch before, now := misstepkafka.Murmur2.Of([]byte(id), 2), misstepkafka.Murmur2.Of([]byte(id), 4); {
		case before == now && stays == "":
			stays = id
		case now > 1 && moves == "":
			moves = id
		}
	}
	begin := `{"trajectory_id":%q,"seq":1,"id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}}`
	call := `{"trajectory_id":%q,"seq":2,"id":"2","workflow":"support","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}`
	for _, id := range []string{stays, moves} {
		d.post(fmt.Sprintf(begin, id))
	}
	k.until(d, "the steps", func() bool { return d.shows(`misstep_steps_total{kind="task_start"} 2`) })
	r, err := k.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: k.c.Kafka.Topics.Steps, Count: 4}}})
	if err := errors.Join(err, r.Errors[k.c.Kafka.Topics.Steps]); err != nil {
		t.Fatal(err)
	}
	k.until(d, "the new partitions", func() bool { return d.shows("misstep_partitions 4") })
	k.until(d, "what is said", func() bool { return strings.Contains(d.log.String(), "partial from there on") })
	for _, id := range []string{stays, moves} {
		p := misstepkafka.Murmur2.Of([]byte(id), 4)
		rec := kafka.Record{Key: kafka.NewBytes([]byte(id)), Value: kafka.NewBytes(fmt.Appendf(nil, call, id))}
		r, err := k.client.Produce(t.Context(), &kafka.ProduceRequest{Topic: k.c.Kafka.Topics.Steps, Partition: int(p), RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(rec)})
		if err != nil || r.Error != nil {
			t.Fatal(err, r)
		}
	}
	k.until(d, "the calls", func() bool { return d.shows(`misstep_steps_total{kind="tool_call"} 2`) })
	k.until(d, "the failure", func() bool { return len(k.records(k.c.Kafka.Topics.Failures)) > 0 })
	for _, m := range k.records(k.c.Kafka.Topics.Failures) {
		if string(m.Key) != stays {
			t.Errorf("a failure of %s, which began elsewhere: %s", m.Key, m.Value)
		}
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
