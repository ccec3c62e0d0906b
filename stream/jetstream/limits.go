package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ApplyLimits gives a stream of this program's own server the limits asked for,
// also when it exists with others, and reports whether that changed them. What
// is beyond the new limits is removed at once, the oldest first.
func ApplyLimits(ctx context.Context, nc *nats.Conn, name string, limits Limits) (changed bool, err error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return false, fmt.Errorf("limits of stream %s: %w", name, err)
	}
	s, err := js.Stream(ctx, name)
	if err != nil {
		return false, fmt.Errorf("limits of stream %s: %w", name, classify(err))
	}
	c := s.CachedInfo().Config
	if _, closed := c.Metadata[keepMark]; closed {
		openStream(&c) // the guard closes it again where there is no room
	} else if c.MaxAge == limits.MaxAge && c.MaxBytes == noLimit(limits.MaxBytes) && c.Discard == jetstream.DiscardOld {
		return false, nil
	}
	c.Discard, c.MaxAge, c.MaxBytes = jetstream.DiscardOld, limits.MaxAge, noLimit(limits.MaxBytes)
	// The server asks that a stream remembers ids no longer than it keeps messages.
	if c.MaxAge > 0 {
		c.Duplicates = min(c.Duplicates, c.MaxAge)
	}
	if _, err := js.UpdateStream(ctx, c); err != nil {
		return false, fmt.Errorf("limits of stream %s: %w", name, classify(err))
	}
	return true, nil
}
