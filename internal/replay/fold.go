package replay

import (
	"misstep/event"
)

// Entry is one failure with all its transitions folded into one.
type Entry struct {
	First *event.Failure // as it opened
	Last  *event.Failure // as it stood at last: its severity never falls
	// Transitions are all there were, oldest first. Only explain keeps them.
	Transitions []*event.Failure
}

// Recovered reports whether the agent put it right.
func (e *Entry) Recovered() bool { return e.Last.Recovered }

// maxEntries bounds the failures that are kept to be listed.
const maxEntries = 10_000

// folder folds transitions into failures, in the order in which they opened,
// and counts them.
type folder struct {
	keep    func(*event.Failure) bool // nil: the first maxEntries
	entries []*Entry
	open    map[string]*Entry // by id
	more    int               // failures that were not kept

	rules   map[ruleKey]*RuleCount
	total   int
	highest map[string]event.Severity // of the open tasks, by tenant and trajectory
}

type ruleKey struct {
	class event.Class
	rule  string
}

// RuleCount counts the failures that one rule opened, by their last severity.
type RuleCount struct {
	Class      event.Class
	Rule       string
	BySeverity [event.Critical + 1]int
	Recovered  int
}

// Total is how many failures there were.
func (c *RuleCount) Total() int {
	n := 0
	for _, k := range c.BySeverity {
		n += k
	}
	return n
}

func newFolder() *folder {
	return &folder{open: map[string]*Entry{}, rules: map[ruleKey]*RuleCount{}, highest: map[string]event.Severity{}}
}

func runKey(l *event.Labels) string { return l.Tenant + "\x00" + l.TrajectoryID }

func (f *folder) add(v *event.Failure) {
	key := ruleKey{v.Class, v.Rule}
	count := f.rules[key]
	if count == nil {
		count = &RuleCount{Class: v.Class, Rule: v.Rule}
		f.rules[key] = count
	}
	e := f.open[v.ID]
	if e == nil {
		e = &Entry{First: v, Last: v}
		f.open[v.ID] = e
		f.total++
		if f.keep == nil && len(f.entries) < maxEntries || f.keep != nil && f.keep(v) {
			f.entries = append(f.entries, e)
		} else {
			f.more++
		}
	} else {
		count.BySeverity[e.Last.Severity]--
	}
	count.BySeverity[v.Severity]++
	e.Last = v
	if f.keep != nil {
		e.Transitions = append(e.Transitions, v)
	}
	if k := runKey(&v.Labels); f.highest[k] < v.Severity {
		f.highest[k] = v.Severity
	}
	if v.State == event.StateResolved {
		if v.Recovered {
			count.Recovered++
		}
		delete(f.open, v.ID)
	}
}

// taskOver gives the highest severity of the failures in the task that just
// closed.
func (f *folder) taskOver(l *event.Labels) event.Severity {
	k := runKey(l)
	s := f.highest[k]
	delete(f.highest, k)
	return s
}

// atOrAbove counts the failures whose last severity is s or higher.
func (f *folder) atOrAbove(s event.Severity) int {
	n := 0
	for _, c := range f.rules {
		for v := s; v <= event.Critical; v++ {
			n += c.BySeverity[v]
		}
	}
	return n
}
