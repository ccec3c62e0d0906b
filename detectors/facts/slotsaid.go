package facts

import (
	"bytes"

	"misstep/event"
)

// Said is one of the latest messages, cut.
type Said struct {
	Text  []byte // as written
	Turn  int32
	Agent bool // an agent wrote it
	Cued  bool // it corrects something
	No    bool // it begins with a no
	Seq   int64
	ID    []byte
}

// The bounds of what is remembered word for word.
const (
	maxSaid     = 8
	maxSaidText = 320
)

// say remembers a message.
func (s *Slots) say(text []byte, agent, cued, no bool, step *event.Step, id []byte) {
	var buf, idBuf []byte
	if len(s.said) == maxSaid {
		buf, idBuf = s.said[0].Text[:0], s.said[0].ID[:0]
		copy(s.said, s.said[1:])
		s.said = s.said[:maxSaid-1]
	}
	if k := len(s.said); buf == nil && k < cap(s.said) {
		buf, idBuf = s.said[:k+1][k].Text[:0], s.said[:k+1][k].ID[:0]
	}
	s.said = append(s.said, Said{Text: append(buf, cutText(text, maxSaidText)...), Turn: s.Turn, Agent: agent, Cued: cued, No: no, Seq: step.Seq, ID: append(idBuf, id...)})
}

// LastSaid gives the latest message with a value as words of their own, and
// where in it, nil for none; of an agent, or of a user.
func (s *Slots) LastSaid(value []byte, agent bool) (m *Said, at int) {
	for i := len(s.said) - 1; i >= 0; i-- {
		if m := &s.said[i]; m.Agent == agent {
			if at := wordsAt(m.Text, value, 0); at >= 0 {
				return m, at
			}
		}
	}
	return nil, -1
}

// Refused gives the message in which a user said no to a value that an agent
// had just asked about, nil for none.
func (s *Slots) Refused(value []byte) *Said {
	for i := len(s.said) - 1; i > 0; i-- {
		m, q := &s.said[i], &s.said[i-1]
		if !m.Agent && m.Has(value) {
			return nil
		}
		if m.Agent || !m.No || !q.Agent {
			continue
		}
		end := bytes.LastIndexByte(q.Text, '?')
		if end < 0 {
			continue
		}
		start := bytes.LastIndexAny(q.Text[:end], ".!\n") + 1
		if wordsAt(q.Text[start:end], value, 0) >= 0 {
			return m
		}
	}
	return nil
}

// LatestSaid gives the latest message of a user, nil for none.
func (s *Slots) LatestSaid() *Said {
	for i := len(s.said) - 1; i >= 0; i-- {
		if !s.said[i].Agent {
			return &s.said[i]
		}
	}
	return nil
}

// Has reports whether the message holds a value as words of their own.
func (m *Said) Has(value []byte) bool { return wordsAt(m.Text, value, 0) >= 0 }

// wordsAt finds a value in a text from a place on, -1 for none: without case, an
// underscore is a space, and what stands around it is no letter and no digit.
func wordsAt(text, value []byte, from int) int {
	if len(value) == 0 {
		return -1
	}
	for i := from; i+len(value) <= len(text); i++ {
		if i > 0 && isWordChar(text[i-1]) {
			continue
		}
		k := 0
		for k < len(value) && sameChar(text[i+k], value[k]) {
			k++
		}
		if k == len(value) && (i+k == len(text) || !isWordChar(text[i+k])) {
			return i
		}
	}
	return -1
}

func sameChar(a, b byte) bool {
	if a == b || (a == ' ' || a == '-') && (b == '_' || b == ' ') {
		return true
	}
	return a|0x20 == b|0x20 && (a|0x20)-'a' < 26
}

// denials stand before a value that is taken back.
var denials = [][]byte{
	[]byte("instead of "), []byte("rather than "), []byte("no longer "), []byte(" not "), []byte("isn't "), []byte("don't use "), []byte("forget "), []byte("and not "), []byte("in place of "),
}

// Denies reports whether the message takes back the value that stands at a
// place in it: not X, instead of X.
func (m *Said) Denies(at int) bool {
	var b [40]byte
	n := copy(b[:], m.Text[max(0, at-len(b)):at])
	head := b[:n]
	for i, c := range head {
		if c-'A' < 26 {
			head[i] = c | 0x20
		}
	}
	if bytes.HasPrefix(head, []byte("not ")) && n <= 8 && at <= len(b) {
		return true
	}
	for _, d := range denials {
		if k := bytes.LastIndex(head, d); k >= 0 {
			rest := bytes.TrimSpace(head[k+len(d):])
			if !bytes.ContainsAny(rest, ".,;!?\n") && (len(rest) == 0 || isLead(rest)) {
				return true
			}
		}
	}
	return false
}

