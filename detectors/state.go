package detectors

import (
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"misstep/detectors/facts"
	"misstep/event"
	"misstep/windows"
)

// stateVersion is the version of a shard's encoded state as a whole.
const stateVersion = 1

// shardState is a shard's state, in deterministic CBOR.
type shardState struct {
	Version      int               `cbor:"1,keyasint"`
	Shared       facts.Table       `cbor:"2,keyasint"`
	Trajectories []trajectoryState `cbor:"3,keyasint,omitempty"`
}

// trajectoryState is one trajectory. What belongs to one reader stands in a
// section of its own, so that a new version of a detector costs no other.
type trajectoryState struct {
	Key      []byte    `cbor:"1,keyasint"`
	Hash     uint64    `cbor:"2,keyasint"`
	Deadline int64     `cbor:"3,keyasint"`
	Time     int64     `cbor:"4,keyasint"`
	Sections []section `cbor:"5,keyasint"`
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
	Open    []episodeState `cbor:"1,keyasint,omitempty"`
	Classes uint8          `cbor:"2,keyasint"`
}

type episodeState struct {
	Detector    string           `cbor:"1,keyasint"`
	Subject     string           `cbor:"2,keyasint"`
	Severity    event.Severity   `cbor:"3,keyasint"`
	Rules       []string         `cbor:"4,keyasint"`
	Weights     []int            `cbor:"5,keyasint"`
	Fault       event.Fault      `cbor:"6,keyasint"`
	Message     string           `cbor:"7,keyasint"`
	Evidence    []event.Evidence `cbor:"8,keyasint"`
	Agent       string           `cbor:"9,keyasint"`
	ID          string           `cbor:"10,keyasint"`
	Fingerprint string           `cbor:"11,keyasint"`
	Rev         int              `cbor:"12,keyasint"`
	FirstSeq    int64            `cbor:"13,keyasint"`
	LastSeq     int64            `cbor:"14,keyasint"`
	LastStep    int64            `cbor:"15,keyasint"`
	LastCall    int64            `cbor:"16,keyasint"`
	Count       int              `cbor:"17,keyasint"`
	Tokens      int64            `cbor:"18,keyasint"`
	Cost        int64            `cbor:"19,keyasint"`
	Wasted      event.Wasted     `cbor:"20,keyasint"`
	Teller      string           `cbor:"21,keyasint"`
}

type taskState struct {
	Began  bool              `cbor:"1,keyasint,omitempty"`
	Record *event.TaskRecord `cbor:"2,keyasint,omitempty"`
}

// AppendState encodes the whole state. Equal states give equal bytes.
func (s *Shard) AppendState(dst []byte) ([]byte, error) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return dst, err
	}
	table := facts.NewTable()
	state := shardState{Version: stateVersion}
	for _, slot := range s.live.Slots(nil) {
		e := s.live.At(slot)
		ts := trajectoryState{
			Key: s.live.Key(slot), Hash: s.live.Hash(slot), Deadline: s.deadlines.At(slot), Time: e.time.Last(),
		}
		if e.open == nil && e.past == nil { // only unknown kinds so far
			state.Trajectories = append(state.Trajectories, ts)
			continue
		}
		t := s.wake(e)
		add := func(name string, version int, v any) {
			data, e := enc.Marshal(v)
			if e != nil && err == nil {
				err = e
			}
			ts.Sections = append(ts.Sections, section{name, version, data})
		}
		add(factsSection, facts.SectionVersion, t.facts.State(table))
		add(taskSection, stateVersion, taskState{t.began, t.record})
		add(episodesSection, stateVersion, t.episodes.state())
		for i, w := range s.watchers {
			if t.memory[i] != (Memory{}) {
				add(w.detector.Name, w.detector.Version, t.memory[i])
			}
		}
		state.Trajectories = append(state.Trajectories, ts)
		if !t.facts.Task.Open {
			s.rest(e)
		}
	}
	if err != nil {
		return dst, fmt.Errorf("encode state: %w", err)
	}
	state.Shared = *table
	b, err := enc.Marshal(&state)
	if err != nil {
		return dst, fmt.Errorf("encode state: %w", err)
	}
	return append(dst, b...), nil
}

