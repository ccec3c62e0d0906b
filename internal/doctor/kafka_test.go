package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/internal/kafkatest"
	"misstep/stream/kafka"
)

var secured = &kafkatest.Shared{Options: kafkatest.Options{
	Secured: true, Authorize: true, Users: map[string]string{"alice": "alice-secret", "bob": "bob-secret"},
}}

func TestMain(m *testing.M) { kafkatest.Main(m, secured) }

// cluster is a configuration of the test's own topics.
func cluster(t *testing.T, b *kafkatest.Broker, prefix string) *config.Kafka {
	t.Helper()
	c, err := config.Parse("test", fmt.Appendf(nil, `kafka:
  brokers: [%q]
  group: %[2]s.group
  topics: {steps: %[2]s.steps, failures: %[2]s.failures, tasks: %[2]s.tasks, directives: %[2]s.directives, deadletter: %[2]s.deadletter, gaps: %[2]s.gaps}
  checkpoint: %[2]s.checkpoints
`, b.Addr(), prefix))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Kafka
}

// create makes the topics as they should be, but for those that change has.
func create(t *testing.T, b *kafkatest.Broker, k *config.Kafka, change map[string]kafka.TopicSpec) {
	t.Helper()
	for _, s := range kafka.Specs(app.KafkaNames(k), 3, 1) {
		if other, ok := change[s.Name]; ok {
			s = other
		}
		if s.Name == "" {
			continue
		}
		settings := map[string]string{}
		for _, c := range append(s.Settings, s.Advised...) {
			settings[c.Name] = c.Value
		}
		if err := b.CreateTopic(t.Context(), s.Name, s.Partitions, settings); err != nil {
			t.Fatal(err)
		}
	}
}

// produce writes records of n trajectories of one step each, their partition by
// the partitioner.
func produce(t *testing.T, b *kafkatest.Broker, topic string, p kafka.Partitioner, n int, record func(key string) kafkago.Record) {
	t.Helper()
	client, done := b.Client()
	defer done()
	byPartition := map[int32][]kafkago.Record{}
	for i := range n {
		key := fmt.Sprintf("trajectory-%d", i)
		to := p.Of([]byte(key), 3)
		byPartition[to] = append(byPartition[to], record(key))
	}
	for to, records := range byPartition {
		r, err := client.Produce(t.Context(), &kafkago.ProduceRequest{
			Topic: topic, Partition: int(to), RequiredAcks: kafkago.RequireAll, Records: kafkago.NewRecordReader(records...),
		})
		if err != nil || r.Error != nil {
			t.Fatal(err, r)
		}
	}
}

func keyed(key string) kafkago.Record {
	value := fmt.Sprintf(`{"trajectory_id":%q,"id":"1","time":%q,"kind":"user_message","text":"x","workflow":"w"}`, key, time.Now().UTC().Format(time.RFC3339))
	return kafkago.Record{Key: kafkago.NewBytes([]byte(key)), Value: kafkago.NewBytes([]byte(value))}
}

// text is a report as it is read.
func text(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func holds(t *testing.T, r *Report, wants ...string) {
	t.Helper()
	got := text(t, r)
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q in\n%s", want, got)
		}
	}
}

func TestKafkaInOrder(t *testing.T) {
	b := secured.Start(t)
	k := cluster(t, b, "good")
	create(t, b, k, nil)
	produce(t, b, "good.steps", kafka.Murmur2, 60, keyed)
	r, err := Kafka(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r,
		"ok       connection  "+b.Addr(), "ok       topics      good.steps has 3 partitions", "ok       topics      good.tasks has 1 partition",
		"ok       partitioner murmur2: all of 60 keys are where it puts them", "ok       clocks      no record is of a time to come",
		"ok       lag         the group good.group has no position yet; it begins at the beginning",
		"ok       steps       all of 60 steps in 60 records can be read", "ok       coverage    workflow w: 60 steps tell all",
		"ok       rights      detect and intake may do what they do",
		"the cluster takes anybody", "0 wrong, 1 to look at, ")
}

