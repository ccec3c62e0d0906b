package event

// The functions here read the value of one known field at i, where a byte
// stands. They give the place after it, -1 when it failed. null reads as
// absent everywhere.

// name reads a string that names something: at most most bytes, no controls.
func (d *Decoder) name(b []byte, i int, dst *[]byte, field string, most int) int {
	if b[i] == '"' {
		// As scanString does, which is not worth a call here.
		for j, last := i+1, len(b)-8; j <= last; j += 8 {
			if hit := special(loadWhole(b, j)); hit != 0 {
				j += trailingBytes(hit)
				if b[j] != '"' || j-i-1 > most {
					break
				}
				*dst = b[i+1 : j : j]
				return j + 1
			}
		}
	}
	return d.nameOdd(b, i, dst, field, most)
}

func (d *Decoder) nameOdd(b []byte, i int, dst *[]byte, field string, most int) int {
	if b[i] != '"' {
		return d.nullOr(b, i, dst, field, "a string")
	}
	end, m := scanString(b, i+1)
	if m.failed() {
		return d.failString(b, end, m, field)
	}
	text := d.unescaped(b[i+1:end], m)
	if len(text) > most {
		return d.failLength(i, field, most)
	}
	if m != 0 && hasControl(text) {
		return d.fail(ReasonValue, field, i, "want no control characters, found one", "")
	}
	*dst = text
	return end + 1
}

func (d *Decoder) failLength(i int, field string, most int) int {
	if most == MaxToolName {
		return d.fail(ReasonValue, field, i, "want at most 256 bytes, found more", "")
	}
	return d.fail(ReasonValue, field, i, "want at most 512 bytes, found more", "")
}

// unescaped gives the text of a scanned string, in scratch space if it holds
// escapes.
func (d *Decoder) unescaped(s []byte, m marks) []byte {
	if m&hasEscapes == 0 {
		return s[:len(s):len(s)]
	}
	// No escape is shorter than what it stands for.
	return d.scratch.keep(appendUnescaped(d.scratch.room(len(s)), s))
}

// hasControl reports whether a text holds a control character: C0, DEL or C1.
func hasControl(text []byte) bool {
	for i, c := range text {
		if c < ' ' || c == 0x7f || c == 0xC2 && i+1 < len(text) && text[i+1] < 0xA0 {
			return true
		}
	}
	return false
}

// nullOr reads null as an absent string, and fails for all else.
func (d *Decoder) nullOr(b []byte, i int, dst *[]byte, field, want string) int {
	if literal(b, i, "null") {
		*dst = nil
		return i + 4
	}
	return d.failType(b, i, field, want, "")
}

// word reads a string that says something short: an enumeration, a reason.
func (d *Decoder) word(b []byte, i int, dst *[]byte, field string) int {
	if b[i] != '"' {
		return d.nullOr(b, i, dst, field, "a string")
	}
	end, m := scanString(b, i+1)
	if m != 0 {
		if m.failed() {
			return d.failString(b, end, m, field)
		}
		*dst = d.unescaped(b[i+1:end], m)
		return end + 1
	}
	*dst = b[i+1 : end : end]
	return end + 1
}

// turn reads a string, or the text of a number.
func (d *Decoder) turn(b []byte, i int, dst *[]byte, field string) int {
	if b[i] != '-' && b[i]-'0' > 9 {
		return d.word(b, i, dst, field)
	}
	end, _, ok := scanNumber(b, i)
	if !ok {
		return d.failNumber(b, end, field)
	}
	*dst = b[i:end:end]
	return end
}

// toolName reads the name of a tool, which can be hidden: then its mac.
func (d *Decoder) toolName(b []byte, i int, dst, kid *[]byte, hidden *bool, field string) int {
	*kid, *hidden = nil, false
	if b[i] != '{' {
		return d.name(b, i, dst, field, MaxToolName)
	}
	v, next := d.value(b, i, 3, field)
	if next < 0 {
		return -1
	}
	if v.Form != Hidden {
		return d.failType(b, i, field, "a string", "")
	}
	h, ok := ParseHidden(v)
	if !ok {
		return d.failHidden(i, field)
	}
	if len(h.MAC) > MaxToolName {
		return d.failLength(i, field, MaxToolName)
	}
	if hasControl(h.MAC) {
		return d.failHidden(i, field)
	}
	*dst, *kid, *hidden = h.MAC, h.KID, true
	return next
}

func (d *Decoder) failHidden(i int, field string) int {
	return d.fail(ReasonValue, field, i, "want kid and mac as strings, len as a number and tokens as an array, found something else in $hidden", "")
}

// text reads a string, which can be hidden.
func (d *Decoder) text(b []byte, i int, dst *Value, field string) int {
	if b[i] == '"' {
		end, m := scanString(b, i+1)
		if m.failed() {
			return d.failString(b, end, m, field)
		}
		*dst = Value{Raw: b[i+1 : end : end], Form: String + Form(m&hasEscapes)}
		return end + 1
	}
	v, next := d.value(b, i, 2, field)
	switch {
	case next < 0:
		return -1
	case v.Form == Null:
		*dst = Value{}
	case v.Form == Hidden:
		*dst = v
	default:
		return d.failType(b, i, field, "a string", "")
	}
	return next
}

// content reads any JSON.
func (d *Decoder) content(b []byte, i int, dst *Value, field string) int {
	v, next := d.value(b, i, 3, field)
	*dst = v
	return next
}

