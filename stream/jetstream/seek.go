package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// Seek implements stream.Seeker.
func (l *Log) Seek(ctx context.Context, after, known int64) error {
	if known < 0 {
		return nil
	}
	state, _, err := l.state(ctx)
	if err != nil {
		return err
	}
	if last := state.LastSeq; last < uint64(known) {
		return fmt.Errorf("%w: %w: %s ends at sequence %d; if its end was lost, as with the power, `nats stream purge %s --seq=%d` has it go on behind what was judged; with an embedded server name another data folder",
			ErrOtherStream, stream.ErrAhead, l.opts.Stream, last, l.opts.Stream, known+1)
	}
	l.next = max(l.next, uint64(after+1))
	return nil
}

// Idle implements stream.Idler. The present time is the server's, as it is when
// it says how far the stream goes; message times are the same server's, or
// those of a cluster whose clocks agree within the engine's grace.
func (l *Log) Idle(ctx context.Context, after int64) (now int64, ok bool, err error) {
	state, now, err := l.state(ctx)
	if err != nil {
		return 0, false, err
	}
	if state.Msgs == 0 || state.LastSeq <= uint64(max(after, 0)) {
		return now, true, nil // a stream that is empty has nothing unread, wherever it ends
	}
	// What follows may be of other subjects, or deleted.
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err != nil {
		return 0, false, fmt.Errorf("stream %s: %w", l.opts.Stream, classify(err))
	}
	subject := l.opts.Subject
	if subject == "" {
		subject = ">"
	}
	last, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return now, true, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("last message of %s: %w", l.opts.Stream, classify(err))
	}
	return now, last.Sequence <= uint64(max(after, 0)), nil
}

// state asks the server for the stream's state and the time.
func (l *Log) state(ctx context.Context) (jetstream.StreamState, int64, error) {
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err != nil {
		return jetstream.StreamState{}, 0, fmt.Errorf("stream %s: %w", l.opts.Stream, classify(err))
	}
	info := s.CachedInfo()
	if info.TimeStamp.IsZero() {
		return info.State, 0, errors.New("server does not say what time it is; NATS 2.10 or later is needed")
	}
	return info.State, info.TimeStamp.UnixNano(), nil
}
