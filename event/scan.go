package event

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Strings are looked at eight bytes at a time, as one 64-bit word. A test marks
// a byte by the high bit of its place. Borrows and carries can set wrong marks
// above a right one, never below, so that the lowest mark always holds.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// marks tells what was found in a string, or why a scan failed.
type marks uint8

const (
	hasEscapes  marks = 1 << iota
	hasControls       // DEL or a C1 control, raw; other controls only stand as escapes

	// A failed scan gives one of these and the place instead of the end.
	endOfInput marks = 0x80 + iota
	rawControl
	badEscape
	badUTF8
)

func (m marks) failed() bool { return m&0x80 != 0 }

// special marks what ends a run of plain bytes in a string: the quote, the
// backslash, controls, DEL and what is no ASCII.
func special(w uint64) uint64 {
	// Flipping bit 1 moves the quote (0x22) to 0x20, just above the controls,
	// and leaves those below 0x20: one subtraction finds both.
	return (((w ^ 0x02*eachByte) - 0x21*eachByte) | ((w ^ '\\'*eachByte) - eachByte) | (w + eachByte)) & highBits
}

// load8 gives the eight bytes from i on, with zeros past the end of b. i is not
// negative.
func load8(b []byte, i int) uint64 {
	if i <= len(b)-8 {
		return loadWhole(b, i)
	}
	return loadTail(b, i)
}

// loadWhole gives the eight bytes from i on, all of which have to be in b.
// Without unsafe, the bounds checks cost more than the look at the bytes.
func loadWhole(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

func loadTail(b []byte, i int) uint64 {
	if i >= len(b) {
		return 0
	}
	if n := len(b) - 8; n >= 0 {
		return binary.LittleEndian.Uint64(b[n:]) >> uint(8*(i-n))
	}
	var w uint64
	for k, c := range b[i:] {
		w |= uint64(c) << uint(8*k)
	}
	return w
}

// scanString finds the end of a string whose first byte after the quote is at
// i: the place of the closing quote. It checks controls, escapes and UTF-8.
func scanString(b []byte, i int) (end int, m marks) {
	for last := len(b) - 8; i <= last; i += 8 {
		if hit := special(loadWhole(b, i)); hit != 0 {
			i += trailingBytes(hit)
			if b[i] == '"' {
				return i, 0
			}
			return scanOdd(b, i)
		}
	}
	return scanOdd(b, i)
}

// scanOdd goes on with a string at a byte that is not plain.
func scanOdd(b []byte, i int) (end int, m marks) {
	last := len(b) - 8
	for i < len(b) {
		c := b[i]
		switch {
		case c == '\\':
			m |= hasEscapes
			if i+1 >= len(b) {
				return len(b), endOfInput
			}
			if plainEscapes[b[i+1]] != 0 {
				i += 2
				break
			}
			if b[i+1] != 'u' {
				return i, badEscape
			}
			if i+6 > len(b) {
				return len(b), endOfInput
			}
			if hex4(b[i+2:]) < 0 {
				return i, badEscape
			}
			i += 6
		case c == '"':
			return i, m
		case c < ' ':
			return i, rawControl
		case c < 0x80:
			if c == 0x7f {
				m |= hasControls
			}
			i++
		default:
			n := runeLen(b, i)
			if n == 0 {
				return i, badUTF8
			}
			if c == 0xC2 && b[i+1] < 0xA0 {
				m |= hasControls
			}
			i += n
			if i < len(b) && b[i] >= 0x80 {
				continue // a text in another script: no use in a look at the word
			}
		}
		for ; i <= last; i += 8 {
			if hit := special(loadWhole(b, i)); hit != 0 {
				i += trailingBytes(hit)
				break
			}
		}
		if i > last && i < len(b) {
			i += trailingBytes(special(loadTail(b, i))) // zeros behind the end are special
		}
	}
	return len(b), endOfInput
}

// runeLen gives the length of the UTF-8 sequence at i, which starts with a byte
// of 0x80 or more; 0 when it is not valid.
func runeLen(b []byte, i int) int {
	c := b[i]
	switch {
	case c < 0xC2 || c > 0xF4:
		return 0
	case c < 0xE0:
		if i+2 > len(b) || b[i+1]&0xC0 != 0x80 {
			return 0
		}
		return 2
	case c < 0xF0:
		if i+3 > len(b) || b[i+1]&0xC0 != 0x80 || b[i+2]&0xC0 != 0x80 {
			return 0
		}
		// No overlong form, no surrogate.
		if c == 0xE0 && b[i+1] < 0xA0 || c == 0xED && b[i+1] >= 0xA0 {
			return 0
		}
		return 3
	default:
		if i+4 > len(b) || b[i+1]&0xC0 != 0x80 || b[i+2]&0xC0 != 0x80 || b[i+3]&0xC0 != 0x80 {
			return 0
		}
		if c == 0xF0 && b[i+1] < 0x90 || c == 0xF4 && b[i+1] >= 0x90 {
			return 0
		}
		return 4
	}
}

// hex4 reads four hexadecimal digits, -1 when there are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// skipSpace gives the place of the first byte from i on that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scanNumber finds the end of the number that starts at i. When the grammar is
// violated, ok is false and end is the place. plain tells that it has neither a
// fraction nor an exponent.
func scanNumber(b []byte, i int) (end int, plain, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return i, false, false
	case b[i] == '0':
		i++
	case '1' <= b[i] && b[i] <= '9':
		i = skipDigits(b, i+1)
	default:
		return i, false, false
	}
	if i >= len(b) || b[i] != '.' && b[i]|0x20 != 'e' {
		return i, true, true
	}
	if b[i] == '.' {
		i++
		if n := skipDigits(b, i); n == i {
			return i, false, false
		} else {
			i = n
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if n := skipDigits(b, i); n == i {
			return i, false, false
		} else {
			i = n
		}
	}
	return i, false, true
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// literal reports whether word stands at i.
func literal(b []byte, i int, word string) bool {
	return len(b)-i >= len(word) && string(b[i:i+len(word)]) == word
}

// trailingBytes counts the bytes below the lowest mark.
func trailingBytes(hit uint64) int { return bits.TrailingZeros64(hit) >> 3 }