func TestKafkaWrong(t *testing.T) {
	b := secured.Start(t)
	k := cluster(t, b, "bad")
	k.Partitioner = "crc32"
	create(t, b, k, map[string]kafka.TopicSpec{
		"bad.steps":       {Name: "bad.steps", Partitions: 3, Settings: []kafka.Setting{{Name: "retention.ms", Value: "60000"}, {Name: "cleanup.policy", Value: "compact,delete"}}},
		"bad.tasks":       {Name: "bad.tasks", Partitions: 2},
		"bad.directives":  {},
		"bad.checkpoints": {Name: "bad.checkpoints", Partitions: 3},
	})
	produce(t, b, "bad.steps", kafka.Murmur2, 60, keyed)
	produce(t, b, "bad.steps", kafka.Murmur2, 3, func(key string) kafkago.Record {
		r := keyed(key)
		r.Value = kafkago.NewBytes([]byte("no JSON"))
		return r
	})
	produce(t, b, "bad.steps", kafka.Murmur2, 3, func(key string) kafkago.Record {
		r := keyed(key)
		r.Time = time.Now().Add(time.Hour)
		r.Value = kafkago.NewBytes(fmt.Appendf(nil, `{"trajectory_id":"other","time":%q,"kind":"tool_call","call":{"tool":"x"}}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		return r
	})
	commit(t, b, k, map[int]int64{0: 1 << 40, 1: 0})
	r, err := Kafka(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r,
		"wrong    topics      bad.directives is not there",
		"wrong    topics      bad.tasks has 2 partitions, and must have 1\n                     -> delete it and make it anew with 1 partition",
		"wrong    topics      bad.steps has cleanup.policy=compact,delete", "keeps steps for 1m0s",
		"bad.steps has message.timestamp.type=CreateTime", "wrong    topics      bad.checkpoints has cleanup.policy=delete, and must have compact\n"+
			"                     -> kafka-configs.sh --alter --entity-type topics --entity-name bad.checkpoints --add-config cleanup.policy=compact",
		"wrong    partitioner crc32: ", "set kafka.partitioner to murmur2, which fits all",
		"3 records have another key than its trajectory_id", "wrong    steps       3 of 66 steps cannot be read",
		"the clock of a producer is more than 10m0s ahead", "3 steps are of a time more than 10m0s ahead",
		"wrong    lag         the group's position in partition 0 is 1099511627776",
		"without a workflow: all of the steps have no id", "of the trajectories do not name their tools")
	if r.Wrong() < 7 {
		t.Errorf("%d are wrong in\n%s", r.Wrong(), text(t, r))
	}
	var lines bytes.Buffer
	if err := r.WriteJSON(&lines); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lines.String()) {
		var f Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Level == "" || f.Check == "" || f.Found == "" || f.Level == Wrong && f.Mend == "" {
			t.Errorf("%v: %s", err, line)
		}
	}

	// Records without a key, more in one partition than in others.
	skewed := cluster(t, b, "skewed")
	create(t, b, skewed, nil)
	client, done := b.Client()
	defer done()
	var records []kafkago.Record
	for range 1200 {
		r := keyed("x")
		r.Key = nil
		records = append(records, r)
	}
	resp, err := client.Produce(t.Context(), &kafkago.ProduceRequest{Topic: "skewed.steps", Partition: 1, RequiredAcks: kafkago.RequireAll, Records: kafkago.NewRecordReader(records...)})
	if err != nil || resp.Error != nil {
		t.Fatal(err, resp)
	}
	commit(t, b, skewed, map[int]int64{1: 200})
	if r, err = Kafka(t.Context(), skewed); err != nil {
		t.Fatal(err)
	}
	holds(t, r, "records are in skewed.steps without a key", "warning  skew        partition 1 holds all of the records", "the group is 1000 records behind")
}

// commit sets where the group is.
func commit(t *testing.T, b *kafkatest.Broker, k *config.Kafka, offsets map[int]int64) {
	t.Helper()
	client, done := b.Client()
	defer done()
	var commits []kafkago.OffsetCommit
	for p, o := range offsets {
		commits = append(commits, kafkago.OffsetCommit{Partition: p, Offset: o})
	}
	c, err := kafka.Connect(t.Context(), kafka.ConnectOptions{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Do(t.Context(), "commit", func(ctx context.Context) error {
		r, err := client.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{GroupID: k.Group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{k.Topics.Steps: commits}})
		if err != nil {
			return err
		}
		for _, p := range r.Topics[k.Topics.Steps] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKafkaRights: who may do nothing sees no topic; who may read only is told
// what lacks.
func TestKafkaRights(t *testing.T) {
	b := secured.Start(t)
	k := cluster(t, b, "rights")
	create(t, b, k, nil)
	k.Brokers = []string{b.Listener(kafkatest.SASL)}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("bob-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.SASL = config.KafkaSASL{Mechanism: "PLAIN", User: "bob", PasswordFile: file}
	r, err := Kafka(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r, "the password of bob crosses the network in clear text", "wrong    topics      rights.steps may not be seen", "`detector topics --for kafka` prints the ACLs",
		"wrong    rights      group rights.group: ")
	client, done := b.Client()
	defer done()
	var acls []kafkago.ACLEntry
	for _, topic := range []string{"rights.steps", "rights.failures", "rights.tasks", "rights.directives", "rights.deadletter", "rights.gaps", "rights.checkpoints"} {
		for _, op := range []kafkago.ACLOperationType{kafkago.ACLOperationTypeRead, kafkago.ACLOperationTypeDescribeConfigs} {
			acls = append(acls, kafkago.ACLEntry{
				ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic, ResourcePatternType: kafkago.PatternTypeLiteral,
				Principal: "User:bob", Host: "*", Operation: op, PermissionType: kafkago.ACLPermissionTypeAllow,
			})
		}
	}
	made, err := client.CreateACLs(t.Context(), &kafkago.CreateACLsRequest{ACLs: acls})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range made.Errors {
		if err != nil {
			t.Fatal(err)
		}
	}
	if r, err = Kafka(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	holds(t, r, "ok       topics      rights.steps has 3 partitions", "wrong    rights      there is no right to Write on the topic rights.failures (detect)", "Write on the topic rights.steps (intake)")
}
