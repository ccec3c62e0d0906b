package facts

// token is something typed that a text names. It borrows from the text.
type token struct {
	from, to int32
	hash     uint32 // of its letters in lower case; never 0
	kind     tokenKind
}

type tokenKind uint8

const (
	plainNumber tokenKind = iota
	idToken
	amountToken
	dateToken
	codeToken // capital letters only: an id where it is known as one
)

func (k token) text(of []byte) []byte { return of[k.from:k.to] }

// appendTokens appends the ids, amounts, dates, codes and other numbers of a
// text. An id holds a digit and a letter, is a long number, stands behind # or
// is an address; counts such as 30-day or 2nd are none.
func appendTokens(dst []token, text []byte) []token {
	for i := 0; i < len(text); {
		if !isTokenChar(text[i]) {
			i++
			continue
		}
		start := i
		digits, letters, capitals, at := 0, 0, 0, false
		for ; i < len(text) && (isTokenChar(text[i]) || isJoint(text, i)); i++ {
			switch c := text[i]; {
			case isDigit(c):
				digits++
			case c == '@':
				at = true
			case isAlnum(c):
				letters++
				if c-'A' < 26 {
					capitals++
				}
			}
		}
		k := token{from: int32(start), to: int32(i), kind: codeToken}
		word := text[start:i]
		if digits > 0 || at && letters > 0 {
			k.kind = kindOf(text, word, start, i, digits, letters, at)
		} else if capitals != len(word) || capitals < 5 || capitals > 8 {
			continue
		}
		h := uint32(2166136261)
		for _, c := range word {
			if c-'A' < 26 {
				c |= 0x20
			}
			h = (h ^ uint32(c)) * 16777619
		}
		k.hash = max(h, 1)
		dst = append(dst, k)
	}
	return dst
}

func isTokenChar(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 26 || c == '_' || c == '@' }

// isJoint reports whether what stands at i joins two parts of one token.
func isJoint(text []byte, i int) bool {
	switch text[i] {
	case '-', '.', '/', ',', ':':
		return i > 0 && i+1 < len(text) && isTokenChar(text[i-1]) && isTokenChar(text[i+1])
	}
	return false
}

func kindOf(text, word []byte, start, end, digits, letters int, at bool) tokenKind {
	before, after := byte(0), byte(0)
	if start > 0 {
		before = text[start-1]
	}
	if end < len(text) {
		after = text[end]
	}
	switch {
	case at:
		return idToken
	case letters == 0 && isDateText(word):
		return dateToken
	case letters == 0 && (before == '$' || after == '$' || before == 0xa3 || before == 0xac || hasPrefix(text[end:], "\u20ac", " \u20ac", " dollar", " euro", " usd", " eur", " USD", " EUR", " pounds")):
		return amountToken
	case letters == 0 && (besideMonth(text, start, end) && digits <= 2):
		return dateToken
	case before == '#' && digits > 1:
		return idToken
	case letters == 0 && digits >= 5 && plain(word):
		return idToken
	case letters > 0 && len(word) >= 3 && !isCount(word):
		return idToken
	}
	return plainNumber
}

func hasPrefix(text []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(text) >= len(p) && string(text[:len(p)]) == p {
			return true
		}
	}
	return false
}

// plain reports whether a number is digits and hyphens only.
func plain(word []byte) bool {
	for _, c := range word {
		if !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// isDateText recognises 2024-05-15, 15.05.2024, 5/15/24.
func isDateText(word []byte) bool {
	parts, n, longest := 0, 0, 0
	for i := 0; i <= len(word); i++ {
		if i < len(word) && isDigit(word[i]) {
			n++
			continue
		}
		if i < len(word) && word[i] != '-' && word[i] != '.' && word[i] != '/' {
			return false
		}
		parts++
		longest = max(longest, n)
		if n == 0 || n > 4 || n == 3 {
			return false
		}
		n = 0
	}
	return parts == 3 && (longest == 4 || longest == 2)
}

// isCount recognises a number with a unit or an ordinal: 2nd, 30-day, 24h, 5pm.
func isCount(word []byte) bool {
	i := 0
	for i < len(word) && (isDigit(word[i]) || word[i] == '.' || word[i] == ',' || word[i] == ':') {
		i++
	}
	if i == 0 {
		return false
	}
	if i < len(word) && word[i] == '-' {
		i++
	}
	for ; i < len(word); i++ {
		if c := word[i]; c-'a' >= 26 && c != '-' {
			return false
		}
	}
	return true
}

// monthStems are the beginnings of the names of months, English and German.
var monthStems = []string{"jan", "feb", "mar", "m\u00e4r", "apr", "may", "mai", "jun", "jul", "aug", "sep", "oct", "okt", "nov", "dec", "dez"}

// besideMonth reports whether the name of a month stands beside a number.
func besideMonth(text []byte, start, end int) bool {
	i := end
	for i < len(text) && (text[i] == '.' || text[i] == ' ') {
		i++
	}
	if isMonth(text[i:]) && i > end {
		return true
	}
	i = start
	for i > 0 && text[i-1] == ' ' {
		i--
	}
	for i > 0 && ((text[i-1]|0x20)-'a' < 26 || text[i-1] >= 0x80) {
		i--
	}
	return isMonth(text[i:start])
}

// isMonth reports whether a text begins with the name of a month, with a
// capital letter: may is no month.
func isMonth(text []byte) bool {
	if len(text) < 3 || text[0]-'A' >= 26 {
		return false
	}
	for _, m := range monthStems {
		if len(text) >= len(m) && text[0]|0x20 == m[0] && string(text[1:len(m)]) == m[1:] {
			return true
		}
	}
	return false
}
