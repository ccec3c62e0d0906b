package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	defaultPatience = 30 * time.Second
	// A topic that is not there may have been made a moment ago.
	topicPatience = 3 * time.Second
	firstDelay    = 20 * time.Millisecond
	lastDelay     = time.Second
	// tellEvery is the least time between two equal warnings.
	tellEvery = 10 * time.Second
)

// Do calls again what fails for a reason that passes: a leader that moves, a
// connection that broke, a broker that restarts. It is for calls that can be
// made twice. The context that call is given bounds one attempt; ctx and the
// patience of the options bound all. The error is classified (see Classify),
// begins with what, and says how to mend what a program can be wrong about.
func (c *Cluster) Do(ctx context.Context, what string, call func(context.Context) error) error {
	patience := c.opts.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	began := time.Now()
	for n := 0; ; n++ {
		err := c.attempt(ctx, call)
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%s: %w", what, cause)
		}
		spent := time.Since(began)
		switch {
		case errors.Is(err, ErrUnavailable) && spent < patience, errors.Is(err, ErrNoTopic) && spent < min(topicPatience, patience):
		default:
			return fmt.Errorf("%s: %w", what, mended(err))
		}
		c.Refresh()
		if spent > time.Second && !c.told.before(what+err.Error(), time.Now()) {
			c.opts.Logger.Warn().Err(err).Str("call", what).Msg("Kafka: trying again")
		}
		if err := sleep(ctx, delay(n)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

func (c *Cluster) attempt(ctx context.Context, call func(context.Context) error) error {
	one, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := call(one)
	if errors.Is(Classify(err), ErrNoTopic) && c.Client != nil {
		// A pool that never reached the cluster knows no topic; why is kept
		// with the metadata.
		if _, cause := c.Client.Metadata(one, &kafka.MetadataRequest{}); cause != nil {
			err = cause
		}
	}
	return Classify(err)
}

// delay is how long the n-th attempt that failed is waited after: not at all
// the first time, since most often a pooled connection was closed.
func delay(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(firstDelay<<min(n-1, 10), lastDelay)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lately remembers what was told last.
type lately struct {
	mu   sync.Mutex
	text string
	at   time.Time
}

// before reports whether the same was told shortly before; else it is now.
func (l *lately) before(text string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.text && now.Sub(l.at) < tellEvery {
		return true
	}
	l.text, l.at = text, now
	return false
}