// form reads a value of the form, which can be hidden. depth is that of the
// object it stands in.
func (d *Decoder) form(b []byte, i, depth int, dst *Value, want Form, field, mend string) int {
	v, next := d.value(b, i, depth+1, field)
	return d.formed(b, i, next, v, dst, want, field, mend)
}

// formed is the rest of form, for a value that was read.
func (d *Decoder) formed(b []byte, i, next int, v Value, dst *Value, want Form, field, mend string) int {
	switch {
	case next < 0:
		return -1
	case v.Form == Null:
		*dst = Value{}
	case v.Form == want || v.Form == Hidden:
		*dst = v
	case want == Array:
		return d.failType(b, i, field, "an array", mend)
	default:
		return d.failType(b, i, field, "an object", mend)
	}
	return next
}

// count reads an integer of 0 or more; absent gives the value of null.
func (d *Decoder) count(b []byte, i int, dst *int64, absent int64, field string) int {
	var n int64
	j := i
	for j < len(b) && b[j]-'0' <= 9 {
		n = n*10 + int64(b[j]-'0')
		j++
	}
	// The usual case: a few digits that end the value.
	if j < len(b) && uint(j-i-1) < 18 && (b[j] == ',' || b[j] == '}') && (b[i] != '0' || j == i+1) {
		*dst = n
		return j
	}
	return d.countOdd(b, i, dst, absent, field)
}

func (d *Decoder) countOdd(b []byte, i int, dst *int64, absent int64, field string) int {
	if b[i] != '-' && b[i]-'0' > 9 {
		if literal(b, i, "null") {
			*dst = absent
			return i + 4
		}
		return d.failType(b, i, field, "an integer", "")
	}
	end, _, ok := scanNumber(b, i)
	if !ok {
		return d.failNumber(b, end, field)
	}
	n, ok := parseInt(b[i:end])
	if !ok {
		return d.fail(ReasonValue, field, i, "want an integer of at most 63 bits, found another number", "")
	}
	if n < 0 {
		return d.fail(ReasonValue, field, i, "want 0 or more, found a negative number", "")
	}
	*dst = n
	return end
}

// number reads a decimal number as an integer count of 10^-scale, rounded half
// up; absent gives the value of null. It reports in has whether one was there.
func (d *Decoder) number(b []byte, i int, dst *int64, has *bool, absent, scale int64, signed bool, field string) int {
	*has = false
	if b[i] != '-' && b[i]-'0' > 9 {
		if literal(b, i, "null") {
			*dst = absent
			return i + 4
		}
		return d.failType(b, i, field, "a number", "")
	}
	end, _, ok := scanNumber(b, i)
	if !ok {
		return d.failNumber(b, end, field)
	}
	n, _, ok := scaled(b[i:end], scale)
	switch {
	case !ok || n == None:
		return d.fail(ReasonValue, field, i, "want a smaller number, found one out of range", "")
	case b[i] == '-' && !signed && !isZero(b[i:end]):
		return d.fail(ReasonValue, field, i, "want 0 or more, found a negative number", "")
	}
	*dst, *has = n, true
	return end
}

func isZero(number []byte) bool {
	_, zero := splitNumber(number)
	return zero
}

// flag reads a boolean. It reports in has whether one was there.
func (d *Decoder) flag(b []byte, i int, dst, has *bool, field string) int {
	*dst, *has = false, false
	switch {
	case literal(b, i, "true"):
		*dst, *has = true, true
		return i + 4
	case literal(b, i, "false"):
		*has = true
		return i + 5
	case literal(b, i, "null"):
		return i + 4
	}
	return d.failType(b, i, field, "true or false", "")
}

// time reads an RFC 3339 time in Unix nanoseconds.
func (d *Decoder) time(b []byte, i int, dst *int64, field string) int {
	// What reads as a time up to the quote needs no other look.
	if ns, n, fault := scanTime(b[i+1:]); fault == timeOK && b[i] == '"' {
		if end := i + 1 + n; end < len(b) && b[end] == '"' {
			*dst = ns
			return end + 1
		}
	}
	return d.timeOdd(b, i, dst, field)
}

// timeOdd is time for one that is null, wrong, or holds escapes.
func (d *Decoder) timeOdd(b []byte, i int, dst *int64, field string) int {
	if b[i] != '"' {
		if literal(b, i, "null") {
			*dst = None
			return i + 4
		}
		return d.failType(b, i, field, "an RFC 3339 time in a string", "write it as in 2026-03-01T12:00:00.5Z")
	}
	end, m := scanString(b, i+1)
	if m.failed() {
		return d.failString(b, end, m, field)
	}
	text := b[i+1 : end]
	if m&hasEscapes != 0 {
		d.keyText = appendUnescaped(d.keyText[:0], text)
		text = d.keyText
	}
	ns, fault := parseTime(text)
	switch fault {
	case timeOK:
		*dst = ns
		return end + 1
	case timeZoneMissing:
		return d.fail(ReasonValue, field, i, "want an RFC 3339 time, found one without a zone", "end it with Z or an offset as +02:00")
	case timeRange:
		return d.fail(ReasonValue, field, i, "want a time from 1678 to 2262, found another", "")
	default:
		return d.fail(ReasonValue, field, i, "want an RFC 3339 time, found another text", "write it as in 2026-03-01T12:00:00.5Z")
	}
}
