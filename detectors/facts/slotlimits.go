package facts

import (
	"strings"

	"misstep/event"
)

// maxBounds is how many numbers of one message are looked at.
const maxBounds = 40

// constrain finds the limits that a message of a user sets.
func (s *Slots) constrain(l *slotLexer, step *event.Step, id string) {
	looked := 0
	for i := range l.toks {
		t := &l.toks[i]
		switch t.kind {
		case SlotNumber, SlotMoney, SlotDate:
			if looked++; looked <= maxBounds {
				s.bound(l, i, step, id)
			}
		case SlotWord:
			s.exclude(l, i, step, id)
		}
	}
}

// sentence gives the tokens of the sentence around token i.
func (l *slotLexer) sentence(i int) (from, to int) {
	from, to = i, i+1
	for from > 0 && !l.toks[from-1].last {
		from--
	}
	for to < len(l.toks) && !l.toks[to-1].last {
		to++
	}
	return from, to
}

// has reports whether a phrase of the list stands among tokens [from, to).
func (l *slotLexer) has(p phrases, from, to int) bool {
	if l.all&p.bit == 0 {
		return false
	}
	for i := max(from, 0); i < to; i++ {
		if l.toks[i].starts&p.bit != 0 {
			return true
		}
	}
	return false
}

// told reports whether the tokens tell of what was.
func (l *slotLexer) told(from, to int) bool {
	for j := max(from, 0); j < to; j++ {
		if inWords(toldVerbs, l.word(j)) {
			return true
		}
	}
	return false
}

// bound finds a comparator at the value of token i.
func (s *Slots) bound(l *slotLexer, i int, step *event.Step, id string) {
	t := &l.toks[i]
	from, to := l.sentence(i)
	op, at, ends := l.comparator(i, from, to)
	if op == 0 || l.has(whenWords, from, at) || l.is(at-1, "day") || l.is(at-1, "days") {
		return
	}
	if l.told(max(from, at-4), at) && !l.has(demands, from, at) && !l.has(caps, at, ends+1) {
		return
	}
	m := Limit{Op: op, Kind: t.kind, Num: t.num, Turn: s.Turn, Seq: step.Seq, ID: id, Firm: !l.has(wishes, from, to)}
	m.Text = string(cutText(l.text[l.toks[at].at:l.toks[ends].end], 2*maxPinText))
	s.nounsOf(l, &m, i, at, from, to)
	if m.Kind != SlotDate {
		if m.Kind == SlotNumber && t.noun == 0 && (l.speaksMoney(from, to) || m.Nouns[0] == 0 && m.Num >= 20_000) {
			m.Kind = SlotMoney
		}
		if m.Kind == SlotNumber && m.Nouns[0] == 0 {
			return
		}
		m.Loose = m.Kind == SlotNumber && t.noun == 0 && m.Num >= 20_000 // of money, perhaps
		if m.Kind == SlotMoney {
			m.Loose = true
			for j := max(from, at-6); j < min(to, i+4); j++ {
				if inWords(moneyKinds, l.word(j)) {
					m.Nouns, m.Loose = [4]uint64{stemHash(l.word(j))}, false
					break
				}
			}
		}
	}
	s.limit(m)
}

// comparator finds the phrase that limits the value at token i within the
// sentence: its operator, and the tokens from the phrase or the value on to the
// other.
func (l *slotLexer) comparator(i, from, to int) (op LimitOp, at, ends int) {
	front, back := comparesBefore, comparesBehind
	if l.toks[i].kind == SlotDate {
		front, back = beforeDate, behindDate
	}
	gap := 0 // words between that are no fillers
	for j := i - 1; j >= from && j >= i-8 && gap <= 3; j-- {
		if l.all&front.bit != 0 {
			for k := range front.list {
				c := &front.list[k]
				start := j - len(c.words) + 1
				if start >= from && l.toks[start].starts&front.bit != 0 && gap <= c.far && l.at(start, c.words) && !(start > from && l.toks[start-1].pins() && gap > 0) {
					return c.op, start, i
				}
			}
		}
		if l.all&overWords.bit != 0 && gap == 0 && l.toks[i].kind != SlotDate {
			for start := max(from, j-1); start <= j; start++ {
				if start+overWords.longest(l, start) != j+1 {
					continue
				}
				for d := start - 1; d >= from && d >= start-7; d-- {
					if isDenial(l.word(d)) {
						return LimitMax, start, i
					}
				}
				if l.has(demands, from, start) {
					return LimitOver, start, i
				}
			}
		}
		if l.toks[j].pins() || l.toks[j].comma && j < i-1 {
			break
		}
		if !inWords(fillers, l.word(j)) {
			gap++
		}
	}
	for j := i + 1; j < to && j <= i+3; j++ {
		if l.toks[j-1].last {
			break
		}
		if l.toks[j].starts&back.bit == 0 {
			continue
		}
		for k := range back.list {
			if c := &back.list[k]; l.at(j, c.words) && j+len(c.words) <= to {
				return c.op, i, j + len(c.words) - 1
			}
		}
	}
	return 0, 0, 0
}