// LoadState adds the trajectories of an encoded state whose hash keep accepts
// to the shard.
func (s *Shard) LoadState(data []byte, keep func(hash uint64) bool) error {
	var state shardState
	dec, err := cbor.DecOptions{MaxArrayElements: 1 << 30, MaxMapPairs: 1 << 20}.DecMode()
	if err != nil {
		return err
	}
	if err := dec.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("decode state: %w", err)
	}
	if state.Version != stateVersion {
		return fmt.Errorf("decode state: version %d, this build reads %d", state.Version, stateVersion)
	}
	if err := state.Shared.Restore(s.w); err != nil {
		return err
	}
	for i := range state.Trajectories {
		ts := &state.Trajectories[i]
		if !keep(ts.Hash) {
			continue
		}
		slot := s.put(ts.Hash, ts.Key)
		e := s.live.At(slot)
		e.time.Restore(ts.Time)
		if len(ts.Sections) > 0 {
			t := s.wake(e)
			for _, sec := range ts.Sections {
				if err := s.loadSection(dec, t, &sec, &state.Shared); err != nil {
					return fmt.Errorf("decode state: section %s: %w", sec.Name, err)
				}
			}
			if !t.facts.Task.Open {
				s.rest(e)
			}
		}
		if ts.Deadline != windows.None {
			s.deadlines.Arm(slot, ts.Deadline)
		}
	}
	return nil
}

func (s *Shard) loadSection(dec cbor.DecMode, t *trajectory, sec *section, table *facts.Table) error {
	switch sec.Name {
	case factsSection:
		if sec.Version != facts.SectionVersion {
			t.facts.Partial = true
			return nil
		}
		var fs facts.TrajectoryState
		if err := dec.Unmarshal(sec.Data, &fs); err != nil {
			return err
		}
		return t.facts.Restore(s.w, table, &fs)
	case taskSection:
		var k taskState
		if sec.Version != stateVersion {
			return nil
		}
		if err := dec.Unmarshal(sec.Data, &k); err != nil {
			return err
		}
		t.began, t.record = k.Began, k.Record
		return nil
	case episodesSection:
		var es episodesState
		if sec.Version != stateVersion {
			return nil
		}
		if err := dec.Unmarshal(sec.Data, &es); err != nil {
			return err
		}
		t.episodes.restore(&es, s.rules)
		return nil
	}
	for i, w := range s.watchers {
		if w.detector.Name == sec.Name && w.detector.Version == sec.Version {
			return dec.Unmarshal(sec.Data, &t.memory[i])
		}
	}
	return nil // of a detector that is gone, or that is another now
}

func (es *episodes) state() episodesState {
	s := episodesState{Classes: es.classes}
	for i := range es.open {
		e := &es.open[i]
		rules := make([]string, len(e.rules))
		for j, r := range e.rules {
			rules[j] = r.Name
		}
		s.Open = append(s.Open, episodeState{
			e.detector.Name, e.subject, e.severity, rules, e.weights, e.fault, e.message, e.evidence, e.agent,
			e.id, e.fingerprint, e.rev, e.firstSeq, e.lastSeq, e.lastStep, e.lastCall, e.count, e.tokens, e.cost, e.wasted, e.teller.Name,
		})
	}
	return s
}

// restore sets the open failures. One whose detector or rule is no longer
// there is dropped.
func (es *episodes) restore(s *episodesState, r *Ruleset) {
	es.reset()
	es.classes = s.Classes
	for _, e := range s.Open {
		i := slices.IndexFunc(r.detectors, func(d *Detector) bool { return d.Name == e.Detector })
		if i < 0 || len(e.Weights) != len(e.Rules) {
			continue
		}
		d := r.detectors[i]
		var rules []*Rule
		for _, name := range e.Rules {
			if j := slices.IndexFunc(d.Rules, func(r *Rule) bool { return r.Name == name }); j >= 0 {
				rules = append(rules, d.Rules[j])
			}
		}
		if len(rules) == 0 || len(rules) != len(e.Rules) {
			continue
		}
		teller := rules[max(0, slices.Index(e.Rules, e.Teller))]
		es.open = append(es.open, episode{
			teller: teller, class: d.Class, subject: e.Subject, severity: e.Severity, rules: rules, weights: e.Weights, fault: e.Fault,
			message: e.Message, evidence: e.Evidence, detector: d, agent: e.Agent, id: e.ID, fingerprint: e.Fingerprint,
			wants: e.Severity, rev: e.Rev, firstSeq: e.FirstSeq, lastSeq: e.LastSeq, lastStep: e.LastStep,
			lastCall: e.LastCall, count: e.Count, tokens: e.Tokens, cost: e.Cost, wasted: e.Wasted,
		})
	}
}
