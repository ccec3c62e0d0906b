package replay

import (
	"context"
	"errors"
	"fmt"
	"math"

	"misstep/stream/jetstream"
	"misstep/stream/kafka"
)

// natsSender sends to a subject.
type natsSender struct{ to *jetstream.Publisher }

func (s natsSender) Publish(ctx context.Context, msgs []message) error {
	out := make([]jetstream.StepMessage, len(msgs))
	for i, m := range msgs {
		out[i] = jetstream.StepMessage{Value: m.value}
	}
	return s.to.Publish(ctx, out)
}

func publishNATS(ctx context.Context, o *PublishOptions) (*Published, error) {
	server, subject, query, err := splitNATS(o.To, publishForm)
	if err == nil && len(query) > 0 {
		err = errors.New("there is something after a ?; give " + publishForm)
	}
	if err == nil {
		err = jetstream.CheckSubject(subject)
	}
	if err != nil {
		return nil, fmt.Errorf("--to: %s: %w", redacted(o.To), err)
	}
	nc, err := o.Access.NATS.connect(ctx, server)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	to, err := jetstream.NewPublisher(nc, jetstream.PublisherOptions{Stream: jetstream.AnyStream, Subject: subject})
	if err != nil {
		return nil, err
	}
	return publish(ctx, o, natsSender{to}, int(min(nc.MaxPayload(), math.MaxInt32)), false)
}

// kafkaSender sends to a topic.
type kafkaSender struct{ to *kafka.Producer }

func (s kafkaSender) Publish(ctx context.Context, msgs []message) error {
	out := make([]kafka.StepMessage, len(msgs))
	for i, m := range msgs {
		out[i] = kafka.StepMessage{Key: m.key, Value: m.value}
	}
	return s.to.Publish(ctx, out)
}

func publishKafka(ctx context.Context, o *PublishOptions) (*Published, error) {
	brokers, topic, query, err := splitKafka(o.To, publishForm)
	if err == nil && len(query) > 0 {
		err = errors.New("there is something after a ?; give " + publishForm)
	}
	if err != nil {
		return nil, fmt.Errorf("--to: %s: %w", redacted(o.To), err)
	}
	access := o.Access.Kafka
	c, err := access.connect(ctx, brokers, topic)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	to, err := kafka.NewProducer(ctx, c, kafka.ProducerOptions{Topic: topic, Partitioner: kafka.Partitioner(access.Partitioner), Compression: access.Compression})
	if err != nil {
		return nil, fmt.Errorf("--to: %s: %w", o.To, err)
	}
	// How much a topic takes, its broker says.
	return publish(ctx, o, kafkaSender{to}, math.MaxInt32, true)
}
