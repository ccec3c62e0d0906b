package facts

import (
	"slices"

	"misstep/event"
)

// word is one word of a text as comparisons see it: its hash in lower case and
// without its ending, verbs of one meaning as one.
type word struct {
	hash uint32
	id   bool // it names a thing rather than says something: an order number, a path
}

// maxWord is the longest word that is told from others of its beginning.
const maxWord = 48

// appendWords appends the words of a text that say something, at most so many.
func appendWords(dst []word, text []byte, most int) []word {
	for i := 0; i < len(text) && len(dst) < most; {
		if !isLetterByte(text[i]) && !isDigit(text[i]) {
			i++
			continue
		}
		n := wordLen(text[i:])
		if w, ok := wordOf(text[i : i+n]); ok {
			dst = append(dst, w)
		}
		i += n
	}
	return dst
}

// wordLen is the length of the word that t begins with: letters of any script,
// digits, and what holds ids and paths together.
func wordLen(t []byte) int {
	n := 0
	for n < len(t) {
		c := t[n]
		if !isLetterByte(c) && !isDigit(c) &&
			(c != '-' && c != '_' && c != '.' && c != ':' && c != '/' && c != '@' && c != '\'' || n+1 == len(t) || !isLetterByte(t[n+1]) && !isDigit(t[n+1])) {
			break
		}
		n++
	}
	return n
}

func isLetterByte(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// wordOf makes a word; false for one that says nothing.
func wordOf(t []byte) (word, bool) {
	var buf [maxWord]byte
	b := appendLower(buf[:0], t[:min(len(t), maxWord)])
	digits, marks := 0, 0
	for _, c := range b {
		switch {
		case isDigit(c):
			digits++
		case c == '.' || c == '/' || c == '@':
			marks++
		}
	}
	if digits > 0 || marks > 0 {
		return word{hashWord(b), namesThing(b, digits, marks)}, true
	}
	if isStopWord(b) {
		return word{}, false
	}
	return word{hashWord(wordStem(b)), false}, true
}

// namesThing tells ids and paths from dates, times, amounts and small numbers.
func namesThing(b []byte, digits, marks int) bool {
	if digits == 0 {
		return marks > 0
	}
	plain := digits == len(b)
	switch {
	case plain:
		return len(b) >= 3
	case len(b) < 3, slices.Contains(b, ':'):
		return false
	case isDigit(b[0]) && digits+1 == len(b) && marks == 1: // 120.50
		return false
	case len(b) == 10 && b[4] == '-' && b[7] == '-' && digits == 8: // 2026-03-01
		return false
	}
	return true
}

func hashWord(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	if h == 0 {
		return 1
	}
	return h
}

// wordStem takes an English word's ending off, and gives verbs that agents and the
// names of tools use for the same thing one form.
func wordStem(b []byte) []byte {
	n := len(b)
	if n > 2 && b[n-2] == '\'' {
		b = b[:n-2]
	}
	switch {
	case ends(b, "ies", 5):
		b = b[:len(b)-2]
		b[len(b)-1] = 'y'
	case ends(b, "ing", 6):
		b = b[:len(b)-3]
	case ends(b, "ed", 5):
		b = b[:len(b)-2]
	case ends(b, "s", 4) && !ends(b, "ss", 4):
		b = b[:len(b)-1]
	}
	if ends(b, "e", 4) {
		b = b[:len(b)-1]
	}
	if n := len(b); n > 3 && b[n-1] == b[n-2] {
		b = b[:n-1]
	}
	if s := sameVerb(b); s != "" {
		return append(b[:0], s...)
	}
	return b
}

// ends reports whether b ends so, and is at least n long.
func ends(b []byte, end string, n int) bool {
	return len(b) >= n && string(b[len(b)-len(end):]) == end
}

func sameVerb(stemmed []byte) string {
	switch string(stemmed) {
	case "fetch", "look", "lookup", "retriev", "check", "find", "search", "read", "view", "show", "list", "query",
		"inspect", "review", "examin", "load", "locat", "verify", "confirm", "pul", "obtain":
		return "get"
	case "add", "mak", "plac", "reserv", "open", "build", "generat", "book":
		return "creat"
	case "delet", "remov", "drop":
		return "delet"
	case "email", "mail", "messag", "notify", "inform":
		return "send"
	case "chang", "modify", "edit", "adjust":
		return "updat"
	case "purchas", "buy", "charg":
		return "pay"
	}
	return ""
}

func isStopWord(b []byte) bool {
	if len(b) < 2 {
		return true
	}
	switch string(b) {
	case "the", "an", "of", "for", "to", "in", "on", "at", "by", "with", "and", "or", "it", "its", "this", "that",
		"these", "those", "is", "are", "was", "be", "been", "my", "your", "our", "their", "his", "her", "from", "as",
		"if", "then", "into", "up", "out", "all", "any", "step", "please", "will", "would", "we", "you", "me", "us",
		"them", "so", "do", "does", "there", "here", "also", "using", "use", "via", "based", "id", "next", "first",
		"der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "und", "oder", "mit", "zu", "von", "im",
		"ich", "wir", "sie", "auf", "am", "nach", "bei":
		return true
	}
	return false
}

// hasWord reports whether a word is among words.
func hasWord(words []uint32, h uint32) bool { return slices.Contains(words, h) }

// shared counts the words of a that b has too.
func shared(a, b []uint32) int {
	n := 0
	for _, h := range a {
		if hasWord(b, h) {
			n++
		}
	}
	return n
}

// addWord adds a word once, while there is room.
func addWord(dst []uint32, h uint32, most int) []uint32 {
	if len(dst) < most && !hasWord(dst, h) {
		dst = append(dst, h)
	}
	return dst
}

// text is a string value's text in the workspace's scratch space, cut.
func (w *Workspace) plainText(v event.Value, most int) []byte {
	if !v.IsString() {
		return nil
	}
	if len(v.Raw) > most {
		v.Raw = v.Raw[:most] // an escape that is cut in two spoils one character
	}
	return v.Text(&w.text)
}
