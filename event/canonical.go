package event

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxZeros is the longest run of zeros that canonical JSON writes to put a
// number's digits into their places; beyond it stands an exponent.
const maxZeros = 20

// Canonicalizer writes canonical JSON: texts that are equal exactly where the
// values are. It holds scratch space, so that in steady state nothing is
// allocated. The zero value is ready. It belongs to one goroutine.
//
// No white space; keys sorted by their bytes after unescaping; of equal keys
// the last counts; members that are null are dropped, elements of arrays that
// are null stay. Strings are as they are, with escapes only where JSON needs
// them: \" \\ \b \t \n \f \r, \u00xx in lower case for other controls; half a
// surrogate pair is U+FFFD. Numbers are decimal texts without a sign on zero,
// without zeros in front or at the end of a fraction, and without an exponent,
// unless more than 20 zeros would be needed to put the digits into their
// places: then they are the digits as an integer that does not end in 0, e, and
// the power of ten (beyond 10^18 either way, that power is 10^18).
type Canonicalizer struct {
	members []canonMember // of the objects that are being written
	spare   []byte
	key     []byte
}

// canonMember is a member as it was written: places in the output, which are
// small because members are moved when they are sorted.
type canonMember struct {
	prefix             uint64 // of the key after unescaping, so that most keys compare as numbers
	start, keyEnd, end uint32
	escaped            bool // the key holds escapes
	null               bool
}

// Append appends the canonical JSON of v to dst. Members of v itself, not of
// objects inside it, for whose key drop gives true are left out; drop can be
// nil and must not keep the key. dst holds less than 4 GiB in the end. A hidden value is written as the object that
// it is: compare it by ParseHidden instead. An absent value is written as {}.
func (c *Canonicalizer) Append(dst []byte, v Value, drop func(key []byte) bool) []byte {
	switch v.Form {
	case Absent:
		return append(dst, "{}"...)
	case Hidden:
		dst = append(dst, `{"`+hiddenKey+`":`...)
		cur := NewCursor(Value{Raw: v.Raw, Form: Object})
		dst = c.object(dst, &cur, nil)
		return append(dst, '}')
	}
	cur := NewCursor(v)
	if v.Form == Object {
		return c.object(dst, &cur, drop)
	}
	return c.value(dst, &cur)
}

// AppendCanonical is Append with a Canonicalizer of its own.
func AppendCanonical(dst []byte, v Value, drop func(key []byte) bool) []byte {
	var c Canonicalizer
	return c.Append(dst, v, drop)
}

