package event

// Cursor walks JSON that is already known to be valid: a Value that the decoder
// or JSONValue gave. It reads each byte once, checks nothing again, allocates
// nothing and never fails; on JSON that is not valid it ends early, but stays
// within its bytes. What it hands out borrows from that JSON.
//
//	c := event.NewCursor(v)          // at v
//	if c.Enter() {                   // v is an object or an array
//		for c.More() {
//			key := c.Key()           // in an object only
//			val := c.Value()         // or Skip, or Enter and a loop of its own
//		}
//	}
//
// For each element (and each member, after its Key) call exactly one of Value,
// Skip or Enter; after an Enter that gave true, call More until it gives false,
// which leaves the container. The last of equal keys counts: a walk that stops
// at the first has to know that.
//
// A Cursor is a small value: copying it keeps a place to come back to.
type Cursor struct {
	raw   []byte
	pos   int
	first bool // just after Enter: no comma to step over
	one   Form // of the whole value when raw is no JSON by itself
}

// NewCursor gives a cursor at v. A string, an absent and a hidden value are
// walked as one element; to look into a hidden one, use ParseHidden.
func NewCursor(v Value) Cursor {
	c := Cursor{raw: v.Raw}
	switch v.Form {
	case Object, Array, Number, Bool:
		c.pos = skipSpace(c.raw, 0)
	default:
		c.one = v.Form
	}
	return c
}

// Form tells what the next element is, without moving.
func (c *Cursor) Form() Form {
	if c.pos >= len(c.raw) || c.one != Absent {
		return c.one
	}
	switch c.raw[c.pos] {
	case '{':
		if couldHide(c.raw, c.pos) {
			probe := *c
			return probe.Value().Form
		}
		return Object
	case '[':
		return Array
	case '"':
		probe := *c
		return probe.Value().Form
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		return Number
	}
}

// Enter steps into the next element when it is an object (a hidden one too) or
// an array. Else it gives false and does not move.
func (c *Cursor) Enter() bool {
	if c.one != Absent || c.pos >= len(c.raw) || c.raw[c.pos] != '{' && c.raw[c.pos] != '[' {
		return false
	}
	c.pos++
	c.first = true
	return true
}

// More moves to the next member or element of the container that was entered
// last and not left. At its end it leaves the container and gives false.
func (c *Cursor) More() bool {
	i := c.pos
	if i < len(c.raw) && c.raw[i] <= ' ' {
		i = skipSpace(c.raw, i)
	}
	if i >= len(c.raw) {
		c.pos, c.first = i, false
		return false
	}
	if c.raw[i] == '}' || c.raw[i] == ']' {
		c.pos, c.first = i+1, false
		return false
	}
	if !c.first {
		i++ // the comma
		if i < len(c.raw) && c.raw[i] <= ' ' {
			i = skipSpace(c.raw, i)
		}
	}
	c.pos, c.first = i, false
	return i < len(c.raw)
}

// Key gives the key of the member and moves to its value.
func (c *Cursor) Key() Value {
	start := c.pos + 1
	end, escaped := skipString(c.raw, start)
	k := Value{Form: String}
	if escaped {
		k.Form = Escaped
	}
	if start <= end {
		k.Raw = c.raw[start:end:end]
	}
	if i := end + 2; i < len(c.raw) && c.raw[i-1] == ':' && c.raw[i] > ' ' {
		c.pos = i
		return k
	}
	i := skipSpace(c.raw, end+1)
	c.pos = min(skipSpace(c.raw, i+1), len(c.raw)) // past the colon
	return k
}

// Value gives the next element and moves past it.
func (c *Cursor) Value() Value {
	if c.one != Absent {
		v := Value{Raw: c.raw, Form: c.one}
		*c = Cursor{}
		return v
	}
	start := c.pos
	if start >= len(c.raw) {
		return Value{}
	}
	switch c.raw[start] {
	case '"':
		end, escaped := skipString(c.raw, start+1)
		c.pos = min(end+1, len(c.raw))
		if escaped {
			return Value{Raw: c.raw[start+1 : end : end], Form: Escaped}
		}
		return Value{Raw: c.raw[start+1 : end : end], Form: String}
	case '{':
		c.pos = skipContainer(c.raw, start)
		raw := c.raw[start:c.pos:c.pos]
		if couldHide(raw, 0) {
			if inner, ok := hiddenObject(raw); ok {
				return Value{Raw: inner, Form: Hidden}
			}
		}
		return Value{Raw: raw, Form: Object}
	case '[':
		c.pos = skipContainer(c.raw, start)
		return Value{Raw: c.raw[start:c.pos:c.pos], Form: Array}
	case 't', 'f':
		c.pos = skipAtom(c.raw, start)
		return Value{Raw: c.raw[start:c.pos:c.pos], Form: Bool}
	case 'n':
		c.pos = skipAtom(c.raw, start)
		return Value{Form: Null}
	default:
		c.pos = skipAtom(c.raw, start)
		return Value{Raw: c.raw[start:c.pos:c.pos], Form: Number}
	}
}

// Skip moves past the next element.
func (c *Cursor) Skip() {
	if c.one != Absent {
		*c = Cursor{}
		return
	}
	if c.pos >= len(c.raw) {
		return
	}
	switch c.raw[c.pos] {
	case '"':
		end, _ := skipString(c.raw, c.pos+1)
		c.pos = min(end+1, len(c.raw))
	case '{', '[':
		c.pos = skipContainer(c.raw, c.pos)
	default:
		c.pos = skipAtom(c.raw, c.pos)
	}
}

// skipString finds the closing quote of a valid string.
func skipString(b []byte, i int) (end int, escaped bool) {
	for last := len(b) - 8; i <= last; {
		hit := quoted(loadWhole(b, i))
		if hit == 0 {
			i += 8
			continue
		}
		i += trailingBytes(hit)
		if b[i] == '"' {
			return i, escaped
		}
		escaped = true
		i += 2
	}
	for i < len(b) {
		switch b[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i++
		}
		i++
	}
	return len(b), escaped
}

// quoted marks quotes and backslashes.
func quoted(w uint64) uint64 {
	return (((w ^ '"'*eachByte) - eachByte) | ((w ^ '\\'*eachByte) - eachByte)) &^ w & highBits
}

// skipContainer finds the end of the valid object or array at i.
func skipContainer(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i, _ = skipString(b, i+1)
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// skipAtom finds the end of the valid number or literal at i.
func skipAtom(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// peek gives the first byte of the next element; 'n' where there is none.
func (c *Cursor) peek() byte {
	switch {
	case c.one == String || c.one == Escaped:
		return '"'
	case c.one == Hidden:
		return '{'
	case c.pos >= len(c.raw):
		return 'n'
	}
	return c.raw[c.pos]
}
