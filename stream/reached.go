package stream

import (
	"context"
	"errors"
	"fmt"
)

// Reached gives the highest offset of a log that its results and its checkpoints
// tell of, -1 when there is none: the log held it once. What is damaged tells
// nothing. The error is ErrOtherLog when a checkpoint is of another log.
func Reached(ctx context.Context, log Log, results Results, store Checkpoints) (int64, error) {
	source, part := log.Source(), log.Partition()
	e := &Engine[struct{}]{source: source, part: part, opts: Options[struct{}]{Log: log}}
	reached := int64(-1)
	last, ok, err := results.Last(ctx, source, part)
	if err != nil {
		return 0, fmt.Errorf("last published origin of %s/%d: %w", source, part, err)
	}
	if ok {
		reached = last.Offset
	}
	var h head
	switch b, err := store.Head(ctx, source, part); {
	case err == nil && b != nil:
		if unseal(b, &h) == nil {
			reached = max(reached, h.At.Offset)
			for _, a := range h.Advances {
				reached = max(reached, a.Offset)
			}
		}
	case err != nil && !errors.Is(err, ErrDamaged):
		return 0, err
	}
	ids, err := store.List(ctx, source, part)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return 0, err
	}
	for _, id := range ids {
		b, err := store.Get(ctx, source, part, id, ManifestPart)
		var m *manifest
		if err == nil {
			m, err = e.readManifest(id, b)
		}
		switch {
		case err == nil:
			reached = max(reached, m.at().Offset)
		case !errors.Is(err, ErrDamaged):
			return 0, err
		}
	}
	return reached, nil
}