// isLead reports whether only articles and labels stand before a value.
func isLead(rest []byte) bool {
	for _, w := range bytes.Fields(rest) {
		if !isLabel(w) {
			return false
		}
	}
	return true
}

// Told gives what a user said that the value of a parameter is to be: "the seat
// must be 4C", "address: 7 Mill Road", "remember 4C for the seat". It is cut out
// of the message; nil where no user said so in words that are understood.
func (s *Slots) Told(l *Leaf) (m *Said, value []byte) {
	noun := lastWord(l.Name)
	if len(noun) < 3 {
		return nil, nil
	}
	for i := len(s.said) - 1; i >= 0; i-- {
		m := &s.said[i]
		if m.Agent {
			continue
		}
		for at := wordsAt(m.Text, noun, 0); at >= 0; at = wordsAt(m.Text, noun, at+1) {
			if v := valueAfter(m.Text[at+len(noun):]); v != nil {
				return m, v
			}
			if v := valueBefore(m.Text[:at]); v != nil {
				return m, v
			}
		}
	}
	return nil, nil
}

// lastWord gives the last word of a parameter's name that is no label.
func lastWord(name []byte) []byte {
	end := len(name)
	for end > 0 {
		start := end
		for start > 0 && name[start-1] != '_' && name[start-1] != '-' && name[start-1] != '.' {
			start--
			if name[start]-'A' < 26 {
				break
			}
		}
		if w := name[start:end]; len(w) > 0 && !isLabel(bytes.ToLower(w)) {
			return w
		}
		end = max(start-1, 0)
	}
	return nil
}

// verbs stand between a noun and its value.
var isVerbs = [][]byte{
	[]byte(" must be "), []byte(" should be "), []byte(" has to be "), []byte(" needs to be "), []byte(" to be "), []byte(" will be "), []byte(" becomes "), []byte(" is "), []byte(" to "), []byte(": "), []byte(" = "), []byte(" "),
}

// valueAfter cuts the value out of what follows a noun: digits or a capital in
// it tell it from other words.
func valueAfter(rest []byte) []byte {
	for _, v := range isVerbs {
		k := -1
		if len(v) > 1 && v[0] == ' ' {
			if k = bytes.Index(rest[:min(len(rest), 40)], v); k > 0 && bytes.ContainsAny(rest[:k], ".,;!?\n") {
				k = -1
			}
		} else if bytes.HasPrefix(rest, v) {
			k = 0
		}
		if k < 0 {
			continue
		}
		if value := cutValue(rest[k+len(v):]); value != nil {
			return value
		}
	}
	return nil
}

// keeps stand before a value that is for a noun.
var keeps = [][]byte{[]byte("remember "), []byte("use "), []byte("keep "), []byte("want "), []byte("note "), []byte("choose "), []byte("take "), []byte("set ")}

// valueBefore cuts the value out of what stands before a noun: "use X for the".
func valueBefore(head []byte) []byte {
	low := bytes.ToLower(head[max(0, len(head)-80):])
	head = head[max(0, len(head)-80):]
	end := -1
	for _, f := range [...]string{" for the ", " for my ", " as the ", " for ", " as "} {
		if bytes.HasSuffix(low, []byte(f)) {
			end = len(low) - len(f)
			break
		}
	}
	if end < 0 {
		return nil
	}
	for _, k := range keeps {
		if i := bytes.LastIndex(low[:end], k); i >= 0 && (i == 0 || !isWordChar(low[i-1])) {
			return cutValue(head[i+len(k) : end])
		}
	}
	return nil
}

// valueStops end a value.
var valueStops = [][]byte{[]byte(" and "), []byte(" please"), []byte(" instead"), []byte(" not "), []byte(" but "), []byte(" for "), []byte(" as "), []byte(" when "), []byte(" if "), []byte(" on "), []byte(" of ")}

// cutValue gives the value that a text begins with: up to five words, of which
// the first begins with a digit or a capital.
func cutValue(t []byte) []byte {
	t = bytes.TrimLeft(t, " '\"#")
	if len(t) == 0 || t[0]-'0' >= 10 && t[0]-'A' >= 26 {
		return nil
	}
	if k := bytes.IndexAny(t, ".,;!?\n\"'()"); k >= 0 {
		t = t[:k]
	}
	for _, s := range valueStops {
		if k := bytes.Index(t, s); k > 0 {
			t = t[:k]
		}
	}
	t = bytes.TrimSpace(t)
	if n := bytes.Count(t, []byte(" ")); len(t) == 0 || n > 4 {
		return nil
	}
	return t
}

// Shares reports whether two values have a word in common.
func Shares(a, b []byte) bool {
	for i := 0; i < len(a); {
		for i < len(a) && !isWordChar(a[i]) {
			i++
		}
		start := i
		for i < len(a) && isWordChar(a[i]) {
			i++
		}
		if i > start && wordsAt(b, a[start:i], 0) >= 0 {
			return true
		}
	}
	return false
}
