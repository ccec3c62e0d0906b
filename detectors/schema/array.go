package schema

import (
	"bytes"

	"misstep/event"
)

// array judges the elements of the array that the cursor has entered, and
// leaves it.
func (v *Violations) array(a *arrayCheck, c *event.Cursor) bool {
	depth, start := len(v.path), *c
	v.path = append(v.path, segment{})
	ok, count := true, 0
	for ; c.More(); count++ {
		if !v.spend(1) {
			return true
		}
		v.path[depth] = segment{index: count}
		n := a.items
		if count < len(a.prefix) {
			n = a.prefix[count]
		}
		if n == nil {
			c.Skip()
			continue
		}
		if _, good := v.next(n, c, true); !good {
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
	if count < a.min {
		ok = v.fail("minItems", a.wantMin, event.Array)
	}
	if a.max >= 0 && count > a.max {
		ok = v.fail("maxItems", a.wantMax, event.Array)
	}
	if a.unique && v.repeated(start) {
		ok = v.fail("uniqueItems", a.wantUnique, event.Array)
	}
	return ok
}

// fewElements is up to how many elements are compared with each other.
const fewElements = 16

// repeated reports whether two elements are equal.
func (v *Violations) repeated(c event.Cursor) bool {
	v.canonical, v.spans = v.canonical[:0], v.spans[:0]
	for c.More() {
		start := len(v.canonical)
		v.canonical = v.canon.Append(v.canonical, c.Value(), nil)
		v.spans = append(v.spans, span{start, len(v.canonical)})
	}
	if len(v.spans) > fewElements {
		seen := make(map[string]struct{}, len(v.spans))
		for _, s := range v.spans {
			seen[string(v.canonical[s.start:s.end])] = struct{}{}
		}
		return len(seen) < len(v.spans)
	}
	for i, s := range v.spans {
		for _, t := range v.spans[:i] {
			if bytes.Equal(v.canonical[s.start:s.end], v.canonical[t.start:t.end]) {
				return true
			}
		}
	}
	return false
}
