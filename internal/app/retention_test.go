package app_test

import (
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/app"
)

// TestRetention: a stream whose messages go when they are consumed is refused,
// with the mend, which is one.
func TestRetention(t *testing.T) {
	url, js := userServer(t, "")
	for policy, name := range map[jetstream.RetentionPolicy]string{jetstream.WorkQueuePolicy: "QUEUE", jetstream.InterestPolicy: "INTEREST"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}, Retention: policy}); err != nil {
			t.Fatal(err)
		}
		c := external(url)
		c.NATS.Stream, c.NATS.PublishSubject = name, name
		err := app.Run(t.Context(), app.Options{Config: c, Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.Nop()})
		if err == nil || !strings.Contains(err.Error(), "retention") || !strings.Contains(err.Error(), "add a stream with limits retention that has "+name+" as its source") {
			t.Errorf("%s: Run gave %v", name, err)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Sources: []*jetstream.StreamSource{{Name: "QUEUE"}}}); err != nil {
		t.Fatal(err)
	}
	c := external(url)
	c.NATS.Stream, c.NATS.PublishSubject = "COPY", "QUEUE"
	d := start(t, c)
	stored := d.stored()
	if _, err := js.Publish(t.Context(), "QUEUE", []byte(misstep("run-1"))); err != nil {
		t.Fatal(err)
	}
	stored()
	d.exactly(1)
}
