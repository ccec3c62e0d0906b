package facts

import (
	"bytes"
	"iter"

	"misstep/event"
)

// namings gives the words of a text that can only name something: letters and at
// least four digits in a row, perhaps with signs between them. Dates, paths and
// what stands beside a word for an example are none.
func namings(b []byte, escaped bool) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; ; {
			r, ok := nextRun(b, i, escaped)
			if !ok {
				return
			}
			from, to := r.from, r.to
			for from > i && joinsName(b[from-1]) && !(escaped && isEscape(b, from-1)) {
				from--
			}
			for to < len(b) && joinsName(b[to]) {
				to++
			}
			i = to
			if isNamed(b[from:to]) && !isExample(b[:from]) && (from == 0 || b[from-1] != '/' && b[from-1] != '=' && b[from-1] != '$') {
				if !yield(b[from:to]) {
					return
				}
			}
		}
	}
}

// isEscape reports whether the byte at i is the letter of an escape.
func isEscape(b []byte, i int) bool {
	back := 0
	for i > back && b[i-1-back] == '\\' {
		back++
	}
	return back%2 == 1
}

func joinsName(c byte) bool { return byteClass[c] != 0 || c == '-' || c == '_' }

func isNamed(b []byte) bool {
	b = bytes.Trim(b, "-_")
	if len(b) < 6 || len(b) > mostIdentifier || looksLikeDate(b) {
		return false
	}
	letters, row, longest := 0, 0, 0
	for _, c := range b {
		switch byteClass[c] {
		case isLetter:
			letters++
			row = 0
		case isNumeral:
			row++
			longest = max(longest, row)
		default:
			row = 0
		}
	}
	return letters > 0 && letters <= 12 && longest >= 4 && !bytes.Contains(b, []byte("0000"))
}

var exampleWords = []string{"like", "such as", "e.g.", "e.g", "example", "format", "for instance", "looks like", "something like", "ending in", "similar to"}

// isExample reports whether what comes next is an example.
func isExample(before []byte) bool {
	before = bytes.TrimRight(before, " \\\"'`(#:*,")
	before = before[max(0, len(before)-16):]
	for _, w := range exampleWords {
		if n := len(before) - len(w); n >= 0 && bytes.EqualFold(before[n:], []byte(w)) {
			return true
		}
	}
	return false
}

// unseen looks for identifiers in a message of the agent that nobody showed,
// before the message itself is taken over.
func (t *Trajectory) unseen(w *Workspace, text event.Value) {
	if !text.IsString() {
		return
	}
	v := t.known(w)
	if !v.Heard(FromUser) {
		return
	}
	for word := range namings(text.Raw, text.Form == event.Escaped) {
		if v.Of(word, false) == 0 && len(w.Cur.Grounds) < maxGrounds {
			w.Cur.Grounds = append(w.Cur.Grounds, Ground{Value: word, Shape: Told})
		}
	}
}
