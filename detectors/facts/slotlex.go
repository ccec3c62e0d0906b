package facts

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// slotToken is one word or value of a text.
type slotToken struct {
	at, end int32 // in the lexer's text
	kind    SlotKind
	typed   bool
	last    bool // a sentence, or a clause, ends behind it
	comma   bool // a comma stands behind it
	num     int64
	hash    uint64
	shape   uint64
	noun    uint64
	starts  uint64 // lists of phrases of which one begins here
}

// slotLexer splits texts into words and typed values. Its memory is scratch.
type slotLexer struct {
	text []byte // as written, but for quotes
	low  []byte // the same in lower case
	toks []slotToken
	all  uint64 // of starts
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
	l.text, l.toks = plainQuotes(l.text[:0], text), l.toks[:0]
	l.low = appendLower(l.low[:0], l.text)
	for i := 0; i < len(l.text) && len(l.toks) < maxSlotTokens; {
		if isSpace(l.text[i]) {
			if l.text[i] == '\n' && len(l.toks) > 0 {
				l.toks[len(l.toks)-1].last = true
			}
			i++
			continue
		}
		if end := l.plain(i); end > 0 {
			i = end
			continue
		}
		start := i
		for i < len(l.text) && !isSpace(l.text[i]) {
			i++
		}
		l.chunk(start, i)
	}
	l.mark()
	l.dates()
	l.money()
	l.nouns()
}

// plainQuotes appends a text in which typographic quotes and dashes are plain.
func plainQuotes(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, 0xe2)
		if i < 0 || i+2 >= len(text) {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		n := 3
		switch {
		case text[i+1] != 0x80:
			dst, n = append(dst, text[i]), 1
		case text[i+2] == 0x98, text[i+2] == 0x99:
			dst = append(dst, '\'')
		case text[i+2] == 0x9c, text[i+2] == 0x9d:
			dst = append(dst, '"')
		case text[i+2] == 0x93, text[i+2] == 0x94:
			dst = append(dst, " - "...)
		default:
			dst, n = append(dst, text[i]), 1
		}
		text = text[n+i:]
	}
}

// plain makes a token of a word that is nothing but letters, as nearly all are,
// with what ends it, and gives the place behind it; 0 where there is none.
func (l *slotLexer) plain(i int) int {
	j := i
	for j < len(l.low) && l.low[j]-'a' < 26 {
		j++
	}
	if j == i || j-i > 1 && l.text[i+1]-'A' < 26 {
		return 0
	}
	end, last, comma := j, false, false
	if j < len(l.low) && !isSpace(l.low[j]) {
		switch l.low[j] {
		case '.', '!', '?', ';':
			last = true
		case ',', ':':
			comma = true
		default:
			return 0
		}
		if end = j + 1; end < len(l.low) && !isSpace(l.low[end]) {
			return 0
		}
	}
	l.toks = append(l.toks, slotToken{at: int32(i), end: int32(j), last: last, comma: comma, hash: nonZero(xxhash.Sum64(l.low[i:j]))})
	return end
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
