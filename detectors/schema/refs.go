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

// only gives the node that n is nothing but another way to write, nil when it
// asserts something of its own.
func (n *node) only() *node {
	if n.types != tAny || n.nullable || n.foreign || n.opens || n.shuts || n.not != nil || n.cond != nil ||
		n.enum != nil || n.konst != nil || n.str != nil || n.num != nil || n.obj != nil || n.arr != nil {
		return nil
	}
	if same := n.samePlace(); len(same) == 1 && len(n.all)+len(n.any)+len(n.one) <= 1 {
		return same[0]
	}
	return nil
}

// endless is the cost of a node that can lead to itself.
const endless = 1 << 30

// maxLibraryCost bounds what the library, which has no budget, may be made to
// do: subschemas evaluated for one place, were all references written out.
const maxLibraryCost = 10_000

// link completes the nodes of a graph once all of them are there.
func (c *compiler) link(root *node) error {
	l := linker{c: c, state: map[*node]int8{}, cost: map[*node]int{}}
	if err := l.visit(root); err != nil {
		return err
	}
	for _, n := range c.foreign {
		if l.costOf(n) > maxLibraryCost {
			return errorf(n.where, "recursion and many references cannot be combined with contains, propertyNames, dependent... and unevaluated...")
		}
	}
	return nil
}

type linker struct {
	c     *compiler
	state map[*node]int8
	cost  map[*node]int
}

const (
	entered int8 = iota + 1 // on the way from a node to itself, were it met again
	left
	done
)

// visit completes n and all that can be reached from it.
func (l *linker) visit(n *node) error {
	work := []*node{n}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		if l.state[n] == done {
			continue
		}
		if err := l.complete(n); err != nil {
			return err
		}
		l.state[n] = done
		if err := l.name(n); err != nil {
			return err
		}
		work = append(append(work, n.samePlace()...), n.below()...)
	}
	return nil
}

// complete sets what follows from the subschemas for the same place.
func (l *linker) complete(n *node) error {
	if l.state[n] >= left {
		return nil
	}
	if l.state[n] == entered {
		return errorf(n.where, "the schema refers to itself without end")
	}
	l.state[n] = entered
	same := n.samePlace()
	for _, m := range same {
		if err := l.complete(m); err != nil {
			return err
		}
	}
	l.state[n] = left
	n.inPlace = len(same) > 0 || len(n.one) > 1 // of two that take everything, none is the one
	n.accepts = n.types & union([]*node{n.ref}) & union(n.any) & union(n.one)
	for _, m := range n.all {
		n.accepts &= union([]*node{m})
	}
	if n.nullable {
		n.accepts |= tNull
	}
	if n.never {
		n.accepts = 0
	}
	if !n.inPlace && !n.foreign && n.enum == nil && n.konst == nil {
		n.plain = n.types
		if n.str != nil {
			n.plain &^= tString
		}
		if n.num != nil {
			n.plain &^= tNumber
		}
		if n.obj != nil {
			n.plain &^= tObject
			n.direct |= n.types & tObject
		}
		if n.arr != nil {
			n.plain &^= tArray
			n.direct |= n.types & tArray
		}
	}
	return nil
}

// union is the types that one of the nodes takes; all when there is none.
func union(nodes []*node) (t types) {
	for _, n := range nodes {
		if n == nil {
			return tAny
		}
		t |= n.accepts
	}
	if len(nodes) == 0 {
		return tAny
	}
	return t
}

// name collects the parameters that are known at the place of n.
func (l *linker) name(n *node) error {
	if !n.inPlace && (n.obj == nil || !n.obj.strict) {
		return nil
	}
	seen := map[*node]bool{}
	found, strict, open := &names{shut: n.shuts}, false, false
	var collect func(n *node)
	collect = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		open = open || n.opens
		if o := n.obj; o != nil {
			strict = strict || o.strict
			for i := range o.props {
				found.list = append(found.list, o.props[i].name)
			}
			found.patterns = append(found.patterns, o.patterns...)
		}
		for _, m := range n.samePlace() {
			if m != n.not {
				collect(m)
			}
		}
	}
	collect(n)
	if open || !strict {
		return nil
	}
	if l.c.named += len(found.list) + len(seen); l.c.named > maxNamed {
		return errorf(n.where, "too many parameters at too many places")
	}
	slices.Sort(found.list)
	found.list = slices.Compact(found.list)
	for i := range found.patterns {
		found.cost += found.patterns[i].cost
	}
	found.set = make(map[string]struct{}, len(found.list))
	for _, name := range found.list {
		found.set[name] = struct{}{}
	}
	n.names = found
	return nil
}

// costOf is how many evaluations one of n can lead to.
func (l *linker) costOf(n *node) int {
	if cost, ok := l.cost[n]; ok {
		return cost
	}
	l.cost[n] = endless
	cost := 1
	for _, m := range append(n.samePlace(), n.below()...) {
		cost = min(cost+l.costOf(m), endless)
	}
	l.cost[n] = cost
	return cost
}
