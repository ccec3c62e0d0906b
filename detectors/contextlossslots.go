package detectors

import (
	"bytes"
	"fmt"
	"strconv"

	"misstep/detectors/facts"
	"misstep/event"
)

// call holds the arguments of a call against what the user pinned.
func (m *contextLoss) call(p *Pass) {
	s := p.T.Slots
	if s == nil || len(p.Leaves) == 0 {
		return
	}
	c := p.Call
	wrong := false
	for i := range p.Leaves {
		l := &p.Leaves[i]
		if l.Kind == facts.SlotFlag {
			continue
		}
		switch {
		case m.outdated(p, l):
			wrong = true
		case c.Tool.Changes && (m.swapped(p, l) || m.otherCard(p, l) || m.contradicts(p, l) || m.retold(p, l)):
			wrong = true
		}
	}
	if c.Tool.Changes && m.breaks(p) {
		wrong = true
	}
	if !wrong && p.Troubled(event.ContextLoss) {
		name := c.Tool.Name + "."
		p.Resolve(event.ContextLoss, func(opener *Rule, subject string) bool {
			return (opener.Family == entitySwap.Family || opener.Family == brokenConstraint.Family) && len(subject) > len(name) && subject[:len(name)] == name
		})
	}
}

// holds reports whether the call carries a value.
func holds(leaves []facts.Leaf, hash uint64) bool {
	for i := range leaves {
		if leaves[i].Hash == hash {
			return true
		}
	}
	return false
}

// agreed reports whether an agent named a value after a turn and the user
// answered since.
func agreed(s *facts.Slots, hash uint64, since int32) bool {
	e := s.Echoed(hash)
	return e > since && s.User > e
}

// oldNames are words in a parameter's name that say that it takes what was.
func takesOld(name []byte) bool {
	for _, w := range []string{"old", "prev", "from", "current", "original", "orig", "source", "before", "existing"} {
		if bytes.Contains(name, []byte(w)) {
			return true
		}
	}
	return false
}

func subjectOf(p *Pass, l *facts.Leaf) string {
	name := l.Name
	return p.Call.Tool.Name + "." + string(name[:min(len(name), 64)])
}

