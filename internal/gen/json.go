package gen

import "strconv"

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// appendEscaped appends s as it stands between the quotes of a JSON string.
// Like most producers it leaves UTF-8 as it is.
func appendEscaped[T string | []byte](b []byte, s T) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

func appendKey(b []byte, key string) []byte {
	b = appendString(b, key)
	return append(b, ':')
}

// appendField appends ,"key":"value".
func appendField(b []byte, key, value string) []byte {
	b = append(b, ',')
	b = appendKey(b, key)
	return appendString(b, value)
}

// appendInt appends ,"key":n.
func appendInt(b []byte, key string, n int) []byte {
	b = append(b, ',')
	b = appendKey(b, key)
	return strconv.AppendInt(b, int64(n), 10)
}

// appendPadded appends n with at least width digits.
func appendPadded(b []byte, n, width int) []byte {
	var d [20]byte
	i := len(d)
	for n > 0 || width > 0 {
		i--
		d[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(b, d[i:]...)
}

// appendHex appends n as 16 digits.
func appendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}

// appendTime appends the time that lies the given number of microseconds after
// the beginning of March 2026, which is as long as a run of days is needed.
func appendTime(b []byte, us int) []byte {
	s := us / 1_000_000
	b = append(b, `"2026-03-`...)
	b = appendPadded(b, 1+s/86400%31, 2)
	b = append(b, 'T')
	b = appendPadded(b, s/3600%24, 2)
	b = append(b, ':')
	b = appendPadded(b, s/60%60, 2)
	b = append(b, ':')
	b = appendPadded(b, s%60, 2)
	b = append(b, '.')
	b = appendPadded(b, us/1000%1000, 3)
	return append(b, `Z"`...)
}
