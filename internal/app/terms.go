package app

import (
	"errors"
	"sync"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/stream"
)

// term is the time from one wish to own a partition of the log of steps to the
// loss of it. A state that was lost is not gone on with: each term has an engine
// of its own.
type term struct {
	partition int32
	shards    int
	log       *drained
	program   *detect.Program
	engine    *stream.Engine[event.Step]
	close     func()
}

// terms are those of all partitions that this process works on, one at a time
// for each.
type terms struct {
	mu      sync.Mutex
	current map[int32]*term
	engine  stream.Stats     // of the terms that are over
	program detectors.Counts // likewise
}

// all gives those that go on.
func (t *terms) all() []*term {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*term, 0, len(t.current))
	for _, c := range t.current {
		out = append(out, c)
	}
	return out
}

// of gives a partition's present term, nil when there is none.
func (t *terms) of(partition int32) *term {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current[partition]
}

// goesOn reports whether a term is its partition's present one.
func (t *terms) goesOn(of *term) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current[of.partition] == of
}

// next begins a term, and keeps what its partition's term before counted.
func (t *terms) next(n *term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		t.current = map[int32]*term{}
	}
	if before := t.current[n.partition]; before != nil {
		t.finish(before)
	}
	t.current[n.partition] = n
}

// end ends a term that no other follows for now.
func (t *terms) end(of *term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current[of.partition] == of {
		t.finish(of)
		delete(t.current, of.partition)
	}
}

func (t *terms) finish(of *term) {
	t.engine = together(t.engine, of.engine.Stats())
	t.keep(of.program)
}

// keep adds what a program counted that is no more.
func (t *terms) keep(p *detect.Program) {
	t.program.Add(p.Stats())
	t.program.Live, t.program.Ended, t.program.Bytes = 0, 0, 0 // of what is there no more
}

// replace has another program count for a term from here on.
func (t *terms) replace(of *term, p *detect.Program) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(of.program)
	of.program = p
}

// bound gives a term's state so many bytes.
func (t *terms) bound(of *term, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.program.Bound(bytes, of.shards)
}

// stats are those of all terms: a counter never goes back. Of several partitions
// the size of the checkpoints is that of all, and what is said of one is said of
// the partition whose checkpoint is the oldest.
func (t *terms) stats() stream.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	var oldest stream.Stats
	sum, bytes, first := t.engine, int64(0), true
	for _, c := range t.current {
		now := c.engine.Stats()
		bytes += now.CheckpointBytes
		if first || now.CheckpointTime < oldest.CheckpointTime {
			oldest, first = now, false
		}
		sum = together(sum, now)
	}
	if !first {
		sum.Offset, sum.Clock = oldest.Offset, oldest.Clock
		sum.CheckpointOffset, sum.CheckpointTook, sum.CheckpointTime = oldest.CheckpointOffset, oldest.CheckpointTook, oldest.CheckpointTime
		sum.CheckpointBytes = bytes
	}
	return sum
}

func (t *terms) counts() detectors.Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.program
	for _, c := range t.current {
		sum.Add(c.program.Stats())
	}
	return sum
}

// together adds up what two engines counted; the position is the later one's.
func together(before, now stream.Stats) stream.Stats {
	now.Records += before.Records
	now.Skipped += before.Skipped
	now.Events += before.Events
	now.Outputs += before.Outputs
	now.Suppressed += before.Suppressed
	now.Regressions += before.Regressions
	now.Appends += before.Appends
	now.AppendFails += before.AppendFails
	now.Checkpoints += before.Checkpoints
	now.CheckpointFails += before.CheckpointFails
	now.CheckpointCost += before.CheckpointCost
	now.Fallbacks += before.Fallbacks
	now.Advances += before.Advances
	return now
}

// ready gives nil when the outputs of all terms reach the results log.
func (t *terms) ready() error {
	var errs []error
	for _, c := range t.all() {
		errs = append(errs, c.engine.Ready())
	}
	return errors.Join(errs...)
}
