package event

import "math"

// maxExponent is where powers of ten stop to count: far beyond what any field
// takes. Exponents as they are written are read a little further, so that a sum
// of one and a count of digits is right up to there, and cannot overflow.
const (
	maxExponent = 1_000_000_000_000_000_000
	maxWritten  = 4 * maxExponent
)

// decimal is a number of valid JSON taken apart: 0.d1d2d3... times 10^point.
type decimal struct {
	text     []byte // from the first digit that is not 0 up to the exponent, a point in it perhaps
	point    int64
	negative bool
}

// splitNumber takes a number of valid JSON apart. zero tells that it is 0.
func splitNumber(s []byte) (d decimal, zero bool) {
	i := 0
	if i < len(s) && s[i] == '-' {
		d.negative = true
		i++
	}
	for i < len(s) && s[i] == '0' {
		i++
	}
	start := i
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	d.point = int64(i - start)
	if i < len(s) && s[i] == '.' {
		i++
		if d.point == 0 {
			from := i
			for i < len(s) && s[i] == '0' {
				i++
			}
			start = i
			d.point = int64(from - i)
		}
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
	}
	d.text = s[start:i]
	if len(d.text) == 0 || s[start]-'0' > 9 {
		return d, true
	}
	if i < len(s) {
		d.point += exponent(s[i+1:])
		d.point = max(min(d.point, maxExponent), -maxExponent)
	}
	return d, false
}

// exponent reads what follows the e, up to maxWritten either way.
func exponent(s []byte) int64 {
	negative := false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		s = s[1:]
	}
	var n int64
	for _, c := range s {
		if n > maxWritten/10 {
			n = maxWritten
			break
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// scaled gives number × 10^scale, rounded half up. exact tells that nothing was
// rounded, ok that it fits.
func scaled(number []byte, scale int64) (n int64, exact, ok bool) {
	d, zero := splitNumber(number)
	if zero {
		return 0, true, true
	}
	whole := d.point + scale // digits before the point
	var u uint64
	i := 0
	for ; whole > 0 && i < len(d.text); i++ {
		c := d.text[i]
		if c == '.' {
			continue
		}
		if u > (math.MaxUint64-9)/10 {
			return 0, false, false
		}
		u = u*10 + uint64(c-'0')
		whole--
	}
	for ; whole > 0; whole-- {
		if u > (math.MaxUint64-9)/10 {
			return 0, false, false
		}
		u *= 10
	}
	// What is left of the digits is the fraction: its first decides, when it
	// stands just behind the point.
	half := byte('0')
	rest := false
	for first := whole == 0; i < len(d.text); i++ {
		c := d.text[i]
		if c == '.' {
			continue
		}
		if first {
			half, first = c, false
		} else if c != '0' {
			rest = true
			break
		}
	}
	exact = half == '0' && !rest
	// Half up means towards the greater number.
	if half > '5' || half == '5' && (rest || !d.negative) {
		u++
	}
	switch {
	case d.negative && u <= -math.MinInt64:
		return -int64(u), exact, true
	case !d.negative && u <= math.MaxInt64:
		return int64(u), exact, true
	}
	return 0, false, false
}

// parseInt reads a number of valid JSON that is an integer, also when it is
// written 5.0 or 5e0.
func parseInt(s []byte) (n int64, ok bool) {
	if len(s) > 0 && len(s) <= 18 {
		for _, c := range s {
			c -= '0'
			if c > 9 {
				return parseIntOdd(s)
			}
			n = n*10 + int64(c)
		}
		return n, true
	}
	return parseIntOdd(s)
}

func parseIntOdd(s []byte) (n int64, ok bool) {
	if len(s) == 0 {
		return 0, false
	}
	n, exact, ok := scaled(s, 0)
	return n, ok && exact
}
