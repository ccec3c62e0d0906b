package lexicon

// MaxText is how much of a text is read, in bytes.
const MaxText = 8 << 10

// Scanner reads texts. It belongs to one goroutine; its zero value is ready.
type Scanner struct{ text Text }

// Scan reads a text of any case. hint is the language of what was said before,
// for a text that is too short to tell by itself. The result is valid until the
// next Scan, and so are the words that it borrows.
func (s *Scanner) Scan(text []byte, hint Language) *Text {
	t := &s.text
	t.lex = standard
	t.Cut = len(text) > MaxText
	text = text[:min(len(text), MaxText)]
	t.Words, t.Sentences, t.Matches, t.fold = t.Words[:0], t.Sentences[:0], t.Matches[:0], t.fold[:0]
	t.Found, t.count = 0, [numMeanings]uint16{}
	strange := t.split(text)
	t.Language = t.guess(strange)
	if t.Language == Undecided {
		t.Language = hint
	}
	if t.Language != Other {
		t.match()
	}
	return t
}

// hash is FNV-1a, as split computes it on the way.
func hash(w []byte) uint32 {
	h := uint32(hashStart)
	for _, c := range w {
		h = (h ^ uint32(c)) * hashPrime
	}
	return h
}

const (
	hashStart = 2166136261
	hashPrime = 16777619
)

// fold gives a word of a file as texts are folded.
func fold(w string) string {
	var t Text
	t.split([]byte(w))
	if len(t.Words) == 0 {
		return ""
	}
	// What a contraction was split into belongs together again.
	return string(t.fold[t.Words[0].from:t.Words[len(t.Words)-1].to])
}

// split cuts a text into words and sentences, in one pass, and gives how many
// of its letters are of no Latin script.
func (t *Text) split(text []byte) (strange int) {
	first := int32(0) // word that the sentence begins with
	end := func(question bool) {
		if n := int32(len(t.Words)); n > first {
			t.Sentences = append(t.Sentences, Sentence{first, n, question})
			first = n
		}
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch class[c] {
		case letter, high:
			n, odd := t.word(text, i, int32(len(t.Sentences)))
			strange += odd
			i = n
		case stop:
			if c == '\n' || i+1 == len(text) || stopsBefore(text[i+1]) {
				end(c == '?')
			}
			i++
		default:
			i++
		}
	}
	end(false)
	return strange
}

// stopsBefore reports whether a full stop before c ends a sentence; one inside
// of a number or a name does not.
func stopsBefore(c byte) bool {
	return c <= ' ' || c == '"' || c == '\'' || c == ')' || c == '*' || c == '!' || c == '?' || c == '.' || c >= 0x80
}

// word reads the word that begins at i and gives where it ends; where no word
// begins, what to skip.
func (t *Text) word(text []byte, i int, sentence int32) (next, strange int) {
	from := len(t.fold)
	start := i
	h := uint32(hashStart)
	put := func(c byte) {
		t.fold = append(t.fold, c)
		h = (h ^ uint32(c)) * hashPrime
	}
	apostrophe := false
loop:
	for i < len(text) {
		c := text[i]
		switch class[c] {
		case letter:
			put(c | lowerBit[c])
			i++
		case quote: // inside of a word only
			if i == start || i+1 >= len(text) || class[text[i+1]] != letter {
				break loop
			}
			put('\'')
			apostrophe = true
			i++
		case high:
			r, n := decode(text[i:])
			switch {
			case r == 0x2019 || r == 0x2bc || r == 0xb4:
				if i == start || i+n >= len(text) || class[text[i+n]] != letter {
					if i == start {
						i += n
					}
					break loop
				}
				put('\'')
				apostrophe = true
			case r < 0xc0 || r >= 0x2000 && r < 0x2c00 || r == 0xfffd || r == 0xfeff || r >= 0x3000 && r < 0x3040 || r >= 0x1f000:
				if i == start { // punctuation, a symbol
					i += n
				}
				break loop
			default:
				if r >= 0x250 {
					strange++
				}
				for _, b := range []byte(latin(r, text[i:i+n])) {
					put(b)
				}
			}
			i += n
		default:
			break loop
		}
	}
	if len(t.fold) == from {
		return max(i, start+1), strange
	}
	t.add(Word{From: int32(start), To: int32(i), Sentence: sentence, from: int32(from), to: int32(len(t.fold)), exact: -1, stem: -1}, h, apostrophe)
	return i, strange
}

// latin folds a letter beyond ASCII.
func latin(r rune, raw []byte) string {
	switch r {
	case 0xe4, 0xc4:
		return "ae"
	case 0xf6, 0xd6:
		return "oe"
	case 0xfc, 0xdc:
		return "ue"
	case 0xdf, 0x1e9e:
		return "ss"
	}
	if r >= 0xc0 && r < 0xdf && r != 0xd7 {
		r += 0x20
		return string(r)
	}
	return string(raw)
}

// add takes a word in, in its full form.
func (t *Text) add(w Word, h uint32, apostrophe bool) {
	l := t.lex
	if l == nil { // while the files are read
		t.Words = append(t.Words, w)
		return
	}
	word := t.fold[w.from:w.to]
	w.exact = l.words.find(h, word, l.entries)
	if w.exact >= 0 {
		if full := l.entries[w.exact].full; full != nil {
			t.expand(w, full)
			return
		}
	}
	if apostrophe {
		for _, e := range endings {
			n := len(word) - len(e.short)
			if n <= 0 || string(word[n:]) != e.short {
				continue
			}
			base := w
			base.to = w.from + int32(n)
			t.known(&base)
			t.Words = append(t.Words, base)
			w.from = int32(len(t.fold))
			t.fold = append(t.fold, e.full...)
			w.to = int32(len(t.fold))
			t.known(&w)
			t.Words = append(t.Words, w)
			return
		}
	}
	t.stem(&w)
	t.Words = append(t.Words, w)
}

// expand puts the words of a full form where a contraction stands.
func (t *Text) expand(w Word, full []int32) {
	for _, i := range full {
		w.from = int32(len(t.fold))
		t.fold = append(t.fold, t.lex.entries[i].text...)
		w.to = int32(len(t.fold))
		w.exact = i
		t.Words = append(t.Words, w)
	}
}

func (t *Text) known(w *Word) {
	word := t.fold[w.from:w.to]
	w.exact = t.lex.words.find(hash(word), word, t.lex.entries)
	t.stem(w)
}

// stem finds the longest stem that a word begins with.
func (t *Text) stem(w *Word) {
	word := t.fold[w.from:w.to]
	if len(word) < minStem {
		return
	}
	for _, i := range t.lex.stems[stemKey(word)] {
		s := t.lex.entries[i].text
		if s = s[:len(s)-1]; len(s) <= len(word) && s == string(word[:len(s)]) {
			w.stem = i
			return
		}
	}
}

// What a byte is to split.
const (
	space uint8 = iota
	letter
	quote
	high
	stop
)

var class = func() (c [256]uint8) {
	for b := range c {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
			c[b] = letter
		case b == '\'' || b == '`':
			c[b] = quote
		case b >= 0x80:
			c[b] = high
		case b == '.' || b == '!' || b == '?' || b == '\n':
			c[b] = stop
		}
	}
	return c
}()

var lowerBit = func() (c [256]byte) {
	for b := 'A'; b <= 'Z'; b++ {
		c[b] = 0x20
	}
	return c
}()