// outdated looks for a value that the user has corrected.
func (m *contextLoss) outdated(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	v := s.Mention(l.Hash)
	if v == nil || v.Live() || takesOld(l.Name) || !fits(v, l) {
		return false
	}
	if v.By == 0 || holds(p.Leaves, v.By) || agreed(s, v.Hash, v.Dead) {
		return false
	}
	severity := event.Error
	if !p.Call.Tool.Changes {
		if by := s.Mention(v.By); by == nil || by.Used > 0 || by.Kind == facts.SlotDate {
			return false
		}
		severity = event.Warning
	}
	subject := subjectOf(p, l)
	if !p.Sees(outdatedValue, subject, severity) {
		return true
	}
	confidence, more := afterCut(p, 900)
	if severity == event.Warning {
		confidence -= 200
	}
	evidence := []event.Evidence{remembered(v, "said "+quote(v.Text))}
	now := "another value"
	if by := s.Mention(v.By); by != nil {
		evidence = append(evidence, remembered(by, "corrected to "+quote(by.Text)))
		now = quote(by.Text)
	}
	p.Report(Finding{
		Rule: outdatedValue, Subject: subject, Severity: severity, Confidence: confidence,
		Message:  fmt.Sprintf("%s was called with %s, which the user has corrected to %s.%s", p.Call.Tool.Name, quote(v.Text), now, more),
		Evidence: append(evidence, p.Here("called with "+quote(v.Text))),
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// fits reports whether a parameter may take a value for what the user meant by
// it: a number is only itself where the noun is the same.
func fits(v *facts.Mention, l *facts.Leaf) bool {
	switch v.Kind {
	case facts.SlotNumber:
		return l.Kind == facts.SlotNumber && (l.Has(v.Noun) || l.Slot == v.Slot || facts.IsQuantity(l))
	case facts.SlotMoney:
		return l.Kind == facts.SlotNumber && l.Money()
	case facts.SlotDate:
		return l.Kind == facts.SlotDate
	case facts.SlotID:
		return l.Kind == facts.SlotID || l.Kind == facts.SlotNumber && l.Shape != 0
	}
	return l.Kind == v.Kind
}

// pinFor gives the value of the argument's type that the user named last and
// stands by, nil for none, and how many there are.
func pinFor(s *facts.Slots, leaves []facts.Leaf, l *facts.Leaf) (pin *facts.Mention, n int) {
	for i := range s.Mentions {
		v := &s.Mentions[i]
		if !v.Live() || v.Last < s.Hello || v.Hash == l.Hash || v.Kind != facts.SlotID && (v.Kind != facts.SlotNumber || v.Shape == 0) {
			continue
		}
		same := v.Slot == l.Slot ||
			l.Has(v.Noun) && (v.Shape == l.Shape || v.Kind == l.Kind && !v.Typed && !l.Typed) ||
			v.Typed && l.Typed && v.Shape == l.Shape
		if !same || holds(leaves, v.Hash) {
			continue
		}
		n++
		if pin == nil || v.Last >= pin.Last {
			pin = v
		}
	}
	return pin, n
}

// isDestination reports whether a parameter says where something goes.
func isDestination(name []byte) bool {
	switch string(name) {
	case "to", "recipient", "recipients", "to_email", "email_to", "destination", "send_to", "cc", "to_address":
		return true
	}
	return false
}

// madeUp reports whether neither user nor tool showed a value before: it is made up, which
// is another failure.
func madeUp(p *Pass, l *facts.Leaf) bool {
	value := bytes.TrimLeft(l.Raw, "#")
	for i := range p.Grounds {
		if g := &p.Grounds[i]; g.Shape == facts.Identifier && bytes.Equal(g.Value, value) {
			return g.From&facts.FromOutside == 0
		}
	}
	return false
}

// swapped looks for an id in the place of the one that the user named.
func (m *contextLoss) swapped(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	if !l.Alone || l.Kind != facts.SlotID && (l.Kind != facts.SlotNumber || l.Shape == 0) {
		return false
	}
	if madeUp(p, l) {
		return false
	}
	pin, n := pinFor(s, p.Leaves, l)
	if v := s.Mention(l.Hash); v != nil && v.Live() {
		return pin != nil && m.misdirected(p, l, v, pin)
	}
	if pin == nil || s.Made(l.Hash) || agreed(s, l.Hash, pin.Last) || s.Opened > pin.Last {
		return m.unproposed(p, l)
	}
	looked := s.Called(l.Hash)
	if pin.Failed >= pin.Last && pin.Failed > 0 || pin.Done >= pin.Last && s.User > pin.Done || looked > pin.Last && s.User > looked {
		return m.unproposed(p, l)
	}
	severity := event.Error
	if s.Opened == pin.Last || n > 1 || s.Also > pin.Last || looked > pin.Last {
		severity = event.Warning
	}
	if s.Also > pin.Last && looked >= s.Also {
		return false
	}
	subject := subjectOf(p, l)
	if !p.Sees(entitySwap, subject, severity) {
		return true
	}
	confidence, more := afterCut(p, 800)
	p.Report(Finding{
		Rule: entitySwap, Subject: subject, Severity: severity, Confidence: confidence,
		Message:  fmt.Sprintf("The user named %s, and %s was called with %s.%s", quote(pin.Text), p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: []event.Evidence{remembered(pin, "named "+quote(pin.Text)), p.Here("called with " + quote(string(l.Raw)))},
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// misdirected looks for a write to an id that the user named before, where the
// latest message names another of the type alone.
func (m *contextLoss) misdirected(p *Pass, l *facts.Leaf, other, pin *facts.Mention) bool {
	s := p.T.Slots
	if pin.Last != s.User || other.Last >= pin.Last || pin.Done >= pin.Last {
		return false
	}
	severity := event.Warning
	said := s.LatestSaid()
	if said == nil || said.Turn != s.User {
		return false
	}
	for i := range p.Leaves { // what is to be done was said with the one that is named
		if v := &p.Leaves[i]; v.Hash != l.Hash && len(v.Raw) > 1 && said.Has(v.Raw) {
			severity = event.Error
		}
	}
	if severity == event.Warning && (s.Opened == pin.Last || s.Also == pin.Last) {
		return false
	}
	subject := subjectOf(p, l)
	if !p.Sees(entitySwap, subject, severity) {
		return true
	}
	confidence, more := afterCut(p, 800)
	p.Report(Finding{
		Rule: entitySwap, Subject: subject, Severity: severity, Confidence: confidence,
		Message:  fmt.Sprintf("The user named %s this time, and %s was called with %s.%s", quote(pin.Text), p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: []event.Evidence{remembered(pin, "named "+quote(pin.Text)), p.Here("called with " + quote(string(l.Raw)))},
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// unproposed looks for an id in the place of the one that the agent named to
// the user last and the user agreed to.
func (m *contextLoss) unproposed(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	named := s.Proposed(l)
	if named == "" || s.Made(l.Hash) || s.Called(l.Hash) >= s.Agent {
		return false
	}
	subject := subjectOf(p, l)
	if !p.Sees(entitySwap, subject, event.Warning) {
		return true
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: entitySwap, Subject: subject, Severity: event.Warning, Confidence: confidence,
		Message:  fmt.Sprintf("The agent named %s to the user, and %s was called with %s.%s", quote(named), p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: []event.Evidence{{Seq: s.ToldSeq, ID: string(s.ToldID), Note: "agreed on " + quote(named)}, p.Here("called with " + quote(string(l.Raw)))},
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// otherCard looks for an id that stands for other last digits than those that
// the user named.
func (m *contextLoss) otherCard(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	if l.Kind != facts.SlotID && l.Kind != facts.SlotNumber {
		return false
	}
	ends := s.Tail(l.Hash)
	var pin *facts.Mention
	for i := range s.Mentions {
		v := &s.Mentions[i]
		if v.Kind != facts.SlotTail {
			continue
		}
		digits := strconv.FormatInt(v.Num, 10)
		same := ends == v.Num || bytes.HasSuffix(l.Text, []byte(digits))
		switch {
		case v.Live() && same:
			return false
		case v.Live() && (pin == nil || v.Last >= pin.Last):
			pin = v
		}
	}
	if pin == nil || ends < 0 || s.Opened > pin.Last || agreed(s, l.Hash, pin.Last) || pin.Done >= pin.Last && pin.Done > 0 && s.User > pin.Done {
		return false
	}
	for i := range p.Leaves { // the named one is used beside it
		if s.Tail(p.Leaves[i].Hash) == pin.Num {
			return false
		}
	}
	subject := subjectOf(p, l)
	if !p.Sees(entitySwap, subject, event.Error) {
		return true
	}
	confidence, more := afterCut(p, 850)
	p.Report(Finding{
		Rule: entitySwap, Subject: subject, Severity: event.Error, Confidence: confidence,
		Message:  fmt.Sprintf("The user named the one that ends in %s, and %s was called with one that ends in %04d.%s", pin.Text, p.Call.Tool.Name, ends, more),
		Evidence: []event.Evidence{remembered(pin, "named the one ending in "+pin.Text), p.Here("called with " + quote(string(l.Raw)))},
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}

// contradicts looks for an address, a date or a count other than the one that
// the user gave.
func (m *contextLoss) contradicts(p *Pass, l *facts.Leaf) bool {
	s := p.T.Slots
	if !l.Alone || takesOld(l.Name) {
		return false
	}
	if v := s.Mention(l.Hash); v != nil && v.Live() {
		return false
	}
	var pin *facts.Mention
	for i := range s.Mentions {
		v := &s.Mentions[i]
		if !v.Live() || v.Last < s.Hello || v.Kind != l.Kind && (v.Kind != facts.SlotID || l.Kind != facts.SlotID) {
			continue
		}
		switch v.Kind {
		case facts.SlotEmail:
			if madeUp(p, l) || !isDestination(l.Name) {
				continue
			}
		case facts.SlotNumber:
			if v.Noun == 0 || !l.Has(v.Noun) || l.Shape != 0 || v.Shape != 0 {
				continue
			}
		case facts.SlotDate:
			if v.Slot != l.Slot {
				continue
			}
		default:
			continue
		}
		if pin != nil { // several of the type: which one is meant?
			return false
		}
		pin = v
	}
	if pin == nil || s.Opened >= pin.Last || s.Echoed(l.Hash) > pin.Last || holds(p.Leaves, pin.Hash) || pin.Failed >= pin.Last && pin.Failed > 0 || pin.Done >= pin.Last && pin.Done > 0 {
		return false
	}
	for i := range s.Mentions { // the user named another thing since
		if v := &s.Mentions[i]; v != pin && v.Kind == facts.SlotID && v.Typed && v.Last > pin.Last {
			return false
		}
	}
	for i := range s.Limits { // a bound is no value
		if s.Limits[i].Turn == pin.Last && s.Limits[i].Num == pin.Num {
			return false
		}
	}
	subject := subjectOf(p, l)
	if !p.Sees(contradictedSlot, subject, event.Warning) {
		return true
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: contradictedSlot, Subject: subject, Severity: event.Warning, Confidence: confidence,
		Message:  fmt.Sprintf("The user gave %s, and %s was called with %s.%s", quote(pin.Text), p.Call.Tool.Name, quote(string(l.Raw)), more),
		Evidence: []event.Evidence{remembered(pin, "gave "+quote(pin.Text)), p.Here("called with " + quote(string(l.Raw)))},
		Tokens:   p.Call.Tokens, CostMicroUSD: p.Call.Cost,
	})
	return true
}
