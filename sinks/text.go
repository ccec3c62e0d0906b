package sinks

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes foreign text safe to print on one line of a terminal: what is
// not printable (control characters, escape sequences, line breaks, marks that
// turn the writing direction, broken UTF-8) is shown as an escape. It looks at
// no more than is needed to fill width columns, 0 for all.
func clean(s string, width int) string {
	if width <= 0 && plainASCII(s) {
		return s
	}
	var b strings.Builder
	used, marks := 0, 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		w := 0
		var esc string
		switch {
		case r == utf8.RuneError && n == 1:
			esc = `\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:]
			w = len(esc)
		case !strconv.IsPrint(r):
			q := strconv.QuoteRune(r)
			esc = q[1 : len(q)-1]
			w = len(esc)
		default:
			w = runeWidth(r)
		}
		// A tower of combining marks takes no column but covers its neighbours.
		if w == 0 {
			if marks++; marks > 2 {
				i += n
				continue
			}
		} else {
			marks = 0
		}
		if width > 0 && used+w > width {
			return ellipsis(b.String(), width)
		}
		used += w
		if esc != "" {
			b.WriteString(esc)
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// ellipsis ends text that is too long for width columns with three dots.
func ellipsis(s string, width int) string {
	if width < 4 {
		return strings.Repeat(".", width)
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > width-3 {
			return s[:i] + "..."
		}
		used += w
	}
	return s + "..."
}

func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// runeWidth is how many columns a printable rune takes. Where terminals differ
// it takes the larger, so that a line rather ends early than wraps.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && (r <= 0x115f || // Hangul syllables' first letters
		r >= 0x231a && r <= 0x23ff || // clocks and buttons
		r >= 0x25fd && r <= 0x27bf || // symbols that have an emoji form
		r >= 0x2b1b && r <= 0x2b55 ||
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f || // CJK
		r >= 0xa960 && r <= 0xa97c ||
		r >= 0xac00 && r <= 0xd7a3 || // Hangul
		r >= 0xf900 && r <= 0xfaff || // CJK compatibility
		r >= 0xfe10 && r <= 0xfe6f ||
		r >= 0xff00 && r <= 0xff60 || // full width
		r >= 0xffe0 && r <= 0xffe6 ||
		r >= 0x16fe0 && r <= 0x18cff ||
		r >= 0x1aff0 && r <= 0x1b2fb ||
		r >= 0x1f000): // emoji, CJK extensions
		return 2
	}
	return 1
}

// columns is how many columns printable text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}
