package kafkatest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"misstep/internal/kafkatest"
	"misstep/internal/require"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestKilled: what was acknowledged is there after kill -9, at the same address.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of Java")
	}
	b := kafkatest.Start(t, kafkatest.Options{Secured: true, Users: map[string]string{"alice": "secret"}, Authorize: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.CreateTopic(ctx, "t", 2, map[string]string{"message.timestamp.type": "LogAppendTime"}); err != nil {
		t.Fatal(err)
	}
	client, done := b.Client()
	defer done()
	r, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic: "t", Partition: 1, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
	})
	if err != nil || r.Error != nil {
		t.Fatal(err, r)
	}
	b.Kill()
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := b.Tool(ctx, "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", b.Addr(), "--topic", "t")
	if err != nil || !strings.Contains(out, "t:0:0") || !strings.Contains(out, "t:1:1") {
		t.Errorf("%v %s", err, out)
	}
	if b.Log() == "" {
		t.Error("the broker says nothing")
	}
}

// TestStop: a broker that was stopped starts again.
func TestStop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of Java")
	}
	b := kafkatest.Start(t, kafkatest.Options{})
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestBadSettings: a broker that cannot start says why.
func TestBadSettings(t *testing.T) {
	if err := kafkatest.Check(); err != nil {
		require.Cannot(t, err.Error())
	}
	_, err := kafkatest.Launch(t.Context(), t.TempDir(), kafkatest.Options{Properties: map[string]string{"log.retention.ms": "soon"}})
	if err == nil || !strings.Contains(err.Error(), "soon") {
		t.Errorf("got %v", err)
	}
}
