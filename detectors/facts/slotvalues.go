package facts

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// classify tells what a value is by its looks. low is text in lower case.
func classify(t *slotToken, text, low []byte) {
	digits, letters, upper, other := 0, 0, 0, 0
	for _, c := range text {
		switch {
		case c-'0' < 10:
			digits++
		case c-'A' < 26:
			letters++
			upper++
		case c-'a' < 26:
			letters++
		default:
			other++
		}
	}
	t.hash = slotHash(low)
	switch {
	case digits == 0 && bytes.IndexByte(low, '@') > 0 && bytes.IndexByte(low, '.') > 0,
		digits > 0 && bytes.IndexByte(low, '@') > 0:
		t.kind, t.typed = SlotEmail, true
	case digits == 0 && letters == upper && other == 0 && letters >= 3 && letters <= 8:
		t.kind, t.shape = SlotID, shapeOf(low)
	case digits == 0:
		t.kind = SlotWord
	case readDate(low, t):
	case readNumber(low, t):
		if low[0] != '0' || t.num < 1000 {
			t.hash = numHash(t.num)
		}
		if digits >= 5 && letters == 0 && other == 0 {
			t.shape = shapeOf(low) // an id, perhaps: what stands by it will tell
		}
	default:
		t.kind, t.shape = SlotID, shapeOf(low)
		t.typed = (letters > 0 || low[0] == '#') && bytes.IndexByte(low, '/') < 0 && bytes.IndexByte(low, '.') < 0
		if letters > 0 && bytes.IndexByte(low, '_') >= 0 {
			t.typed = false // a name with digits: many types look like that
		}
	}
}

// slotHash is the hash of a value in lower case; of digits alone it is that of
// the number.
func slotHash(low []byte) uint64 {
	if len(low) > 1 && low[0] == '#' {
		low = low[1:]
	}
	if n := len(low); n > 0 && n <= 14 && (low[0] != '0' || n == 1) {
		num := int64(0)
		for _, c := range low {
			if c-'0' >= 10 {
				num = -1
				break
			}
			num = num*10 + int64(c-'0')
		}
		if num >= 0 {
			return numHash(num * 1000)
		}
	}
	return nonZero(xxhash.Sum64(low))
}

// numHash is the hash of a number in thousandths, however it was written.
func numHash(num int64) uint64 { return nonZero(uint64(num)*0x9e3779b97f4a7c15 ^ 0x5bd1e995) }

// shapeOf hashes what ids of one type have in common: the letters before the
// first digit when they are few, and how many letters and digits follow.
func shapeOf(low []byte) uint64 {
	var b [48]byte
	if len(low) > 1 && low[0] == '#' {
		low = low[1:]
	}
	n, mixed := 0, false
	put := func(c byte) {
		if n < len(b) {
			b[n] = c
			n++
		}
	}
	for i := 0; i < len(low); {
		c := low[i]
		if !isWordChar(c) {
			put(c)
			i++
			continue
		}
		j, d, a := i, 0, 0
		for j < len(low) && isWordChar(low[j]) {
			if low[j]-'0' < 10 {
				d++
			} else {
				a++
			}
			j++
		}
		switch {
		case d == 0:
			if i == 0 && a <= 4 && j < len(low) { // a prefix, as in ord-17
				for _, c := range low[i:j] {
					put(c)
				}
			} else {
				if len(low) <= 8 && j-i == len(low) { // a code that happens to hold no digit
					mixed = len(low) > 4
					put('x')
					put(byte('0' + a))
				} else {
					put('a')
				}
			}
		case a == 0:
			put('9')
			if i == 0 || n < 6 {
				put(byte('0' + min(d, 40)))
			}
		case isPrefixed(low[i:j]):
			k := i
			for low[k]-'0' >= 10 {
				put(low[k])
				k++
			}
			put('9')
			put(byte('0' + min(j-k, 40)))
		default:
			mixed = true
			put('x')
			if len(low) > 4 {
				put(byte('0' + min(j-i, 40)))
			}
		}
		i = j
	}
	h := xxhash.Sum64(b[:n])
	if mixed {
		h++
	}
	return nonZero(h)
}

// isPrefixed reports whether a run is a few letters and then digits alone.
func isPrefixed(b []byte) bool {
	k := 0
	for k < len(b) && b[k]-'0' >= 10 {
		k++
	}
	if k == 0 || k > 4 || len(b)-k < 3 {
		return false
	}
	for _, c := range b[k:] {
		if c-'0' >= 10 {
			return false
		}
	}
	return true
}

