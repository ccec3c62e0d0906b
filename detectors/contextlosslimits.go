package detectors

import (
	"fmt"
	"strconv"

	"misstep/detectors/facts"
	"misstep/event"
)

// breaks holds a write against the limits that the user set.
func (m *contextLoss) breaks(p *Pass) bool {
	s := p.T.Slots
	wrong := false
	for i := range s.Limits {
		lim := &s.Limits[i]
		if lim.Dead != 0 {
			continue
		}
		l, value := broken(p, s, i)
		if l == nil {
			continue
		}
		wrong = true
		severity := event.Warning
		switch {
		case !lim.Firm:
			severity = event.Info
		case lim.Kind == facts.SlotNumber || lim.Kind == facts.SlotMoney:
			severity = event.Error
		}
		subject := subjectOf(p, l)
		if !p.Sees(brokenConstraint, subject, severity) {
			continue
		}
		confidence, more := 850, ""
		if lim.Kind == facts.SlotWord {
			confidence = 700
		}
		confidence, more = afterCut(p, confidence)
		p.Report(Finding{
			Rule: brokenConstraint, Subject: subject, Severity: severity, Confidence: confidence,
			Message: fmt.Sprintf("The user set a limit (%s), and %s was called with %s.%s", quote(lim.Text), p.Call.Tool.Name, value, more),
			Evidence: []event.Evidence{
				{Seq: lim.Seq, ID: lim.ID, Note: "limit: " + quote(lim.Text)},
				p.Here("called with " + value),
			},
			Tokens: p.Call.Tokens, CostMicroUSD: p.Call.Cost,
		})
	}
	return wrong
}

// broken gives the argument that breaks limit i, and what it is.
func broken(p *Pass, s *facts.Slots, i int) (*facts.Leaf, string) {
	lim := &s.Limits[i]
	givesUp := isAny(p.Call.Tool.Words, []string{"return", "cancel", "refund", "delete", "remove", "close", "reject", "decline"})
	sum, last, n := int64(0), (*facts.Leaf)(nil), 0
	for j := range p.Leaves {
		l := &p.Leaves[j]
		if num, ok := s.Breach(l.Hash, i); ok && l.Kind != facts.SlotFlag && l.Kind != facts.SlotWord && !givesUp {
			return l, fmt.Sprintf("%s, of which a tool told %s", quote(string(l.Raw)), limitText(lim, num))
		}
		if lim.Op == facts.LimitOnly {
			if !onlyAllows(p, lim, l) {
				return l, quote(string(l.Raw))
			}
			continue
		}
		if !lim.About(p.Call.Tool, l) {
			continue
		}
		if !lim.Holds(l) {
			return l, string(l.Name[:min(len(l.Name), 64)]) + " " + quote(string(l.Raw))
		}
		sum += l.Amount()
		last = l
		n++
	}
	if n > 1 && lim.Kind == facts.SlotMoney && lim.Loose && !lim.Allows(sum) && (lim.Op == facts.LimitMax || lim.Op == facts.LimitUnder) {
		return last, "amounts that sum to " + limitText(lim, sum)
	}
	return nil, ""
}

// limitText writes a number of a limit for a reader.
func limitText(lim *facts.Limit, num int64) string {
	switch lim.Kind {
	case facts.SlotDate:
		return fmt.Sprintf("%02d-%02d", num/100%100, num%100)
	case facts.SlotWord:
		return "what was excluded"
	}
	if num%1000 == 0 {
		return strconv.FormatInt(num/1000, 10)
	}
	return fmt.Sprintf("%d.%02d", num/1000, num%1000/10)
}

// onlyAllows reports whether an argument keeps to the one value that the user
// allows: where the tool's schema lists the values, and it is one of them.
func onlyAllows(p *Pass, lim *facts.Limit, l *facts.Leaf) bool {
	if l.Kind != facts.SlotWord && l.Kind != facts.SlotID || lim.Names(l.Text) {
		return true
	}
	listed := false
	p.Call.Tool.Enum(l.Name, func(member []byte) { listed = listed || lim.Names(member) })
	return !listed
}
