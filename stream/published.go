package stream

// published is what the primary holds of a partition.
type published struct {
	Origin        // the highest
	any      bool // there is one
	parallel bool // each topic has its own last origin, in by
	by       map[Topic]Origin
}

// holds reports whether the primary has an output.
func (p *published) holds(o *Output) bool {
	if !p.parallel {
		return p.any && o.Origin.Compare(p.Origin) <= 0
	}
	last, ok := p.by[o.Topic]
	return ok && o.Origin.Compare(last) <= 0
}

// settles reports whether what is published of a topic stands for a record: an
// output of it up to quiet that is not there belongs to another ruleset, and is
// not wanted. Of topics that are written beside each other, one may have been
// cut off before that; what it lacks is wanted.
func (p *published) settles(o *Output, quiet int64) bool {
	if p.parallel {
		last, ok := p.by[o.Topic]
		if !ok {
			return false
		}
		quiet = min(quiet, last.Offset)
	}
	return o.Origin.Offset <= quiet
}

// passed reports whether no later output can be there, or be settled.
func (p *published) passed(o *Output, quiet int64) bool {
	return o.Origin.Offset > quiet && (!p.any || o.Origin.Compare(p.Origin) > 0)
}

// split tells outputs that are there from those that are not. The primary holds
// a prefix, or one of each topic.
func (p *published) split(outs []Output) (there, rest []Output) {
	if !p.parallel {
		n := 0
		for n < len(outs) && p.holds(&outs[n]) {
			n++
		}
		return outs[:n], outs[n:]
	}
	for i := range outs {
		if p.holds(&outs[i]) {
			there = append(there, outs[i])
		} else {
			rest = append(rest, outs[i])
		}
	}
	return there, rest
}
