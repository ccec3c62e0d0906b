package facts

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"misstep/event"
)

// Source says who showed a value to a trajectory.
type Source uint8

// The sources of values, a set.
const (
	FromUser    Source = 1 << iota // the user, the goal, the system message
	FromTool                       // a result, or context that was added
	FromAgent                      // the agent's own words and arguments
	numSources  = iota
	sourceMask  = 1<<numSources - 1
	FromOutside = FromUser | FromTool
)

// Bounds of what is remembered. The longest of 300 recorded conversations shows
// 283 values with digits.
const (
	maxRuns    = 4096
	maxAmounts = 64
)

// Provenance remembers which values with digits a trajectory has shown, and who
// showed them: so that an identifier that nobody gave the agent is known as made
// up. A value is kept as its runs of letters and digits, by hash, without case
// and leading zeros; a run counts when it holds a digit and has three characters
// at least. Groups of digits, as of a telephone number, also count as one run.
type Provenance struct {
	runs    []uint64 // open addressing, 0 is free; the low bits are the Source
	n       int
	amounts []int64   // of money or counts, in hundredths, the latest maxAmounts; for derived ones
	touches []touched // the identifiers of the latest calls
	heard   Source    // who was heard at all
	kinds   []kind    // of identifiers
	said    words     // of the latest call
	Looked  bool      // something came from outside: a result that is no echo, or context
	Spelled bool      // a number was spelt out, or a share of something named: amounts may follow from it
	Longest int32     // bytes of the user\'s longest message
	Holes   bool      // something was hidden or cut, or is more than is remembered: what is unknown may have been in it
}

func (v *Provenance) reset() {
	clear(v.runs)
	v.n, v.amounts, v.touches, v.heard, v.Longest, v.Holes, v.Spelled, v.Looked = 0, v.amounts[:0], v.touches[:0], 0, 0, false, false, false
	v.said.call, v.said.set, v.kinds = 0, v.said.set[:0], v.kinds[:0]
}

// Heard reports whether any text of the source was seen.
func (v *Provenance) Heard(s Source) bool { return v.heard&s != 0 }

// classes of bytes for the scan.
const (
	isLetter = 1 << iota
	isNumeral
)

var byteClass = func() (t [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		t[c] = isNumeral
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = isLetter, isLetter
	}
	return t
}()

const (
	ones     = 0x0101010101010101
	highBits = 0x8080808080808080
)

// firstDigit gives the index of the first digit of b from i on, len(b) for none.
func firstDigit(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A byte is a digit where it is '0'+0..9: after the flip of 0x30 it is
		// below ten, and no byte with its high bit set is one.
		x := w ^ 0x30*ones
		hit := ^((x&^highBits + (0x80-10)*ones) | x) & highBits
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i]-'0' < 10 {
			return i
		}
	}
	return len(b)
}

// run is a maximal run of letters and digits of a text.
type run struct {
	from, to int
	digits   bool // nothing but digits
}

// nextRun gives the first run from i on that holds a digit. escaped says that
// the text holds JSON's escapes, whose letter is no part of a run.
func nextRun(b []byte, i int, escaped bool) (r run, ok bool) {
	d := firstDigit(b, i)
	if d == len(b) {
		return run{}, false
	}
	r = run{d, d + 1, true}
	for r.from > i && byteClass[b[r.from-1]] != 0 {
		r.from--
		r.digits = r.digits && byteClass[b[r.from]] == isNumeral
	}
	if escaped && r.from > 0 && b[r.from-1] == '\\' {
		back := 0
		for k := r.from - 1; k >= 0 && b[k] == '\\'; k-- {
			back++
		}
		if back%2 == 1 {
			skip := 1
			if b[r.from] == 'u' {
				skip = 5
			}
			from := min(r.from+skip, len(b))
			if from > d {
				return nextRun(b, from, escaped)
			}
			r.from, r.digits = from, true
			for _, c := range b[from : d+1] {
				r.digits = r.digits && byteClass[c] == isNumeral
			}
		}
	}
	for r.to < len(b) && byteClass[b[r.to]] != 0 {
		r.digits = r.digits && byteClass[b[r.to]] == isNumeral
		r.to++
	}
	return r, true
}

// leastRun is how many characters make a run worth remembering.
const leastRun = 3

// runHash hashes a run without its case and leading zeros; 0 for one that does
// not count.
func runHash(b []byte) uint64 {
	for len(b) > leastRun && b[0] == '0' {
		b = b[1:]
	}
	if len(b) < leastRun {
		return 0
	}
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	for len(b) >= 8 {
		h = mix(h ^ (binary.LittleEndian.Uint64(b) | 0x20*ones))
		b = b[8:]
	}
	if len(b) > 0 {
		var w uint64
		for i, c := range b {
			w |= uint64(c|0x20) << (8 * i)
		}
		h = mix(h ^ w)
	}
	return h&^sourceMask | 1<<63
}

func mix(h uint64) uint64 {
	hi, lo := bits.Mul64(h, 0xa0761d6478bd642f)
	return hi ^ lo
}

