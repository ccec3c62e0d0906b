package event

import "bytes"

// Agents send the same list of tools again and again, and it is most of the
// bytes of a step that has one. So the lists that were found to be right are
// kept, and the bytes of a further one are only compared.
type lists struct {
	kept []keptList
	next int // which gives way to a new one when there are maxLists
}

// keptList is a list that is right where at least so many levels are left to
// it.
type keptList struct {
	raw    []byte
	levels int
}

const (
	maxLists = 32
	minList  = 128      // bytes; a shorter one is read as fast as it is found
	maxList  = 64 << 10 // bytes; what is longer is not kept
)

// find gives the kept list that stands at i, empty where there is none.
func (l *lists) find(b []byte, i, levels int) []byte {
	for k := range l.kept {
		e := &l.kept[k]
		if n := len(e.raw); len(b)-i >= n && loadWhole(b, i+n-8) == loadWhole(e.raw, n-8) &&
			e.levels <= levels && bytes.Equal(b[i:i+n], e.raw) {
			return b[i : i+n : i+n]
		}
	}
	return nil
}

func (l *lists) keep(raw []byte, levels int) {
	if len(raw) < minList || len(raw) > maxList {
		return
	}
	if len(l.kept) < maxLists {
		l.kept = append(l.kept, keptList{})
	}
	e := &l.kept[l.next]
	e.raw, e.levels = append(e.raw[:0], raw...), levels
	l.next = (l.next + 1) % maxLists
}

// list is value for a list of tools.
func (d *Decoder) list(b []byte, i, depth int, field string) (v Value, next int) {
	levels := d.depth - depth
	if b[i] == '[' {
		if raw := d.lists.find(b, i, levels); raw != nil {
			return Value{Raw: raw, Form: Array}, i + len(raw)
		}
	}
	v, next = d.value(b, i, depth, field)
	if next >= 0 && v.Form == Array {
		d.lists.keep(v.Raw, levels)
	}
	return v, next
}
