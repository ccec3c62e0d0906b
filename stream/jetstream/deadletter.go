package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublishDeadLetter puts an encoded dead letter of a follower into
// ResultsStream.
func PublishDeadLetter(ctx context.Context, nc *nats.Conn, value []byte) error {
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.Publish(ctx, "agent.deadletter", value, jetstream.WithExpectStream(ResultsStream))
	}
	if err != nil {
		return fmt.Errorf("publish dead letter: %w", classify(err))
	}
	return nil
}