// forEachRun calls do with the hash of every run of a text that counts, and with
// that of the whole of groups of digits, which is joined.
func forEachRun(b []byte, escaped bool, do func(hash uint64, joined bool)) {
	const mostDigits = 32
	var joined [mostDigits]byte
	n, groups, end := 0, 0, -2 // of the groups of digits before
	flush := func() {
		if groups > 1 {
			if h := runHash(joined[:n]); h != 0 {
				do(h, true)
			}
		}
		n, groups = 0, 0
	}
	for i := 0; ; {
		r, ok := nextRun(b, i, escaped)
		if !ok {
			break
		}
		i = r.to
		if h := runHash(b[r.from:r.to]); h != 0 {
			do(h, false)
		}
		if groups > 0 && (!r.digits || r.from != end+1 || !groupSeparator(b[end]) || n+r.to-r.from > mostDigits) {
			flush()
		}
		if r.digits && r.to-r.from <= mostDigits {
			n += copy(joined[n:], b[r.from:r.to])
			groups, end = groups+1, r.to
		}
	}
	flush()
}

func groupSeparator(c byte) bool { return c == '-' || c == ' ' || c == '.' || c == '/' }

// add remembers a run.
func (v *Provenance) add(h uint64, from Source) {
	if 4*(v.n+1) > 3*len(v.runs) {
		v.grow()
	}
	i := v.slot(h)
	if v.runs[i] == 0 {
		if v.n == maxRuns {
			v.Holes = true
			return
		}
		v.runs[i] = h
		v.n++
	}
	v.runs[i] |= uint64(from)
}

func (v *Provenance) slot(h uint64) int {
	mask := len(v.runs) - 1
	for i := int(h>>8) & mask; ; i = (i + 1) & mask {
		if w := v.runs[i]; w == 0 || w&^sourceMask == h {
			return i
		}
	}
}

func (v *Provenance) grow() {
	old := v.runs
	v.runs = make([]uint64, max(32, 2*len(old)))
	for _, w := range old {
		if w != 0 {
			v.runs[v.slot(w&^sourceMask)] = w
		}
	}
}

// source gives who showed a run, 0 for nobody.
func (v *Provenance) source(h uint64) Source {
	if len(v.runs) == 0 {
		return 0
	}
	return Source(v.runs[v.slot(h)] & sourceMask)
}

// Of gives the sources of a value: those that showed all of its runs; where no
// source showed all, those that showed any. It is 0 for a value of which some
// run was never seen, unless its groups of digits were shown as one number. A
// value without a run that counts comes from everybody.
func (v *Provenance) Of(value []byte, escaped bool) Source {
	all, some, unknown, whole := Source(sourceMask), Source(0), false, Source(0)
	forEachRun(value, escaped, func(h uint64, joined bool) {
		from := v.source(h)
		if joined {
			whole |= from
			return
		}
		all &= from
		some |= from
		unknown = unknown || from == 0
	})
	switch {
	case unknown && isGrouped(value):
		return whole
	case unknown:
		return 0
	case all == 0:
		return some
	}
	return all
}

// isGrouped reports whether a value is nothing but groups of digits.
func isGrouped(value []byte) bool {
	for _, c := range value {
		if byteClass[c] != isNumeral && !groupSeparator(c) {
			return false
		}
	}
	return true
}

// Show takes a value over as shown by a source.
func (v *Provenance) Show(value event.Value, from Source) {
	switch value.Form {
	case event.Hidden:
		v.Holes = true
		v.heard |= from
	case event.String, event.Escaped, event.Object, event.Array, event.Number:
		v.heard |= from
		escaped := value.Form != event.String
		forEachRun(value.Raw, escaped, func(h uint64, _ bool) { v.add(h, from) })
		if from&FromOutside != 0 {
			v.Spelled = v.Spelled || spells(value.Raw, from)
			v.showAmounts(value.Raw, escaped)
		}
		if value.Form >= event.Object && bytes.Contains(value.Raw, hiddenMark) {
			v.Holes = true
		}
	}
}

// numberWords spell out numbers, or shares of them. They are English and German.
var numberWords = map[string]bool{
	"ten": true, "eleven": true, "twelve": true, "fifteen": true, "twenty": true, "thirty": true, "forty": true, "fifty": true, "sixty": true, "seventy": true,
	"eighty": true, "ninety": true, "hundred": true, "thousand": true, "million": true, "dozen": true, "half": true, "double": true, "twice": true, "third": true, "quarter": true, "percent": true,
	"zehn": true, "elf": true, "zwanzig": true, "dreissig": true, "vierzig": true, "sechzig": true, "siebzig": true, "achtzig": true, "neunzig": true,
	"hundert": true, "tausend": true, "halb": true, "doppelt": true, "drittel": true, "viertel": true, "prozent": true,
}

