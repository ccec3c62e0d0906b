package event

// TaskRecord says how one task went. One is written when the task closes, one
// more (Rev+1) when a late outcome changes it.
type TaskRecord struct {
	ID  string // 32 hexadecimal digits over (tenant, trajectory, task)
	Rev int
	Was *TaskVerdict // nil at Rev 0
	Now TaskVerdict
	Labels
	Steps        int64 // step events of the task
	CostMicroUSD int64
	Tokens       int64
	WallMS       int64    // from the first step to the last
	ActiveMS     int64    // WallMS less the time spent waiting for a human
	Escalated    []string // whom it was escalated to, sorted, each once
	Tools        []ToolUse
	Classes      []string // failure classes at warning or above, sorted
	Partial      bool     // the beginning was not seen
	Coverage     []Abstention
	Plan         *PlanUse // nil without a plan
	Time         int64    // event time of the task's end, Unix nanoseconds
}

// TaskVerdict is what account adds up: an outcome in a bucket.
type TaskVerdict struct {
	Outcome  OutcomeStatus
	ScoredBy ScoredBy
	Bucket   int64 // minute of the task's end: Unix time in seconds, a multiple of 60
}

// ToolUse counts the calls of one tool in one task, each under one heading.
type ToolUse struct {
	Tool                                                           string
	OK, AgentFault, ToolFault, UserFault, Timeout, Denied, Unknown int64
}

// PlanUse says how the agents of a task kept to their plans. Coverage is
// Begun/Items, fidelity Planned/Calls, order Ordered/Begun.
type PlanUse struct {
	Versions int64 // of the plans
	Items    int64 // of their last versions
	Begun    int64 // those of them that a call belongs to
	Ordered  int64 // the most of those that were begun in the order of the plan
	Calls    int64 // after the first version, of tools that keep no plan
	Planned  int64 // those of them that belong to an item
	Stale    int64 // those of them that did what was known to be pointless
	Replan   int64 // the most calls from what made an item pointless to a new plan
}

// Abstention says that a detector could not judge (all of) a task, and why.
type Abstention struct {
	Detector string
	Rule     string
	Reason   string
}

// DeadLetter says what was refused, where and why, without its content.
type DeadLetter struct {
	Time      int64
	Source    string
	Partition int32
	Offset    int64
	Index     int
	Reason    string // a bounded enumeration, see DecodeError
	Field     string
	At        int // byte offset in the message
	Message   string
}
