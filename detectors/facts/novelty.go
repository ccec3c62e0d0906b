package facts

import (
	"math/bits"
	"slices"

	"misstep/event"
)

// tokenSet remembers which tokens were seen, of late: two filters of one hash,
// of which the older is forgotten when the newer is half full, after some 2,800
// tokens. What it does not remember counts as new.
type tokenSet struct {
	now, old [setWords]uint64
	set      int32 // bits set in now
	setOld   int32 // and in old
}

const (
	setWords = 64
	setBits  = setWords * 64
)

func (s *tokenSet) add(h uint32) {
	i, b := h>>6%setWords, uint64(1)<<(h&63)
	if s.now[i]&b != 0 {
		return
	}
	s.now[i] |= b
	if s.set++; s.set >= setBits/2 {
		s.old, s.setOld = s.now, s.set
		s.now, s.set = [setWords]uint64{}, 0
	}
}

// share is what fresh of total tokens say of how much is new, per mille: of the
// really new ones some are taken for seen, the more the fuller the filters are.
func (s *tokenSet) share(fresh, total int) int32 {
	if total == 0 {
		return 0
	}
	free := int64(setBits-s.set) * int64(setBits-s.setOld) / setBits
	return int32(min(1000, int64(fresh)*1000*setBits/(int64(total)*max(free, 1))))
}

// What of a long result is looked at for what is new: whole up to wholeText,
// else so many pieces, spread evenly.
const (
	wholeText  = 4 << 10
	textPieces = 8
)

// novelty is how much of a text is new, per mille, and takes note of it.
// The scratch set tells the tokens of one text apart.
func (s *tokenSet) novelty(text []byte, scratch *[setWords]uint64) int32 {
	clear(scratch[:])
	fresh, total := 0, 0
	if len(text) <= wholeText {
		s.read(text, scratch, &fresh, &total)
	} else {
		const piece = wholeText / textPieces
		step := (len(text) - piece) / (textPieces - 1)
		for i := range textPieces {
			s.read(text[i*step:i*step+piece], scratch, &fresh, &total)
		}
	}
	return s.share(fresh, total)
}

func (s *tokenSet) read(text []byte, scratch *[setWords]uint64, fresh, total *int) {
	h, n := uint32(2166136261), 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) {
			if c := tokenClass[text[i]]; c != 0 {
				h = (h ^ uint32(c)) * 16777619
				n++
				continue
			}
			if text[i] == '\\' {
				i++ // the n of \n is an escape, not a token's beginning
			}
		}
		if n > 0 {
			h ^= h >> 15
			j, b := h>>6%setWords, uint64(1)<<(h&63)
			if scratch[j]&b == 0 {
				scratch[j] |= b
				*total++
				if (s.now[j]|s.old[j])&b == 0 {
					*fresh++
				}
				s.add(h)
			}
			h, n = 2166136261, 0
		}
	}
}

// tokenClass is each byte as tokens have it, 0 for those between tokens.
var tokenClass = func() (t [256]byte) {
	for c := range 256 {
		switch b := byte(c); {
		case b >= 'A' && b <= 'Z':
			t[c] = b | 0x20
		case b >= 'a' && b <= 'z', isDigit(b), b >= 0x80:
			t[c] = b
		}
	}
	return t
}()

// sketch stands for the words of a text: the smallest of their hashes, which
// are all of a short one.
type sketch struct {
	n     uint16 // distinct words, counted to a bound
	kept  uint8
	named uint8
	words [sketchWords]uint32 // sorted
	names [sketchNames]uint32 // of the words those that name a thing
}

const (
	sketchWords = 12
	sketchNames = 4
	sketchMost  = 128
)

// sketchOf makes a sketch of words.
func sketchOf(words []word) sketch {
	var s sketch
	var all [sketchMost]uint32
	list := all[:0]
	for _, w := range words {
		if len(list) == sketchMost {
			break
		}
		list = append(list, w.hash)
		if w.id && int(s.named) < sketchNames && !slices.Contains(s.names[:s.named], w.hash) {
			s.names[s.named] = w.hash
			s.named++
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	s.n = uint16(len(list))
	s.kept = uint8(copy(s.words[:], list))
	return s
}

// alike is how much of the words of both are in both, per mille: exact for
// short texts, an estimate from the smallest hashes for long ones (Broder 1997).
// It is 0 where each names a thing that the other does not.
func (s *sketch) alike(o *sketch) int32 {
	if s.n == 0 || o.n == 0 || s.namesMore(o) && o.namesMore(s) {
		return 0
	}
	both, union := 0, 0
	i, j := 0, 0
	for union < sketchWords || s.n <= sketchWords && o.n <= sketchWords {
		switch {
		case i < int(s.kept) && j < int(o.kept) && s.words[i] == o.words[j]:
			both++
			i++
			j++
		case i < int(s.kept) && (j >= int(o.kept) || s.words[i] < o.words[j]):
			i++
		case j < int(o.kept):
			j++
		default:
			return int32(1000 * both / max(union, 1))
		}
		union++
	}
	return int32(1000 * both / union)
}

func (s *sketch) namesMore(o *sketch) bool {
	for _, n := range s.names[:s.named] {
		if !slices.Contains(o.names[:o.named], n) {
			return true
		}
	}
	return false
}

// argWords appends the words of a call's arguments.
func (w *Workspace) argWords(dst []word, c *event.Call) []word {
	if c.Raw.Form != event.Absent {
		return appendWords(dst, w.plainText(c.Raw, wholeText), sketchMost)
	}
	if c.Arguments.Form != event.Object {
		return dst
	}
	cur := event.NewCursor(c.Arguments)
	if cur.Enter() {
		dst = w.scalarWords(dst, &cur, true, 4)
	}
	return dst
}

func (w *Workspace) scalarWords(dst []word, c *event.Cursor, object bool, depth int) []word {
	for c.More() {
		if object {
			c.Key()
		}
		if f := c.Form(); f == event.Object || f == event.Array {
			if depth > 0 && c.Enter() {
				dst = w.scalarWords(dst, c, f == event.Object, depth-1)
			} else {
				c.Skip()
			}
			continue
		}
		v := c.Value()
		switch {
		case v.IsString():
			dst = appendWords(dst, w.plainText(v, wholeText), sketchMost)
		case v.Form == event.Number && len(dst) < sketchMost:
			dst = append(dst, word{hashWord(v.Raw[:min(len(v.Raw), maxWord)]), true})
		case v.Form == event.Bool && len(dst) < sketchMost:
			dst = append(dst, word{hashWord(v.Raw), false})
		}
	}
	return dst
}

// count counts the bits of the filters anew.
func (s *tokenSet) count() {
	s.set, s.setOld = 0, 0
	for i := range s.now {
		s.set += int32(bits.OnesCount64(s.now[i]))
		s.setOld += int32(bits.OnesCount64(s.old[i]))
	}
}
