package event

import "bytes"

// AppendStep appends a step event. It writes what belongs to the step's kind;
// raw values stand as they are, but on one line.
func AppendStep(dst []byte, s *Step) []byte {
	dst = append(dst, `{"trajectory_id":`...)
	dst = AppendString(dst, s.TrajectoryID)
	dst = field(dst, "kind", s.Kind.String())
	dst = append(dst, `,"v":1`...)
	dst = optField(dst, "id", s.ID)
	dst = optIntField(dst, "seq", s.Seq)
	dst = timeField(dst, "time", s.Time)
	dst = timeField(dst, "log_time", s.LogTime)
	dst = optField(dst, "task_id", s.TaskID)
	dst = optField(dst, "agent", s.Agent)
	dst = optField(dst, "parent_trajectory_id", s.Parent)
	dst = optField(dst, "workflow", s.Workflow)
	dst = optField(dst, "release", s.Release)
	dst = optField(dst, "model", s.Model)
	dst = optField(dst, "tenant", s.Tenant)
	if s.Usage.Has {
		dst = appendUsage(dst, &s.Usage)
	}
	switch s.Kind {
	case TaskStart:
		dst = appendTaskStart(dst, &s.Task)
	case ToolsChanged:
		dst = appendChange(dst, &s.Change)
	case SystemMessage, UserMessage, AgentMessage, ContextAdded:
		dst = valueField(dst, "text", s.Text)
		if s.Text.Form == Absent {
			dst = field(dst, "text", "")
		}
		dst = appendCut(dst, &s.Cut)
		if s.Kind == ContextAdded {
			dst = optField(dst, "source", s.Source)
		}
	case ModelCall:
		dst = appendModelCall(dst, s)
	case PlanUpdate:
		dst = valueField(dst, "plan", s.Plan)
	case ToolCall:
		dst = appendCall(dst, &s.Call)
	case ToolResult:
		dst = appendResult(dst, &s.Result)
	case ContextCompacted:
		dst, from := open(dst, "context")
		dst = optIntField(dst, "tokens_before", s.Compaction.TokensBefore)
		dst = optIntField(dst, "tokens_after", s.Compaction.TokensAfter)
		return append(trimComma(dst, from), "}}"...)
	case ApprovalGiven:
		dst, from := open(dst, "approval")
		dst = optField(dst, "call_id", s.Approval.CallID)
		dst = boolField(dst, "granted", s.Approval.Granted)
		dst = optField(dst, "by", s.Approval.By)
		return append(trimComma(dst, from), "}}"...)
	case Escalated:
		dst, from := open(dst, "escalation")
		dst = field(dst, "to", s.Escalation.To.String())
		dst = valueField(dst, "reason", s.Escalation.Reason)
		return append(trimComma(dst, from), "}}"...)
	case GuardrailActed:
		dst, from := open(dst, "guardrail")
		dst = optField(dst, "action", s.Guardrail.Action)
		dst = valueField(dst, "reason", s.Guardrail.Reason)
		return append(trimComma(dst, from), "}}"...)
	case HandedOff:
		dst, from := open(dst, "handoff")
		dst = field(dst, "to", s.HandoffTo)
		return append(trimComma(dst, from), "}}"...)
	case TaskEnd, OutcomeGiven:
		if s.Outcome.Has || s.Kind == OutcomeGiven {
			dst, from := open(dst, "outcome")
			dst = field(dst, "status", s.Outcome.Status.String())
			if s.Outcome.Score != None {
				dst = fixedField(dst, "score", s.Outcome.Score, 3)
			}
			dst = field(dst, "scored_by", s.Outcome.ScoredBy.String())
			return append(trimComma(dst, from), "}}"...)
		}
	case FeedbackGiven:
		dst, from := open(dst, "feedback")
		dst = field(dst, "failure_id", s.Feedback.FailureID)
		dst = optField(dst, "verdict", s.Feedback.Verdict)
		dst = optField(dst, "by", s.Feedback.By)
		return append(trimComma(dst, from), "}}"...)
	}
	return append(dst, '}')
}

// open begins an object as a member; its inside begins at from.
func open(dst []byte, name string) (out []byte, from int) {
	dst = append(key(dst, name), '{')
	return dst, len(dst)
}

func appendUsage(dst []byte, u *Usage) []byte {
	dst, from := open(dst, "usage")
	for _, m := range [...]struct {
		name string
		n    int64
	}{
		{"input_tokens", u.InputTokens},
		{"output_tokens", u.OutputTokens},
		{"cache_read_tokens", u.CacheReadTokens},
		{"cache_write_tokens", u.CacheWriteTokens},
		{"reasoning_tokens", u.ReasoningTokens},
	} {
		if m.n != 0 {
			dst = intField(dst, m.name, m.n)
		}
	}
	if u.HasCost {
		dst = fixedField(dst, "cost_usd", u.CostMicroUSD, 6)
	}
	return append(trimComma(dst, from), '}')
}

func appendTaskStart(dst []byte, t *Task) []byte {
	dst, from := open(dst, "task")
	dst = valueField(dst, "goal", t.Goal)
	dst = valueField(dst, "tools", t.Tools)
	if t.MaxSteps != None || t.MaxCostMicroUSD != None || t.DeadlineMS != None {
		var inside int
		dst, inside = open(dst, "limits")
		dst = optIntField(dst, "max_steps", t.MaxSteps)
		if t.MaxCostMicroUSD != None {
			dst = fixedField(dst, "max_cost_usd", t.MaxCostMicroUSD, 6)
		}
		if t.DeadlineMS != None {
			dst = fixedField(dst, "deadline_s", t.DeadlineMS, 3)
		}
		dst = append(trimComma(dst, inside), '}')
	}
	return append(trimComma(dst, from), '}')
}

