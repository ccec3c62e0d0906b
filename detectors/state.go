package detectors

import (
	"math/bits"

	"github.com/fxamacker/cbor/v2"

	"misstep/detectors/facts"
	"misstep/detectors/state"
	"misstep/event"
)

// stateVersion is the version of a shard's encoded state as a whole.
const stateVersion = 1

// shardState is a shard's state or a part of it, as it is read: deterministic
// CBOR. A zero member is left out.
type shardState struct {
	Version      int               `cbor:"1,keyasint"`
	Shared       facts.Table       `cbor:"2,keyasint"`
	Trajectories []trajectoryState `cbor:"3,keyasint"`
}

// trajectoryState is one trajectory. What belongs to one reader stands in a
// section of its own, so that a new version of a detector costs no other.
type trajectoryState struct {
	Key      []byte    `cbor:"1,keyasint"`
	Hash     uint64    `cbor:"2,keyasint"`
	Deadline int64     `cbor:"3,keyasint"` // as state.Some gives it
	Time     int64     `cbor:"4,keyasint"` // likewise
	Sections []section `cbor:"5,keyasint"`
	Lost     bool      `cbor:"6,keyasint"`
}

// section is a part of a trajectory's state. Fields are only ever added within
// one version; a section of another version is dropped.
type section struct {
	Name    string          `cbor:"1,keyasint"`
	Version int             `cbor:"2,keyasint"`
	Data    cbor.RawMessage `cbor:"3,keyasint"`
}

// Names of the sections that are no detector's.
const (
	factsSection    = "facts"
	episodesSection = "episodes"
	taskSection     = "task"
)

type episodesState struct {
	Open    []episodeState `cbor:"1,keyasint"`
	Classes uint8          `cbor:"2,keyasint"`
}

type episodeState struct {
	Detector     string          `cbor:"1,keyasint"`
	Subject      string          `cbor:"2,keyasint"`
	Severity     event.Severity  `cbor:"3,keyasint"`
	Rules        []string        `cbor:"4,keyasint"`
	Weights      []int           `cbor:"5,keyasint"`
	Fault        event.Fault     `cbor:"6,keyasint"`
	Message      string          `cbor:"7,keyasint"`
	Evidence     []evidenceState `cbor:"8,keyasint"`
	Agent        string          `cbor:"9,keyasint"`
	ID           string          `cbor:"10,keyasint"`
	Fingerprint  string          `cbor:"11,keyasint"`
	Rev          int             `cbor:"12,keyasint"`
	FirstSeq     int64           `cbor:"13,keyasint"` // as state.Some gives it
	LastSeq      int64           `cbor:"14,keyasint"` // likewise
	LastStep     int64           `cbor:"15,keyasint"`
	LastCall     int64           `cbor:"16,keyasint"`
	Count        int             `cbor:"17,keyasint"`
	Tokens       int64           `cbor:"18,keyasint"`
	Cost         int64           `cbor:"19,keyasint"`
	WastedTokens int64           `cbor:"20,keyasint"`
	WastedCost   int64           `cbor:"21,keyasint"`
	Teller       string          `cbor:"22,keyasint"`
}

type evidenceState struct {
	Seq  int64  `cbor:"1,keyasint"` // as state.Some gives it
	ID   string `cbor:"2,keyasint"`
	Note string `cbor:"3,keyasint"`
}

type taskState struct {
	Began  bool     `cbor:"1,keyasint"`
	Record []byte   `cbor:"2,keyasint"` // the record of the task before, as JSON
	Blind  []string `cbor:"3,keyasint"` // detectors, see trajectory.blind
	Capped bool     `cbor:"4,keyasint"`
}

// snapshot is a state that is being written while the shard goes on.
type snapshot struct {
	active  bool
	pending []uint64 // bit i: slot i is still to be written
	word    int      // pending is empty before it
	n       int      // trajectories in out
	out     state.Writer
	table   facts.Table
}

// Freeze begins a snapshot of the state as it is now; one that is under way is
// given up. Step goes on meanwhile: what it is about to change is written
// before.
func (s *Shard) Freeze() {
	f := &s.frozen
	f.active, f.word = true, 0
	f.pending = s.live.Live(f.pending[:0])
	f.begin()
}

// Thaw gives up the snapshot under way.
func (s *Shard) Thaw() { s.frozen.active = false }

// AppendFrozen appends the next part of the snapshot, of about size bytes, and
// tells whether it is the last. LoadState takes each part by itself, in any
// order.
func (s *Shard) AppendFrozen(dst []byte, size int) (part []byte, done bool) {
	f := &s.frozen
	for ; f.word < len(f.pending); f.word++ {
		for f.pending[f.word] != 0 {
			if len(f.out.Buf) >= size {
				return f.part(dst), false
			}
			slot := uint32(f.word*64 + bits.TrailingZeros64(f.pending[f.word]))
			s.write(slot, s.deadlines.At(slot))
		}
	}
	f.active = false
	return f.part(dst), true
}

// before writes a slot that is about to change, if the snapshot lacks it.
func (s *Shard) before(slot uint32, deadline int64) {
	f := &s.frozen
	if w := int(slot / 64); w < len(f.pending) && f.pending[w]&(1<<(slot%64)) != 0 {
		s.write(slot, deadline)
	}
}

