package facts

import (
	"bytes"

	"misstep/event"
)

// slotResult takes a result into account: which values of the user it served,
// what ids a write brought, and which ids stand for what.
func (t *Trajectory) slotResult(w *Workspace, step *event.Step) {
	cur := &w.Cur
	s, c := t.Slots, cur.Call
	if c == nil || s == nil || s.Blind {
		return
	}
	failed := c.Status.Failed()
	// The arguments are not kept: the values that the calls since the latest
	// message took are served or not by what comes of them.
	for i := range s.Mentions {
		m := &s.Mentions[i]
		if m.Used != 0 && m.Used == s.Turn {
			if failed && !c.Tool.Changes {
				m.Failed = s.Turn
			} else if !failed && c.Tool.Changes {
				m.Done = s.Turn
			}
		}
	}
	if failed && !c.Tool.Changes {
		s.Miss = s.Turn
	}
	if failed || step.Result.Cut.Truncated {
		return
	}
	v := step.Result.Content
	if !v.Present() {
		return
	}
	records := s.numLimits() > 0 || bytes.Contains(v.Raw, lastDigits) || bytes.Contains(v.Raw, last4)
	if !records && !c.Tool.Changes || len(v.Raw) > maxRecords {
		return
	}
	if v.IsString() { // JSON in a string
		w.masked = v.AppendText(w.masked[:0])
		if len(w.masked) == 0 || w.masked[0] != '{' && w.masked[0] != '[' {
			return
		}
		inner, err := event.JSONValue(w.masked)
		if err != nil {
			return
		}
		v = inner
	}
	if v.Form != event.Object && v.Form != event.Array {
		return
	}
	w.leafText, w.branches = w.leafText[:0], 0
	cursor := event.NewCursor(v)
	t.record(w, &cursor, c.Tool.Changes, nil, 0)
}

var lastDigits, last4 = []byte("last_four"), []byte("last4")

// numLimits is how many limits stand.
func (s *Slots) numLimits() int {
	n := 0
	for i := range s.Limits {
		if s.Limits[i].Dead == 0 {
			n++
		}
	}
	return n
}

// record reads one object or array of a result. What the members of an object
// say is held to be true of the ids in it, and of the key that it stands under.
func (t *Trajectory) record(w *Workspace, c *event.Cursor, made bool, under []byte, depth int) {
	s := t.Slots
	if w.branches++; w.branches > maxBranches || depth > maxLeafDepth {
		c.Skip()
		return
	}
	if c.Form() == event.Array {
		c.Enter()
		for c.More() {
			if f := c.Form(); f == event.Object || f == event.Array {
				t.record(w, c, made, nil, depth+1)
				continue
			}
			if p, ok := w.leaf(nil, c.Value()); ok && made && p.Kind == SlotID && p.Shape != 0 {
				s.make(p.Hash)
			}
		}
		return
	}
	var own [24]Leaf // of this object, with those one level further in
	n := 0
	inner := *c
	c.Enter()
	for c.More() {
		k := c.Key()
		if f := c.Form(); f == event.Object || f == event.Array {
			t.record(w, c, made, k.Raw, depth+1)
			continue
		}
		if p, ok := w.leaf(k.Raw, c.Value()); ok && n < len(own) {
			own[n] = p
			n++
			if made && p.Shape != 0 {
				s.make(p.Hash)
			}
		}
	}
	if n == 0 && len(under) == 0 {
		return
	}
	t.judge(w, own[:n], under, &inner)
}

// judge notes what an object says of the ids in it.
func (t *Trajectory) judge(w *Workspace, own []Leaf, under []byte, c *event.Cursor) {
	s := t.Slots
	var ids [6]uint64
	n := 0
	if hasDigit(under) && len(under) <= maxLeafText {
		at := len(w.leafText)
		w.leafText = appendLower(w.leafText, under)
		ids[n] = slotHash(w.leafText[at:])
		n++
	}
	for i := range own {
		p := &own[i]
		if p.Shape != 0 && n < len(ids) && (p.Kind == SlotID || p.Kind == SlotNumber && p.isID()) {
			ids[n] = p.Hash
			n++
		}
	}
	if n == 0 {
		return
	}
	for i := range own {
		p := &own[i]
		if isLastDigits(p.Name) && (p.Kind == SlotNumber || p.Kind == SlotID) && p.Num > 0 && p.Num < 10_000_000_000 {
			for _, id := range ids[:n] {
				s.tails = append(room(s.tails, maxTails), tail{id, int32(p.Num / 1000)})
			}
		}
	}
	for i := range s.Limits {
		m := &s.Limits[i]
		if m.Dead != 0 || m.Op == LimitOnly {
			continue
		}
		num, broken := s.breaks(m, own)
		if !broken {
			if num, broken = w.breaksWithin(s, m, c); !broken {
				continue
			}
		}
		for _, id := range ids[:n] {
			s.breach(id, s.limitKey(i), num)
		}
	}
}

// isID reports whether the name of a number says that it is an id.
func (p *Leaf) isID() bool {
	low := p.Name
	return bytes.HasSuffix(low, []byte("id")) || bytes.HasSuffix(low, []byte("Id")) || bytes.HasSuffix(low, []byte("number")) || bytes.HasSuffix(low, []byte("code")) || bytes.HasSuffix(low, []byte("sku"))
}

func isLastDigits(name []byte) bool {
	switch string(name) {
	case "last_four", "last4", "lastFour", "last_4", "last_four_digits", "last_digits", "ending", "ending_in", "card_last_four", "card_last4", "masked":
		return true
	}
	return false
}

// breaks reports whether the members of a record break a limit: all that a bound
// may mean do, or any is what is excluded.
func (s *Slots) breaks(m *Limit, own []Leaf) (num int64, broken bool) {
	seen := false
	for i := range own {
		p := &own[i]
		if !m.About(nil, p) {
			continue
		}
		if m.Holds(p) {
			if m.Op == LimitNot {
				continue
			}
			return 0, false
		}
		seen, num = true, p.Amount()
	}
	return num, seen
}

// breaksWithin is breaks of the objects in a record, such as its prices.
func (w *Workspace) breaksWithin(s *Slots, m *Limit, c *event.Cursor) (num int64, broken bool) {
	if m.Kind != SlotMoney {
		return 0, false
	}
	inner := *c
	inner.Enter()
	for inner.More() {
		k := inner.Key()
		if inner.Form() != event.Object {
			inner.Skip()
			continue
		}
		var words [4]uint64
		nameWords(k.Raw, &words)
		var own [12]Leaf
		n := 0
		inner.Enter()
		for inner.More() {
			inner.Key()
			if f := inner.Form(); f == event.Object || f == event.Array {
				inner.Skip()
				continue
			}
			if p, ok := w.leaf(k.Raw, inner.Value()); ok && n < len(own) && p.Kind != SlotWord {
				own[n] = p
				n++
			}
		}
		if n > 0 {
			if num, broken = s.breaks(m, own[:n]); broken {
				return num, true
			}
		}
	}
	return 0, false
}

func (s *Slots) make(hash uint64) {
	for _, h := range s.made {
		if h == hash {
			return
		}
	}
	s.made = append(room(s.made, maxMade), hash)
}

func (s *Slots) breach(id uint64, key int32, num int64) {
	for i := range s.breaches {
		if b := &s.breaches[i]; b.id == id && b.limit == key {
			b.num = num
			return
		}
	}
	s.breaches = append(room(s.breaches, maxBreaches), breach{id, key, num})
}
