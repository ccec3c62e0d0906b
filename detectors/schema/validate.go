package schema

import (
	"bytes"

	"misstep/event"
)

const (
	// What one call may cost, at about 30 ns each: enough for every subschema
	// that is sensible, and no more where branches multiply.
	baseBudget    = 32 << 10
	budgetPerByte = 16
)

var emptyObject = []byte("{}")

// Validate adds what is wrong with the arguments of a call to v, whose earlier
// content the caller resets. Absent arguments are {}, hidden ones are not
// judged. What v then holds stays valid as long as v, whatever becomes of args.
func (s *Schema) Validate(args event.Value, v *Violations) {
	switch args.Form {
	case event.Hidden:
		v.Unjudged = true
		return
	case event.Absent, event.Null:
		args = event.Value{Raw: emptyObject, Form: event.Object}
	}
	v.budget = baseBudget + budgetPerByte*len(args.Raw)
	v.quiet, v.lax, v.path = false, false, v.path[:0]
	v.value(s.root, args)
}

// place is a place in the arguments that several nodes judge. A nil place has
// one node alone.
type place struct {
	names *names // what all of them know; what they do not is told already
	first int    // of the Unknown that are told for this place, and
	after int    // the one behind them
}

// value judges one value by the node for its place. Like all that follow it
// gives false when the value is refused; with quiet it then stops at once and
// leaves path and cursor as they are.
func (v *Violations) value(n *node, x event.Value) bool {
	if n == nil || !v.spend(1) {
		return true
	}
	if x.Form == event.Hidden {
		v.Unjudged = true
		return true
	}
	if !n.inPlace {
		return v.part(n, x, nil)
	}
	at := &place{names: n.names, first: len(v.Unknown)}
	if n.names != nil && x.Form == event.Object && !v.quiet {
		c := event.NewCursor(x)
		c.Enter()
		v.unknowns(n.names, c)
	}
	at.after = len(v.Unknown)
	return v.part(n, x, at)
}

// next judges the element at the cursor and moves past it. A null that is not
// required is absent.
func (v *Violations) next(n *node, c *event.Cursor, required bool) (present, ok bool) {
	if n != nil && n.direct != 0 {
		// One look at a container instead of two, to find its end first.
		switch formTypes[c.Form()] & n.direct {
		case tObject:
			c.Enter()
			return true, v.object(n, c, nil, nil)
		case tArray:
			c.Enter()
			return true, v.array(n.arr, c)
		}
	}
	x := c.Value()
	if x.Form == event.Null && !required {
		return false, true
	}
	if n == nil || formTypes[x.Form]&n.plain != 0 {
		return true, true
	}
	return true, v.value(n, x)
}

// part judges a value by one of the nodes for its place.
func (v *Violations) part(n *node, x event.Value, at *place) bool {
	if x.Form == event.Null && n.nullable {
		return true
	}
	if n.never {
		return v.fail("false", "allowed", x.Form)
	}
	ok, first := true, len(v.Unknown)
	switch x.Form {
	case event.String, event.Escaped:
		if n.types&tString == 0 {
			return v.mistyped(n, x, n.want)
		}
		if n.str != nil {
			ok = v.str(n.str, x)
		}
	case event.Number:
		if n.types&tNumber != tNumber && (n.types&tInteger == 0 || !isInteger(x.Raw)) {
			return v.mistyped(n, x, n.want)
		}
		if n.num != nil {
			ok = v.num(n.num, x)
		}
	case event.Object:
		if n.types&tObject == 0 {
			return v.mistyped(n, x, n.want)
		}
		if n.obj != nil {
			c := event.NewCursor(x)
			c.Enter()
			ok = v.object(n, &c, at, nil)
		}
	case event.Array:
		if n.types&tArray == 0 {
			return v.mistyped(n, x, n.want)
		}
		if n.arr != nil {
			c := event.NewCursor(x)
			c.Enter()
			ok = v.array(n.arr, &c)
		}
	case event.Bool:
		if n.types&tBool == 0 {
			return v.mistyped(n, x, n.want)
		}
	case event.Null:
		if n.types&tNull == 0 {
			return v.mistyped(n, x, n.want)
		}
	}
	if n.enum != nil && !v.among(n.enum, x) || n.konst != nil && !v.among(n.konst, x) {
		ok = false
	}
	if n.inPlace {
		ok = v.combined(n, x, at) && ok
	}
	if n.lib != nil && ok {
		if at != nil {
			first = at.first
		}
		ok = v.library(n, x, first)
	}
	return ok
}