// spells reports whether a text holds a percentage or, of the user, a number in
// words: what tools say is searched for the sign alone, which costs less.
func spells(b []byte, from Source) bool {
	if bytes.IndexByte(b, '%') >= 0 {
		return true
	}
	if from&FromUser == 0 {
		return false
	}
	for i := 0; i < len(b); {
		from := i
		for i < len(b) && byteClass[b[i]] == isLetter {
			i++
		}
		n := i - from
		if n > 0 && n < len(numberWord{}) && numberLengths[b[from]&31]&(1<<n) != 0 {
			var w numberWord
			for k, c := range b[from:i] {
				w[k] = c | 0x20
			}
			if numberWords[string(w[:n])] {
				return true
			}
		}
		i++
	}
	return false
}

// numberWord has room for one.
type numberWord [16]byte

// numberLengths has the lengths of number words as bits, by the low bits of the
// first letter: most words are no number at a glance.
var numberLengths = func() (t [32]uint16) {
	for w := range numberWords {
		t[w[0]&31] |= 1 << len(w)
	}
	return t
}()

// amountAt reads the number that begins a run of digits, in hundredths: thousands
// may be set apart by commas, and two decimals may follow. end is where it ends.
func amountAt(b []byte, r run) (hundredths int64, end int, ok bool) {
	const most = 9 // digits before the decimals
	whole, digits, i := int64(0), 0, r.from
	for ; i < r.to; i++ {
		whole, digits = whole*10+int64(b[i]-'0'), digits+1
		if digits > most {
			return 0, r.to, false
		}
	}
	for i+3 < len(b) && b[i] == ',' && threeDigits(b[i+1:]) && digits+3 <= most {
		whole = whole*1000 + int64(b[i+1]-'0')*100 + int64(b[i+2]-'0')*10 + int64(b[i+3]-'0')
		digits, i = digits+3, i+4
	}
	cents := int64(0)
	if i+1 < len(b) && b[i] == '.' && byteClass[b[i+1]] == isNumeral {
		cents = int64(b[i+1]-'0') * 10
		i += 2
		if i < len(b) && byteClass[b[i]] == isNumeral {
			cents += int64(b[i] - '0')
			i++
		}
		for i < len(b) && byteClass[b[i]] == isNumeral { // further decimals are dropped
			i++
		}
	}
	return whole*100 + cents, i, true
}

func threeDigits(b []byte) bool {
	return byteClass[b[0]] == isNumeral && byteClass[b[1]] == isNumeral && byteClass[b[2]] == isNumeral &&
		(len(b) == 3 || byteClass[b[3]] != isNumeral)
}

// leastAmount is the smallest number, in hundredths, that is worth a look:
// smaller ones are counts, and stand in any text.
const leastAmount = 10_00

func (v *Provenance) showAmounts(b []byte, escaped bool) {
	for i := 0; ; {
		r, ok := nextRun(b, i, escaped)
		if !ok {
			return
		}
		i = r.to
		if !r.digits {
			continue
		}
		a, end, ok := amountAt(b, r)
		i = end
		if ok && a >= leastAmount && isMoney(b, r, end) && !slices.Contains(v.amounts, a) {
			if len(v.amounts) == maxAmounts {
				v.amounts = append(v.amounts[:0], v.amounts[1:]...)
			}
			v.amounts = append(v.amounts, a)
		}
	}
}

// isMoney reports whether a number that stands from r to end may be an amount
// of money: it has a currency's sign or decimals, or is a number in JSON. What
// stands in quotes there, or elsewhere in a text, numbers or names something.
func isMoney(b []byte, r run, end int) bool {
	if end > r.to && end-r.to >= 3 && b[end-3] == '.' {
		return true
	}
	i := r.from - 1
	for i >= 0 && b[i] == ' ' {
		i--
	}
	switch {
	case i < 0:
		return false
	case b[i] == '$' || b[i] == ':':
		return true
	}
	return bytes.HasSuffix(b[:i+1], []byte("\u20ac")) || bytes.HasSuffix(b[:i+1], []byte("\u00a3")) // euro, pound
}

// recentAmounts is how many amounts are added up and set off against each other:
// with many more, any amount would be the sum of some.
const recentAmounts = 20

// Derives reports whether an amount, in hundredths, was shown or follows from
// what was: the sum or difference of two, the sum of three, a multiple up to
// twelve, or a part of the same kind.
func (v *Provenance) Derives(a int64) bool {
	if slices.Contains(v.amounts, a) {
		return true
	}
	for _, x := range v.amounts {
		for k := int64(2); k <= 12; k++ {
			if x*k == a || a*k == x {
				return true
			}
		}
		if x*100 == a || a*100 == x { // the same in cents
			return true
		}
	}
	latest := v.amounts[max(0, len(v.amounts)-recentAmounts):]
	for i, x := range latest {
		for j, y := range latest[:i+1] {
			if x+y == a || x-y == a || y-x == a {
				return true
			}
			rest := a - x - y
			if rest > 0 && slices.Contains(latest[:j+1], rest) {
				return true
			}
		}
	}
	return false
}
