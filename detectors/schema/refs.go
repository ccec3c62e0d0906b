package schema

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"misstep/event"
)

// target is a place in the schema that a reference can name.
type target struct {
	v     event.Value
	where string
}

// reference gives the node that the schema refers to, if it does.
func (k *keyworded) reference() (n *node, there bool, err error) {
	for _, key := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		v, there := k.kw[key]
		if !there {
			continue
		}
		if !v.IsString() {
			return nil, false, k.errorf(key, "want a string, found %s", formName(v.Form))
		}
		n, err := k.c.refer(string(v.AppendText(nil)), k.at(key))
		return n, true, err
	}
	return nil, false, nil
}

// refer compiles the target of a reference, once.
func (c *compiler) refer(ref, where string) (*node, error) {
	if n, ok := c.refs[ref]; ok {
		return n, nil
	}
	if len(c.refs) == maxRefs {
		return nil, errorf(where, "more than %d different references", maxRefs)
	}
	t, err := c.target(ref, where)
	if err != nil {
		return nil, err
	}
	// The node is there before it is filled, for references from within.
	n := &node{where: t.where}
	c.refs[ref] = n
	if t.v.Form != event.Object {
		same, err := c.subschema(t.v, t.where, 0)
		if err != nil {
			return nil, err
		}
		if n.never = same != nil; !n.never {
			n.types = tAny
		}
		return n, nil
	}
	same, err := c.object(n, t.v, 0)
	if err != nil {
		return nil, err
	}
	if same != n { // it is nothing but another reference
		*n = node{where: t.where, types: tAny, ref: same}
	}
	return n, nil
}

func (c *compiler) target(ref, where string) (target, error) {
	local := ref
	if rest, ok := strings.CutPrefix(ref, c.id); ok && c.id != "" && (rest == "" || rest[0] == '#') {
		local = "#" + strings.TrimPrefix(rest, "#")
	}
	fragment, ok := strings.CutPrefix(local, "#")
	if !ok {
		return target{}, errorf(where, "%s leaves the schema, want a reference within it, such as #/$defs/name", quoted(ref, maxWant))
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return target{}, errorf(where, "%s is no reference: %w", quoted(ref, maxWant), err)
	}
	t := target{c.root, "#"}
	if fragment == "" {
		return t, nil
	}
	if fragment[0] != '/' {
		return c.anchor(fragment, where)
	}
	for token := range strings.SplitSeq(fragment[1:], "/") {
		if err := c.spend(where, len(t.v.Raw)); err != nil {
			return target{}, err
		}
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		t = target{member(t.v, token), at(t.where, token)}
		if t.v.Form == event.Absent {
			return target{}, errorf(where, "%s is not there: there is no %s", quoted(ref, maxWant), quoted(t.where, maxWant))
		}
	}
	return t, nil
}

// member gives the member or element of a value, Absent when there is none.
func member(v event.Value, token string) (found event.Value) {
	c := event.NewCursor(v)
	if v.Form != event.Object && v.Form != event.Array || !c.Enter() {
		return event.Value{}
	}
	for i := 0; c.More(); i++ {
		if v.Form == event.Object && c.Key().EqualText(token) || v.Form == event.Array && strconv.Itoa(i) == token {
			found = c.Value()
		} else {
			c.Skip()
		}
	}
	return found
}

// anchor finds a place that the schema itself gave a name to.
func (c *compiler) anchor(name, where string) (target, error) {
	if c.anchors == nil {
		c.anchors = map[string]target{}
		if err := c.findAnchors(target{c.root, "#"}, 0); err != nil {
			return target{}, err
		}
	}
	t, ok := c.anchors[name]
	if !ok {
		return target{}, errorf(where, "%s is not there: there is no such anchor", quoted("#"+name, maxWant))
	}
	return t, nil
}

func (c *compiler) findAnchors(t target, depth int) error {
	if depth > 2*maxDepth {
		return nil
	}
	if err := c.spend(t.where, len(t.v.Raw)); err != nil {
		return err
	}
	switch t.v.Form {
	case event.Object:
		for key, x := range keywords(t.v) {
			name := string(x.AppendText(nil))
			switch key {
			case "$id": // as up to draft-07
				name, _ = strings.CutPrefix(name, "#")
				fallthrough
			case "$anchor", "$dynamicAnchor":
				c.anchors[name] = t
			}
			if err := c.findAnchors(target{x, at(t.where, key)}, depth+1); err != nil {
				return err
			}
		}
	case event.Array:
		cur := event.NewCursor(t.v)
		cur.Enter()
		for i := 0; cur.More(); i++ {
			if err := c.findAnchors(target{cur.Value(), t.where + "/" + strconv.Itoa(i)}, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// samePlace gives the subschemas that judge the same place as n.
func (n *node) samePlace() []*node {
	all := slices.Concat(n.all, n.any, n.one, []*node{n.ref, n.not, n.cond, n.then, n.els})
	return slices.DeleteFunc(all, func(m *node) bool { return m == nil })
}

// below gives the subschemas that judge members and elements, and those that
// only the library knows what to do with.
func (n *node) below() []*node {
	all := slices.Clone(n.others)
	if o := n.obj; o != nil {
		for i := range o.props {
			all = append(all, o.props[i].node)
		}
		for i := range o.patterns {
			all = append(all, o.patterns[i].node)
		}
		all = append(all, o.additional)
	}
	if a := n.arr; a != nil {
		all = append(append(all, a.prefix...), a.items)
	}
	return slices.DeleteFunc(all, func(m *node) bool { return m == nil })
}

// bare reports whether n asserts nothing but by subschemas for the same place.
func (n *node) bare() bool {
	return n.types == tAny && !n.nullable && !n.foreign && !n.opens && !n.shuts && n.not == nil && n.cond == nil &&
		n.enum == nil && n.konst == nil && n.str == nil && n.num == nil && n.obj == nil && n.arr == nil
}

// only gives the node that n is nothing but another way to write, nil when it
// asserts something of its own.
func (n *node) only() *node {
	if same := n.samePlace(); n.bare() && len(same) == 1 && len(n.all)+len(n.any)+len(n.one) <= 1 {
		return same[0]
	}
	return nil
}

// optional gives the node that n takes beside null, when n is anyOf or oneOf of
// these two; nil when it is not.
func (n *node) optional() *node {
	among := slices.Concat(n.any, n.one)
	if !n.bare() || n.ref != nil || len(n.all) > 0 || len(among) != 2 || slices.Contains(among, nil) {
		return nil
	}
	for i, m := range among {
		if o := among[1-i]; m.plain == tNull && !o.foreign && o.accepts&tNull == 0 {
			return o
		}
	}
	return nil
}