// readNumber reads a plain number, an amount of money, or a number with a unit
// or an ordinal ending.
func readNumber(low []byte, t *slotToken) bool {
	kind, i := SlotNumber, 0
	if low[0] == '$' {
		kind, i = SlotMoney, 1
	} else if bytes.HasPrefix(low, []byte("\xe2\x82\xac")) {
		kind, i = SlotMoney, 3
	} else if bytes.HasPrefix(low, []byte("\xc2\xa3")) {
		kind, i = SlotMoney, 2
	} else if low[0] == '#' {
		return false
	}
	start, whole, frac, places := i, int64(0), int64(0), 0
	for ; i < len(low) && (low[i]-'0' < 10 || low[i] == ',' && i+3 < len(low) && i > start); i++ {
		if low[i] == ',' {
			continue
		}
		if whole > 100_000_000_000_000 {
			return false
		}
		whole = whole*10 + int64(low[i]-'0')
	}
	if i == start {
		return false
	}
	if i+1 < len(low) && low[i] == '.' && low[i+1]-'0' < 10 {
		for i++; i < len(low) && low[i]-'0' < 10; i++ {
			if places < 3 {
				frac = frac*10 + int64(low[i]-'0')
				places++
			}
		}
	}
	for ; places < 3; places++ {
		frac *= 10
	}
	num := whole*1000 + frac
	switch rest := string(low[i:]); {
	case rest == "":
	case rest == "k" && whole < 1_000_000_000:
		num *= 1000
	case rest == "$" || rest == "\xe2\x82\xac" || rest == "usd" || rest == "eur":
		kind = SlotMoney
	case rest == "%" || rest == "st" || rest == "nd" || rest == "rd" || rest == "th" || rest == "x" ||
		rest == "kg" || rest == "gb" || rest == "mb" || rest == "tb" || rest == "ms" || rest == "am" || rest == "pm" || rest == "min" || rest == "mg" || rest == "ml":
		if n := len(rest); n > 0 && rest != "%" && i-start <= 4 {
			t.noun = slotHash(low[i:])
		}
	case rest == "-day" || rest == "-night" || rest == "-hour" || rest == "-person":
		t.noun = stemHash(low[i+1:])
	default:
		return false
	}
	t.kind, t.num = kind, num
	return true
}

// readDate reads 2024-05-20 and 5/20/2024.
func readDate(low []byte, t *slotToken) bool {
	var part [3]int64
	var width [3]int
	n, sep := 0, byte(0)
	for i, c := range low {
		switch {
		case c-'0' < 10:
			if width[n]++; width[n] > 4 {
				return false
			}
			part[n] = part[n]*10 + int64(c-'0')
		case (c == '-' || c == '/' || c == '.') && (sep == 0 || sep == c) && width[n] > 0 && n < 2:
			sep = c
			n++
		case (c == 't' || c == 'z') && n == 2 && width[0] == 4 && width[2] == 2 && i == 10:
			goto done // a time follows
		default:
			return false
		}
	}
done:
	y, m, d := int64(0), int64(0), int64(0)
	switch {
	case n == 2 && width[0] == 4:
		y, m, d = part[0], part[1], part[2]
	case n == 2 && sep == '/' && (width[2] == 4 || width[2] == 2):
		if m, d, y = part[0], part[1], part[2]; y < 100 {
			y += 2000
		}
	case n == 2 && sep == '.' && width[2] == 4:
		d, m, y = part[0], part[1], part[2]
	case n == 1 && sep == '/' && width[0] <= 2 && width[1] <= 2:
		m, d = part[0], part[1]
	default:
		return false
	}
	if m > 12 && d <= 12 {
		m, d = d, m
	}
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return false
	}
	t.date(y, m, d)
	return true
}

func (t *slotToken) date(y, m, d int64) {
	t.kind, t.num, t.typed, t.shape = SlotDate, y*10000+m*100+d, true, dateShape
	t.hash = dateHash(t.num)
}

const dateShape = 3

// dateHash is the same for a date with and without its year.
func dateHash(num int64) uint64 { return uint64(num%10000)*0x9e3779b97f4a7c15 | 1 }

var months = [...]string{
	"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
}

// monthOf gives the number of a month, 0 for another word.
func monthOf(w []byte) int64 {
	if len(w) < 3 {
		return 0
	}
	for i, m := range months {
		if string(w) == m || len(w) <= 4 && string(w[:3]) == m[:3] && (len(w) == 3 || string(w) == "sept") {
			return int64(i + 1)
		}
	}
	return 0
}
