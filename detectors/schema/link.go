package schema

import "slices"

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
	if m := n.optional(); m != nil { // most unions are this one, and need no search
		where := n.where
		*n = *m
		n.where, n.nullable, n.types = where, true, n.types|tNull
		n.want, n.plain, n.direct = n.types.String(), 0, 0
		same = n.samePlace()
	}
	n.inPlace = len(same) > 0 || len(n.one) > 1 // of two that take everything, none is the one
	n.accepts = n.types & union([]*node{n.ref}) & union(n.any) & union(n.one)
	for _, m := range n.all {
		n.accepts &= union([]*node{m})
	}
	if n.never {
		n.accepts = 0
	}
	if n.nullable {
		n.accepts |= tNull
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
