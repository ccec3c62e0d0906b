package detectors

import (
	"misstep/detectors/facts"
	"misstep/event"
	"misstep/windows"
)

// Output is one record that the detect program puts out.
type Output struct {
	Topic    Topic
	Class    event.Class // of a failure
	Workflow string
	Key      string // trajectory
	Value    []byte // the record as JSON, owned by the output
	Record   any    // *event.Failure or *event.TaskRecord
}

// Topic says which log an output belongs to.
type Topic uint8

// The topics of the detect program.
const (
	Failures Topic = iota
	Tasks
)

// Emitter takes the outputs of a shard. at is the index in the batch's records
// of the record that caused the output.
type Emitter interface {
	// Event takes an output of event i.
	Event(at, i int32, o Output)
	// Deadline takes an output of a deadline that the log clock has reached; key
	// is the state's, which no two trajectories share.
	Deadline(at int32, deadline int64, key string, o Output)
}

// Batch is a run of steps in log order.
type Batch struct {
	Steps []event.Step
	At    []int32  // At[i] is the record of Steps[i]
	Hash  []uint64 // Hash[i] is Key(&Steps[i])
	Clock []int64  // log clock at each record, event.None where the log has none
}

// Key hashes what state is keyed by: tenant and trajectory.
func Key(s *event.Step) uint64 { return windows.HashKey(s.Tenant, s.TrajectoryID) }

// Counts are what a shard met, for metrics; they only grow.
type Counts struct {
	facts.Counts
	Kinds          [event.NumKinds]uint64
	TimeAhead      uint64 // event times too far ahead of log time, replaced by it
	TimeBack       uint64 // event times before the trajectory's latest, replaced by it
	Late           uint64 // outcomes without a task to belong to, steps of a task that has ended
	EpisodesCapped uint64 // failures not opened because too many were open
	Abandoned      uint64 // tasks that went idle
	Forgotten      uint64 // ended trajectories that were forgotten early, for want of memory
	Evicted        uint64 // live trajectories whose task was closed for want of memory
	EvictedOpen    uint64 // those of them that had an open failure
	Shortened      uint64 // trajectories that keep fewer calls, since they grew too large
	Live           int64  // trajectories in memory, ended ones included
	Ended          int64  // those of them whose task has ended
	Bytes          int64  // memory of their state, about
}

// Add adds the counts of another shard.
func (c *Counts) Add(d Counts) {
	c.Counts.Add(d.Counts)
	for k := range c.Kinds {
		c.Kinds[k] += d.Kinds[k]
	}
	c.TimeAhead += d.TimeAhead
	c.TimeBack += d.TimeBack
	c.Late += d.Late
	c.EpisodesCapped += d.EpisodesCapped
	c.Abandoned += d.Abandoned
	c.Forgotten += d.Forgotten
	c.Evicted += d.Evicted
	c.EvictedOpen += d.EvictedOpen
	c.Shortened += d.Shortened
	c.Live += d.Live
	c.Ended += d.Ended
	c.Bytes += d.Bytes
}

// Shard is the detect program for a share of the trajectories. It belongs to
// one goroutine.
type Shard struct {
	rules     *Ruleset
	watchers  []watcher
	byKind    [event.NumKinds][]int // watchers shown each kind
	w         *facts.Workspace
	env       environment
	live      *windows.Store[entry]
	deadlines *windows.Deadlines
	idle      int64
	retain    int64
	counts    Counts
	pass      Pass
	spare     []*trajectory // of ended tasks, for reuse
	sparePast []*past
	abstained map[lack][]event.Abstention

	keys    [][]byte // of the steps at hand
	arena   []byte
	slots   []uint32
	hash    []uint64
	opened  []woken // scratch of lookUp
	frozen  snapshot
	limit   int64  // of counts.Bytes, 0: none
	hand    uint32 // slot at which the next victim is looked for
	record  []byte // scratch of appendTask
	touched int64
}

// woken is a trajectory with an open task, and the kind of its next step.
type woken struct {
	trajectory *trajectory
	kind       event.Kind
}

type watcher struct {
	detector *Detector
	watch    Watcher
}

// entry is what the store holds of a trajectory: while a task of it is open
// all of it, else what a late step needs.
type entry struct {
	time windows.EventTime
	open *trajectory
	past *past // nil before the first task has ended
	size int64 // bytes that it was last accounted with
	lost bool  // what was known is gone or closed before its end: what comes is no beginning
}

// trajectory is the state of a trajectory with an open task.
type trajectory struct {
	episodes episodes
	memory   [maxDetectors]Memory
	record   *event.TaskRecord // of the task that closed last, nil before; never changed
	began    bool              // facts hold a trajectory
	capped   bool              // a bound was reached in this task
	blind    uint8             // bit i: what watcher i remembered was lost to an upgrade, so it abstains until the task ends
	facts    facts.Trajectory
}

// past is the state of a trajectory between tasks.
type past struct {
	facts  facts.Past
	record *event.TaskRecord
}

