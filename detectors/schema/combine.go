package schema

import "misstep/event"

// combined judges by the subschemas for the same place.
func (v *Violations) combined(n *node, x event.Value, at *place) bool {
	ok := n.ref == nil || v.part(n.ref, x, at)
	for _, m := range n.all {
		if m != nil {
			ok = v.part(m, x, at) && ok
		}
	}
	if len(n.any) > 0 {
		ok = v.oneOf(n, n.any, "anyOf", "what one of its alternatives wants", x, at) && ok
	}
	if len(n.one) > 0 {
		ok = v.oneOf(n, n.one, "oneOf", "what exactly one of its alternatives wants", x, at) && ok
	}
	if n.not != nil && v.trial(n.not, x, at) && v.budget >= 0 {
		ok = v.fail("not", "allowed", x.Form)
	}
	if n.cond != nil {
		m := n.els
		if v.trial(n.cond, x, at) {
			m = n.then
		}
		if m != nil {
			ok = v.part(m, x, at) && ok
		}
	}
	return ok
}

// trial gives only the verdict of a node.
func (v *Violations) trial(n *node, x event.Value, at *place) bool {
	if n == nil || !v.spend(1) {
		return true
	}
	quiet, depth := v.quiet, len(v.path)
	v.quiet = true
	ok := v.part(n, x, at)
	v.quiet, v.path = quiet, v.path[:depth]
	return ok
}

// oneOf judges by anyOf and oneOf.
func (v *Violations) oneOf(n *node, among []*node, keyword, want string, x event.Value, at *place) bool {
	// Most alternatives differ in type, and only one is left to look at. What it
	// refuses is told as if it stood alone.
	kind := form(x)
	var only *node
	left := 0
	for _, m := range among {
		if m == nil || m.accepts&kind != 0 {
			only = m
			left++
		}
	}
	switch left {
	case 0:
		return v.mistyped(n, x, union(among).String())
	case 1:
		return only == nil || v.part(only, x, at)
	}
	m, passed := v.pick(among, kind, keyword == "oneOf", x, at)
	if !passed && !v.quiet {
		// One that refuses it only for the members that it does not know is the
		// one that was meant.
		v.lax = true
		m, passed = v.pick(among, kind, true, x, at)
		v.lax = false
		if passed {
			v.part(m, x, at)
			return false
		}
	}
	if !passed {
		return v.fail(keyword, want, x.Form)
	}
	if m != nil && !v.quiet {
		v.part(m, x, at) // for what is unknown further down
	}
	return true
}

// pick finds the alternative that takes x; with single only if no other does.
func (v *Violations) pick(among []*node, kind types, single bool, x event.Value, at *place) (m *node, ok bool) {
	for _, a := range among {
		if a != nil && a.accepts&kind == 0 || !v.trial(a, x, at) {
			continue
		}
		if ok && single && v.budget >= 0 {
			return nil, false
		}
		if !ok {
			m, ok = a, true
		}
		if !single {
			break
		}
	}
	return m, ok
}
