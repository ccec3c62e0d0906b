package detectors

import (
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"misstep/detectors/facts"
	"misstep/detectors/state"
	"misstep/event"
	"misstep/windows"
)

// LoadState adds the trajectories of a part of a state whose hash keep accepts
// to the shard, which has not stepped yet.
func (s *Shard) LoadState(part []byte, keep func(hash uint64) bool) error {
	var st shardState
	// Names that were cut in the middle of a character are no reason to refuse
	// a state.
	dec, err := cbor.DecOptions{MaxArrayElements: 1 << 30, MaxMapPairs: 1 << 20, UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		return err
	}
	if err := dec.Unmarshal(part, &st); err != nil {
		return fmt.Errorf("decode state: %w", err)
	}
	if st.Version != stateVersion {
		return fmt.Errorf("decode state: version %d, this build reads %d", st.Version, stateVersion)
	}
	if err := st.Shared.Restore(s.w); err != nil {
		return err
	}
	for i := range st.Trajectories {
		ts := &st.Trajectories[i]
		if !keep(ts.Hash) {
			continue
		}
		slot := s.put(ts.Hash, ts.Key)
		e := s.live.At(slot)
		e.time.Restore(state.Maybe(ts.Time))
		dropped := slices.ContainsFunc(ts.Sections, func(sec section) bool {
			return sec.Name == factsSection && sec.Version != facts.SectionVersion
		})
		e.lost = ts.Lost || dropped
		if len(ts.Sections) > 0 && !dropped {
			t := s.wake(e)
			for _, sec := range ts.Sections {
				if err := s.loadSection(dec, t, &sec, &st.Shared); err != nil {
					return fmt.Errorf("decode state: section %s: %w", sec.Name, err)
				}
			}
			if !t.facts.Task.Open {
				s.rest(e)
			}
		}
		s.account(e)
		if at := state.Maybe(ts.Deadline); at != windows.None {
			s.deadlines.Arm(slot, at)
		}
	}
	return nil
}

func (s *Shard) loadSection(dec cbor.DecMode, t *trajectory, sec *section, table *facts.Table) error {
	switch sec.Name {
	case factsSection:
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
		t.began, t.capped = k.Began, k.Capped
		for i, w := range s.watchers {
			if slices.Contains(k.Blind, w.detector.Name) {
				t.blind |= 1 << i
			}
		}
		if len(k.Record) > 0 {
			r, err := event.UnmarshalTask(k.Record)
			if err != nil {
				return err
			}
			t.record = r
		}
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
		if w.detector.Name != sec.Name {
			continue
		}
		if w.detector.Version != sec.Version {
			t.blind |= 1 << i
			return nil
		}
		return dec.Unmarshal(sec.Data, &t.memory[i])
	}
	return nil // of a detector that is gone
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
		evidence := make([]event.Evidence, len(e.Evidence))
		for i, v := range e.Evidence {
			evidence[i] = event.Evidence{Seq: state.Maybe(v.Seq), ID: v.ID, Note: v.Note}
		}
		teller := rules[max(0, slices.Index(e.Rules, e.Teller))]
		es.open = append(es.open, episode{
			teller: teller, class: d.Class, subject: e.Subject, severity: e.Severity, rules: rules, weights: e.Weights, fault: e.Fault,
			message: e.Message, evidence: evidence, detector: d, agent: e.Agent, id: e.ID, fingerprint: e.Fingerprint,
			wants: e.Severity, rev: e.Rev, firstSeq: state.Maybe(e.FirstSeq), lastSeq: state.Maybe(e.LastSeq), lastStep: e.LastStep,
			lastCall: e.LastCall, count: e.Count, tokens: e.Tokens, cost: e.Cost, wasted: event.Wasted{Tokens: e.WastedTokens, CostMicroUSD: e.WastedCost},
		})
	}
}