// nounsOf gathers what the limit is about: the noun behind the value and those
// before the phrase.
func (s *Slots) nounsOf(l *slotLexer, m *Limit, i, at, from, to int) {
	n := 0
	add := func(h uint64) {
		if h != 0 && n < len(m.Nouns) && !hasNoun(&m.Nouns, h) {
			m.Nouns[n] = h
			n++
		}
	}
	if m.Kind != SlotDate {
		add(l.toks[i].noun)
		if !l.toks[i].last {
			for j := i + 1; j < to && j <= i+3; j++ {
				w := l.word(j)
				if l.toks[j].kind != SlotWord || string(w) == "and" || string(w) == "or" || string(w) == "but" {
					break
				}
				if !isLabel(w) && !isVerbish(w) && !isAdjective(w) && len(w) > 2 {
					add(stemHash(w))
					break
				}
				if l.toks[j].last || l.toks[j].comma {
					break
				}
			}
		}
	}
	for j := i - 1; j >= from && j >= at-5; j-- {
		w := l.word(j)
		if l.toks[j].kind == SlotWord && !isLabel(w) && !isVerbish(w) && !inWords(fillers, w) && len(w) > 2 && !isComparing(w) {
			add(stemHash(w))
		}
		if j < at && l.toks[j].comma {
			break
		}
	}
}

// noNouns are words of comparators and what stands by them.
var noNouns = []string{"more", "less", "than", "most", "least", "under", "below", "over", "above", "within", "max", "maximum", "minimum", "must", "should", "keep", "stay", "want", "exceed", "not", "before", "after", "later", "earlier", "until", "and", "but", "anything", "something", "one", "any", "all", "only", "don't", "won't", "can't", "cannot", "shouldn't", "doesn't", "never", "has", "have", "had", "are", "was", "will", "would", "could", "fewer", "lower", "higher", "beyond", "sure", "make", "there", "with", "going", "under", "they", "them", "book", "find", "limit", "cap", "ceiling", "limited", "capped", "spend", "cost", "pay", "longer"}

func isComparing(w []byte) bool { return inWords(noNouns, w) }

// speaksMoney reports whether the tokens speak of what something costs.
func (l *slotLexer) speaksMoney(from, to int) bool {
	for i := from; i < to; i++ {
		if h := stemHash(l.word(i)); isMoneyNoun(h) {
			return true
		}
	}
	return false
}

var moneyHashes = hashWords(moneyNouns)

func isMoneyNoun(n uint64) bool {
	for _, h := range moneyHashes {
		if h == n {
			return true
		}
	}
	return false
}

// limit keeps a limit in the place of one that it replaces.
func (s *Slots) limit(m Limit) {
	for i := range s.Limits {
		o := &s.Limits[i]
		if o.Dead != 0 || o.Kind != m.Kind && !(o.Loose && m.Loose) || o.Turn == s.Turn {
			continue
		}
		if m.Phrase == "" && o.Op.upper() == m.Op.upper() && (o.Nouns == m.Nouns || o.Loose && m.Loose) || m.Phrase != "" && o.Phrase == m.Phrase && o.Op == m.Op {
			o.Dead = s.Turn
		}
	}
	s.Limits = append(room(s.Limits, maxLimits), m)
}

func (o LimitOp) upper() bool { return o == LimitMax || o == LimitUnder }

// notCues and onlyCues stand before a phrase that is excluded, or alone allowed.
var (
	notCues = split("without", "except for", "except", "excluding", "avoid", "other than", "anything but", "no", "don't use", "do not use", "don't want to use", "don't want",
		"do not want", "don't include", "do not include", "don't add", "do not add", "don't book", "do not book", "don't choose", "do not choose", "don't pick", "never use",
		"must not be", "not using", "not by", "not via", "not in", "not on", "not with", "not to", "can't be", "cannot be", "should not be", "shouldn't be", "don't send", "do not send", "don't charge", "do not charge",
		"don't put", "do not put", "skip", "exclude", "leave out", "don't need", "do not need", "opt out of", "decline", "steer clear of", "stay away from", "refuse to buy from", "refuse to use", "refuse", "not deal with", "done with", "clear of", "boycott", "rather not use", "won't use", "will not use", "won't buy from",
		"will not buy from", "can't stand", "don't like", "don't trust", "do not trust", "blacklist", "ban", "rule out", "not interested in", "not interested in", "not the", "not a", "nothing from", "nothing by", "nobody but", "none from", "no one but", "but not", "just not", "please not", "and not", "not from", "not by", "never",
		"ohne", "außer", "bis auf", "nicht", "kein", "keine", "keinen", "nichts von", "nichts bei", "vermeiden sie", "ausgenommen")
	onlyCues = split("only use", "only book", "only want", "only in", "only by", "only via", "only on", "only with", "only accept", "only buy", "only choose", "only ship", "only", "must be in", "must be by", "must be",
		"has to be in", "has to be", "have to be", "needs to be", "need to be", "strictly", "exclusively", "nothing but", "needs to stay", "must stay", "keep it in", "stick to", "stick with", "solely", "anything as long as it's", "make sure it's", "make sure it is", "make sure to use",
		"nur", "ausschließlich", "lediglich", "nur mit", "nur per")
	// noRule stands behind "only" or "no" where no rule is set.
	noRule = []string{
		"have", "had", "has", "got", "one", "see", "know", "remember", "problem", "worries", "rush", "idea", "longer", "thanks", "thank", "more", "less", "need", "fewer", "way", "doubt", "that's", "it's", "i", "if", "sure", "able", "later", "earlier", "matter",
		"problem", "ahnung", "mehr", "sorge",
	}
	// phraseEnds end a phrase.
	phraseEnds = []string{
		"and", "or", "but", "because", "for", "please", "since", "so", "as", "if", "with", "to", "on", "at", "in", "i", "it", "is", "that", "this", "when", "then", "from", "by", "until", "unless", "though", "are", "was", "than", "instead", "anymore", "either", "you", "we",
		"und", "oder", "aber", "weil", "für", "bitte", "da", "wenn", "mit", "ist", "dass",
	}
	// articles are passed over at the head of a phrase.
	articles = []string{
		"a", "an", "the", "any", "my", "on", "in", "with", "to", "of", "for", "using", "via", "by", "our", "use", "it", "be", "being", "as", "through", "add", "include", "buy", "book", "pay", "purchase", "get", "from", "anything",
		"der", "die", "das", "den", "dem", "ein", "eine", "einen", "von", "bei", "als", "im", "meine", "meiner",
	}
)