// MAC gives the keyed hash that stands for a hidden value: the first 16 bytes
// of HMAC-SHA-256 over its canonical JSON, as base64url without padding.
func MAC(key []byte, v Value) string {
	h := hmac.New(sha256.New, key)
	h.Write(AppendCanonical(nil, v, nil))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

func (c *Canonicalizer) value(dst []byte, cur *Cursor) []byte {
	start := cur.pos
	switch cur.peek() {
	case '{':
		return c.object(dst, cur, nil)
	case '[':
		cur.Enter()
		dst = append(dst, '[')
		from := len(dst)
		for cur.More() {
			dst = append(c.value(dst, cur), ',')
		}
		if len(dst) > from {
			dst = dst[:len(dst)-1]
		}
		return append(dst, ']')
	}
	switch v := cur.Value(); v.Form {
	case String:
		if cur.raw == nil { // v was all there was
			dst = append(dst, '"')
			dst = append(dst, v.Raw...)
			return append(dst, '"')
		}
		return append(dst, cur.raw[start:cur.pos]...)
	case Escaped:
		return appendCanonicalString(dst, v.Raw)
	case Number:
		return appendCanonicalNumber(dst, v.Raw)
	case Bool:
		return append(dst, v.Raw...)
	default:
		return append(dst, "null"...)
	}
}

// object writes the members in the order in which they stand, and puts that
// right at the end if it has to.
func (c *Canonicalizer) object(dst []byte, cur *Cursor, drop func(key []byte) bool) []byte {
	cur.Enter()
	dst = append(dst, '{')
	from, base := len(dst), len(c.members)
	inOrder := true
	for cur.More() {
		at := cur.pos
		k := cur.Key()
		if drop != nil && drop(k.Text(&c.key)) {
			cur.Skip()
			continue
		}
		m := canonMember{start: uint32(len(dst))}
		if k.Form == Escaped {
			dst = appendCanonicalString(dst, k.Raw)
			m.escaped = bytes.IndexByte(dst[m.start:], '\\') >= 0
			m.prefix = keyPrefix(k.Text(&c.key))
		} else {
			dst = append(dst, cur.raw[at:at+len(k.Raw)+2]...)
			m.prefix = keyPrefix(k.Raw)
		}
		m.keyEnd = uint32(len(dst))
		if cur.peek() == 'n' {
			cur.Skip()
			m.null, inOrder = true, false
		} else {
			dst = c.value(append(dst, ':'), cur)
		}
		m.end = uint32(len(dst))
		dst = append(dst, ',')
		if n := len(c.members); inOrder && n > base && compareKeys(dst, &c.members[n-1], &m) >= 0 {
			inOrder = false
		}
		c.members = append(c.members, m)
	}
	if !inOrder {
		dst = c.arrange(dst, from, c.members[base:])
	}
	c.members = c.members[:base]
	if len(dst) > from {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// arrange writes the members that stand in dst behind from again: sorted, each
// key once, without nulls.
func (c *Canonicalizer) arrange(dst []byte, from int, members []canonMember) []byte {
	sortMembers(dst, members)
	c.spare = c.spare[:0]
	for i := range members {
		m := &members[i]
		last := i+1 == len(members) || compareKeys(dst, m, &members[i+1]) != 0
		if last && !m.null {
			c.spare = append(c.spare, dst[m.start:m.end+1]...)
		}
	}
	return append(dst[:from], c.spare...)
}

// sortMembers sorts by key; of equal ones, the last written stays last.
func sortMembers(dst []byte, members []canonMember) {
	const few = 16
	if len(members) > few {
		slices.SortFunc(members, func(a, b canonMember) int {
			if n := compareKeys(dst, &a, &b); n != 0 {
				return n
			}
			return int(a.start) - int(b.start)
		})
		return
	}
	for i := 1; i < len(members); i++ {
		m, j := members[i], i
		for ; j > 0 && compareKeys(dst, &members[j-1], &m) > 0; j-- {
			members[j] = members[j-1]
		}
		members[j] = m
	}
}

// keyPrefix gives the first eight bytes as a number, with zeros behind the end.
func keyPrefix(key []byte) uint64 { return bits.ReverseBytes64(load8(key, 0)) }

func compareKeys(dst []byte, a, b *canonMember) int {
	if a.prefix != b.prefix {
		if a.prefix < b.prefix {
			return -1
		}
		return 1
	}
	x, y := dst[a.start+1:a.keyEnd-1], dst[b.start+1:b.keyEnd-1]
	if !a.escaped && !b.escaped {
		return bytes.Compare(x, y)
	}
	// Canonical escapes each stand for one byte.
	for len(x) > 0 && len(y) > 0 {
		var p, q byte
		p, x = nextByte(x)
		q, y = nextByte(y)
		if p != q {
			return int(p) - int(q)
		}
	}
	return len(x) - len(y)
}

func nextByte(s []byte) (byte, []byte) {
	if s[0] != '\\' {
		return s[0], s[1:]
	}
	r, size := unescape(s)
	return byte(r), s[size:]
}

// appendCanonicalString appends a valid string with escapes, quoted, with no
// more escapes than it needs.
func appendCanonicalString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, '"')
		}
		dst = append(dst, s[:i]...)
		r, size := unescape(s[i:])
		s = s[i+size:]
		if r < utf8.RuneSelf {
			dst = appendEscaped(dst, byte(r))
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
}

// appendEscaped appends one ASCII character as it stands in a string: escaped
// if it has to be.
func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\f':
		return append(dst, `\f`...)
	case '\r':
		return append(dst, `\r`...)
	}
	if c < ' ' {
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
	return append(dst, c)
}

func appendCanonicalNumber(dst, s []byte) []byte {
	if len(s) <= maxZeros && isPlainInteger(s) {
		return append(dst, s...)
	}
	d, zero := splitNumber(s)
	if zero {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	digits := d.text
	if bytes.IndexByte(digits, '.') >= 0 {
		digits = bytes.TrimRight(digits, "0")
		digits = bytes.TrimSuffix(digits, []byte("."))
	}
	dot := bytes.IndexByte(digits, '.')
	if dot < 0 {
		digits = bytes.TrimRight(digits, "0")
		dot = len(digits)
	}
	n := len(digits)
	if dot < n {
		n-- // the point is no digit
	}
	zeros := d.point - int64(n) // behind the last digit
	switch {
	case zeros > maxZeros || d.point < -maxZeros:
		dst = appendDigits(dst, digits, dot)
		dst = append(dst, 'e')
		return strconv.AppendInt(dst, zeros, 10)
	case zeros >= 0:
		dst = appendDigits(dst, digits, dot)
		return appendZeros(dst, zeros)
	case d.point <= 0:
		dst = append(dst, "0."...)
		dst = appendZeros(dst, -d.point)
		return appendDigits(dst, digits, dot)
	default:
		from := len(dst)
		dst = appendDigits(dst, digits, dot)
		dst = append(dst, 0)
		at := from + int(d.point)
		copy(dst[at+1:], dst[at:])
		dst[at] = '.'
		return dst
	}
}

// isPlainInteger reports whether a short number is canonical as it stands.
func isPlainInteger(s []byte) bool {
	if s[0] == '-' {
		if s = s[1:]; s[0] == '0' {
			return false
		}
	}
	for _, c := range s {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// appendDigits appends digits without the point that may stand at dot.
func appendDigits(dst, digits []byte, dot int) []byte {
	dst = append(dst, digits[:dot]...)
	if dot < len(digits) {
		dst = append(dst, digits[dot+1:]...)
	}
	return dst
}

func appendZeros(dst []byte, n int64) []byte {
	for ; n > 0; n-- {
		dst = append(dst, '0')
	}
	return dst
}
