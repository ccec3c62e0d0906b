package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Limits bound what a stream keeps; the oldest goes first. Zero values bound
// nothing.
type Limits struct {
	MaxAge   time.Duration
	MaxBytes int64
}

// EnsureSteps sees to it that the stream for steps exists and can be replayed,
// and creates it otherwise. A stream that exists keeps its limits.
func EnsureSteps(ctx context.Context, nc *nats.Conn, limits Limits) error {
	return ensure(ctx, nc, stepsConfig(StepsStream, StepsSubject, limits))
}

func stepsConfig(name, subject string, limits Limits) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        name,
		Description: "step events of agents",
		Subjects:    []string{subject, subject + ".>"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		MaxAge:      limits.MaxAge,
		MaxBytes:    noLimit(limits.MaxBytes),
	}
}

// EnsureResults sees to it that the stream for results exists and takes atomic
// batches, and creates or mends it otherwise. A stream that exists keeps its
// limits.
//
// The fence is rewritten with each batch and never expires by age, but with a
// limit in bytes a partition's fence can fall out. Then nothing says any more
// which checkpoint is current nor what was published: the newest checkpoint that
// is intact is gone on from, or the log's beginning, and the partition's last
// output is looked for among the newest results; where it is not found, outputs
// are published again.
func EnsureResults(ctx context.Context, nc *nats.Conn, limits Limits) error {
	return ensure(ctx, nc, resultsConfig(limits))
}

func resultsConfig(limits Limits) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               ResultsStream,
		Description:        "failures, task records and all else that misstep puts out",
		Subjects:           resultSubjects[:],
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		MaxAge:             limits.MaxAge,
		MaxBytes:           noLimit(limits.MaxBytes),
		AllowRollup:        true, // of the fence
		AllowMsgTTL:        true, // so that the fence outlives MaxAge
		AllowAtomicPublish: true,
	}
}

func noLimit(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

func ensure(ctx context.Context, nc *nats.Conn, want jetstream.StreamConfig) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s, err = js.CreateStream(ctx, want); err != nil {
			return fmt.Errorf("create stream %s: %w", want.Name, classify(err))
		}
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, classify(err))
	}
	have := s.CachedInfo().Config
	if err := replayable(have); err != nil {
		return err
	}
	mended, changed, err := mend(have, want)
	if err != nil || !changed {
		return err
	}
	if _, err := js.UpdateStream(ctx, mended); err != nil {
		return fmt.Errorf("update stream %s: %w", want.Name, classify(err))
	}
	return nil
}

// replayable refuses a stream whose messages go away once they are consumed.
func replayable(c jetstream.StreamConfig) error {
	if c.Retention == jetstream.LimitsPolicy {
		return nil
	}
	return fmt.Errorf("stream %s has %s retention, so messages are gone once they are consumed and cannot be read again after a restart: add a stream with limits retention that has %s as its source, and read that one",
		c.Name, retentionName(c.Retention), c.Name)
}

func retentionName(r jetstream.RetentionPolicy) string {
	switch r {
	case jetstream.WorkQueuePolicy:
		return "work queue"
	case jetstream.InterestPolicy:
		return "interest"
	}
	return r.String()
}

// mend adds to a stream's configuration what is wanted and not there.
func mend(have, want jetstream.StreamConfig) (mended jetstream.StreamConfig, changed bool, err error) {
	if want.AllowRollup && have.DenyPurge {
		return have, false, fmt.Errorf("stream %s denies purging (deny_purge), so the fence cannot be rolled up in it: delete the stream, or name another one", have.Name)
	}
	if want.AllowAtomicPublish && have.PersistMode == jetstream.AsyncPersistMode {
		return have, false, fmt.Errorf("stream %s acknowledges before it has written (persist_mode async), so results could be lost: delete the stream, or name another one", have.Name)
	}
	mended = have
	mended.Subjects = slices.Clone(have.Subjects)
	for _, subject := range want.Subjects {
		if !slices.Contains(mended.Subjects, subject) {
			mended.Subjects = append(mended.Subjects, subject)
			changed = true
		}
	}
	for _, flag := range []struct {
		have *bool
		want bool
	}{
		{&mended.AllowRollup, want.AllowRollup},
		{&mended.AllowMsgTTL, want.AllowMsgTTL},
		{&mended.AllowAtomicPublish, want.AllowAtomicPublish},
	} {
		if flag.want && !*flag.have {
			*flag.have = true
			changed = true
		}
	}
	return mended, changed, nil
}

// JetStream's error codes: those that mean that there is no room, and others.
const (
	codeInsufficientResources = 10023
	codeMemoryExceeded        = 10028
	codeStorageExceeded       = 10047
	codeAccountExceeded       = 10002
	codeStoreFailed           = 10077
	codeMessageTooLarge       = 10054
	codeCreateFailed          = 10049
	codeTooManyInflight       = 10210
	codeWrongLastSequence     = 10071
	codeWrongLastConstant     = 10164
)

// classify wraps an error into the one of this package that it means.
func classify(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &api):
		return classifyCode(err, api)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrTimeout),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected), errors.Is(err, jetstream.ErrAsyncPublishTimeout),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func classifyCode(err error, api *jetstream.APIError) error {
	switch int(api.ErrorCode) {
	case codeInsufficientResources, codeMemoryExceeded, codeStorageExceeded, codeAccountExceeded, codeStoreFailed:
		return fmt.Errorf("%w: %w", ErrStorage, err)
	case codeMessageTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if api.Code == 503 {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// missing adds to an error about a stream or bucket that is not there how it
// comes to be.
func missing(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("%w; `detector topics --for nats` prints the commands that make it, or set nats.create to true", err)
	}
	return classify(err)
}
