package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/stream"
)

// Tenure is the time from the assignment of a partition to this process to its
// loss. It spans rebalances after which the partition comes back at once: while
// one goes on it is paused, and nothing is written. It is the ownership and the
// claim of one engine.
type Tenure struct {
	cluster   *Cluster
	group     string
	partition int32
	verify    time.Duration // how long membership is believed
	rejoin    func()        // may be nil

	mu         sync.Mutex
	generation int
	member     string
	verified   time.Time     // when the coordinator last took it for a member
	running    chan struct{} // closed unless it is paused
	lost       chan struct{}
	over       bool
	stale      bool
}

func newTenure(c *Cluster, group string, partition int32, verify time.Duration) *Tenure {
	return &Tenure{
		cluster: c, group: group, partition: partition, verify: verify,
		running: make(chan struct{}), lost: make(chan struct{}),
	}
}

// Partition is the number of the partition.
func (t *Tenure) Partition() int32 { return t.partition }

// Acquire implements stream.Ownership.
func (t *Tenure) Acquire(ctx context.Context, _ string, _ int32) (stream.Claim, error) {
	if err := t.wait(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Lost implements stream.Claim.
func (t *Tenure) Lost() <-chan struct{} { return t.lost }

// Release implements stream.Claim; the group gives the partition to another.
func (t *Tenure) Release() error { return nil }

// resume lets it write as a member of a generation.
func (t *Tenure) resume(generation int, member string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation, t.member, t.verified = generation, member, time.Now()
	select {
	case <-t.running:
	default:
		close(t.running)
	}
}

// pause keeps it from writing until it is resumed, or over.
func (t *Tenure) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.running:
		t.running = make(chan struct{})
	default:
	}
}

// end says that the partition is another's.
func (t *Tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.over = true
		close(t.lost)
	}
}

// wait blocks while it is paused.
func (t *Tenure) wait(ctx context.Context) error {
	t.mu.Lock()
	running := t.running
	t.mu.Unlock()
	select {
	case <-t.lost:
		return fmt.Errorf("partition %d: %w", t.partition, stream.ErrLost)
	default:
	}
	select {
	case <-running:
		return nil
	case <-t.lost:
		return fmt.Errorf("partition %d: %w", t.partition, stream.ErrLost)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Gate blocks while it is paused, and asks the coordinator whether this process
// is still the owner where it did not say so lately: so a process that was
// stopped for longer than its session finds out before it writes. Its error is
// stream.ErrFenced or stream.ErrLost when it is not.
func (t *Tenure) Gate(ctx context.Context) error {
	if err := t.wait(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	fresh := time.Since(t.verified) < t.verify
	t.mu.Unlock()
	if fresh {
		return nil
	}
	return t.Verify(ctx)
}

// Verify asks the coordinator whether this process is still the owner.
func (t *Tenure) Verify(ctx context.Context) error {
	generation, member := t.Membership()
	before := time.Now()
	resp, err := call(ctx, t.cluster, "heartbeat of the group "+t.group, func(ctx context.Context) (*kafka.HeartbeatResponse, error) {
		return t.cluster.Client.Heartbeat(ctx, &kafka.HeartbeatRequest{GroupID: t.group, GenerationID: int32(generation), MemberID: member})
	})
	if err != nil {
		return err
	}
	if err := heartbeatError(resp); err != nil {
		if errors.Is(err, ErrStale) && t.changed(generation) {
			return t.Verify(ctx) // the answer is to what was true before
		}
		return fmt.Errorf("heartbeat of the group %s: %w", t.group, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.generation == generation && before.After(t.verified) {
		t.verified = before
	}
	return nil
}

// Membership is what the coordinator knows this process by.
func (t *Tenure) Membership() (generation int, member string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generation, t.member
}

// heartbeatError is what an answer to a heartbeat says. That the group is about
// to change is no error. kafka-go 0.4.51 takes the two fields of the answer for
// each other: the code is in the lower half of what it gives as the time of
// throttling.
func heartbeatError(resp *kafka.HeartbeatResponse) error {
	code := kafka.Error(int16(resp.Throttle.Milliseconds()))
	if code == 0 || code == kafka.RebalanceInProgress {
		return nil
	}
	return fenced(code)
}

// fenced makes stream.ErrFenced of what a coordinator says to who is no member
// of the present generation.
func fenced(err error) error {
	if err = Classify(err); errors.Is(err, ErrStale) {
		return fmt.Errorf("%w: %w", stream.ErrFenced, err)
	}
	return err
}

// changed reports whether the membership is another than that of a generation.
func (t *Tenure) changed(generation int) bool {
	now, _ := t.Membership()
	return now != generation
}

// GiveUp says that the work on the partition ended by itself, as after
// stream.ErrFenced, although it was not lost: the group is joined anew, and
// whoever is given the partition begins with what is durable.
func (t *Tenure) GiveUp() {
	t.mu.Lock()
	t.stale = true
	t.mu.Unlock()
	if t.rejoin != nil {
		t.rejoin()
	}
}

func (t *Tenure) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stale
}
