package schema

import (
	"bytes"
	"unicode/utf8"

	"misstep/event"
)

func (v *Violations) str(s *stringCheck, x event.Value) bool {
	text := x.Text(&v.text)
	ok := true
	if s.min > 0 || s.max >= 0 {
		// No more code points than bytes, and no less than a quarter of them.
		if n := len(text); n/4 < s.min || s.max >= 0 && n > s.max {
			n = utf8.RuneCount(text)
			if n < s.min {
				ok = v.fail("minLength", s.wantMin, x.Form)
			}
			if s.max >= 0 && n > s.max {
				ok = v.fail("maxLength", s.wantMax, x.Form)
			}
		}
	}
	if p := s.pattern; p != nil && (ok || !v.quiet) && v.spend(p.cost*len(text)/8) && !p.re.Match(text) {
		ok = v.fail("pattern", p.want, x.Form)
	}
	return ok
}

func (v *Violations) num(nc *numberCheck, x event.Value) bool {
	i, isSmall := small(x.Raw)
	var exact number
	parsed := false
	beyond := func(b *bound, side int) bool {
		var c int
		if isSmall && b.isSmall {
			switch {
			case i < b.small:
				c = -1
			case i > b.small:
				c = 1
			}
		} else {
			if !parsed {
				exact, parsed = parseNumber(x.Raw), true
			}
			c = exact.compare(&b.exact)
		}
		return c*side > 0 || c == 0 && b.excluded
	}
	ok := true
	if b := nc.min; b != nil && beyond(b, -1) {
		ok = v.fail(b.keyword, b.want, x.Form)
	}
	if b := nc.max; b != nil && beyond(b, 1) {
		ok = v.fail(b.keyword, b.want, x.Form)
	}
	if b := nc.multiple; b != nil {
		if isSmall && b.isSmall {
			if i%b.small != 0 {
				ok = v.fail(b.keyword, b.want, x.Form)
			}
			return ok
		}
		if !parsed {
			exact = parseNumber(x.Raw)
		}
		switch yes, judged := exact.multiple(&b.exact); {
		case !judged:
			v.Unjudged = true
		case !yes:
			ok = v.fail(b.keyword, b.want, x.Form)
		}
	}
	return ok
}

// among judges by enum and const.
func (v *Violations) among(e *enum, x event.Value) bool {
	if x.IsString() {
		text := x.Text(&v.text)
		if e.set != nil {
			if _, ok := e.set[string(text)]; ok {
				return true
			}
		}
		for _, t := range e.texts {
			if t == string(text) {
				return true
			}
		}
	} else if len(e.values) > 0 {
		v.canonical = v.canon.Append(v.canonical[:0], x, nil)
		if _, ok := e.values[string(v.canonical)]; ok {
			return true
		}
	}
	return v.fail(e.keyword, e.want, x.Form)
}

// mistyped notes a value of the wrong type, and whether it could be converted
// into one that n takes.
func (v *Violations) mistyped(n *node, x event.Value, want string) bool {
	if v.quiet {
		return false
	}
	v.fail("type", want, x.Form)
	if v.More == 0 && v.convertible(n, x) {
		v.Found[len(v.Found)-1].Coercible = true
	}
	return false
}

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

// convertible reports whether a value can be converted without loss: numbers and
// booleans to and from their text, 0 and 1 to booleans.
func (v *Violations) convertible(n *node, x event.Value) bool {
	try := func(raw []byte, f event.Form) bool {
		y := event.Value{Raw: raw, Form: f}
		return n.accepts&form(y) != 0 && v.trial(n, y, &place{})
	}
	switch x.Form {
	case event.Number:
		return try(x.Raw, event.String) || len(x.Raw) == 1 && x.Raw[0] == '0' && try(textFalse, event.Bool) ||
			len(x.Raw) == 1 && x.Raw[0] == '1' && try(textTrue, event.Bool)
	case event.Bool:
		return try(x.Raw, event.String)
	case event.String, event.Escaped:
		text := bytes.TrimSpace(x.AppendText(nil))
		return jsonNumber(text) && try(text, event.Number) ||
			bytes.EqualFold(text, textTrue) && try(textTrue, event.Bool) ||
			bytes.EqualFold(text, textFalse) && try(textFalse, event.Bool)
	default:
		return false
	}
}
