package facts

import (
	"bytes"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// Leaf is one scalar argument of a call, or one scalar of a record. It borrows
// from the step and from scratch space of the workspace.
type Leaf struct {
	Name  []byte    // of the parameter or member
	Slot  uint64    // hash of Name
	Words [4]uint64 // hashes of the words of Name, 0 for none
	Text  []byte    // of a string in lower case; of a number as it is written
	Raw   []byte    // the same as it is written
	Kind  SlotKind
	Hash  uint64
	Shape uint64
	Num   int64
	Typed bool
	Alone bool // the call holds no other value under that name
	Path  [4]uint64
}

// The bounds of what is looked at in one call or result.
const (
	maxLeaves    = 48
	maxLeafText  = 80
	maxLeafDepth = 5
	maxRecords   = 32 << 10 // bytes of a result
	maxBranches  = 600      // members and elements of a result
)

// leaves takes the scalar values of arguments apart.
func (w *Workspace) leavesOf(v event.Value) []Leaf {
	w.leaves, w.leafText = w.leaves[:0], w.leafText[:0]
	if v.Form != event.Object {
		return nil
	}
	c := event.NewCursor(v)
	w.walkLeaves(&c, nil, 0)
	for i := range w.leaves {
		p := &w.leaves[i]
		p.Alone = true
		for j := range w.leaves {
			if q := &w.leaves[j]; q.Slot == p.Slot && q.Hash != p.Hash {
				p.Alone = false
				break
			}
		}
	}
	return w.leaves
}

// walkLeaves takes the next element apart; name is the member it stands under.
func (w *Workspace) walkLeaves(c *event.Cursor, name []byte, depth int) {
	if len(w.leaves) >= maxLeaves || depth > maxLeafDepth {
		c.Skip()
		return
	}
	switch c.Form() {
	case event.Object:
		c.Enter()
		for c.More() {
			k := c.Key()
			if k.Form == event.Escaped {
				c.Skip()
				continue
			}
			w.walkLeaves(c, k.Raw, depth+1)
		}
	case event.Array:
		c.Enter()
		for c.More() {
			w.walkLeaves(c, name, depth+1)
		}
	default:
		if p, ok := w.leaf(name, c.Value()); ok {
			w.leaves = append(w.leaves, p)
		}
	}
}

// leaf reads one scalar.
func (w *Workspace) leaf(name []byte, v event.Value) (Leaf, bool) {
	p := Leaf{Name: name, Slot: nonZero(xxhash.Sum64(name))}
	switch v.Form {
	case event.String, event.Number:
		if len(v.Raw) == 0 || len(v.Raw) > maxLeafText {
			return p, false
		}
		at := len(w.leafText)
		p.Raw = v.Raw
		w.leafText = appendLower(w.leafText, v.Raw)
		p.Text = w.leafText[at:len(w.leafText):len(w.leafText)]
		t := slotToken{}
		classify(&t, v.Raw, p.Text)
		p.Kind, p.Hash, p.Shape, p.Num, p.Typed = t.kind, t.hash, t.shape, t.num, t.typed
		if v.Form == event.String && p.Kind == SlotNumber && p.Shape == 0 {
			p.Shape = shapeOf(p.Text)
		}
		if p.Kind == SlotID && bytes.IndexByte(p.Text, ' ') >= 0 {
			p.Kind = SlotWord
		}
	case event.Bool:
		p.Kind, p.Text = SlotFlag, v.Raw
		if string(v.Raw) == "true" {
			p.Num = 1000
		}
		p.Hash = slotHash(v.Raw)
	default:
		return p, false
	}
	nameWords(name, &p.Words)
	return p, true
}

// nameWords hashes the words of a parameter's name, labels left out.
func nameWords(name []byte, words *[4]uint64) {
	n := 0
	var b [24]byte
	k := 0
	flush := func() {
		if k > 1 && n < len(words) && !isLabel(b[:k]) {
			words[n] = stemHash(b[:k])
			n++
		}
		k = 0
	}
	for i, c := range name {
		switch {
		case !isWordChar(c):
			flush()
			continue
		case c-'A' < 26 && i > 0 && name[i-1]-'a' < 26:
			flush()
		}
		if k < len(b) {
			b[k] = c | 0x20
			if c-'0' < 10 {
				b[k] = c
			}
			k++
		}
	}
	flush()
}

// Has reports whether the name holds the noun.
func (p *Leaf) Has(noun uint64) bool {
	return noun != 0 && (p.Words[0] == noun || p.Words[1] == noun || p.Words[2] == noun || p.Words[3] == noun)
}

// Money reports whether the name is of an amount of money.
func (p *Leaf) Money() bool {
	for _, n := range p.Words {
		if n != 0 && isMoneyNoun(n) {
			return true
		}
	}
	return false
}

// Amount is the number in the unit that people speak of: cents become dollars.
func (p *Leaf) Amount() int64 {
	if bytes.HasSuffix(p.Name, []byte("cents")) || bytes.HasSuffix(p.Name, []byte("minor")) || bytes.HasSuffix(p.Name, []byte("Cents")) {
		return p.Num / 100
	}
	return p.Num
}

// slot takes a step into account for the table of slots.
func (t *Trajectory) slot(w *Workspace, s *event.Step) {
	switch s.Kind {
	case event.ToolCall:
		t.slotCall(w, s)
	case event.ToolResult:
		t.slotResult(w, s)
	case event.UserMessage:
		t.pin(w, s, s.Text, s.Cut)
	case event.AgentMessage:
		t.heard(w, s)
	case event.TaskStart:
		if s.Task.Goal.Form != event.Absent {
			t.pin(w, s, s.Task.Goal, event.Cut{})
		}
	case event.ModelCall:
		t.slotModel(s)
	}
}

// slotCall takes the arguments of a call into account: what a parameter takes
// of what the user wrote is of that parameter's type.
func (t *Trajectory) slotCall(w *Workspace, step *event.Step) {
	cur := &w.Cur
	cur.Leaves = nil
	s := t.Slots
	if cur.Call == nil || s == nil || len(s.Mentions)+len(s.Limits)+len(s.echoes) == 0 && !s.Blind {
		return
	}
	if s.Blind || step.Call.Cut.Truncated || step.Call.Raw.Form != event.Absent || step.Call.Arguments.Form == event.Hidden {
		cur.Lacks |= NeedSlotTypes
		return
	}
	if s.Foreign {
		cur.Lacks |= NeedLanguage
	}
	cur.Leaves = w.leavesOf(step.Call.Arguments)
	for i := range cur.Leaves {
		p := &cur.Leaves[i]
		if p.Kind == SlotID || p.Kind == SlotNumber && p.Shape != 0 {
			if !cur.Call.Tool.Changes {
				s.calledAt(p.Hash)
			}
		}
		if m := s.Mention(p.Hash); m != nil && p.Kind != SlotFlag && p.Kind != SlotWord && (p.Kind != SlotNumber || p.Shape != 0 || p.Has(m.Noun)) {
			m.Slot, m.Used = p.Slot, max(s.Turn, 1)
			if m.Noun == 0 || !p.Has(m.Noun) && p.Words[0] != 0 && m.Kind != SlotNumber {
				m.Noun = p.Words[0]
			}
			if m.Kind == SlotNumber && m.Shape != 0 && p.Kind == SlotID {
				m.Kind = SlotID
			}
		}
	}
}

// Enum calls fn with the members of the enum of a parameter, in lower case, as
// its ToolSpec declares them.
func (t *Tool) Enum(name []byte, fn func(member []byte)) {
	if len(t.spec) == 0 || !bytes.Contains(t.spec, []byte(`"enum"`)) {
		return
	}
	c := event.NewCursor(event.Value{Raw: t.spec, Form: event.Object})
	enumOf(&c, nil, name, 0, fn)
}

// enumOf walks a schema; key is the member that it stands under.
func enumOf(c *event.Cursor, key, name []byte, depth int, fn func(member []byte)) {
	f := c.Form()
	if depth > 12 || f != event.Object && f != event.Array {
		c.Skip()
		return
	}
	c.Enter()
	for c.More() {
		if f == event.Array {
			enumOf(c, key, name, depth+1, fn)
			continue
		}
		k := c.Key()
		if k.EqualText("enum") && bytes.Equal(key, name) && c.Form() == event.Array {
			c.Enter()
			for c.More() {
				if v := c.Value(); v.Form == event.String && len(v.Raw) <= maxLeafText {
					fn(appendLower(nil, v.Raw))
				}
			}
			continue
		}
		under := k.Raw
		if k.EqualText("items") { // the elements go by the name of the array
			under = key
		}
		enumOf(c, under, name, depth+1, fn)
	}
}

var quantityNoun = stemHash([]byte("quantity"))

// IsQuantity reports whether the name of an argument is a bare count.
func IsQuantity(p *Leaf) bool { return p.Has(quantityNoun) }
