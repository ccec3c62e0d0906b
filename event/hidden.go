package event

import "bytes"

// HiddenValue is a value of which the producer sent a keyed hash instead of the
// content. All members are optional.
type HiddenValue struct {
	KID []byte // names the key; values under different keys cannot be compared
	// MAC is the keyed hash as base64url text, free of padding; empty: the value
	// is equal to nothing.
	MAC    []byte
	Len    int64 // bytes of the value, None when absent
	Tokens Value // array of the hashes of its id-like tokens, unparsed
}

// ParseHidden reads a value of the form Hidden. ok is false when v is no such
// value, or a member of it is not what it should be.
func ParseHidden(v Value) (h HiddenValue, ok bool) {
	h.Len = None
	if v.Form != Hidden {
		return h, false
	}
	c := NewCursor(Value{Raw: v.Raw, Form: Object})
	if !c.Enter() {
		return h, false
	}
	for c.More() {
		k, m := c.Key(), c.Value()
		switch {
		case k.EqualText("kid"):
			if h.KID, ok = plainText(m); !ok {
				return h, false
			}
		case k.EqualText("mac"):
			if h.MAC, ok = plainText(m); !ok {
				return h, false
			}
			h.MAC = bytes.TrimRight(h.MAC, "=")
		case k.EqualText("len"):
			switch n, exact := parseInt(m.Raw); {
			case m.Form == Null:
				h.Len = None
			case m.Form != Number || !exact || n < 0:
				return h, false
			default:
				h.Len = n
			}
		case k.EqualText("tokens"):
			switch m.Form {
			case Array:
				h.Tokens = m
			case Null:
				h.Tokens = Value{}
			default:
				return h, false
			}
		}
	}
	return h, true
}

// plainText gives the text of a string that needs no escapes, as base64url and
// the names of keys do not; nothing for null.
func plainText(v Value) (text []byte, ok bool) {
	switch v.Form {
	case String:
		return v.Raw, true
	case Null:
		return nil, true
	case Escaped:
		return appendUnescaped(nil, v.Raw), true // nobody writes it so: it may allocate
	default:
		return nil, false
	}
}

const hiddenKey = "$hidden"

// couldHide reports whether the valid object at i may be a hidden value: a
// cheap test that says no to nearly all others.
func couldHide(b []byte, i int) bool {
	i = skipSpace(b, i+1)
	return i+1 < len(b) && b[i] == '"' && (b[i+1] == '$' || b[i+1] == '\\')
}

// hiddenObject gives the object inside {"$hidden": {...}}: raw is a valid
// object, which hides a value when that is its only member.
func hiddenObject(raw []byte) (inner []byte, ok bool) {
	c := Cursor{raw: raw}
	c.Enter()
	if !c.More() || !c.Key().EqualText(hiddenKey) {
		return nil, false
	}
	start := c.pos
	if start >= len(raw) || raw[start] != '{' {
		return nil, false
	}
	c.Skip()
	inner = raw[start:c.pos:c.pos]
	if c.More() {
		return nil, false
	}
	return inner, true
}
