package detectors

import (
	"misstep/detectors/facts"
)

// reading is the text of a step as rules look for words in it. It is made once
// for all of them, and only when one asks for it.
type reading struct {
	whole []byte // free of escapes; what is text of it in lower case
	text  []byte // its first maxClaimText bytes
	grams facts.Grams
	made  bool
}

// said gives the reading of the current step's text.
func (p *Pass) said() *reading {
	r := &p.reading
	if !r.made {
		r.made = true
		r.whole = p.Step.Text.AppendText(r.whole[:0])
		r.text = r.whole[:min(len(r.whole), maxClaimText)]
		lower(r.text)
		r.grams.Of(r.text)
	}
	return r
}

// beginsWord reports whether a word can begin at a place of a text.
func beginsWord(text []byte, at, _ int) bool { return at == 0 || !isWordByte(text[at-1]) }

// found reports whether a Find found anything.
func found(_, at int) bool { return at >= 0 }

// wordSet is words of which most others are told apart at a glance.
type wordSet struct {
	list    []string
	lengths [32]uint32 // by the low bits of the first byte: bit n for a word of n bytes
}

func newWordSet(list []string) *wordSet {
	s := &wordSet{list: list}
	for _, w := range list {
		s.lengths[w[0]&31] |= 1 << (len(w) & 31)
	}
	return s
}

// has reports whether w, which is not empty, is one of the words.
func (s *wordSet) has(w []byte) bool {
	return s.lengths[w[0]&31]&(1<<(len(w)&31)) != 0 && isOneOf(w, s.list)
}
