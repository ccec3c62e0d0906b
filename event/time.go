package event

// timeFault says why a text is no time that a step can have.
type timeFault uint8

const (
	timeOK timeFault = iota
	timeSyntax
	timeZoneMissing
	timeRange
)

// A date and a time of day are read as words of eight bytes: XOR with the
// pattern leaves the digits' values where digits have to stand and 0 where
// signs have to.
const (
	datePattern = '0' | '0'<<8 | '0'<<16 | '0'<<24 | '-'<<32 | '0'<<40 | '0'<<48 | '-'<<56 // 2026-03-
	dateLimits  = 0x7f76_767f_7676_7676
	dayPattern  = '0' | '0'<<8 | 'T'<<16 | '0'<<24 | '0'<<32 | ':'<<40 | '0'<<48 | '0'<<56 // 01T00:00
	dayLimits   = 0x7676_7f76_767f_7676

	nanosecond = 1_000_000_000
	// The years that fit in 64 bits of nanoseconds, of the first only whole ones.
	minSeconds = -9214560000 // 1678-01-01T00:00:00Z
	maxSeconds = 9223372036
	maxNanos   = 854775807 // in the last second
)

// parseTime reads an RFC 3339 time with capital T and Z, in Unix
// nanoseconds. Digits beyond nanoseconds are dropped.
func parseTime(b []byte) (ns int64, fault timeFault) {
	ns, n, fault := scanTime(b)
	if n < len(b) && fault == timeOK {
		fault = timeSyntax
	}
	return ns, fault
}

// scanTime is parseTime for a time that more may follow: it ends before the
// n-th byte.
func scanTime(b []byte) (ns int64, n int, fault timeFault) {
	if len(b) < len("2006-01-02T15:04:05") {
		return 0, 0, timeSyntax
	}
	date := loadWhole(b, 0) ^ datePattern
	day := loadWhole(b, 8) ^ dayPattern
	s1, s0 := uint(b[17]-'0'), uint(b[18]-'0')
	if (date|(date+dateLimits)|day|(day+dayLimits))&highBits != 0 || b[16] != ':' || s1 > 9 || s0 > 9 {
		return 0, 0, timeSyntax
	}
	// In each place: ten times the digit there and the next.
	date = date*10 + date>>8
	day = day*10 + day>>8
	y := int64(date&0xff)*100 + int64(date>>16&0xff)
	m := uint(date >> 40 & 0xff)
	d := uint(day & 0xff)
	hh, mm, ss := uint(day>>24&0xff), uint(day>>48&0xff), s1*10+s0
	if m-1 > 11 || d-1 >= daysIn(y, m) || hh > 23 || mm > 59 || ss > 59 {
		return 0, 0, timeSyntax
	}
	sec := daysFrom1970(y, m, d)*86400 + int64(hh*3600+mm*60+ss)

	n = 19
	nanos := int64(0)
	if n+1 < len(b) && b[n] == '.' && b[n+1]-'0' <= 9 {
		n++
		digits := 0
		for ; n < len(b) && b[n]-'0' <= 9; n++ {
			if digits < len(powers)-1 {
				nanos = nanos*10 + int64(b[n]-'0')
				digits++
			}
		}
		nanos *= powers[len(powers)-1-digits]
	}
	if n >= len(b) {
		return 0, n, timeZoneMissing
	}
	switch zone := b[n]; {
	case zone == 'Z':
		n++
	case zone == '+' || zone == '-':
		if len(b)-n < 6 || b[n+3] != ':' {
			return 0, n, timeSyntax
		}
		h1, h0, m1, m0 := uint(b[n+1]-'0'), uint(b[n+2]-'0'), uint(b[n+4]-'0'), uint(b[n+5]-'0')
		zh, zm := h1*10+h0, m1*10+m0
		if h1 > 9 || h0 > 9 || m1 > 9 || m0 > 9 || zh > 23 || zm > 59 {
			return 0, n, timeSyntax
		}
		offset := int64(zh*3600 + zm*60)
		if zone == '-' {
			offset = -offset
		}
		sec -= offset
		n += 6
	default:
		return 0, n, timeSyntax
	}
	if sec < minSeconds || sec > maxSeconds || sec == maxSeconds && nanos > maxNanos {
		return 0, n, timeRange
	}
	return sec*nanosecond + nanos, n, timeOK
}

// powers are those of ten up to a second's nanoseconds.
var powers = [...]int64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, nanosecond}

func daysIn(y int64, m uint) uint {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}

// daysFrom1970 counts in the proleptic Gregorian calendar, for years from 0 on.
// A year that begins in March has its leap day at the end, and a month's first
// day at (153 × month + 2) / 5.
func daysFrom1970(y int64, m, d uint) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // so that the divisions below never see a negative year
	return 365*y + y/4 - y/100 + y/400 + int64((153*(m-3)+2)/5+d-1) - 719468 - 146097
}

// appendTime appends the RFC 3339 text of Unix nanoseconds in UTC, with as many
// digits of the second as are needed.
func appendTime(dst []byte, ns int64) []byte {
	sec, nanos := ns/nanosecond, ns%nanosecond
	if nanos < 0 {
		sec, nanos = sec-1, nanos+nanosecond
	}
	days, rest := sec/86400, sec%86400
	if rest < 0 {
		days, rest = days-1, rest+86400
	}
	y, m, d := civil(days)
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-')
	dst = append2(dst, m, '-')
	dst = append2(dst, d, 'T')
	dst = append2(dst, rest/3600, ':')
	dst = append2(dst, rest/60%60, ':')
	dst = append(dst, byte('0'+rest%60/10), byte('0'+rest%10))
	if nanos > 0 {
		dst = append(dst, '.')
		for scale := int64(nanosecond / 10); nanos > 0; scale /= 10 {
			dst = append(dst, byte('0'+nanos/scale))
			nanos %= scale
		}
	}
	return append(dst, 'Z')
}

func append2(dst []byte, n int64, then byte) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10), then)
}

// civil is the inverse of daysFrom1970.
func civil(days int64) (y, m, d int64) {
	days += 719468
	era := days / 146097
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	y = yoe + era*400
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}
