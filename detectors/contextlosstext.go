package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// retold holds a value that is no id against what the user said word for word:
// the argument tells where the value begins and ends.
func (m *contextLoss) retold(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	if !l.Alone || len(l.Raw) < 2 || l.Kind == facts.SlotFlag || l.Kind == facts.SlotNumber && l.Shape == 0 || takesOld(l.Name) {
		return false
	}
	said, at := s.LastSaid(l.Raw, false)
	if said == nil {
		return m.told(p, l)
	}
	if said.Turn < s.Hello {
		return false
	}
	if said.Denies(at) && said.Cued {
		return m.stale(p, l, said, said)
	}
	latest := s.LatestSaid()
	if no := s.Refused(l.Raw); no != nil && no.Turn > said.Turn && l.Kind == facts.SlotWord {
		return m.stale(p, l, said, no)
	}
	if !latest.Cued || latest.Turn <= said.Turn {
		return false
	}
	newer := false
	p.Call.Tool.Enum(l.Name, func(member []byte) {
		newer = newer || len(member) > 2 && latest.Has(member)
	})
	return newer && m.stale(p, l, said, latest)
}

// stale reports a value that the user took back.
func (m *contextLoss) stale(p *Pass, l *facts.Leaf, said, corrected *facts.Said) bool {
	s := p.T.Slots
	if by, _ := s.LastSaid(l.Raw, true); by != nil && by.Turn > corrected.Turn && s.User > by.Turn {
		return false // the agent named it again, and the user answered
	}
	subject := subjectOf(p, l)
	if !p.Sees(outdatedValue, subject, event.Error) {
		return true
	}
	confidence, more := afterCut(p, 850)
	var evidence []event.Evidence
	if said != corrected {
		evidence = append(evidence, event.Evidence{Seq: said.Seq, ID: string(said.ID), Note: "said " + quote(string(l.Raw))})
	}
	p.Report(Finding{
		Rule: outdatedValue, Subject: subject, Severity: event.Error, Confidence: confidence,
		Message: fmt.Sprintf("%s was called with %s, which the user took back.%s", p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: append(evidence,
			event.Evidence{Seq: corrected.Seq, ID: string(corrected.ID), Note: "took it back"}, p.Here("called with "+quote(string(l.Raw)))),
		Tokens: p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// told looks for another value than the one that the user said the parameter is
// to have.
func (m *contextLoss) told(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	if l.Kind == facts.SlotDate {
		return false
	}
	said, value := s.Told(l)
	if said == nil || said.Turn < s.Hello || facts.Shares(value, l.Raw) {
		return false
	}
	if s.Opened > said.Turn || !m.settled(p, l, said, value) {
		return false
	}
	if by, _ := s.LastSaid(l.Raw, true); by != nil && by.Turn > said.Turn {
		return false
	}
	subject := subjectOf(p, l)
	if !p.Sees(contradictedSlot, subject, event.Warning) {
		return true
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: contradictedSlot, Subject: subject, Severity: event.Warning, Confidence: confidence,
		Message: fmt.Sprintf("The user said that it is to be %s, and %s was called with %s.%s", quote(string(value)), p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: []event.Evidence{
			{Seq: said.Seq, ID: string(said.ID), Note: "said " + quote(string(value))}, p.Here("called with " + quote(string(l.Raw))),
		},
		Tokens: p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// settled reports whether it is sure that the words that the user said are a
// value of the parameter: the agent repeated them, the schema lists them, or the
// context was cut since.
func (m *contextLoss) settled(p *Pass, l *facts.Leaf, said *facts.Said, value []byte) bool {
	if by, _ := p.T.Slots.LastSaid(value, true); by != nil && by.Turn > said.Turn {
		return true
	}
	if at := p.Memory[cutAt]; at > 0 && p.T.Ordinal-at <= riskSteps && p.Memory[cutBefore]&(1<<24-1) >= int64(said.Turn) {
		return true // said before a cut, and forgotten since
	}
	listed := false
	p.Call.Tool.Enum(l.Name, func(member []byte) { listed = listed || strings.EqualFold(string(member), string(value)) })
	return listed
}
