package stream

// values is where a scan of JSON over several lines stands. It knows strings
// and brackets and nothing else: what a value is worth is its decoder's matter.
type values struct {
	depth    int  // brackets open
	base     int  // depth of the values that are records: 1 within an array, else 0
	inString bool // and esc: after a backslash
	esc      bool
	inValue  bool
}

// skip moves over b, which has no record that matters.
func (v *values) skip(b []byte) {
	for _, c := range b {
		v.step(c)
	}
}

func (v *values) step(c byte) {
	switch {
	case v.inString:
		switch {
		case v.esc:
			v.esc = false
		case c == '\\':
			v.esc = true
		case c == '"':
			v.inString = false
		}
	case c == '"':
		v.inString = true
	case c == '{' || c == '[':
		v.depth++
	case c == '}' || c == ']':
		v.depth--
	}
}

// value cuts off one value. false: the block ends before or within it.
func (s *splitter) value() (Record, bool) {
	v := &s.values
	i := 0
	for !v.inValue {
		if i == len(s.rest) {
			return s.tail(i)
		}
		switch c := s.rest[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',':
			i++
		case c == '[' && v.base == 0:
			v.base, v.depth = 1, 1
			i++
		case c == ']' && v.base == 1:
			v.base, v.depth = 0, 0
			i++
		default:
			v.inValue = true
		}
	}
	start, before := i, *v
	if end := s.valueEnd(i); end >= 0 {
		v.inValue = false
		rest := s.rest
		s.rest = rest[end:]
		return s.finish(rest[start:end])
	}
	if s.lent {
		*v = before // tail leaves it where it is
	}
	return s.tail(start)
}

// valueEnd moves over a value that goes on at s.rest[i] and gives where it
// ends, -1 when that is not in the block.
func (s *splitter) valueEnd(i int) int {
	v := &s.values
	for start := i; i < len(s.rest); i++ {
		c := s.rest[i]
		if !v.inString {
			switch c {
			case '\n', '\r', ' ', '\t', ',':
				if v.depth == v.base {
					return i
				}
				if c == '\n' || c == '\r' {
					s.rest[i] = ' '
				}
				continue
			case '}', ']':
				if v.depth == v.base {
					// It closes what the value is in, or nothing at all.
					if i == start && s.over == 0 && (len(s.carry) == 0 || s.lent) {
						i++
					}
					return i
				}
			}
		}
		wasString := v.inString
		v.step(c)
		if v.depth == v.base && !v.inString && (wasString || c == '}' || c == ']') {
			return i + 1
		}
	}
	return -1
}
