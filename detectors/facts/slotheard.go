package facts

import (
	"bytes"
	"strings"

	"misstep/event"
)

// settle drops the limits that the user gives up in this message.
func (s *Slots) settle(l *slotLexer) {
	yes := yesWords.found(l)
	for i := range s.Limits {
		m := &s.Limits[i]
		if m.Dead != 0 {
			continue
		}
		switch m.Op {
		case LimitNot:
			if yes && m.Asked == s.Turn-1 || l.affirms(m.Phrase) {
				m.Dead = s.Turn
			}
		case LimitOnly:
			if yes && m.Asked == s.Turn-1 || (weakCues.found(l) || strongCues.found(l)) && !l.speaksOf(m.Phrase) {
				m.Dead = s.Turn
			}
		default:
			if yes && m.Asked == s.Turn-1 || s.overstated(l, m) {
				m.Dead = s.Turn
			}
		}
	}
}

// overstated reports whether the user names a value that breaks the limit, as
// one that goes through with it does.
func (s *Slots) overstated(l *slotLexer, m *Limit) bool {
	for i := range l.toks {
		t := &l.toks[i]
		if m.Allows(t.num) {
			continue
		}
		switch {
		case t.kind == SlotNumber && t.noun == 0 && (m.Kind == SlotMoney || m.Loose),
			t.kind == SlotMoney && m.Loose,
			t.kind == m.Kind && (t.kind != SlotNumber || hasNoun(&m.Nouns, t.noun)):
			return true
		}
	}
	return false
}

// affirms reports whether the words of a phrase stand in a sentence that says
// no to nothing.
func (l *slotLexer) affirms(phrase string) bool {
	for i := range l.toks {
		if !l.speaks(i, phrase) {
			continue
		}
		from, to := l.sentence(i)
		denied := false
		for j := from; j < to; j++ {
			denied = denied || isDenial(l.word(j))
		}
		if !denied {
			return true
		}
	}
	return false
}

func isDenial(w []byte) bool {
	switch string(w) {
	case "not", "no", "never", "without", "avoid", "except", "cannot", "nothing", "exclude", "excluding", "skip", "than":
		return true
	}
	return bytes.HasSuffix(w, []byte("n't")) && len(w) > 3
}

// speaksOf reports whether the words of a phrase stand in the text.
func (l *slotLexer) speaksOf(phrase string) bool {
	for i := range l.toks {
		if l.speaks(i, phrase) {
			return true
		}
	}
	return false
}

// speaks reports whether the first two words of a phrase stand at token i.
func (l *slotLexer) speaks(i int, phrase string) bool {
	first, rest, _ := strings.Cut(phrase, " ")
	second, _, _ := strings.Cut(rest, " ")
	return sameStem(l.word(i), first) && (second == "" || sameStem(l.word(i+1), second))
}

func sameStem(w []byte, s string) bool {
	return len(w) > 0 && (string(w) == s || stemHash(w) == stemHash([]byte(s)))
}

// heard reads a message of an agent: the values in it, and what of it breaks a
// limit, so that a user who agrees to it gives the limit up.
func (t *Trajectory) heard(w *Workspace, step *event.Step) {
	s := t.Slots
	if s == nil {
		return
	}
	s.Turn++
	s.Agent, s.ToldSeq = s.Turn, step.Seq
	s.ToldID = append(s.ToldID[:0], t.stepName(w, step)...)
	if !step.Text.Present() {
		return
	}
	w.text = step.Text.AppendText(w.text[:0])
	l := &w.slot
	l.lex(w.text)
	s.say(l.text, true, false, false, step, s.ToldID)
	for i := range l.toks {
		switch k := &l.toks[i]; k.kind {
		case SlotID, SlotEmail, SlotDate, SlotTail, SlotMoney:
			s.echoAt(k, l.written(k))
		case SlotNumber:
			if k.noun != 0 || k.shape != 0 {
				s.echoAt(k, nil)
			}
		}
	}
	if parts.found(l) {
		s.Parts = t.Users
	}
	w.asked(l)
	for i := range s.Limits {
		m := &s.Limits[i]
		switch {
		case m.Dead != 0:
		case m.Op == LimitNot:
			if l.affirms(m.Phrase) {
				m.Asked = s.Turn
			}
		case m.Op == LimitOnly:
			if !l.speaksOf(m.Phrase) && l.asks() {
				m.Asked = s.Turn
			}
		case s.overstated(l, m):
			m.Asked = s.Turn
		}
	}
}

// asks reports whether the text holds a question.
func (l *slotLexer) asks() bool { return bytes.IndexByte(l.text, '?') >= 0 }
