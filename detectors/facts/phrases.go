package facts

import "bytes"

// Grams tells which three bytes stand behind each other in a text: a filter that
// spares most phrases the search for them. Letters count without their case. It
// never denies what is there.
type Grams [64]uint64

// Of makes g that of a text.
func (g *Grams) Of(text []byte) {
	*g = Grams{}
	if len(text) < 3 {
		return
	}
	x := uint32(text[0]&31)<<5 | uint32(text[1]&31)
	for _, c := range text[2:] {
		x = x<<5 | uint32(c&31)
		i := gram(x)
		g[i>>6&63] |= 1 << (i & 63)
	}
}

// gram gives the place of the three bytes whose low five bits end x.
func gram(x uint32) uint32 { return (x & 0x7fff) * 0x9e3779b1 >> 20 }

func (g *Grams) may(p *phrase) bool {
	for _, i := range p.grams[:p.n] {
		if g[i>>6&63]&(1<<(i&63)) == 0 {
			return false
		}
	}
	return true
}

// Phrases are texts in lower case to be looked for in others. They are immutable.
type Phrases struct{ list []phrase }

type phrase struct {
	grams [4]uint16
	n     uint8
	text  []byte
}

// NewPhrases makes Phrases of a list, whose order counts.
func NewPhrases(list []string) *Phrases {
	p := &Phrases{list: make([]phrase, len(list))}
	for k, s := range list {
		e := &p.list[k]
		e.text = []byte(s)
		n := min(len(e.grams), len(s)-2)
		for i := range n {
			at := i * (len(s) - 3) / max(n-1, 1) // from the first to the last
			e.grams[i] = uint16(gram(uint32(s[at]&31)<<10 | uint32(s[at+1]&31)<<5 | uint32(s[at+2]&31)))
		}
		e.n = uint8(max(n, 0))
	}
	return p
}

// In reports whether text, in lower case, holds any of them. g is that of text,
// or of one that it is a part of.
func (p *Phrases) In(text []byte, g *Grams) bool {
	_, at := p.Find(text, g, func([]byte, int, int) bool { return true })
	return at >= 0
}

// Find gives the first of them, in the order of the list, that stands in text
// where ok takes it, and that place; -1 where there is none. g is as for In.
func (p *Phrases) Find(text []byte, g *Grams, ok func(text []byte, from, end int) bool) (index, at int) {
	for k := range p.list {
		e := &p.list[k]
		if !g.may(e) {
			continue
		}
		for from := 0; ; {
			i := bytes.Index(text[from:], e.text)
			if i < 0 {
				break
			}
			if ok(text, from+i, from+i+len(e.text)) {
				return k, from + i
			}
			from += i + 1
		}
	}
	return -1, -1
}