// exclude finds "not X" and "only X" at token i.
func (s *Slots) exclude(l *slotLexer, i int, step *event.Step, id string) {
	op, n := LimitOp(0), 0
	if k := notCues.longest(l, i); k > 0 {
		op, n = LimitNot, k
	}
	if k := onlyCues.longest(l, i); k > n {
		op, n = LimitOnly, k
	}
	if op == 0 && l.is(i, "not") && i+1 < len(l.toks) && l.text[l.toks[i+1].at]-'A' < 26 {
		op, n = LimitNot, 1 // a name
	}
	if op == 0 && l.is(i, "but") && i+1 < len(l.toks) && l.text[l.toks[i+1].at]-'A' < 26 {
		if from, _ := l.sentence(i); l.has(anyWords, from, i) {
			op, n = LimitNot, 1 // any but this
		}
	}
	if outCues.longest(l, i) > 0 && i > 0 && op == 0 {
		s.excludeBefore(l, i, step, id)
		return
	}
	if op == 0 || l.toks[i+n-1].comma || l.toks[i+n-1].last {
		return
	}
	from, to := l.sentence(i)
	if l.has(whenWords, from, i) || l.has(wishes, from, to) || l.told(max(from, i-2), i) {
		return
	}
	j := i + n
	for j < to && inWords(articles, l.word(j)) && !l.toks[j].comma {
		j++
	}
	if j >= to || l.toks[j].kind != SlotWord || inWords(noRule, l.word(j)) || op == LimitNot && (isAdjective(l.word(j)) && !l.is(j, "checked") || l.is(j+1, "additional") || l.is(j+1, "extra")) {
		return
	}
	var b strings.Builder
	end := j
	for ; end < to && end < j+3 && l.toks[end].kind == SlotWord && !inWords(phraseEnds, l.word(end)); end++ {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(l.word(end))
		if l.toks[end].comma || l.toks[end].last {
			end++
			break
		}
	}
	if b.Len() < 3 || b.Len() > maxPinText {
		return
	}
	s.limit(Limit{
		Op: op, Kind: SlotWord, Phrase: b.String(), Turn: s.Turn, Seq: step.Seq, ID: id, Firm: true,
		Text: string(cutText(l.text[l.toks[i].at:l.toks[end-1].end], 2*maxPinText)),
	})
}

// outCues stand behind what is excluded.
var outCues = split("is out", "are out", "is not an option", "is no option", "isn't an option", "is off the table", "is excluded", "is a no-go", "is off limits", "is not acceptable", "out of it",
	"ist ausgeschlossen", "kommt nicht in frage")

// excludeBefore takes the name before token i as excluded: "Acme is out".
func (s *Slots) excludeBefore(l *slotLexer, i int, step *event.Step, id string) {
	from, _ := l.sentence(i)
	at := i
	for at > from && at > i-2 && l.toks[at-1].kind == SlotWord && l.text[l.toks[at-1].at]-'A' < 26 && !inWords(articles, l.word(at-1)) && !isVerbish(l.word(at-1)) {
		at--
	}
	if at == i || l.has(whenWords, from, i) {
		return
	}
	phrase := string(l.low[l.toks[at].at:l.toks[i-1].end])
	if len(phrase) < 3 || len(phrase) > maxPinText {
		return
	}
	s.limit(Limit{
		Op: LimitNot, Kind: SlotWord, Phrase: phrase, Turn: s.Turn, Seq: step.Seq, ID: id, Firm: true,
		Text: string(cutText(l.text[l.toks[at].at:l.toks[min(i+1, len(l.toks)-1)].end], 2*maxPinText)),
	})
}
