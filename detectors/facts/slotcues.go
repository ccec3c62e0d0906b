package facts

import (
	"misstep/event"
)

// pin reads a message of a user, or the goal of a task.
func (t *Trajectory) pin(w *Workspace, step *event.Step, text event.Value, cut event.Cut) {
	s := t.slots(w)
	s.Turn++
	s.User = s.Turn
	if !text.Present() || cut.Truncated {
		if text.Form != event.Absent {
			s.Blind = true
		}
		return
	}
	if w.Cur.Lacks&NeedLanguage != 0 {
		s.Foreign = true
	}
	w.text = text.AppendText(w.text[:0])
	l := &w.slot
	l.lex(w.text)
	if openers.found(l) {
		s.Opened = s.Turn
	}
	if softOpeners.found(l) {
		s.Also = s.Turn
	}
	if yesWords.found(l) {
		s.Yes = s.Turn
	}
	if redoWords.found(l) {
		s.Redo = t.Users
	}
	if greetWords.found(l) {
		s.Greeted = s.Turn
	}
	if hellos.found(l) {
		s.Hello = s.Turn
		for i := range s.Limits { // they were of another conversation
			if m := &s.Limits[i]; m.Dead == 0 {
				m.Dead = s.Turn
			}
		}
	}
	name := t.stepName(w, step)
	s.say(l.text, false, l.refuses() || strongCues.found(l) || weakCues.found(l), l.refuses() || rewords.found(l) && !yesWords.found(l), step, name)
	id := ""
	if l.matters() {
		id = string(name)
	}
	s.pinned(l, step, id)
	s.corrected(l)
	s.settle(l)
	s.constrain(l, step, id)
}

// matters reports whether the text may pin a value or set a limit.
func (l *slotLexer) matters() bool {
	if l.all&(notCues.bit|onlyCues.bit|outCues.bit) != 0 {
		return true
	}
	for i := range l.toks {
		if t := &l.toks[i]; t.kind != SlotWord || l.is(i, "not") || l.is(i, "but") {
			return true
		}
	}
	return false
}

// stepName is the id of a step, valid until the next; one without goes by its
// ordinal.
func (t *Trajectory) stepName(w *Workspace, s *event.Step) []byte {
	if len(s.ID) > 0 {
		return s.ID
	}
	w.text = appendInt(w.text[:0], t.Ordinal-1)
	return w.text
}

// pins reports whether a value is one that a user may pin.
func (t *slotToken) pins() bool {
	switch t.kind {
	case SlotWord, SlotFlag:
		return false
	case SlotNumber:
		return t.noun != 0
	}
	return true
}

// pinned notes the values that the user wrote.
func (s *Slots) pinned(l *slotLexer, step *event.Step, id string) {
	for i := range l.toks {
		t := &l.toks[i]
		if !t.pins() {
			continue
		}
		m := s.mention(t, l, step, id)
		if l.denied(i) {
			m.Dead = s.Turn + 1 // beyond the mention itself
		}
	}
}

// denied reports whether the user takes back the value that stands at token i:
// "not X", "instead of X", "X was wrong".
func (l *slotLexer) denied(i int) bool {
	if !l.toks[i].last && takenBack.longest(l, i+1) > 0 {
		return true
	}
	if l.all&negations.bit == 0 {
		return false
	}
	for back := 1; back <= 4 && i-back >= 0; back++ {
		j := i - back
		if l.toks[j].last || l.toks[j].comma && back > 1 || l.toks[j].pins() {
			return false
		}
		if n := negations.longest(l, j); n > 0 && j+n <= i {
			return l.near(j+n, i)
		}
	}
	return false
}

// near reports whether only labels and nouns stand between two tokens.
func (l *slotLexer) near(from, to int) bool {
	verbs := 0
	for j := from; j < to; j++ {
		if l.toks[j].comma {
			return false
		}
		if isVerbish(l.word(j)) {
			verbs++
		}
	}
	return verbs == 0
}

// corrected finds the values that this message puts in the place of others.
func (s *Slots) corrected(l *slotLexer) {
	strong := strongCues.found(l)
	cued := strong || weakCues.found(l) || l.refuses()
	for i := range l.toks {
		t := &l.toks[i]
		if t.kind == SlotNumber && t.noun == 0 && cued {
			s.recount(l, i, strong)
			continue
		}
		if !t.pins() {
			continue
		}
		m := s.Mention(t.hash)
		if m == nil || m.Dead > m.Last { // it is the one that is taken back
			continue
		}
		if t.kind == SlotID && l.toks[max(i-2, 0)].shape == t.shape && (l.is(i-1, "to") || l.is(i-1, "through")) {
			s.Opened = s.Turn + 1 // a range of them
		}
		if k := l.fromTo(i); k >= 0 {
			if old := s.Mention(l.toks[k].hash); old != nil && old != m {
				old.Dead, old.By = s.Turn+1, m.Hash
				continue
			}
		}
		if d := s.deniedBeside(m); d != nil {
			d.By = m.Hash
			continue
		}
		if !cued || m.First != s.Turn || s.Opened == s.Turn {
			continue
		}
		if old := s.before(m, strong); old != nil {
			old.Dead, old.By = s.Turn, m.Hash
		}
	}
}

