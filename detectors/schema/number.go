package schema

import (
	"bytes"
	"cmp"
	"math/big"
	"math/bits"
)

// number is a JSON number taken apart without loss: 0.ab × 10^point, where a
// and b are digits that neither begin nor end in 0; both are empty for zero.
type number struct {
	neg   bool
	a, b  []byte
	point int64
}

// maxPower is where exponents stop to count.
const maxPower = 1_000_000_000_000_000_000

func parseNumber(text []byte) number {
	var n number
	if len(text) > 0 && text[0] == '-' {
		n.neg, text = true, text[1:]
	}
	var power int64
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		power, text = exponent(text[i+1:]), text[:i]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	n.a, n.b = whole, fraction
	n.a = bytes.TrimLeft(n.a, "0")
	n.point = int64(len(n.a))
	if len(n.a) == 0 {
		n.b = bytes.TrimLeft(n.b, "0")
		n.point = int64(len(n.b) - len(fraction))
	}
	n.b = bytes.TrimRight(n.b, "0")
	if len(n.b) == 0 {
		n.a = bytes.TrimRight(n.a, "0")
	}
	if n.digits() == 0 {
		return number{}
	}
	n.point = max(min(n.point+power, maxPower), -maxPower)
	return n
}

func exponent(s []byte) int64 {
	neg := false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		neg, s = s[0] == '-', s[1:]
	}
	var n int64
	for _, c := range s {
		if n = n*10 + int64(c-'0'); n > maxPower {
			n = maxPower
			break
		}
	}
	if neg {
		return -n
	}
	return n
}

func (n *number) digits() int { return len(n.a) + len(n.b) }

func (n *number) digit(i int) byte {
	if i < len(n.a) {
		return n.a[i]
	}
	return n.b[i-len(n.a)]
}

// compare orders two numbers.
func (n *number) compare(m *number) int {
	sign := func(x *number) int {
		switch {
		case x.digits() == 0:
			return 0
		case x.neg:
			return -1
		}
		return 1
	}
	s := sign(n)
	if c := cmp.Compare(s, sign(m)); c != 0 || s == 0 {
		return c
	}
	if c := cmp.Compare(n.point, m.point); c != 0 {
		return c * s
	}
	for i := range min(n.digits(), m.digits()) {
		if c := cmp.Compare(n.digit(i), m.digit(i)); c != 0 {
			return c * s
		}
	}
	return cmp.Compare(n.digits(), m.digits()) * s
}

// integer reports whether the number has no fraction.
func (n *number) integer() bool { return n.point >= int64(n.digits()) }

// small reads an integer of up to 18 digits that is written without point and
// exponent, as nearly all are.
func small(text []byte) (n int64, ok bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c&15)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// isInteger reports whether a JSON number has no fraction; 1.0 has none.
func isInteger(text []byte) bool {
	if _, ok := small(text); ok {
		return true
	}
	n := parseNumber(text)
	return n.integer()
}

// maxDigits is how many digits a number may have to be held against multipleOf.
const maxDigits = 1024

// multiple reports whether n is m times an integer; judged is false where n has
// too many digits to say. m is not zero.
//
// With n = p·10^i and m = q·10^k, neither p nor q ending in 0, it is one only
// if i >= k, and then if p·10^(i-k) is a multiple of q.
func (n *number) multiple(m *number) (yes, judged bool) {
	if n.digits() == 0 {
		return true, true
	}
	if n.digits() > maxDigits || m.digits() > maxDigits {
		return false, false
	}
	e := (n.point - int64(n.digits())) - (m.point - int64(m.digits()))
	if e < 0 {
		return false, true
	}
	if n.digits() <= 18 && m.digits() <= 18 {
		q := m.significand()
		return mulMod(n.significand()%q, powMod(10, uint64(e), q), q) == 0, true
	}
	q, _ := new(big.Int).SetString(string(m.a)+string(m.b), 10)
	p, _ := new(big.Int).SetString(string(n.a)+string(n.b), 10)
	t := new(big.Int).Exp(big.NewInt(10), big.NewInt(e), q)
	return t.Mul(t, p).Mod(t, q).Sign() == 0, true
}

// significand is the number that the digits form, of which there are at most 18.
func (n *number) significand() (u uint64) {
	for i := range n.digits() {
		u = u*10 + uint64(n.digit(i)-'0')
	}
	return u
}

func mulMod(a, b, m uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return bits.Rem64(hi, lo, m)
}

func powMod(b, e, m uint64) uint64 {
	r := 1 % m
	for b %= m; e > 0; e >>= 1 {
		if e&1 == 1 {
			r = mulMod(r, b, m)
		}
		b = mulMod(b, b, m)
	}
	return r
}

// jsonNumber reports whether text is a number in JSON's grammar.
func jsonNumber(text []byte) bool {
	digits := func(s []byte) int {
		i := 0
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
		return i
	}
	text = bytes.TrimPrefix(text, []byte{'-'})
	n := digits(text)
	if n == 0 || n > 1 && text[0] == '0' {
		return false
	}
	text = text[n:]
	if len(text) > 0 && text[0] == '.' {
		n = digits(text[1:])
		if n == 0 {
			return false
		}
		text = text[1+n:]
	}
	if len(text) > 0 && text[0]|0x20 == 'e' {
		text = text[1:]
		if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
			text = text[1:]
		}
		if n = digits(text); n == 0 {
			return false
		}
		text = text[n:]
	}
	return len(text) == 0
}
