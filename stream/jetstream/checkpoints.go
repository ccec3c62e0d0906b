package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// EnsureCheckpoints sees to it that the stream for checkpoints exists, and
// creates it otherwise. A limit in bytes must leave room for three of the
// largest checkpoints of each partition: the two that are kept, and the next
// one. A limit of age does not apply: a checkpoint is current until there is a
// newer one, however long that takes.
func EnsureCheckpoints(ctx context.Context, nc *nats.Conn, limits Limits) error {
	return ensure(ctx, nc, checkpointsConfig(limits))
}

func checkpointsConfig(limits Limits) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        CheckpointsStream,
		Description: "state of misstep, for its restarts",
		Subjects:    []string{checkpointPrefix + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		MaxBytes:    noLimit(limits.MaxBytes),
		// What does not fit is refused, rather than cut out of what is current.
		Discard: jetstream.DiscardNew,
	}
}

// Checkpoints keeps the parts of checkpoints in CheckpointsStream, each as one
// message that is written once, and the heads in the fences of ResultsStream: a
// swing is a compare-and-swap there, so that a stale owner's is refused, and
// every Append keeps the head as it is.
//
// Its methods may be called by any goroutine.
type Checkpoints struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	results *Results
}

// NewCheckpoints keeps checkpoints for the owner that results belongs to.
func NewCheckpoints(nc *nats.Conn, results *Results) (*Checkpoints, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(results.timeout))
	if err != nil {
		return nil, fmt.Errorf("checkpoints: %w", err)
	}
	return &Checkpoints{nc: nc, js: js, results: results}, nil
}

// Head implements stream.Checkpoints.
func (c *Checkpoints) Head(ctx context.Context, source string, partition int32) ([]byte, error) {
	return c.results.head(ctx, place{source, partition})
}

// Swing implements stream.Checkpoints.
func (c *Checkpoints) Swing(ctx context.Context, source string, partition int32, head []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.results.swing(ctx, place{source, partition}, head)
}

// Put implements stream.Checkpoints.
func (c *Checkpoints) Put(ctx context.Context, source string, partition int32, id string, part int, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(data) > stream.MaxChunk {
		return fmt.Errorf("part %d of %d bytes is larger than %d", part, len(data), stream.MaxChunk)
	}
	subject := checkpointSubject(place{source, partition}, id, strconv.Itoa(part))
	if !c.nc.IsConnected() {
		return ErrUnavailable
	}
	// Only as the first on its subject, so that it is written once.
	_, err := c.js.Publish(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithExpectStream(CheckpointsStream))
	if !isWrongSequence(err) {
		if err != nil {
			return fmt.Errorf("write %s: %w", subject, classify(err))
		}
		return nil
	}
	have, err := c.Get(ctx, source, partition, id, part)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, data) {
		return fmt.Errorf("part %d of checkpoint %s is there already, with other content", part, id)
	}
	return nil
}

// Get implements stream.Checkpoints.
func (c *Checkpoints) Get(ctx context.Context, source string, partition int32, id string, part int) ([]byte, error) {
	subject := checkpointSubject(place{source, partition}, id, strconv.Itoa(part))
	s, err := c.stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", subject, err)
	}
	msg, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("part %d of checkpoint %s is not there: %w", part, id, stream.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", subject, classify(err))
	}
	return msg.Data, nil
}

// stream gives the stream's handle. That it is gone is damage.
func (c *Checkpoints) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := c.js.Stream(ctx, CheckpointsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("stream %s: %w: %w", CheckpointsStream, err, stream.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", CheckpointsStream, classify(err))
	}
	return s, nil
}

// List implements stream.Checkpoints.
func (c *Checkpoints) List(ctx context.Context, source string, partition int32) ([]string, error) {
	s, err := c.stream(ctx)
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(checkpointSubject(place{source, partition}, "*", "*")))
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", classify(err))
	}
	ids := map[string]bool{}
	for subject := range info.State.Subjects {
		if tokens := strings.Split(subject, "."); len(tokens) >= 2 {
			ids[tokens[len(tokens)-2]] = true
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// Delete implements stream.Checkpoints.
func (c *Checkpoints) Delete(ctx context.Context, source string, partition int32, id string) error {
	s, err := c.stream(ctx)
	if err != nil {
		return err
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSubject(checkpointSubject(place{source, partition}, id, "*"))); err != nil {
		return fmt.Errorf("delete checkpoint %s: %w", id, classify(err))
	}
	return nil
}
