// Package detectors finds failures of agents in their step events: the
// contract that a detector keeps, the list of them, the episodes that the
// program owns, and the detect program that runs it all over a log.
package detectors

import (
	"misstep/detectors/facts"
	"misstep/event"
)

// Detector finds failures of one class. It is an immutable value: what it is,
// what it needs, and how one is made. A new detector is a new file, a line in
// All and a fixture.
type Detector struct {
	Name    string // configuration key and metric label
	Version int    // raised with every change of what it finds
	Class   event.Class
	Doc     string // what it finds; the first line is a title
	Rules   []*Rule
	Kinds   []event.Kind // the kinds of steps that it is shown
	// New gives what watches the trajectories of one shard.
	New func(*Config) Watcher
}

// Rule is one way in which a detector finds a failure. It is immutable.
type Rule struct {
	Name      string // as in failure events
	Code      string // as in the literature page that defines it, e.g. R1
	Doc       string // what the agent did, one sentence
	Threshold string // when it fires, and at which severity
	Guards    string // which legitimate behaviour it lets pass, and how
	Source    string // where rule and threshold come from
	Needs     facts.Needs
	Fault     event.Fault
	// Family names what the rule looks at. Rules of different families on one
	// subject are independent evidence and raise the confidence; within a
	// family the most confident counts.
	Family string
}

// Watcher is one detector at work on the trajectories of one shard. One
// goroutine calls it. It must not block, read a clock or do I/O, and keeps
// what it remembers of a trajectory in the Memory that the pass hands it.
type Watcher interface {
	// Observe looks at the step that the facts were just updated with, in step
	// order, and reports what it sees at every step at which it sees it. The
	// episodes make one failure of that.
	Observe(p *Pass)
}

// Memory is what one detector remembers of one trajectory beside the facts: a
// few integers, zero at the start of each task.
type Memory [4]int64

// Finding is what a rule saw at one step.
type Finding struct {
	Rule       *Rule
	Subject    string // what it is about; one failure is open per class and subject
	Severity   event.Severity
	Confidence int         // per mille
	Count      int         // how often it was seen so far; 0: once at each step
	Fault      event.Fault // FaultUnknown: the rule's
	Message    string      // one sentence for a person on call
	Evidence   []event.Evidence
	Error      uint64 // fingerprint of the error that it is about, 0 for none
	// Tokens and CostMicroUSD are the trajectory's totals where the waste
	// began.
	Tokens, CostMicroUSD int64
}

// All is every detector, in the order in which their findings of one step
// leave.
func All() []*Detector {
	return []*Detector{ContextLoss, HallucinatedTool, PlanCorruption, PressureDrift, RetryLoop, ToolMisuse}
}
