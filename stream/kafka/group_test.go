package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"misstep/stream"
)

// handler notes what a group has it do.
type handler struct {
	mu      sync.Mutex
	said    []string
	tenures map[int32]*Tenure
}

func (h *handler) say(what string, t *Tenure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, fmt.Sprint(what, t.Partition()))
}

func (h *handler) Begin(t *Tenure) {
	h.say("begin", t)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tenures == nil {
		h.tenures = map[int32]*Tenure{}
	}
	h.tenures[t.Partition()] = t
}
func (h *handler) Drain(_ context.Context, t *Tenure) { h.say("drain", t) }
func (h *handler) Resume(t *Tenure)                   { h.say("resume", t) }
func (h *handler) End(t *Tenure)                      { h.say("end", t) }

// until waits until all of it was said, and forgets what was. A group may change
// once more than it has to, so a partition may be drained and resumed more often;
// what begins and what ends is exact.
func (h *handler) until(t *testing.T, want ...string) {
	t.Helper()
	exact := func(list []string) []string {
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasPrefix(s, "drain") || strings.HasPrefix(s, "resume") })
		slices.Sort(list)
		return list
	}
	var got []string
	for range 1500 {
		h.mu.Lock()
		got = slices.Clone(h.said)
		h.mu.Unlock()
		if !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(got, s) }) {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(got, s) }) || !slices.Equal(exact(got), exact(want)) {
		t.Fatalf("said %v, want %v", got, want)
	}
	h.mu.Lock()
	h.said = nil
	h.mu.Unlock()
}

// joins has a member join, and gives what makes it leave.
func joins(t *testing.T, c *Cluster, group, topic string, h Handler) (leave func()) {
	t.Helper()
	m, err := Join(c, GroupOptions{ID: group, Topic: topic, Session: 5 * time.Second, Heartbeat: 100 * time.Millisecond, OnError: func(err error) { t.Log(err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, h) }()
	leave = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run gave %v", err)
		}
	})
	t.Cleanup(leave)
	return leave
}

// TestGroup: what comes back after a change of the group is gone on with, what
// does not is ended, and what ended by itself is begun anew.
func TestGroup(t *testing.T) {
	b, c := cluster(t)
	topic, group := create(t, b, unique("steps"), 4, nil), unique("group")
	var one, two handler
	joins(t, c, group, topic, &one)
	one.until(t, "begin0", "begin1", "begin2", "begin3")
	first := one.tenures[0]
	if err := errors.Join(first.Gate(t.Context()), first.Verify(t.Context())); err != nil {
		t.Fatal(err)
	}
	leave := joins(t, c, group, topic, &two)
	one.until(t, "drain0", "drain1", "drain2", "drain3", "resume0", "resume1", "end2", "end3")
	two.until(t, "begin2", "begin3")
	// Who lost a partition may not write, and who kept it may.
	for _, p := range []int32{0, 1} {
		if err := errors.Join(one.tenures[p].Gate(t.Context()), one.tenures[p].Verify(t.Context())); err != nil {
			t.Errorf("partition %d: %v", p, err)
		}
	}
	lost := one.tenures[2]
	if err := lost.Gate(t.Context()); !errors.Is(err, stream.ErrLost) {
		t.Errorf("a partition that was lost: %v", err)
	}
	select {
	case <-lost.Lost():
	default:
		t.Error("a partition that was lost does not say so")
	}
	leave()
	one.until(t, "drain0", "drain1", "resume0", "resume1", "begin2", "begin3")
	one.tenures[0].GiveUp()
	one.until(t, "drain0", "drain1", "drain2", "drain3", "resume1", "resume2", "resume3", "end0", "begin0")
}

// TestStaleOwner: who is no member any more is told so by each check, and its
// commit is refused.
func TestStaleOwner(t *testing.T) {
	b, c := cluster(t)
	topic := create(t, b, unique("steps"), 1, nil)
	m := &owners{c: c, group: unique("group"), topic: topic}
	old := m.join(t)
	of := place{topic, 0}
	commit := func(o *Tenure, offset int64) error {
		generation, member := o.Membership()
		return c.commit(t.Context(), m.group, generation, member, of, offset, "")
	}
	if err := commit(old, 1); err != nil {
		t.Fatal(err)
	}
	fresh := m.join(t)
	for name, err := range map[string]error{"Verify": old.Verify(t.Context()), "a commit": commit(old, 2)} {
		if !errors.Is(err, stream.ErrFenced) || !errors.Is(err, ErrStale) {
			t.Errorf("%s of a stale owner gave %v", name, err)
		}
	}
	old.verified = time.Time{} // it was stopped for long
	if err := old.Gate(t.Context()); !errors.Is(err, stream.ErrFenced) {
		t.Errorf("Gate of a stale owner gave %v", err)
	}
	if err := errors.Join(fresh.Verify(t.Context()), commit(fresh, 3)); err != nil {
		t.Error(err)
	}
	if offset, _, err := Position(t.Context(), c, m.group, topic, 0); offset != 3 || err != nil {
		t.Errorf("position is %d, %v", offset, err)
	}
	// While it is paused it waits, and goes on.
	fresh.pause()
	passed := make(chan error, 1)
	go func() { passed <- fresh.Gate(t.Context()) }()
	select {
	case err := <-passed:
		t.Fatalf("a paused owner may write: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	fresh.resume(fresh.Membership())
	if err := <-passed; err != nil {
		t.Error(err)
	}
}
