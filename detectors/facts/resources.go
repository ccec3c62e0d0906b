package facts

import "slices"

// maxResources bounds what is remembered of things that are over.
const maxResources = 128

// resource is something that calls are about, and what became of it.
type resource struct {
	name uint64 // hash of its id, or of all the ids of a call together
	tool uint64 // hash of the one tool for which it is over, 0 for any
	at   int64  // ordinal of the step that told
	seen int    // 1 + the place of the observation, 0: the agent itself ended it
}

// Resources is what a trajectory knows of the things that its calls are about
// and that are over: not found, closed, cancelled, used up.
type Resources struct {
	list []resource
	next int
}

// ended notes that something is over.
func (r *Resources) ended(e resource) {
	for i := range r.list {
		if have := &r.list[i]; have.name == e.name && have.tool == e.tool {
			if have.seen == 0 || e.seen == 0 {
				have.seen, have.at = e.seen, e.at
			}
			return
		}
	}
	if len(r.list) < maxResources {
		r.list = append(r.list, e)
		return
	}
	r.list[r.next] = e
	r.next = (r.next + 1) % maxResources
}

// knows reports whether it is known already that something is over, for any
// tool.
func (r *Resources) knows(name uint64) bool {
	return slices.ContainsFunc(r.list, func(e resource) bool { return e.name == name && e.tool == 0 })
}

// lives forgets that something is over; it reports whether it was known to be.
func (r *Resources) lives(name uint64) bool {
	known := false
	for i := range r.list {
		if e := &r.list[i]; e.name == name && e.tool == 0 {
			known = known || e.seen > 0
			e.name = 0
		}
	}
	return known
}

// find gives what is over of what a call of the tool is about: the latest of
// which the agent came to know from elsewhere.
func (r *Resources) find(names []uint64, tool uint64) *resource {
	var best *resource
	for i := range r.list {
		e := &r.list[i]
		if e.seen > 0 && e.name != 0 && (e.tool == 0 || e.tool == tool) && slices.Contains(names, e.name) && (best == nil || e.at > best.at) {
			best = e
		}
	}
	return best
}
