package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"misstep/detectors"
	"misstep/event"
)

// Report is what a replay found, and what it could not judge.
type Report struct {
	Files    int
	Streams  int   // of them, on a broker
	Events   int64 // steps that were read, duplicates and unknown kinds included
	Coverage Coverage
	Tasks    TaskCounts
	Rules    []RuleCount // by class and rule
	Entries  []*Entry    // in log order; the first maxEntries
	More     int         // failures beyond Entries
	Failures int
	Gate     Gate
}

// Gate is whether the findings are below the severity that was asked for.
type Gate struct {
	Severity event.Severity // SeverityNone: none was asked for
	Over     int            // failures at or above it
}

// Err gives a *GateError when there is something over the gate.
func (g Gate) Err() error {
	if g.Severity == event.SeverityNone || g.Over == 0 {
		return nil
	}
	return &GateError{Gate: g}
}

// GateError says that a replay is done, and that its gate does not hold.
type GateError struct{ Gate }

// Error tells by how much.
func (e *GateError) Error() string {
	verb := "are"
	if e.Over == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s %s at %s or above, which --fail-on does not allow", count(int64(e.Over), "failure", "failures"), verb, e.Severity)
}

// ParseSeverity reads the name of a severity; an empty one is SeverityNone.
func ParseSeverity(s string) (event.Severity, error) {
	if s == "" {
		return event.SeverityNone, nil
	}
	var names []string
	for v := event.Info; v <= event.Critical; v++ {
		if v.String() == s {
			return v, nil
		}
		names = append(names, v.String())
	}
	return event.SeverityNone, fmt.Errorf("severity %q is not known; there are %s", s, strings.Join(names, ", "))
}

// TaskCounts count the closed tasks.
type TaskCounts struct {
	Total   int64 // tasks that closed
	Open    bool  // tasks were left open at the end
	Outcome [event.OutcomeAbandoned + 1]int64
	Partial int64
	// Alerted counts tasks by the highest severity of their failures.
	Alerted [event.Critical + 1]int64
}

// AlertedFrom is how many tasks have a failure at s or above.
func (t *TaskCounts) AlertedFrom(s event.Severity) int64 {
	var n int64
	for v := s; v <= event.Critical; v++ {
		n += t.Alerted[v]
	}
	return n
}

// Coverage is what the detectors could and could not judge.
type Coverage struct {
	Tasks         int64          `json:"tasks"`
	Rules         []RuleCoverage `json:"rules"`
	Refused       Refused        `json:"refused"`
	Skipped       []string       `json:"skipped,omitempty"`     // files of folders that are in no known format
	GapRecords    int64          `json:"gap_records,omitempty"` // records that a stream did not hold any more
	UnknownKinds  uint64         `json:"unknown_kinds"`         // steps of a kind that is not known, skipped
	Duplicates    uint64         `json:"duplicates"`            // redelivered steps, dropped
	Orphans       uint64         `json:"orphans"`               // results without a call
	Late          uint64         `json:"late"`                  // outcomes and feedback without a task
	TimeAhead     uint64         `json:"time_ahead"`            // event times replaced by log time
	TimeBack      uint64         `json:"time_back"`             // event times before an earlier step's
	BadCatalogues uint64         `json:"bad_catalogues"`        // lists of tools that cannot be read
	Capped        uint64         `json:"episodes_capped"`       // failures not opened, too many were open
	// Pressure is how often users pressed, and what came of it: of the pressed
	// decisions those that were not reversed held.
	Pressure Pressure `json:"pressure"`
}

// Pressure counts the pressure on agents.
type Pressure struct {
	Messages  uint64 `json:"messages"`  // of users that pressed
	Decisions uint64 `json:"decisions"` // denials that they pressed against
	Reversed  uint64 `json:"reversed"`  // turned round, with nothing new
}

// RuleCoverage says how many tasks one rule judged, and why not the others.
type RuleCoverage struct {
	Detector  string           `json:"detector"`
	Rule      string           `json:"rule"`
	Judged    int64            `json:"judged"`
	Abstained map[string]int64 `json:"abstained,omitempty"` // tasks by reason
	Off       bool             `json:"off,omitempty"`       // by configuration
}

// Refused counts what could not be read.
type Refused struct {
	Total    int64            `json:"total"`
	ByReason map[string]int64 `json:"by_reason,omitempty"`
	First    []Refusal        `json:"first,omitempty"`
}

// Refusal is where and why something could not be read, without its content.
type Refusal struct {
	File    string `json:"file"`
	Line    int64  `json:"line"`         // or value of a document, from 1
	At      int    `json:"at,omitempty"` // byte in the record
	Field   string `json:"field,omitempty"`
	Reason  string `json:"reason"`
	Message string `json:"message"`

	order int64 // for sorting: file, then line
}

// maxRefusals is how many refusals are kept to be shown.
const maxRefusals = 10

func (r *Refused) add(v Refusal) {
	if r.ByReason == nil {
		r.ByReason = map[string]int64{}
	}
	r.Total++
	r.ByReason[v.Reason]++
	if len(r.First) < maxRefusals {
		r.First = append(r.First, v)
	}
}

// merge adds what another reader refused, in the order of the inputs.
func (r *Refused) merge(q *Refused) {
	if r.ByReason == nil {
		r.ByReason = map[string]int64{}
	}
	r.Total += q.Total
	for k, n := range q.ByReason {
		r.ByReason[k] += n
	}
	r.First = append(r.First, q.First...)
	slices.SortStableFunc(r.First, func(a, b Refusal) int { return cmp.Compare(a.order, b.order) })
	r.First = r.First[:min(len(r.First), maxRefusals)]
}

// abstentions count, by rule, the tasks that it could not judge.
type abstentions map[[2]string]map[string]int64

func (a abstentions) add(v event.Abstention) {
	k := [2]string{v.Detector, v.Rule}
	if a[k] == nil {
		a[k] = map[string]int64{}
	}
	a[k][v.Reason]++
}

// coverage lists the rules of every detector, those that are off too.
func (a abstentions) coverage(rules *detectors.Ruleset, tasks int64) []RuleCoverage {
	var out []RuleCoverage
	c := rules.Config()
	for _, d := range detectors.All() {
		for _, r := range d.Rules {
			v := RuleCoverage{
				Detector: d.Name, Rule: r.Name, Judged: tasks, Abstained: a[[2]string{d.Name, r.Name}],
				Off: c.Detectors[d.Name].Disabled || c.Detectors[d.Name].Rules[r.Name].Disabled,
			}
			for _, n := range v.Abstained {
				v.Judged -= n
			}
			if v.Off {
				v.Judged = 0
			}
			out = append(out, v)
		}
	}
	return out
}