// object judges the members of the object that the cursor has entered, and
// leaves it. last gives the place of the last member of each key when keys may
// stand there more than once; nil to find out.
func (v *Violations) object(n *node, c *event.Cursor, at *place, last map[string]int) bool {
	o, start := n.obj, *c
	if last == nil && o.distinct && repeats(start) {
		last = v.lastOf(start)
	}
	found, unknown, more := len(v.Found), len(v.Unknown), v.More
	depth := len(v.path)
	v.path = append(v.path, segment{})
	var few [2]uint64
	seen := few[:]
	if len(o.required) > len(few) {
		seen = make([]uint64, len(o.required))
	}
	ok, hint, count, strangers := true, 0, 0, false
	for i := 0; c.More(); i++ {
		key := c.Key()
		if !v.spend(1) {
			return true
		}
		if last != nil && last[string(key.Text(&v.text))] != i {
			c.Skip()
			continue
		}
		v.path[depth] = segment{key: key}
		p := hint // members mostly stand in the order of the schema
		if p >= len(o.props) || key.Form != event.String || o.props[p].name != string(key.Raw) {
			p = v.property(o, key)
		}
		var prop *property
		bit := uint64(0)
		if p >= 0 {
			hint, prop, bit = p+1, &o.props[p], 1<<(p%64)
			if seen[p/64]&bit != 0 {
				v.Found, v.Unknown, v.More, v.path = v.Found[:found], v.Unknown[:unknown], more, v.path[:depth]
				*c = start
				return v.object(n, c, at, v.lastOf(start))
			}
		}
		var present, good bool
		if prop != nil && prop.declared && len(o.patterns) == 0 {
			present, good = v.next(prop.node, c, prop.required)
		} else {
			present, good = v.other(o, prop, key, c, at)
			strangers = strangers || present && prop == nil
		}
		if present {
			count++
			if prop != nil {
				seen[p/64] |= bit
			}
		}
		if !good {
			if v.quiet && last == nil && repeats(start) { // it may not be the last of its key
				*c = start
				return v.object(n, c, at, v.lastOf(start))
			}
			if v.quiet {
				return false
			}
			ok = false
		}
	}
	v.path = v.path[:depth]
	if v.budget < 0 {
		return true
	}
	if strangers && at == nil && o.strict && !v.quiet {
		v.unknowns(n.names, start)
	}
	for w, must := range o.required {
		if missing := must &^ seen[w]; missing != 0 {
			ok = false
			v.missing(o, w, missing)
		}
	}
	if count < o.min {
		ok = v.fail("minProperties", o.wantMin, event.Object)
	}
	if o.max >= 0 && count > o.max {
		ok = v.fail("maxProperties", o.wantMax, event.Object)
	}
	return ok
}

// property finds the property with a key, -1 when there is none.
func (v *Violations) property(o *objectCheck, key event.Value) int {
	text := key.Raw
	if key.Form == event.Escaped {
		text = key.Text(&v.text)
	}
	if i, ok := o.index[string(text)]; ok {
		return int(i)
	}
	return -1
}

// other judges a member that is no declared property, or that patterns may have
// a say in too.
func (v *Violations) other(o *objectCheck, prop *property, key event.Value, c *event.Cursor, at *place) (present, ok bool) {
	required := prop != nil && prop.required
	x := c.Value()
	if x.Form == event.Null && !required {
		return false, true
	}
	ok = true
	judged := prop != nil && prop.declared
	if judged {
		ok = v.value(prop.node, x)
	}
	for i := range o.patterns {
		p := &o.patterns[i]
		text := key.Text(&v.text)
		if !v.spend(p.cost * len(text) / 8) {
			return true, true
		}
		if p.re.Match(text) {
			judged = true
			ok = v.value(p.node, x) && ok
		}
	}
	switch {
	case judged:
		return true, ok
	case o.additional != nil:
		return true, v.value(o.additional, x)
	case !o.closed || v.quiet && v.lax && prop == nil:
		return true, true
	case v.quiet:
		return true, false
	case prop == nil && at == nil:
		return true, true // will be told as Unknown
	case prop == nil && at.names != nil && !at.names.has(key.Text(&v.text)):
		for i := at.first; i < at.after; i++ {
			v.Unknown[i].Strict = true
		}
		return true, true
	default:
		// It is known, to another of the nodes that judge here or as required, but
		// this node refuses it all the same.
		return true, v.fail("additionalProperties", "one of the declared properties", x.Form)
	}
}

// repeats reports whether keys of an object may stand there more than once.
func repeats(c event.Cursor) bool {
	const few = 16
	var keys [few][]byte
	for n := 0; c.More(); n++ {
		key := c.Key()
		c.Skip()
		if key.Form == event.Escaped || n == few {
			return true
		}
		for _, k := range keys[:n] {
			if bytes.Equal(k, key.Raw) {
				return true
			}
		}
		keys[n] = key.Raw
	}
	return false
}

// lastOf gives, for each key of an object, the place of its last member.
func (v *Violations) lastOf(c event.Cursor) map[string]int {
	last := map[string]int{}
	for i := 0; c.More() && v.spend(2); i++ {
		last[string(c.Key().AppendText(nil))] = i
		c.Skip()
	}
	return last
}
