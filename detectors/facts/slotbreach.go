package facts

import "bytes"

// About reports whether a limit is about the values of a parameter of a tool,
// or of a member of a record, which has no tool.
func (m *Limit) About(tool *Tool, p *Leaf) bool {
	switch m.Op {
	case LimitNot, LimitOnly:
		return p.Kind == SlotWord || p.Kind == SlotID || p.Kind == SlotFlag || p.Kind == SlotNumber
	}
	switch m.Kind {
	case SlotMoney:
		if p.Kind != SlotNumber && p.Kind != SlotMoney || p.isID() {
			return false
		}
		if m.Loose {
			return p.Money() && (tool == nil || !tool.speaks(moneyKindHashes))
		}
		return named(&m.Nouns, p) || tool != nil && p.Money() && tool.speaks(m.Nouns[:])
	case SlotNumber:
		return p.Kind == SlotNumber && !p.isID() && (named(&m.Nouns, p) || m.Loose && p.Money() && (tool == nil || !tool.speaks(moneyKindHashes)))
	case SlotDate:
		return p.Kind == SlotDate && !isOwnDate(p.Name)
	}
	return false
}

// named reports whether the name holds one of the nouns.
func named(nouns *[4]uint64, p *Leaf) bool {
	for _, n := range nouns {
		if p.Has(n) {
			return true
		}
	}
	return false
}

// speaks reports whether one of the words, by hash, stands in the tool's name.
func (t *Tool) speaks(words []uint64) bool {
	for _, s := range t.Words {
		h := stemHash([]byte(s))
		for _, w := range words {
			if w != 0 && w == h {
				return true
			}
		}
	}
	return false
}

var moneyKindHashes = hashWords(moneyKinds)

func hashWords(words []string) []uint64 {
	out := make([]uint64, len(words))
	for i, w := range words {
		out[i] = stemHash([]byte(w))
	}
	return out
}

// isOwnDate reports whether a date is a trait of a person or a thing, not of
// what is being done.
func isOwnDate(name []byte) bool {
	for _, s := range [...]string{"dob", "birth", "created", "expir", "issued", "joined", "registered", "updated", "signup"} {
		if bytes.Contains(name, []byte(s)) {
			return true
		}
	}
	return false
}

// Holds reports whether a value keeps the limit that is about it.
func (m *Limit) Holds(p *Leaf) bool {
	switch m.Op {
	case LimitNot:
		return !m.names(p)
	case LimitOnly:
		return true
	}
	return m.Allows(p.Amount())
}

// names reports whether a value is what the phrase names, or switches it on.
func (m *Limit) names(p *Leaf) bool {
	phrase := []byte(m.Phrase)
	for n := 3; n > 0; n-- {
		head := firstWords(phrase, n)
		if head == nil {
			continue
		}
		if (p.Kind == SlotWord || p.Kind == SlotID) && sameWords(p.Text, head) {
			return true
		}
	}
	switch p.Kind {
	case SlotFlag:
		return p.Num != 0 && phraseIn(phrase, p)
	case SlotNumber:
		return p.Num > 0 && !p.isID() && phraseIn(phrase, p)
	case SlotWord:
		return (string(p.Text) == "yes" || string(p.Text) == "true") && phraseIn(phrase, p)
	}
	return false
}

// Names reports whether a value is what the phrase names: the first words of
// it, or all.
func (m *Limit) Names(text []byte) bool {
	for n := 3; n > 0; n-- {
		if head := firstWords([]byte(m.Phrase), n); head != nil && sameWords(text, head) {
			return true
		}
	}
	return false
}

// firstWords gives the first n words of a phrase, nil when it has fewer.
func firstWords(phrase []byte, n int) []byte {
	end := 0
	for ; n > 0; n-- {
		if end >= len(phrase) {
			return nil
		}
		if end > 0 {
			end++
		}
		k := bytes.IndexByte(phrase[end:], ' ')
		if k < 0 {
			end = len(phrase)
		} else {
			end += k
		}
	}
	return phrase[:end]
}

// sameWords reports whether the words of a value, those with digits left out,
// are those of a phrase.
func sameWords(text, phrase []byte) bool {
	i, j := 0, 0
	for {
		var a, b []byte
		a, i = alphaWord(text, i)
		b, j = alphaWord(phrase, j)
		switch {
		case a == nil || b == nil:
			return a == nil && b == nil && j > 0 && len(phrase) > 2
		case string(a) != string(b) && stemHash(a) != stemHash(b):
			return false
		}
	}
}

// alphaWord gives the next word without digits from i on, and what comes after.
func alphaWord(t []byte, i int) (word []byte, next int) {
	for i < len(t) {
		for i < len(t) && !isWordChar(t[i]) {
			i++
		}
		start := i
		for i < len(t) && isWordChar(t[i]) {
			i++
		}
		if i > start && !hasDigit(t[start:i]) {
			return t[start:i], i
		}
	}
	return nil, i
}

// phraseIn reports whether a word of a phrase stands in the name of a leaf.
func phraseIn(phrase []byte, p *Leaf) bool {
	for i := 0; ; {
		var w []byte
		if w, i = alphaWord(phrase, i); w == nil {
			return false
		}
		if len(w) > 2 && !isAdjective(w) && p.Has(stemHash(w)) {
			return true
		}
	}
}