// write puts a slot into the snapshot.
func (s *Shard) write(slot uint32, deadline int64) {
	f := &s.frozen
	f.pending[slot/64] &^= 1 << (slot % 64)
	f.n++
	s.appendTrajectory(&f.out, &f.table, slot, deadline)
}

func (f *snapshot) begin() {
	f.n, f.out.Buf = 0, f.out.Buf[:0]
	f.table.Reset()
}

// part appends what was written since the part before.
func (f *snapshot) part(dst []byte) []byte {
	w := state.Writer{Buf: dst}
	m := w.Open()
	w.Int(1, stateVersion)
	w.Key(2)
	f.table.Append(&w)
	w.Key(3)
	w.PutArray(f.n)
	w.Buf = append(w.Buf, f.out.Buf...)
	w.Close(m)
	f.begin()
	return w.Buf
}

// AppendState appends the whole state as one part, in the order of the keys:
// equal states give equal bytes.
func (s *Shard) AppendState(dst []byte) []byte {
	var f snapshot
	f.begin()
	for _, slot := range s.live.Slots(nil) {
		f.n++
		s.appendTrajectory(&f.out, &f.table, slot, s.deadlines.At(slot))
	}
	return f.part(dst)
}

func (s *Shard) appendTrajectory(w *state.Writer, table *facts.Table, slot uint32, deadline int64) {
	e := s.live.At(slot)
	m := w.Open()
	w.Bytes(1, s.live.Key(slot))
	w.Uint(2, s.live.Hash(slot))
	w.Int(3, state.Some(deadline))
	w.Int(4, state.Some(e.time.Last()))
	t, p := e.open, e.past
	switch {
	case t != nil:
		sections := 3
		for i := range s.watchers {
			if t.memory[i] != (Memory{}) {
				sections++
			}
		}
		w.Array(5, sections)
		s.section(w, factsSection, facts.SectionVersion, func() { t.facts.Append(w, table) })
		s.section(w, taskSection, stateVersion, func() { s.appendTask(w, t.began, t.blind, t.capped, t.record) })
		s.section(w, episodesSection, stateVersion, func() { t.episodes.append(w) })
		for i, watcher := range s.watchers {
			if t.memory[i] != (Memory{}) {
				s.section(w, watcher.detector.Name, watcher.detector.Version, func() {
					w.PutArray(len(t.memory[i]))
					for _, v := range t.memory[i] {
						w.PutInt(v)
					}
				})
			}
		}
	case p != nil:
		w.Array(5, 2)
		s.section(w, factsSection, facts.SectionVersion, func() { p.facts.Append(w, table) })
		s.section(w, taskSection, stateVersion, func() { s.appendTask(w, true, 0, false, p.record) })
	}
	w.Bool(6, e.lost)
	w.Close(m)
}

func (s *Shard) section(w *state.Writer, name string, version int, data func()) {
	m := w.Open()
	w.Text(1, name)
	w.Int(2, int64(version))
	w.Key(3)
	data()
	w.Close(m)
}

func (s *Shard) appendTask(w *state.Writer, began bool, blind uint8, capped bool, r *event.TaskRecord) {
	m := w.Open()
	w.Bool(1, began)
	if r != nil {
		s.record = event.AppendTask(s.record[:0], r)
		w.Bytes(2, s.record)
	}
	if w.Array(3, bits.OnesCount8(blind)) {
		for i, watcher := range s.watchers {
			if blind&(1<<i) != 0 {
				w.PutText(watcher.detector.Name)
			}
		}
	}
	w.Bool(4, capped)
	w.Close(m)
}

func (es *episodes) append(w *state.Writer) {
	m := w.Open()
	if w.Array(1, len(es.open)) {
		for i := range es.open {
			es.open[i].append(w)
		}
	}
	w.Uint(2, uint64(es.classes))
	w.Close(m)
}

func (e *episode) append(w *state.Writer) {
	m := w.Open()
	w.Text(1, e.detector.Name)
	w.Text(2, e.subject)
	w.Uint(3, uint64(e.severity))
	w.Array(4, len(e.rules))
	for _, r := range e.rules {
		w.PutText(r.Name)
	}
	w.Array(5, len(e.weights))
	for _, v := range e.weights {
		w.PutInt(int64(v))
	}
	w.Uint(6, uint64(e.fault))
	w.Text(7, e.message)
	w.Array(8, len(e.evidence))
	for i := range e.evidence {
		v := &e.evidence[i]
		item := w.Open()
		w.Int(1, state.Some(v.Seq))
		w.Text(2, v.ID)
		w.Text(3, v.Note)
		w.Close(item)
	}
	w.Text(9, e.agent)
	w.Text(10, e.id)
	w.Text(11, e.fingerprint)
	w.Int(12, int64(e.rev))
	w.Int(13, state.Some(e.firstSeq))
	w.Int(14, state.Some(e.lastSeq))
	w.Int(15, e.lastStep)
	w.Int(16, e.lastCall)
	w.Int(17, int64(e.count))
	w.Int(18, e.tokens)
	w.Int(19, e.cost)
	w.Int(20, e.wasted.Tokens)
	w.Int(21, e.wasted.CostMicroUSD)
	w.Text(22, e.teller.Name)
	w.Close(m)
}
