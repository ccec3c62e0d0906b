package lexicon

// node is where phrases stand that begin alike, in the tree of all.
type node struct {
	ends []int32 // phrases that end here
	gap  int32   // node after anyWords, 0 for none
	more bool    // some phrase goes on with a word
}

// grow puts the phrases into a tree.
func (l *lexicon) grow() {
	l.nodes = make([]node, 1) // node 0 is none
	l.edges.grow(1 << 10)
	next := func() int32 {
		l.nodes = append(l.nodes, node{})
		return int32(len(l.nodes) - 1)
	}
	for i, p := range l.phrases {
		at := &l.entries[p.elements[0]].root
		if *at == 0 {
			*at = next()
		}
		n := *at
		for _, e := range p.elements[1:] {
			if e == anyWords {
				if l.nodes[n].gap == 0 {
					gap := next()
					l.nodes[n].gap = gap
				}
				n = l.nodes[n].gap
				continue
			}
			l.nodes[n].more = true
			to := l.edges.find(n, e)
			if to == 0 {
				to = next()
				l.edges.add(n, e, to)
			}
			n = to
		}
		l.nodes[n].ends = append(l.nodes[n].ends, int32(i))
	}
}

// edges lead from a node over an entry to a node.
type edges struct {
	keys []uint64 // 0 for none: no node is number 0
	to   []int32
	n    int
}

func edgeKey(node, entry int32) uint64 { return uint64(node)<<32 | uint64(uint32(entry)) }

func (e *edges) place(key uint64) int {
	mask := len(e.keys) - 1
	i := int(key*0x9e3779b97f4a7c15>>40) & mask
	for e.keys[i] != 0 && e.keys[i] != key {
		i = (i + 1) & mask
	}
	return i
}

func (e *edges) find(node, entry int32) int32 { return e.to[e.place(edgeKey(node, entry))] }

func (e *edges) add(node, entry, to int32) {
	if e.n++; e.n*4 > len(e.keys) {
		e.grow(len(e.keys) * 2)
	}
	key := edgeKey(node, entry)
	i := e.place(key)
	e.keys[i], e.to[i] = key, to
}

func (e *edges) grow(size int) {
	old := *e
	e.keys, e.to = make([]uint64, size), make([]int32, size)
	for i, k := range old.keys {
		if k != 0 {
			j := e.place(k)
			e.keys[j], e.to[j] = k, old.to[i]
		}
	}
}
