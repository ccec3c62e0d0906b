package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// fillSubject takes what stands for lost messages for a moment. No workflow's
// subject has two tokens after the first.
const fillSubject = StepsSubject + ".$misstep.lost"

// fillPending is how many of them are on their way at a time.
const fillPending = 4096

// MendTail has StepsStream go on behind all that results and checkpoints tell of
// when its own end was lost, as it can be with the power: else what comes next
// would get sequences that were judged already. All that is there stays. lost is
// called before with the sequences that are gone, both included, and then they
// are: a data gap. Nobody may publish steps meanwhile.
func MendTail(ctx context.Context, nc *nats.Conn, lost func(from, to int64)) error {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(fillPending))
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, StepsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil // there is nothing yet
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", StepsStream, classify(err))
	}
	known, err := reached(ctx, nc)
	if errors.Is(err, stream.ErrOtherLog) {
		return nil // no end to mend; who reads it says what it is
	}
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	if last := int64(state.LastSeq); last < known {
		lost(last+1, known)
		if state.Msgs == 0 {
			err = s.Purge(ctx, jetstream.WithPurgeSequence(uint64(known)+1))
		} else {
			err = fill(ctx, js, known-last)
		}
		if err != nil {
			return fmt.Errorf("have %s go on at %d: %w", StepsStream, known+1, classify(err))
		}
	}
	// Also those of an earlier start that was cut off.
	if err := s.Purge(ctx, jetstream.WithPurgeSubject(fillSubject)); err != nil {
		return fmt.Errorf("stream %s: %w", StepsStream, classify(err))
	}
	info, err := s.Info(ctx)
	if err != nil {
		return fmt.Errorf("stream %s: %w", StepsStream, classify(err))
	}
	if last := int64(info.State.LastSeq); last < known {
		return fmt.Errorf("stream %s ends at %d still, and was judged up to %d", StepsStream, last, known)
	}
	return nil
}

// reached is stream.Reached of StepsStream.
func reached(ctx context.Context, nc *nats.Conn) (int64, error) {
	log, err := OpenLog(ctx, nc, LogOptions{})
	if err != nil {
		return 0, err
	}
	defer log.Close()
	results := NewResults(nc)
	store, err := NewCheckpoints(nc, results)
	if err != nil {
		return 0, err
	}
	return stream.Reached(ctx, log, results, store)
}

// fill publishes n messages.
func fill(ctx context.Context, js jetstream.JetStream, n int64) error {
	var last jetstream.PubAckFuture
	for range n {
		f, err := js.PublishAsync(fillSubject, nil, jetstream.WithExpectStream(StepsStream), jetstream.WithStallWait(answerTimeout))
		if err != nil {
			return err
		}
		last = f
	}
	// They are stored in order: with the last, all are.
	select {
	case <-last.Ok():
		return nil
	case err := <-last.Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
