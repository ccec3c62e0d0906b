package event

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendText appends what the value says: of a string its text, free of
// escapes; of anything else its JSON as it stands; of an absent value nothing;
// of a hidden value the object inside {"$hidden": ...}.
func (v Value) AppendText(dst []byte) []byte {
	switch v.Form {
	case Escaped:
		return appendUnescaped(dst, v.Raw)
	case Null:
		return append(dst, "null"...)
	default:
		return append(dst, v.Raw...)
	}
}

// Text gives what AppendText would append. It copies only when the value holds
// escapes, into *scratch from its start, which it grows as needed; else the
// result borrows what the value borrows.
func (v Value) Text(scratch *[]byte) []byte {
	if v.Form != Escaped {
		return v.Raw
	}
	*scratch = appendUnescaped((*scratch)[:0], v.Raw)
	return *scratch
}

// Len is the number of bytes that AppendText would append.
func (v Value) Len() int {
	if v.Form != Escaped {
		return len(v.Raw)
	}
	n, s := 0, v.Raw
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return n + len(s)
		}
		r, size := unescape(s[i:])
		n += i + utf8.RuneLen(r)
		s = s[i+size:]
	}
}

// EqualText reports whether the value is a string with this text.
func (v Value) EqualText(text string) bool {
	switch v.Form {
	case String:
		return string(v.Raw) == text
	case Escaped:
		return equalUnescaped(v.Raw, text)
	default:
		return false
	}
}

// AppendJSON appends the value as JSON, as it stood. Nothing is appended for an
// absent value.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.Form {
	case Absent:
		return dst
	case Null:
		return append(dst, "null"...)
	case String, Escaped:
		dst = append(dst, '"')
		dst = append(dst, v.Raw...)
		return append(dst, '"')
	case Hidden:
		dst = append(dst, `{"$hidden":`...)
		dst = append(dst, v.Raw...)
		return append(dst, '}')
	default:
		return append(dst, v.Raw...)
	}
}

// appendUnescaped appends the text of a valid string. As in encoding/json, half
// a surrogate pair becomes U+FFFD.
func appendUnescaped(dst, s []byte) []byte {
	// No escape is shorter than what it stands for, so that the text fits, and
	// eight bytes at a time can be copied before it is known how many count.
	at := len(dst)
	dst = slices.Grow(dst, len(s))[:at+len(s)]
	for i := 0; i < len(s); {
		if i+8 <= len(s) {
			w := loadWhole(s, i)
			binary.LittleEndian.PutUint64(dst[at:], w)
			hit := ((w ^ '\\'*eachByte) - eachByte) &^ w & highBits
			if hit == 0 {
				i, at = i+8, at+8
				continue
			}
			i, at = i+trailingBytes(hit), at+trailingBytes(hit)
		} else if s[i] != '\\' {
			dst[at] = s[i]
			i, at = i+1, at+1
			continue
		}
		if i+1 < len(s) && plainEscapes[s[i+1]] != 0 {
			dst[at] = plainEscapes[s[i+1]]
			i, at = i+2, at+1
			continue
		}
		r, size := unescape(s[i:])
		i += size
		if i >= len(s) {
			return utf8.AppendRune(dst[:at], r)
		}
		at += utf8.EncodeRune(dst[at:], r)
	}
	return dst[:at]
}

// plainEscapes gives the byte that stands for a letter after the backslash.
var plainEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/',
	'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// unescape gives the rune of the escape at the start of s, and its length. An
// escape that is not valid counts as U+FFFD and takes all the rest with it.
func unescape(s []byte) (r rune, size int) {
	if len(s) < 2 {
		return utf8.RuneError, len(s)
	}
	if c := plainEscapes[s[1]]; c != 0 {
		return rune(c), 2
	}
	if r = hex4(s[2:]); r < 0 || s[1] != 'u' {
		return utf8.RuneError, len(s)
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// equalUnescaped reports whether a valid string has this text.
func equalUnescaped(s []byte, text string) bool {
	var buf [utf8.UTFMax]byte
	for len(s) > 0 {
		if s[0] != '\\' {
			if text == "" || s[0] != text[0] {
				return false
			}
			s, text = s[1:], text[1:]
			continue
		}
		r, size := unescape(s)
		n := utf8.EncodeRune(buf[:], r)
		if len(text) < n || text[:n] != string(buf[:n]) {
			return false
		}
		s, text = s[size:], text[n:]
	}
	return text == ""
}
