package event

// value reads any JSON value at i, checking all of it, in containers nested to
// depth. It gives the place after it, -1 when it failed.
func (d *Decoder) value(b []byte, i, depth int, field string) (v Value, next int) {
	if i >= len(b) {
		return v, d.failSyntax(b, i, field, "a value")
	}
	switch c := b[i]; c {
	case '"':
		end, m := scanString(b, i+1)
		if m == 0 {
			return Value{Raw: b[i+1 : end : end], Form: String}, end + 1
		}
		if m.failed() {
			return v, d.failString(b, end, m, field)
		}
		v = Value{Raw: b[i+1 : end : end], Form: String}
		if m&hasEscapes != 0 {
			v.Form = Escaped
		}
		return v, end + 1
	case '{':
		next = d.skipObject(b, i, depth, field)
		if next < 0 {
			return v, -1
		}
		raw := b[i:next:next]
		if couldHide(raw, 0) {
			if inner, ok := hiddenObject(raw); ok {
				return Value{Raw: inner, Form: Hidden}, next
			}
		}
		return Value{Raw: raw, Form: Object}, next
	case '[':
		next = d.skipArray(b, i, depth, field)
		if next < 0 {
			return v, -1
		}
		return Value{Raw: b[i:next:next], Form: Array}, next
	case 'n':
		if literal(b, i, "null") {
			return Value{Form: Null}, i + 4
		}
	case 't':
		if literal(b, i, "true") {
			return Value{Raw: b[i : i+4 : i+4], Form: Bool}, i + 4
		}
	case 'f':
		if literal(b, i, "false") {
			return Value{Raw: b[i : i+5 : i+5], Form: Bool}, i + 5
		}
	default:
		if c == '-' || c-'0' <= 9 {
			end, _, ok := scanNumber(b, i)
			if !ok {
				return v, d.failNumber(b, end, field)
			}
			return Value{Raw: b[i:end:end], Form: Number}, end
		}
	}
	return v, d.failSyntax(b, i, field, "a value")
}

func (d *Decoder) failNumber(b []byte, i int, field string) int {
	return d.failSyntax(b, i, field, "a digit")
}

func (d *Decoder) failDepth(i int, field string) int {
	return d.fail(ReasonDepth, field, i, "want no deeper nesting, found more", "flatten the value, or send it as a string")
}

// skip checks the value at i and gives the place after it, -1 when it failed.
func (d *Decoder) skip(b []byte, i, depth int, field string) int {
	if i >= len(b) {
		return d.failSyntax(b, i, field, "a value")
	}
	switch c := b[i]; c {
	case '"':
		end, m := scanString(b, i+1)
		if m.failed() {
			return d.failString(b, end, m, field)
		}
		return end + 1
	case '{':
		return d.skipObject(b, i, depth, field)
	case '[':
		return d.skipArray(b, i, depth, field)
	case 'n':
		if literal(b, i, "null") {
			return i + 4
		}
	case 't':
		if literal(b, i, "true") {
			return i + 4
		}
	case 'f':
		if literal(b, i, "false") {
			return i + 5
		}
	default:
		if c == '-' || c-'0' <= 9 {
			end, _, ok := scanNumber(b, i)
			if !ok {
				return d.failNumber(b, end, field)
			}
			return end
		}
	}
	return d.failSyntax(b, i, field, "a value")
}

// skipObject checks the object at i, which is the depth-th container inside
// the event.
func (d *Decoder) skipObject(b []byte, i, depth int, field string) int {
	if depth > d.depth {
		return d.failDepth(i, field)
	}
	i++
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return d.failSyntax(b, i, field, "a key in double quotes")
		}
		end, m := scanString(b, i+1)
		if m.failed() {
			return d.failString(b, end, m, field)
		}
		i = end + 1
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) || b[i] != ':' {
			return d.failSyntax(b, i, field, "':' after a key")
		}
		i++
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i = d.skip(b, i, depth+1, field); i < 0 {
			return -1
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) {
			return d.failSyntax(b, i, field, "',' or '}'")
		}
		if b[i] == ',' {
			i++
			if i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i)
			}
			continue
		}
		if b[i] != '}' {
			return d.failSyntax(b, i, field, "',' or '}'")
		}
		return i + 1
	}
}

// skipArray checks the array at i.
func (d *Decoder) skipArray(b []byte, i, depth int, field string) int {
	if depth > d.depth {
		return d.failDepth(i, field)
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = d.skip(b, i, depth+1, field); i < 0 {
			return -1
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) {
			return d.failSyntax(b, i, field, "',' or ']'")
		}
		if b[i] == ',' {
			i++
			if i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i)
			}
			continue
		}
		if b[i] != ']' {
			return d.failSyntax(b, i, field, "',' or ']'")
		}
		return i + 1
	}
}
