// Package event holds the wire types of misstep: the step events that agents
// send, and the failure events and task records that come out. Its decoder
// borrows its input and does not allocate on the steady path.
package event

import "math"

// None is the value of an absent integer or time.
const None = math.MinInt64

// Step is one step event: what an agent did. Every []byte and Value in it
// borrows from the decoder's input or scratch space and is valid until the
// decoder's next Reset; who keeps one copies it.
type Step struct {
	TrajectoryID []byte // key of all state, never empty
	Tenant       []byte
	ID           []byte // unique in the trajectory; empty when absent
	TaskID       []byte
	Agent        []byte
	Parent       []byte // parent_trajectory_id
	Workflow     []byte
	Release      []byte
	Model        []byte

	Kind    Kind
	Seq     int64 // producer's order, None when absent
	Time    int64 // event time in Unix nanoseconds, None when absent
	LogTime int64 // log time in Unix nanoseconds (files only), None when absent
	Usage   Usage

	Text Value // text of a message, of added context, of a model call
	Cut  Cut   // marks of Text when it was cut

	Call       Call
	Result     Result
	Task       Task
	Change     ToolsChange
	ModelCall  ModelCallInfo
	Plan       Value // `plan`, unparsed
	Source     []byte
	Compaction Compaction
	Approval   Approval
	Escalation Escalation
	Guardrail  Guardrail
	HandoffTo  []byte
	Outcome    Outcome
	Feedback   Feedback

	Raw    []byte // the whole JSON object
	Offset int    // of Raw in the decoder's input, in bytes
}

// Usage is what one step consumed. Absent members are 0; Has tells whether
// the step carried usage at all, HasCost whether it carried a cost.
type Usage struct {
	Has, HasCost                      bool
	InputTokens, OutputTokens         int64
	CacheReadTokens, CacheWriteTokens int64
	ReasoningTokens                   int64
	CostMicroUSD                      int64 // cost_usd in millionths of a dollar, rounded half up
}

// Cut marks content that was cut by its producer or at intake.
type Cut struct {
	Truncated bool
	Len       int64  // content_len: bytes before the cut, None when absent
	Hash      []byte // content_hash of the whole, empty when absent
}

// Call is the payload of a tool_call.
type Call struct {
	ID         []byte
	Tool       []byte
	ToolHidden bool   // Tool is the mac of a hidden name (empty without one)
	ToolKID    []byte // names the key under which a hidden name was hashed
	Arguments  Value  // object; Absent means {}; Hidden is possible
	Raw        Value  // arguments_raw: a string that is no JSON object
	Turn       []byte
	Cut        Cut
}

// Result is the payload of a tool_result.
type Result struct {
	CallID     []byte
	Tool       []byte
	ToolHidden bool // as in Call
	ToolKID    []byte
	Status     Status
	ErrorType  []byte
	Content    Value
	Cut        Cut
	DurationMS int64 // None when absent
}

// Task is the payload of a task_start.
type Task struct {
	Goal  Value
	Tools Value // array of ToolSpec, unparsed; Absent when the event names none
	// Limits; None when absent.
	MaxSteps        int64
	MaxCostMicroUSD int64
	DeadlineMS      int64
}

// ToolsChange is the payload of a tools_changed.
type ToolsChange struct {
	Add    Value // array of ToolSpec, unparsed
	Remove Value // array of strings, unparsed
}

// ModelCallInfo is the payload of a model_call, but for its text.
type ModelCallInfo struct {
	Messages        Value
	Tools           Value
	MessagesSkipped int64
	ContextTokens   int64 // None when absent
	Status          Status
	ErrorType       []byte
	FinishReason    []byte
	DurationMS      int64 // None when absent
}

// Compaction is the payload of a context_compacted; None when absent.
type Compaction struct{ TokensBefore, TokensAfter int64 }

// Approval is the payload of an approval.
type Approval struct {
	CallID  []byte
	Granted bool
	By      []byte
}

// Escalation is the payload of an escalation.
type Escalation struct {
	To     EscalationTo
	Reason Value
}

// EscalationTo is whom a task was handed to.
type EscalationTo uint8

// Whom a task was escalated to.
const (
	EscalationUnknown EscalationTo = iota
	EscalationHuman
	EscalationGuardrail
	EscalationFallback
	numEscalations
)

// NumEscalations is the number of escalation targets; for arrays of counters.
const NumEscalations = int(numEscalations)

var escalationNames = [...]string{"unknown", "human", "guardrail", "fallback"}

// String gives the name on the wire.
func (e EscalationTo) String() string {
	if int(e) < len(escalationNames) {
		return escalationNames[e]
	}
	return escalationNames[EscalationUnknown]
}

// Guardrail is the payload of a guardrail.
type Guardrail struct {
	Action []byte
	Reason Value
}

// Outcome is the payload of a task_end and of an outcome.
type Outcome struct {
	Has      bool
	Status   OutcomeStatus
	ScoredBy ScoredBy
	Score    int64 // in thousandths, None when absent
}

// Feedback is the payload of a feedback.
type Feedback struct {
	FailureID []byte
	Verdict   []byte
	By        []byte
}
