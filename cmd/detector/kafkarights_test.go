//go:build unix

package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"misstep/stream/kafka"
)

// make makes the topics and the rights of alice, without the tools.
func (w *kafkaWorld) make(ctx context.Context) {
	w.t.Helper()
	for _, s := range kafka.Specs(kafka.DefaultNames(), 3, 1) {
		settings := map[string]string{}
		for _, c := range append(s.Settings, s.Advised...) {
			settings[c.Name] = c.Value
		}
		if err := w.b.CreateTopic(ctx, s.Name, s.Partitions, settings); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, role := range kafka.Roles(kafka.DefaultNames()) {
		if role.Name == "detect" || role.Name == "intake" {
			for _, r := range role.Rights {
				w.allow(ctx, r)
			}
		}
	}
}

var operations = map[kafka.Operation]kafkago.ACLOperationType{
	kafka.Read: kafkago.ACLOperationTypeRead, kafka.Write: kafkago.ACLOperationTypeWrite,
	kafka.Describe: kafkago.ACLOperationTypeDescribe, kafka.DescribeConfigs: kafkago.ACLOperationTypeDescribeConfigs,
}

var kinds = map[string]kafkago.ResourceType{"topic": kafkago.ResourceTypeTopic, "group": kafkago.ResourceTypeGroup}

func (w *kafkaWorld) allow(ctx context.Context, r kafka.Right) {
	w.t.Helper()
	client, done := w.b.Client()
	defer done()
	var acls []kafkago.ACLEntry
	for _, op := range r.Operations {
		acls = append(acls, kafkago.ACLEntry{
			ResourceType: kinds[r.Kind], ResourceName: r.Name, ResourcePatternType: kafkago.PatternTypeLiteral,
			Principal: "User:alice", Host: "*", Operation: operations[op], PermissionType: kafkago.ACLPermissionTypeAllow,
		})
	}
	made, err := client.CreateACLs(ctx, &kafkago.CreateACLsRequest{ACLs: acls})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, err := range made.Errors {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *kafkaWorld) revoke(ctx context.Context, r kafka.Right) {
	w.t.Helper()
	client, done := w.b.Client()
	defer done()
	for _, op := range r.Operations {
		gone, err := client.DeleteACLs(ctx, &kafkago.DeleteACLsRequest{Filters: []kafkago.DeleteACLsFilter{{
			ResourceTypeFilter: kinds[r.Kind], ResourceNameFilter: r.Name, ResourcePatternTypeFilter: kafkago.PatternTypeLiteral,
			PrincipalFilter: "User:alice", HostFilter: "*", Operation: operations[op], PermissionType: kafkago.ACLPermissionTypeAllow,
		}}})
		if err != nil || len(gone.Results) != 1 || len(gone.Results[0].MatchingACLs) != 1 {
			w.t.Fatal(err, gone)
		}
	}
}

// produce writes a story, as Java's client would.
func (w *kafkaWorld) produce(ctx context.Context, name string, n int) {
	w.t.Helper()
	c, err := kafka.Connect(ctx, kafka.ConnectOptions{Brokers: []string{w.b.Addr()}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	p, err := kafka.NewProducer(ctx, c, kafka.ProducerOptions{Topic: kafka.StepsTopic})
	if err != nil {
		w.t.Fatal(err)
	}
	var msgs []kafka.StepMessage
	for line := range strings.Lines(story(name, n)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		msgs = append(msgs, kafka.StepMessage{Key: []byte(key), Value: []byte(value)})
	}
	if err := p.Publish(ctx, msgs); err != nil {
		w.t.Fatal(err)
	}
}

// failures waits for those of the stories, and checks that each is there once.
func (w *kafkaWorld) failures(ctx context.Context, each int, names ...string) {
	w.t.Helper()
	c, err := kafka.Connect(ctx, kafka.ConnectOptions{Brokers: []string{w.b.Addr()}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	var want []string
	for _, name := range names {
		for i := range each {
			want = append(want, fmt.Sprintf("%s-%d open", name, i), fmt.Sprintf("%s-%d resolved", name, i))
		}
	}
	slices.Sort(want)
	var got []string
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * patience); len(got) < len(want); {
		got = got[:0]
		for p := range 3 {
			records, err := c.Sample(ctx, kafka.FailuresTopic, p, 0, 10_000)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, r := range records {
				state := "open"
				if strings.Contains(string(r.Value), `"state":"resolved"`) {
					state = "resolved"
				}
				got = append(got, string(r.Key)+" "+state)
			}
		}
		if time.Now().After(deadline) {
			break
		}
		<-tick.C
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		w.t.Fatalf("failures %q, want %q", got, want)
	}
}

// TestKafkaRevoked: rights that are taken from a detector that runs stop it
// where it stands; what came meanwhile is judged once they are back, each once.
// So it is with a password that changes while the broker is away.
func TestKafkaRevoked(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of Java")
	}
	w := newKafkaWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	w.make(ctx)
	d := spawn(t, "detector", "run", "-c", w.config)
	d.logged("started")
	const each = 4
	w.produce(ctx, "a", each)
	w.failures(ctx, each, "a")
	names := []string{"a"}
	for name, right := range map[string]kafka.Right{
		"write": {Kind: "topic", Name: kafka.FailuresTopic, Operations: []kafka.Operation{kafka.Write}},
		"read":  {Kind: "topic", Name: kafka.StepsTopic, Operations: []kafka.Operation{kafka.Read}},
		"group": {Kind: "group", Name: kafka.Group, Operations: []kafka.Operation{kafka.Read}},
	} {
		t.Logf("without the right to %s", name)
		w.revoke(ctx, right)
		w.produce(ctx, name, each)
		if name != "group" { // it notices when it next speaks with the coordinator
			for m := d.logged(""); m["level"] != "warn" && m["level"] != "error"; {
				m = d.logged("")
			}
		}
		w.allow(ctx, right)
		names = append(names, name)
		w.failures(ctx, each, names...)
	}
	client, done := w.b.Client()
	salt := []byte("of no importance")
	salted, err := pbkdf2.Key(sha512.New, "another-secret", salt, 4096, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	set, err := client.AlterUserScramCredentials(ctx, &kafkago.AlterUserScramCredentialsRequest{Upsertions: []kafkago.UserScramCredentialsUpsertion{
		{Name: "alice", Mechanism: kafkago.ScramMechanismSha512, Iterations: 4096, Salt: salt, SaltedPassword: salted},
	}})
	if err != nil || set.Results[0].Error != nil {
		t.Fatal(err, set)
	}
	done()
	w.b.Kill()
	if err := os.WriteFile(w.password, []byte("another-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	w.produce(ctx, "rotated", each)
	w.failures(ctx, each, append(names, "rotated")...)
	if strings.Contains(d.log.String(), "-secret") {
		t.Error("the log tells a secret")
	}
}
