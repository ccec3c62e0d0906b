package event

// Kind says what an agent did in one step.
type Kind uint8

// The kinds of a step, as they stand on the wire. An unknown kind is counted
// and skipped, so that a newer producer never stops an older detector.
const (
	KindUnknown Kind = iota
	TaskStart
	ToolsChanged
	SystemMessage
	UserMessage
	AgentMessage
	ContextAdded
	ModelCall
	PlanUpdate
	ToolCall
	ToolResult
	ContextCompacted
	ApprovalGiven
	Escalated
	GuardrailActed
	HandedOff
	TaskEnd
	OutcomeGiven
	FeedbackGiven
	numKinds
)

// NumKinds is the number of kinds, KindUnknown included; for arrays of counters.
const NumKinds = int(numKinds)

var kindNames = [numKinds]string{
	"unknown", "task_start", "tools_changed", "system_message", "user_message",
	"agent_message", "context_added", "model_call", "plan_update", "tool_call",
	"tool_result", "context_compacted", "approval", "escalation", "guardrail",
	"handoff", "task_end", "outcome", "feedback",
}

// String gives the name on the wire.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return kindNames[KindUnknown]
}

// Status is how a tool call or a model call ended.
type Status uint8

// The statuses of a result. Absent reads as StatusUnknown.
const (
	StatusUnknown Status = iota
	StatusOK
	StatusError
	StatusTimeout
	StatusDenied
	numStatuses
)

// NumStatuses is the number of statuses; for arrays of counters.
const NumStatuses = int(numStatuses)

var statusNames = [numStatuses]string{"unknown", "ok", "error", "timeout", "denied"}

// String gives the name on the wire.
func (s Status) String() string {
	if s < numStatuses {
		return statusNames[s]
	}
	return statusNames[StatusUnknown]
}

// Failed reports whether the call certainly did not do its work.
func (s Status) Failed() bool {
	return s == StatusError || s == StatusTimeout || s == StatusDenied
}

// Effect is what a tool does to the world.
type Effect uint8

// The effects of a tool. EffectUnset means that neither the ToolSpec nor the
// configuration said anything, which reads as EffectRead.
const (
	EffectUnset Effect = iota
	EffectRead
	EffectWrite
	EffectIrreversible
)

var effectNames = [...]string{"", "read", "write", "irreversible"}

// String gives the name on the wire, empty when unset.
func (e Effect) String() string {
	if int(e) < len(effectNames) {
		return effectNames[e]
	}
	return ""
}

// Writes reports whether the tool changes the world.
func (e Effect) Writes() bool { return e >= EffectWrite }

// OutcomeStatus is how a task ended.
type OutcomeStatus uint8

// The outcomes of a task. OutcomeAbandoned is never on the wire of a step: it
// is what the detect program calls a task that went idle.
const (
	OutcomeUnknown OutcomeStatus = iota
	OutcomeSuccess
	OutcomeFailure
	OutcomeEscalated
	OutcomeAborted
	OutcomeAbandoned
)

var outcomeNames = [...]string{"unknown", "success", "failure", "escalated", "aborted", "abandoned"}

// String gives the name on the wire.
func (o OutcomeStatus) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return outcomeNames[OutcomeUnknown]
}

// ScoredBy is who says so. A higher value has priority over a lower one.
type ScoredBy uint8

// Who scored an outcome, weakest first: what an agent says of itself never
// counts as success.
const (
	ScoredByAgent ScoredBy = iota
	ScoredByJudge
	ScoredByHuman
	ScoredByCheck
)

var scoredByNames = [...]string{"agent", "judge", "human", "check"}

// String gives the name on the wire.
func (s ScoredBy) String() string {
	if int(s) < len(scoredByNames) {
		return scoredByNames[s]
	}
	return scoredByNames[ScoredByAgent]
}
