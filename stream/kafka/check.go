package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"misstep/stream"
)

// CheckTopics says what of the topics is not as a detector needs it, and how
// that is mended. What the broker does not tell for want of a right is taken to
// be well.
func CheckTopics(ctx context.Context, c *Cluster, n Names) error {
	names := append([]string{n.Steps}, n.outputs()...)
	if n.Checkpoints != "" {
		names = append(names, n.Checkpoints)
	}
	states, err := c.Inspect(ctx, names...)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range states {
		if s.Err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", s.Name, mended(s.Err)))
			continue
		}
		if s.Name == n.Checkpoints {
			errs = append(errs, checkCheckpoints(&s))
		}
	}
	return errors.Join(errs...)
}

// checkCheckpoints looks at the settings without which state is lost.
func checkCheckpoints(s *TopicState) error {
	if s.Settings == nil {
		return nil
	}
	if got := s.Settings[cleanupPolicy]; got != compact {
		return fmt.Errorf("topic %s has %s=%s, so that the state of a restart may be deleted; set it with kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s",
			s.Name, cleanupPolicy, strings.ReplaceAll(got, " ", ""), s.Name, cleanupPolicy, compact)
	}
	const need = stream.MaxChunk + 16<<10
	if got, err := strconv.Atoi(s.Settings["max.message.bytes"]); err == nil && got < need {
		return fmt.Errorf("topic %s takes messages of %d bytes, and parts of the state have up to %d; set max.message.bytes to 1048588", s.Name, got, need)
	}
	return nil
}
