package event

// enum reads a string of an enumeration, nil for null.
func (d *Decoder) enum(b []byte, i int, field string) (text []byte, next int) {
	if b[i] != '"' {
		return nil, d.nullOr(b, i, &text, field, "a string")
	}
	end, m := scanString(b, i+1)
	if m.failed() {
		return nil, d.failString(b, end, m, field)
	}
	text = b[i+1 : end]
	if m&hasEscapes != 0 {
		d.keyText = appendUnescaped(d.keyText[:0], text)
		text = d.keyText
	}
	return text, end + 1
}

func (d *Decoder) kind(b []byte, i int, s *Step) int {
	text, next := d.enum(b, i, "kind")
	if next < 0 {
		return -1
	}
	s.Kind, d.kindSet = kindOf(text), text != nil
	return next
}

// kindOf gives the kind of a name, KindUnknown when there is none.
func kindOf(name []byte) Kind {
	switch string(name) {
	case "task_start":
		return TaskStart
	case "tools_changed":
		return ToolsChanged
	case "system_message":
		return SystemMessage
	case "user_message":
		return UserMessage
	case "agent_message":
		return AgentMessage
	case "context_added":
		return ContextAdded
	case "model_call":
		return ModelCall
	case "plan_update":
		return PlanUpdate
	case "tool_call":
		return ToolCall
	case "tool_result":
		return ToolResult
	case "context_compacted":
		return ContextCompacted
	case "approval":
		return ApprovalGiven
	case "escalation":
		return Escalated
	case "guardrail":
		return GuardrailActed
	case "handoff":
		return HandedOff
	case "task_end":
		return TaskEnd
	case "outcome":
		return OutcomeGiven
	case "feedback":
		return FeedbackGiven
	}
	return KindUnknown
}

func (d *Decoder) status(b []byte, i int, dst *Status, field string) int {
	text, next := d.enum(b, i, field)
	switch string(text) {
	case "ok":
		*dst = StatusOK
	case "error":
		*dst = StatusError
	case "timeout":
		*dst = StatusTimeout
	case "denied":
		*dst = StatusDenied
	default:
		*dst = StatusUnknown
	}
	return next
}

func (d *Decoder) escalationTo(b []byte, i int, dst *EscalationTo) int {
	text, next := d.enum(b, i, "escalation.to")
	switch string(text) {
	case "human":
		*dst = EscalationHuman
	case "guardrail":
		*dst = EscalationGuardrail
	case "fallback":
		*dst = EscalationFallback
	default:
		*dst = EscalationUnknown
	}
	return next
}

func (d *Decoder) outcomeStatus(b []byte, i int, dst *OutcomeStatus) int {
	text, next := d.enum(b, i, "outcome.status")
	switch string(text) {
	case "success":
		*dst = OutcomeSuccess
	case "failure":
		*dst = OutcomeFailure
	case "escalated":
		*dst = OutcomeEscalated
	case "aborted":
		*dst = OutcomeAborted
	default:
		*dst = OutcomeUnknown
	}
	return next
}

func (d *Decoder) scoredBy(b []byte, i int, dst *ScoredBy) int {
	text, next := d.enum(b, i, "outcome.scored_by")
	switch string(text) {
	case "check":
		*dst = ScoredByCheck
	case "human":
		*dst = ScoredByHuman
	case "judge":
		*dst = ScoredByJudge
	default:
		*dst = ScoredByAgent
	}
	return next
}

// version reads v, which says how to read all the rest.
func (d *Decoder) version(b []byte, i int) int {
	v := int64(1)
	next := d.count(b, i, &v, 1, "v")
	switch {
	case next < 0:
		return -1
	case v > 1:
		return d.fail(ReasonVersion, "v", i, "want version 1, found a later one", "update the detector, or send version 1")
	case v < 1:
		return d.fail(ReasonValue, "v", i, "want version 1, found 0", "")
	}
	return next
}

// check looks at what only the whole event tells. It gives end, -1 when it
// failed.
func (d *Decoder) check(end int, s *Step) int {
	switch {
	case len(s.TrajectoryID) == 0:
		return d.missing("trajectory_id", "want a text that names the run or conversation, found none")
	case !d.kindSet:
		return d.missing("kind", "want the kind of the step, found none")
	}
	switch s.Kind {
	case SystemMessage, UserMessage, AgentMessage, ContextAdded:
		if s.Text.Form == Absent {
			return d.missing("text", "want the text of the message, found none")
		}
	case ToolCall:
		if len(s.Call.Tool) == 0 && !s.Call.ToolHidden {
			return d.missing("call.tool", "want the name of the tool, found none")
		}
	case ToolResult:
		return d.need(end, hasResult, "result")
	case PlanUpdate:
		if s.Plan.Form == Absent {
			return d.missing("plan", "want an object, found none")
		}
	case ApprovalGiven:
		return d.need(end, hasGranted, "approval.granted")
	case Escalated:
		return d.need(end, hasEscalation, "escalation")
	case GuardrailActed:
		return d.need(end, hasGuardrail, "guardrail")
	case HandedOff:
		if len(s.HandoffTo) == 0 {
			return d.missing("handoff.to", "want the name of an agent, found none")
		}
	case OutcomeGiven:
		return d.need(end, hasOutcome, "outcome")
	case FeedbackGiven:
		if len(s.Feedback.FailureID) == 0 {
			return d.missing("feedback.failure_id", "want the id of a failure, found none")
		}
	case ModelCall:
		switch d.tools.Form {
		case Absent, Null:
		case Array, Hidden:
			s.ModelCall.Tools = d.tools
		default:
			return d.failType(d.payload, d.toolsAt, "tools", "an array of tools", "")
		}
	case ToolsChanged:
		return d.change(end, s)
	}
	return end
}

func (d *Decoder) missing(field, msg string) int {
	return d.fail(ReasonMissing, field, d.start, msg, "")
}

func (d *Decoder) need(end int, bit uint32, field string) int {
	if d.seen&bit != 0 {
		return end
	}
	if bit == hasGranted {
		return d.missing(field, "want true or false, found none")
	}
	return d.missing(field, "want an object, found none")
}

// change takes the tools of a tools_changed apart.
func (d *Decoder) change(end int, s *Step) int {
	switch d.tools.Form {
	case Absent, Null:
		return d.missing("tools", "want an object with add and remove, found none")
	case Hidden:
		// All that is known is that something changed.
		s.Change = ToolsChange{Add: d.tools, Remove: d.tools}
		return end
	case Object:
	default:
		return d.failType(d.payload, d.toolsAt, "tools", "an object with add and remove", "")
	}
	c := NewCursor(d.tools)
	c.Enter()
	for c.More() {
		k := c.Key()
		at := d.toolsAt + c.pos
		v := c.Value()
		switch {
		case k.EqualText("add"):
			if !arrayOr(&v) {
				return d.failType(d.payload, at, "tools.add", "an array of tools", "")
			}
			s.Change.Add = v
		case k.EqualText("remove"):
			if !arrayOr(&v) {
				return d.failType(d.payload, at, "tools.remove", "an array of names", "")
			}
			s.Change.Remove = v
		}
	}
	return end
}

// arrayOr reports whether v is an array, hidden or null; null becomes absent.
func arrayOr(v *Value) bool {
	if v.Form == Null {
		*v = Value{}
	}
	return v.Form == Array || v.Form == Hidden || v.Form == Absent
}
