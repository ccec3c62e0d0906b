package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/kafkatest"
	"misstep/internal/require"
)

// TestTopics runs what is printed, by Kafka's own tools, on a broker that asks
// for ACLs; then who has the printed rights can do all that is done, and nobody
// else can.
func TestTopics(t *testing.T) {
	b := secured.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	names := Names{"tt.steps", "tt.failures", "tt.tasks", "tt.directives", "tt.deadletter", "tt.gaps", "tt.checkpoints", "tt-group"}
	var script strings.Builder
	err := WriteTopics(&script, TopicsOptions{Names: names, Brokers: []string{b.Addr()}, Partitions: 3, Principal: "User:alice"})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b, script.String())

	client, done := b.Client()
	defer done()
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: append(names.outputs(), names.Steps, names.Checkpoints)})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range m.Topics {
		want := 3
		if topic.Name == names.Tasks || topic.Name == names.DeadLetter || topic.Name == names.Gaps {
			want = 1
		}
		if topic.Error != nil || len(topic.Partitions) != want {
			t.Errorf("%s: %v, %d partitions", topic.Name, topic.Error, len(topic.Partitions))
		}
	}
	for topic, want := range map[string][2]string{names.Steps: {timestampType, logAppendTime}, names.Checkpoints: {cleanupPolicy, compact}} {
		got, err := settings(ctx, client, topic)
		if err != nil || got[want[0]] != want[1] {
			t.Errorf("%s has %s=%s, %v", topic, want[0], got[want[0]], err)
		}
	}

	for user, patience := range map[string]time.Duration{"alice": 10 * time.Second, "bob": time.Nanosecond} {
		allowed := user == "alice"
		c, err := Connect(ctx, ConnectOptions{
			Brokers: []string{b.Listener(kafkatest.SASL)}, SASL: SASLOptions{"PLAIN", user, write(t, user, user+"-secret")}, Patience: patience,
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, call := range used(c, names) {
			err := c.Do(ctx, what, call)
			switch {
			case allowed && err != nil:
				t.Errorf("%s may not %v", user, err)
			case !allowed && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrNoTopic): // one may not even know that it is there
				t.Errorf("%s may %s: %v", user, what, err)
			case !allowed && !strings.Contains(err.Error(), "`detector topics --for kafka` prints"):
				t.Errorf("no mend in %v", err)
			}
		}
		c.Close()
	}
}

// used are the calls that are made of a cluster.
func used(c *Cluster, n Names) map[string]func(context.Context) error {
	out := map[string]func(context.Context) error{
		"join the group": func(ctx context.Context) error {
			g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: n.Group, Brokers: c.Brokers, Dialer: c.Dialer, Topics: []string{n.Steps}})
			if err != nil {
				return err
			}
			defer g.Close()
			_, err = g.Next(ctx)
			return err
		},
		"commit": func(ctx context.Context) error {
			r, err := c.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
				GroupID: n.Group + "x", GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{n.Steps: {{Offset: 1}}},
			})
			if err != nil {
				return err
			}
			// Of another group, it is denied to everybody.
			if got := r.Topics[n.Steps][0].Error; !errors.Is(got, kafka.GroupAuthorizationFailed) {
				return fmt.Errorf("commit for another group: %w", got)
			}
			r, err = c.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
				GroupID: n.Group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{n.Steps: {{Partition: 2, Offset: 0}}},
			})
			if err != nil {
				return err
			}
			if err := r.Topics[n.Steps][0].Error; !errors.Is(err, kafka.UnknownMemberId) { // it has members
				return err
			}
			return nil
		},
	}
	for _, topic := range append(n.outputs(), n.Steps, n.Checkpoints) {
		out["produce to "+topic] = func(ctx context.Context) error {
			r, err := c.Client.Produce(ctx, &kafka.ProduceRequest{
				Topic: topic, RequiredAcks: kafka.RequireAll,
				Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes([]byte("v"))}),
			})
			if err != nil {
				return err
			}
			return r.Error
		}
		out["fetch from "+topic] = func(ctx context.Context) error {
			r, err := c.Client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, MaxBytes: 1 << 20, MaxWait: time.Millisecond})
			if err != nil {
				return err
			}
			return r.Error
		}
		out["read the settings of "+topic] = func(ctx context.Context) error {
			_, err := settings(ctx, c.Client, topic)
			return err
		}
	}
	return out
}

// run runs a script with Kafka's own tools.
func run(t *testing.T, b *kafkatest.Broker, script string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		require.Cannot(t, "there is no sh to run scripts with")
	}
	bin := t.TempDir()
	if err := b.Scripts(bin); err != nil {
		t.Fatal(err)
	}
	sh := exec.CommandContext(t.Context(), "sh", "-e")
	sh.Stdin = strings.NewReader(script)
	sh.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\nof\n%s", err, out, script)
	}
}

func TestTopicsText(t *testing.T) {
	var b strings.Builder
	err := WriteTopics(&b, TopicsOptions{Brokers: []string{"a:1", "b:2"}, Replicas: 3, CommandConfig: "my client.properties", Principal: "User:CN=detector one"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kafka-topics.sh --bootstrap-server a:1,b:2 --command-config 'my client.properties' --create --if-not-exists \\\n" +
			"  --topic agent.steps --partitions 12 --replication-factor 3 \\\n" +
			"  --config message.timestamp.type=LogAppendTime \\\n  --config min.insync.replicas=2\n",
		"--topic agent.tasks --partitions 1 --replication-factor 3 \\\n  --config min.insync.replicas=2\n",
		"--topic agent.checkpoints --partitions 12 --replication-factor 3 \\\n  --config cleanup.policy=compact \\\n",
		"\nkafka-acls.sh --bootstrap-server a:1,b:2 --command-config 'my client.properties' --add --allow-principal 'User:CN=detector one' --operation Read --operation Describe --group misstep\n",
		"\n# kafka-acls.sh --bootstrap-server a:1,b:2 --command-config 'my client.properties' --add --allow-principal User:producer --operation Write --operation Describe --topic agent.steps\n",
		"with murmur2.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks\n%s\nin\n%s", want, b.String())
		}
	}
	b.Reset()
	n := DefaultNames()
	n.Checkpoints = ""
	if err := WriteTopics(&b, TopicsOptions{Names: n}); err != nil || strings.Contains(b.String(), "checkpoints") || strings.Contains(b.String(), "\nkafka-acls") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
