package lexicon

import (
	"math/bits"
	"unicode/utf8"
)

func decode(b []byte) (rune, int) { return utf8.DecodeRune(b) }

// reach is at most how many words before a phrase a negation stands that is
// its own.
const reach = 3

// match finds the phrases of the text's language; of an undecided text, those
// of all.
func (t *Text) match() {
	l := t.lex
	negated := int32(-reach - 1) // latest word that negates
	sentence := int32(-1)
	for i := range t.Words {
		w := &t.Words[i]
		if w.Sentence != sentence {
			sentence, negated = w.Sentence, int32(-reach-1)
		}
		near := int32(i)-negated <= reach
		if w.exact >= 0 {
			t.begin(i, w.exact, near)
			if n := l.entries[w.exact].negation; n != 0 && (t.Language == Undecided || n&(1<<t.Language) != 0) {
				negated = int32(i)
			}
		}
		for s := w.stem; s >= 0; s = l.entries[s].parent {
			t.begin(i, s, near)
		}
	}
}

// begin takes in the phrases that begin with an entry at word i.
func (t *Text) begin(i int, entry int32, negated bool) {
	if n := t.lex.entries[entry].root; n != 0 {
		t.walk(n, i, i+1, int(t.Sentences[t.Words[i].Sentence].To), negated)
	}
}

// walk takes in the phrases that go on from node n, which word next-1 led to.
func (t *Text) walk(n int32, from, next, end int, negated bool) {
	l := t.lex
	at := &l.nodes[n]
	for _, i := range at.ends {
		p := &l.phrases[i]
		if t.Language != Undecided && p.language != t.Language || negated && l.affirmed.Has(p.meaning) {
			continue
		}
		if p.whole && (next != end || int32(from) != t.Sentences[t.Words[from].Sentence].From) {
			continue
		}
		t.Matches = append(t.Matches, Match{p.meaning, int32(from), int32(next), negated})
		t.Found |= 1 << p.meaning
		t.count[p.meaning]++
	}
	if next >= end {
		return
	}
	if at.more {
		t.step(n, from, next, end, negated)
	}
	if at.gap != 0 {
		for skip := 0; skip <= gap && next+skip < end; skip++ {
			t.step(at.gap, from, next+skip, end, negated)
		}
	}
}

// step goes on from node n over word next.
func (t *Text) step(n int32, from, next, end int, negated bool) {
	w := &t.Words[next]
	if w.exact >= 0 {
		if to := t.lex.edges.find(n, w.exact); to != 0 {
			t.walk(to, from, next+1, end, negated)
		}
	}
	for s := w.stem; s >= 0; s = t.lex.entries[s].parent {
		if to := t.lex.edges.find(n, s); to != 0 {
			t.walk(to, from, next+1, end, negated)
		}
	}
}

// guess tells a text's language by its function words; strange is how many of
// its letters are of no Latin script.
func (t *Text) guess(strange int) Language {
	const enough = 20            // words in which some function word is to be expected
	if strange*6 > len(t.fold) { // a fifth of them
		return Other
	}
	var hits [int(numLanguages) + maxForeign]int
	for i := range t.Words {
		if e := t.Words[i].exact; e >= 0 {
			for f := t.lex.entries[e].function; f != 0; f &= f - 1 {
				hits[bits.TrailingZeros32(f)]++
			}
		}
	}
	best, foreign := English, 0
	if hits[German] > hits[English] {
		best = German
	}
	for _, n := range hits[numLanguages:] {
		foreign = max(foreign, n)
	}
	n := len(t.Words)
	switch most := max(hits[best], foreign); {
	case most == 0 && n >= enough:
		return Other
	case most == 0, most*16 < n, most == 1 && (n > 4 || hits[best] == 0):
		return Undecided
	case foreign > hits[best]:
		return Other
	}
	return best
}
