package jetstream

import (
	"context"
	"errors"
	"testing"
	"time"

	"misstep/stream"
)

// lateAnswer has its first Append fail, and another owner publish the same
// before its caller looks what there is.
type lateAnswer struct {
	*Results
	other *Results
}

func (l lateAnswer) Append(ctx context.Context, outs []stream.Output) error {
	if err := l.other.Fence(ctx, StepsStream, 0); err != nil {
		return err
	}
	if err := l.other.Append(ctx, outs); err != nil {
		return err
	}
	return ErrUnavailable
}

func TestAnotherOwnersOutputsAreNotTakenForOnesOwn(t *testing.T) {
	e := embedded(t, t.TempDir())
	nc := connect(t, e)
	if err := publisher(t, nc).Publish(t.Context(), []StepMessage{{Value: counterRecord(1, 1)}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	log := openLog(t, nc, LogOptions{})
	err := runCounter(ctx, log, lateAnswer{NewResults(nc), NewResults(nc)}, nil, stream.Checkpointing{}, func(outs []stream.Output) {
		t.Errorf("%d outputs of another owner were told as its own", len(outs))
		cancel()
	})
	if !errors.Is(err, stream.ErrFenced) {
		t.Fatalf("Run gave %v", err)
	}
}
