package facts

import (
	"bytes"
)

// slotToken is one word or value of a text.
type slotToken struct {
	at, end int32 // in the lexer's text
	kind    SlotKind
	typed   bool
	label   bool // a word that only says that a value follows
	last    bool // a sentence, or a clause, ends behind it
	comma   bool // a comma stands behind it
	num     int64
	hash    uint64
	shape   uint64
	noun    uint64
}

// slotLexer splits texts into words and typed values. Its memory is scratch.
type slotLexer struct {
	text []byte // as written, but for quotes
	low  []byte // the same in lower case
	toks []slotToken

	marks  [16]uint64 // of the words of the text: see wordMark
	marked bool       // marks hold
}

// wordMark is the bit that stands for a word among the marks of a text. A word
// whose bit is not there is not in the text.
func wordMark[T string | []byte](w T) (word, bit uint32) {
	n := len(w)
	if n == 0 {
		return 0, 0
	}
	h := uint32(w[0]) + uint32(w[n/2])*37 + uint32(w[n-1])*101 + uint32(n)*331
	return h >> 6 & 15, h & 63
}

// mark notes which words the text holds.
func (l *slotLexer) mark() {
	l.marks, l.marked = [16]uint64{}, true
	for i := range l.toks {
		word, bit := wordMark(l.word(i))
		l.marks[word] |= 1 << bit
	}
}

// may reports whether the text may hold a word.
func (l *slotLexer) may(w string) bool {
	word, bit := wordMark(w)
	return !l.marked || l.marks[word]&(1<<bit) != 0
}

// What of a message is looked at.
const (
	maxSlotText   = 6 << 10
	maxSlotTokens = 1200
)

func (l *slotLexer) written(t *slotToken) []byte { return l.text[t.at:t.end] }
func (l *slotLexer) word(i int) []byte {
	if i < 0 || i >= len(l.toks) {
		return nil
	}
	return l.low[l.toks[i].at:l.toks[i].end]
}

// is reports whether token i is the word.
func (l *slotLexer) is(i int, word string) bool { return string(l.word(i)) == word }

// lex splits a text.
func (l *slotLexer) lex(text []byte) {
	text = cutText(text, maxSlotText)
	l.text, l.toks, l.marked = l.text[:0], l.toks[:0], false
	for i := 0; i < len(text); i++ { // typographic quotes become plain ones
		if c := text[i]; c == 0xe2 && i+2 < len(text) && text[i+1] == 0x80 {
			switch text[i+2] {
			case 0x98, 0x99:
				l.text = append(l.text, '\'')
				i += 2
				continue
			case 0x9c, 0x9d:
				l.text = append(l.text, '"')
				i += 2
				continue
			case 0x93, 0x94:
				l.text = append(l.text, " - "...)
				i += 2
				continue
			}
		}
		l.text = append(l.text, text[i])
	}
	l.low = appendLower(l.low[:0], l.text)
	for i := 0; i < len(l.text) && len(l.toks) < maxSlotTokens; {
		if isSpace(l.text[i]) {
			if l.text[i] == '\n' && len(l.toks) > 0 {
				l.toks[len(l.toks)-1].last = true
			}
			i++
			continue
		}
		start := i
		for i < len(l.text) && !isSpace(l.text[i]) {
			i++
		}
		l.chunk(start, i)
	}
	l.dates()
	l.money()
	l.nouns()
	l.mark()
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// chunk makes tokens of what stands between two spaces.
func (l *slotLexer) chunk(at, end int) {
	last, comma := false, false
	for at < end && !isValueByte(l.text[at]) {
		at++
	}
	for end > at && !isEndByte(l.text[end-1]) {
		switch l.text[end-1] {
		case '.', '!', '?', ';':
			last = true
		case ',', ':', ')':
			comma = true
		}
		end--
	}
	if at == end {
		if len(l.toks) > 0 && (last || comma) {
			l.toks[len(l.toks)-1].last = l.toks[len(l.toks)-1].last || last
			l.toks[len(l.toks)-1].comma = true
		}
		return
	}
	// Words joined by a slash or a dash of their own are words apart; values
	// are not.
	if k := bytes.IndexByte(l.text[at:end], '/'); k > 0 && end-at <= maxPinText && !hasDigit(l.text[at:end]) {
		l.one(at, at+k, false, false)
		l.chunk(at+k+1, end)
		if n := len(l.toks); n > 0 {
			l.toks[n-1].last, l.toks[n-1].comma = l.toks[n-1].last || last, l.toks[n-1].comma || comma
		}
		return
	}
	l.one(at, end, last, comma)
}

func (l *slotLexer) one(at, end int, last, comma bool) {
	if bytes.HasSuffix(l.low[at:end], []byte("'s")) {
		end -= 2
	}
	if at >= end {
		return
	}
	t := slotToken{at: int32(at), end: int32(end), last: last, comma: comma}
	classify(&t, l.text[at:end], l.low[at:end])
	l.toks = append(l.toks, t)
}

func isValueByte(c byte) bool {
	return isWordChar(c) || c == '#' || c == '$' || c >= 0x80 || c == '_'
}

func isEndByte(c byte) bool { return isWordChar(c) || c == '%' || c == '$' || c >= 0x80 || c == '_' }

func isWordChar(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 26
}

func hasDigit(b []byte) bool {
	for _, c := range b {
		if c-'0' < 10 {
			return true
		}
	}
	return false
}