// refuses reports whether the text begins with a no of its own, and goes on.
func (l *slotLexer) refuses() bool {
	if len(l.toks) < 2 || !l.toks[0].comma && !l.toks[0].last {
		return false
	}
	return l.is(0, "no") || l.is(0, "nope") || l.is(0, "nah") || l.is(0, "wrong")
}

// fromTo gives the token of A where the token i is B in "change from A to B",
// or "A should be B", -1 for none.
func (l *slotLexer) fromTo(i int) int {
	t := &l.toks[i]
	if t.kind == SlotID && !t.typed {
		return -1 // a route
	}
	from := -1
	for j := i - 1; j >= 0 && j >= i-6 && !l.toks[j].last; j-- {
		if l.toks[j].kind == t.kind && l.toks[j].hash != t.hash {
			from = j
			break
		}
	}
	if from < 0 {
		return -1
	}
	if l.find([]string{"should", "be"}, from, i) >= 0 {
		return from
	}
	if from == 0 || !l.is(from-1, "from") || l.find([]string{"to"}, from, i) < 0 {
		return -1
	}
	start := from
	for start > 0 && start > from-12 && !l.toks[start-1].last {
		start--
	}
	if l.has(changeVerbs, start, from) {
		return from
	}
	return -1
}

// deniedBeside gives the value of the same type that this message takes back
// and does not yet replace.
func (s *Slots) deniedBeside(m *Mention) *Mention {
	for i := range s.Mentions {
		if d := &s.Mentions[i]; d != m && d.Dead == s.Turn+1 && d.Last == s.Turn && d.Kind == m.Kind && d.By == 0 && (d.Shape == m.Shape || d.Kind == SlotNumber) {
			return d
		}
	}
	return nil
}

// before gives the value that a corrected one replaces: the latest of the same
// type from an earlier message, when it is plain which that is.
func (s *Slots) before(m *Mention, strong bool) *Mention {
	var old *Mention
	n := 0
	for i := range s.Mentions {
		p := &s.Mentions[i]
		if p == m || p.Last >= s.Turn || !p.Live() || p.Kind != m.Kind || !sameType(p, m) {
			continue
		}
		n++
		if old == nil || p.Last >= old.Last {
			old = p
		}
	}
	if n > 1 && (m.Kind == SlotDate || m.Kind == SlotMoney || !strong || !m.Typed && m.Kind == SlotID && m.Noun == 0) {
		return nil
	}
	return old
}

func sameType(p, m *Mention) bool {
	switch m.Kind {
	case SlotID:
		if p.Noun != 0 && m.Noun != 0 && p.Noun == m.Noun {
			return true
		}
		return m.Typed && p.Typed && p.Shape == m.Shape
	case SlotNumber, SlotTail:
		return p.Noun == m.Noun
	case SlotMoney:
		return true
	}
	return true
}

// recount takes a number without a noun as the new one of the latest count:
// "actually, make that 3".
func (s *Slots) recount(l *slotLexer, i int, strong bool) {
	said := l.find([]string{"make", "that"}, max(0, i-4), i) >= 0 || l.find([]string{"make", "it"}, max(0, i-4), i) >= 0 || strong && l.find([]string{"meant"}, max(0, i-3), i) >= 0
	if !said {
		return
	}
	var old *Mention
	for j := range s.Mentions {
		if p := &s.Mentions[j]; (p.Kind == SlotNumber || p.Kind == SlotMoney) && p.Last < s.Turn && p.Live() && (old == nil || p.Last >= old.Last) {
			old = p
		}
	}
	if old != nil && old.Num != l.toks[i].num {
		old.Dead, old.By = s.Turn, l.toks[i].hash
	}
}

// Allows reports whether a number keeps the limit.
func (m *Limit) Allows(num int64) bool {
	lim := m.Num
	if m.Kind == SlotDate && (num < 10000 || lim < 10000) { // a year is missing
		num, lim = num%10000, lim%10000
	}
	switch m.Op {
	case LimitMax:
		return num <= lim
	case LimitUnder:
		return num < lim
	case LimitMin:
		return num >= lim
	case LimitOver:
		return num > lim
	}
	return true
}

func hasNoun(nouns *[4]uint64, noun uint64) bool {
	for _, n := range nouns {
		if n != 0 && n == noun {
			return true
		}
	}
	return false
}
