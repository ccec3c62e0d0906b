package sinks

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes foreign text safe to print on one line of a terminal: what is
// not printable (control characters, escape sequences, line breaks, marks that
// turn the writing direction, broken UTF-8) is shown as an escape. What is
// longer than width columns is cut, and not looked at.
func clean(s string, width int) string {
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
		if used+w > width {
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

// runeWidth is how many columns a printable rune takes. Where terminals differ
// it takes the larger, so that a line rather ends early than wraps.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// wide is what takes two columns: the scripts of East Asia, full width forms,
// and what is shown as a picture.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul syllables' first letters
		{Lo: 0x231a, Hi: 0x23ff, Stride: 1}, // clocks and buttons
		{Lo: 0x25fd, Hi: 0x27bf, Stride: 1}, // symbols that have a picture
		{Lo: 0x2b1b, Hi: 0x2b55, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, // CJK
		{Lo: 0x3040, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97c, Stride: 1}, // Hangul
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, // CJK compatibility
		{Lo: 0xfe10, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // full width
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x18cff, Stride: 1},
		{Lo: 0x1aff0, Hi: 0x1b2fb, Stride: 1},
		{Lo: 0x1f000, Hi: 0x3ffff, Stride: 1}, // pictures, CJK extensions
	},
}

// columns is how many columns printable text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}