func appendChange(dst []byte, c *ToolsChange) []byte {
	if c.Add.Form == Hidden && c.Remove.Form == Hidden {
		return valueField(dst, "tools", c.Add)
	}
	dst, from := open(dst, "tools")
	dst = valueField(dst, "add", c.Add)
	dst = valueField(dst, "remove", c.Remove)
	return append(trimComma(dst, from), '}')
}

func appendModelCall(dst []byte, s *Step) []byte {
	m := &s.ModelCall
	dst = valueField(dst, "text", s.Text)
	dst = appendCut(dst, &s.Cut)
	dst = valueField(dst, "messages", m.Messages)
	dst = valueField(dst, "tools", m.Tools)
	if m.MessagesSkipped != 0 {
		dst = intField(dst, "messages_skipped", m.MessagesSkipped)
	}
	dst = optIntField(dst, "context_tokens", m.ContextTokens)
	dst = statusField(dst, m.Status)
	dst = optField(dst, "error_type", m.ErrorType)
	dst = optField(dst, "finish_reason", m.FinishReason)
	return optIntField(dst, "duration_ms", m.DurationMS)
}

func appendCall(dst []byte, c *Call) []byte {
	dst, from := open(dst, "call")
	dst = optField(dst, "id", c.ID)
	dst = toolField(dst, c.Tool, c.ToolKID, c.ToolHidden)
	dst = valueField(dst, "arguments", c.Arguments)
	dst = valueField(dst, "arguments_raw", c.Raw)
	dst = optField(dst, "turn", c.Turn)
	dst = appendCut(dst, &c.Cut)
	return append(trimComma(dst, from), '}')
}

func appendResult(dst []byte, r *Result) []byte {
	dst, from := open(dst, "result")
	dst = optField(dst, "call_id", r.CallID)
	if len(r.Tool) > 0 || r.ToolHidden {
		dst = toolField(dst, r.Tool, r.ToolKID, r.ToolHidden)
	}
	dst = statusField(dst, r.Status)
	dst = optField(dst, "error_type", r.ErrorType)
	dst = valueField(dst, "content", r.Content)
	dst = optIntField(dst, "duration_ms", r.DurationMS)
	dst = appendCut(dst, &r.Cut)
	return append(trimComma(dst, from), '}')
}

func toolField(dst, tool, kid []byte, hidden bool) []byte {
	if !hidden {
		return field(dst, "tool", tool)
	}
	dst = append(key(dst, "tool"), `{"`+hiddenKey+`":{`...)
	from := len(dst)
	dst = optField(dst, "kid", kid)
	dst = optField(dst, "mac", tool)
	return append(trimComma(dst, from), "}}"...)
}

func statusField(dst []byte, s Status) []byte {
	if s == StatusUnknown {
		return dst
	}
	return field(dst, "status", s.String())
}

func appendCut(dst []byte, c *Cut) []byte {
	if c.Truncated {
		dst = boolField(dst, "truncated", true)
	}
	dst = optIntField(dst, "content_len", c.Len)
	return optField(dst, "content_hash", c.Hash)
}

// valueField appends a value as it stands; of one that is spread over lines,
// without its white space.
func valueField(dst []byte, name string, v Value) []byte {
	if v.Form == Absent {
		return dst
	}
	dst = key(dst, name)
	from := len(dst)
	dst = v.AppendJSON(dst)
	if bytes.IndexByte(dst[from:], '\n') < 0 && bytes.IndexByte(dst[from:], '\r') < 0 {
		return dst
	}
	return append(dst[:from], compact(dst[from:])...)
}

// compact takes the white space out of valid JSON, in place.
func compact(b []byte) []byte {
	out := b[:0]
	for i := 0; i < len(b); {
		switch b[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end, _ := skipString(b, i+1)
			end = min(end+1, len(b))
			out = append(out, b[i:end]...)
			i = end
		default:
			out = append(out, b[i])
			i++
		}
	}
	return out
}

// Clone gives a step of its own: nothing in it borrows any more, Raw included.
func (s *Step) Clone() *Step {
	c := *s
	for _, b := range c.texts() {
		*b = bytes.Clone(*b)
	}
	for _, v := range c.values() {
		v.Raw = bytes.Clone(v.Raw)
	}
	return &c
}

func (s *Step) texts() []*[]byte {
	return []*[]byte{
		&s.TrajectoryID, &s.Tenant, &s.ID, &s.TaskID, &s.Agent, &s.Parent, &s.Workflow, &s.Release, &s.Model,
		&s.Cut.Hash, &s.Call.ID, &s.Call.Tool, &s.Call.ToolKID, &s.Call.Turn, &s.Call.Cut.Hash,
		&s.Result.CallID, &s.Result.Tool, &s.Result.ToolKID, &s.Result.ErrorType, &s.Result.Cut.Hash,
		&s.ModelCall.ErrorType, &s.ModelCall.FinishReason, &s.Source, &s.Approval.CallID, &s.Approval.By,
		&s.Guardrail.Action, &s.HandoffTo, &s.Feedback.FailureID, &s.Feedback.Verdict, &s.Feedback.By, &s.Raw,
	}
}

func (s *Step) values() []*Value {
	return []*Value{
		&s.Text, &s.Call.Arguments, &s.Call.Raw, &s.Result.Content, &s.Task.Goal, &s.Task.Tools,
		&s.Change.Add, &s.Change.Remove, &s.ModelCall.Messages, &s.ModelCall.Tools, &s.Plan,
		&s.Escalation.Reason, &s.Guardrail.Reason,
	}
}
