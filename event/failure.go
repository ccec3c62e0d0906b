package event

// Class is one of the six ways in which an agent fails.
type Class uint8

// The failure classes.
const (
	ClassUnknown Class = iota
	ToolMisuse
	HallucinatedTool
	RetryLoop
	ContextLoss
	PressureDrift
	PlanCorruption
	numClasses
)

// NumClasses is the number of classes, ClassUnknown included.
const NumClasses = int(numClasses)

var classNames = [numClasses]string{
	"unknown", "tool_misuse", "hallucinated_tool", "retry_loop",
	"context_loss", "pressure_drift", "plan_corruption",
}

// String gives the name on the wire.
func (c Class) String() string {
	if c < numClasses {
		return classNames[c]
	}
	return classNames[ClassUnknown]
}

// Severity is how bad a failure is. It never falls within an episode.
type Severity uint8

// The severities, mildest first. SeverityNone is below all of them and never
// published.
const (
	SeverityNone Severity = iota
	Info
	Warning
	Error
	Critical
)

var severityNames = [...]string{"none", "info", "warning", "error", "critical"}

// String gives the name on the wire.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return severityNames[SeverityNone]
}

// Fault says whose failure it is.
type Fault uint8

// Whose failure it is.
const (
	FaultUnknown Fault = iota
	FaultAgent
	FaultTool
	FaultPolicy
	FaultUser
)

var faultNames = [...]string{"unknown", "agent", "tool", "policy", "user"}

// String gives the name on the wire.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return faultNames[FaultUnknown]
}

// State is where an episode stands.
type State uint8

// The states of an episode.
const (
	StateOpen State = iota
	StateEscalated
	StateResolved
)

var stateNames = [...]string{"open", "escalated", "resolved"}

// String gives the name on the wire.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[StateOpen]
}

// Labels are what a producer says of itself; they identify nothing.
type Labels struct {
	TrajectoryID, TaskID, Workflow, Agent, Release, Model, Tenant string
}

// Failure is one transition of one episode: what went wrong.
type Failure struct {
	ID  string // 32 hexadecimal digits, see FailureID
	Rev int    // 0, 1, 2 ... for each transition; ID/Rev is the idempotency key
	Labels
	Class       Class
	Rule        string   // the rule that opened it
	Rules       []string // all that concur, in the order in which they fired
	Subject     string   // the tool, parameter, slot or plan item
	Severity    Severity
	Fault       Fault
	Confidence  int // per mille
	State       State
	Time        int64 // event time in Unix nanoseconds of the step that completed the evidence
	FirstSeq    int64 // None when the producer gave none
	LastSeq     int64
	Count       int
	Message     string // one sentence that a person on call understands
	Evidence    []Evidence
	Wasted      Wasted
	Fingerprint string // 16 hexadecimal digits, see Fingerprint
	Recovered   bool   // on the resolve: put right within 3 steps
	Detector    DetectorRef
	Ruleset     string
}

// Evidence points at one step that a person can check.
type Evidence struct {
	Seq  int64 // None when absent
	ID   string
	Note string
}

// Wasted is what an episode consumed.
type Wasted struct {
	Tokens       int64
	CostMicroUSD int64
}

// DetectorRef names the detector that found a failure, and its version.
type DetectorRef struct {
	Name    string
	Version int
}
