package stream

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// String gives the origin as source/partition/offset/index, the form of the
// header misstep-origin. In the source everything but printable ASCII, and the
// percent sign, is percent-encoded.
func (o Origin) String() string {
	b := make([]byte, 0, len(o.Source)+40)
	b = AppendPercent(b, o.Source, func(c byte) bool { return c > ' ' && c < 0x7f })
	for _, n := range [...]int64{int64(o.Partition), o.Offset, int64(o.Index)} {
		b = append(b, '/')
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

// ParseOrigin reads what String wrote.
func ParseOrigin(s string) (Origin, error) {
	var nums [3]int64
	rest := s
	for i := len(nums) - 1; i >= 0; i-- {
		at := strings.LastIndexByte(rest, '/')
		if at < 0 {
			return Origin{}, fmt.Errorf("origin %q: want source/partition/offset/index", s)
		}
		bits := 32
		if i == 1 {
			bits = 64
		}
		n, err := strconv.ParseInt(rest[at+1:], 10, bits)
		if err != nil {
			return Origin{}, fmt.Errorf("origin %q: %q is no number: %w", s, rest[at+1:], err)
		}
		nums[i], rest = n, rest[:at]
	}
	source, err := url.PathUnescape(rest)
	if err != nil {
		return Origin{}, fmt.Errorf("origin %q: %w", s, err)
	}
	return Origin{Source: source, Partition: int32(nums[0]), Offset: nums[1], Index: int32(nums[2])}, nil
}

// AppendPercent appends s to dst, each byte for which plain is false, and the
// percent sign itself, as % and two upper-case hexadecimal digits.
func AppendPercent(dst []byte, s string, plain func(c byte) bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c != '%' && plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