// maxDetectors is the most detectors that a program runs; it bounds what each
// trajectory holds for them.
const maxDetectors = 8

// environment is what episodes and task records need of their shard.
type environment struct {
	hash   string
	counts *Counts
}

// NewShard gives an empty shard.
func (r *Ruleset) NewShard() *Shard {
	s := &Shard{
		rules: r, w: facts.NewWorkspace(r.options),
		live: windows.NewStore[entry](1024),
		idle: int64(r.config.Idle), retain: int64(r.config.Retain), abstained: map[lack][]event.Abstention{},
	}
	s.deadlines = windows.NewDeadlines(s.live.Key)
	s.env = environment{hash: r.hash, counts: &s.counts}
	s.pass.ruleset, s.pass.rules = r, r.rules
	for i, d := range r.detectors {
		s.watchers = append(s.watchers, watcher{d, d.New(&r.config)})
		for _, k := range d.Kinds {
			s.byKind[k] = append(s.byKind[k], i)
		}
	}
	return s
}

// Counts is what the shard has met so far.
func (s *Shard) Counts() Counts {
	c := s.counts
	c.Counts = s.w.Counts
	c.Live = int64(s.live.Len())
	return c
}

// lookAhead is how many steps are looked up together, so that the waits for
// memory overlap.
const lookAhead = 64

// Step applies the steps of b whose indices are in mine, in order. Before a
// step it fires what is due at its record's clock, and at the end what is due
// at the last record's.
func (s *Shard) Step(b *Batch, mine []int32, out Emitter) {
	s.w.Restored()
	for len(mine) > 0 {
		n := min(len(mine), lookAhead)
		if s.limit > 0 && s.counts.Bytes > s.limit {
			s.shrink(b.Clock[b.At[mine[0]]], func(o Output) { out.Event(b.At[mine[0]], mine[0], o) })
		}
		s.lookUp(b, mine[:n])
		version := s.live.Version()
		for j, i := range mine[:n] {
			at := b.At[i]
			s.fire(b.Clock[at], at, out)
			slot := s.slots[j]
			if slot == windows.NoSlot || version != s.live.Version() {
				slot = s.put(b.Hash[i], s.keys[j])
			}
			s.step(slot, &b.Steps[i], b.Clock[at], func(o Output) { out.Event(at, i, o) })
		}
		mine = mine[n:]
	}
	last := len(b.Clock) - 1
	s.fire(b.Clock[last], int32(last), out)
}

func (s *Shard) lookUp(b *Batch, mine []int32) {
	s.keys, s.hash, s.arena = s.keys[:0], s.hash[:0], s.arena[:0]
	for _, i := range mine {
		st := &b.Steps[i]
		from := len(s.arena)
		s.arena = windows.AppendKey(s.arena, st.Tenant, st.TrajectoryID)
		s.keys = append(s.keys, s.arena[from:len(s.arena):len(s.arena)])
		s.hash = append(s.hash, b.Hash[i])
	}
	if cap(s.slots) < len(mine) {
		s.slots = make([]uint32, lookAhead)
	}
	s.slots = s.slots[:len(mine)]
	s.live.SlotBatch(s.hash, s.keys, s.slots)
	// Each loop reads one link further along the chain to the latest call, so
	// that the waits of all trajectories overlap.
	open := s.opened[:0]
	for j, slot := range s.slots {
		if slot != windows.NoSlot {
			s.touched += s.deadlines.At(slot)
			if t := s.live.At(slot).open; t != nil {
				open = append(open, woken{t, b.Steps[mine[j]].Kind})
			}
		}
	}
	for _, o := range open {
		t := o.trajectory
		s.touched += t.facts.Touch(o.kind) + int64(len(t.episodes.open)) + t.memory[1][0] + t.memory[maxDetectors-1][3]
	}
	for _, o := range open {
		s.touched += o.trajectory.facts.TouchMore(o.kind)
	}
	s.opened = open
}

func (s *Shard) put(hash uint64, key []byte) uint32 {
	slot, fresh := s.live.Put(hash, key)
	if fresh {
		*s.live.At(slot) = entry{size: entrySize}
		s.counts.Bytes += entrySize
	}
	return slot
}

// wake gives the state of an entry, made new or from what was kept.
func (s *Shard) wake(e *entry) *trajectory {
	if e.open != nil {
		return e.open
	}
	var t *trajectory
	if n := len(s.spare); n > 0 {
		t, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		t = new(trajectory)
	}
	e.open = t
	if e.past != nil {
		s.counts.Ended--
	}
	t.episodes.reset()
	t.memory, t.blind, t.capped = [maxDetectors]Memory{}, 0, false
	if p := e.past; p != nil {
		t.facts.Resume(&p.facts)
		t.record, t.began = p.record, true
		return t
	}
	t.facts.Reset()
	t.record, t.began = nil, false
	return t
}

// rest keeps only what a late step needs of an entry without an open task.
func (s *Shard) rest(e *entry) {
	t := e.open
	s.counts.Ended++
	if e.past == nil {
		if n := len(s.sparePast); n > 0 {
			e.past, s.sparePast = s.sparePast[n-1], s.sparePast[:n-1]
		} else {
			e.past = new(past)
		}
	}
	t.facts.Rest(&e.past.facts)
	e.past.record = t.record
	s.spare = append(s.spare, t)
	e.open = nil
}

// step applies one step to its trajectory. clock is the log clock, event.None
// where the log has none: then the trajectory's own event time is its clock.
func (s *Shard) step(slot uint32, st *event.Step, clock int64, emit func(Output)) {
	if s.frozen.active {
		s.before(slot, s.deadlines.At(slot))
	}
	e := s.live.At(slot)
	s.counts.Kinds[st.Kind]++
	if st.Kind == event.KindUnknown {
		s.arm(slot, e, clock)
		return
	}
	woke := e.open == nil
	t := s.wake(e)
	if t.facts.Admit(s.w, st) {
		s.admitted(e, t, st, clock, emit)
	}
	if !t.facts.Task.Open {
		s.rest(e)
		s.account(e)
	} else if woke || t.facts.Ordinal%accountEvery == 0 {
		s.account(e)
	}
	s.arm(slot, e, clock)
}

// admitted applies a step that is no redelivery.
func (s *Shard) admitted(e *entry, t *trajectory, st *event.Step, clock int64, emit func(Output)) {
	before := e.time.Last()
	now, skew := e.time.Observe(st.Time, clock)
	switch skew {
	case windows.Ahead:
		s.counts.TimeAhead++
	case windows.Back:
		s.counts.TimeBack++
	}
	if clock == event.None && t.facts.Task.Open && before != event.None && now-before >= s.idle {
		s.counts.Abandoned++
		s.closeTask(t, abandoned, before+s.idle, emit)
	}
	s.apply(e, t, st, now, emit)
}

func (s *Shard) apply(e *entry, t *trajectory, st *event.Step, now int64, emit func(Output)) {
	f := &t.facts
	if !t.began {
		t.began = true
		f.Labels.TrajectoryID, f.Labels.Tenant = string(st.TrajectoryID), string(st.Tenant)
		f.Partial = st.Seq > 1 && st.Kind != event.TaskStart
	}
	switch st.Kind {
	case event.OutcomeGiven:
		s.lateOutcome(t, st, emit)
		return
	case event.FeedbackGiven:
		return // for the account of each rule's precision; changes no task
	}
	if !e.lost && s.afterTheEnd(t, st) {
		s.counts.Late++
		return
	}
	if e.lost {
		e.lost = false
		f.Partial = st.Kind != event.TaskStart
	}
	if f.Task.Open && s.otherTask(t, st) {
		s.closeTask(t, event.Outcome{}, now, emit)
	}
	if !f.Task.Open {
		f.StartTask(now)
		f.Labels.TaskID = string(st.TaskID)
		t.memory, t.blind, t.capped = [maxDetectors]Memory{}, 0, false
		t.episodes.reset()
	} else if f.Labels.TaskID == "" && len(st.TaskID) > 0 {
		f.Labels.TaskID = string(st.TaskID)
	}
	f.Apply(s.w, st, now)
	s.watch(t, emit)
	if st.Kind == event.TaskEnd {
		s.closeTask(t, st.Outcome, now, emit)
	}
}

// afterTheEnd reports whether a step names the task that has ended, and that
// ended by its own word: what comes after is no new attempt.
func (s *Shard) afterTheEnd(t *trajectory, st *event.Step) bool {
	return !t.facts.Task.Open && t.record != nil && len(st.TaskID) > 0 && st.Kind != event.TaskStart &&
		string(st.TaskID) == t.record.TaskID && t.record.Now.Outcome != event.OutcomeAbandoned
}

// otherTask reports whether a step belongs to another task than the open one.
func (s *Shard) otherTask(t *trajectory, st *event.Step) bool {
	if len(st.TaskID) > 0 && t.facts.Labels.TaskID != "" {
		return t.facts.Labels.TaskID != string(st.TaskID)
	}
	return st.Kind == event.TaskStart && t.facts.Task.Steps > 0
}

// watch shows the step to the detectors and the findings to the episodes.
func (s *Shard) watch(t *trajectory, emit func(Output)) {
	p := &s.pass
	p.Current, p.T, p.episodes, p.reading.made = &s.w.Cur, &t.facts, &t.episodes, false
	for _, i := range s.byKind[p.Step.Kind] {
		if t.blind&(1<<i) != 0 {
			continue
		}
		p.Memory = &t.memory[i]
		s.watchers[i].watch.Observe(p)
	}
	if len(p.findings) > 0 || len(t.episodes.open) > 0 {
		t.episodes.apply(p, &s.env, func(f *event.Failure) { emit(failureOutput(f)) })
	}
}

func failureOutput(f *event.Failure) Output {
	return Output{
		Topic: Failures, Class: f.Class, Workflow: f.Workflow, Key: f.TrajectoryID,
		Value: event.AppendFailure(nil, f), Record: f,
	}
}
