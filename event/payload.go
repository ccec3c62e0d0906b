package event

// The functions here read the nested objects of a step. Each resets what an
// earlier object of the same name left, since the last of equal names counts.

// enter steps into the object of a payload at i and notes that it was seen.
// more is false when there is nothing to read in it, or it failed.
func (d *Decoder) enter(b []byte, i int, bit uint32, field string) (next int, more bool) {
	d.seen |= bit
	if b[i] == '{' {
		return d.open(b, i, field)
	}
	if literal(b, i, "null") {
		d.seen &^= bit
		return i + 4, false
	}
	return d.failType(b, i, field, "an object", ""), false
}

func (d *Decoder) call(b []byte, i int, s *Step) int {
	c := &s.Call
	if d.seen&hasCall != 0 {
		*c = blankCall
	}
	i, more := d.enter(b, i, hasCall, "call")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "call"); i < 0 {
			return -1
		}
		switch {
		case word == keyTool:
			i = d.toolName(b, i, &c.Tool, &c.ToolKID, &c.ToolHidden, "call.tool")
		case word == keyID:
			i = d.word(b, i, &c.ID, "call.id")
		case word == keyArgument && string(key) == "arguments":
			i = d.form(b, i, 2, &c.Arguments, Object, "call.arguments", "put a string that is no JSON object into call.arguments_raw")
		case word == keyArgument && string(key) == "arguments_raw":
			i = d.text(b, i, &c.Raw, "call.arguments_raw")
		case word == keyTurn:
			i = d.turn(b, i, &c.Turn, "call.turn")
		default:
			next, ok := d.cutMark(b, i, key, &c.Cut, "call.truncated", "call.content_len", "call.content_hash")
			if !ok {
				next = d.skip(b, i, 3, "call")
			}
			i = next
		}
		i, more = d.after(b, i, "call")
	}
	return i
}

func (d *Decoder) result(b []byte, i int, s *Step) int {
	r := &s.Result
	if d.seen&hasResult != 0 {
		*r = blankResult
	}
	i, more := d.enter(b, i, hasResult, "result")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "result"); i < 0 {
			return -1
		}
		switch {
		case word == keyCallID:
			i = d.word(b, i, &r.CallID, "result.call_id")
		case word == keyTool:
			i = d.toolName(b, i, &r.Tool, &r.ToolKID, &r.ToolHidden, "result.tool")
		case word == keyStatus:
			i = d.status(b, i, &r.Status, "result.status")
		case word == keyContent:
			i = d.content(b, i, &r.Content, "result.content")
		case word == keyDuration && string(key) == "duration_ms":
			i = d.count(b, i, &r.DurationMS, None, "result.duration_ms")
		case word == keyErrorTyp && string(key) == "error_type":
			i = d.word(b, i, &r.ErrorType, "result.error_type")
		default:
			next, ok := d.cutMark(b, i, key, &r.Cut, "result.truncated", "result.content_len", "result.content_hash")
			if !ok {
				next = d.skip(b, i, 3, "result")
			}
			i = next
		}
		i, more = d.after(b, i, "result")
	}
	return i
}

func (d *Decoder) usage(b []byte, i int, s *Step) int {
	u := &s.Usage
	*u = Usage{}
	i, more := d.enter(b, i, hasUsage, "usage")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "usage"); i < 0 {
			return -1
		}
		switch {
		case word == keyInputTok && string(key) == "input_tokens":
			i = d.count(b, i, &u.InputTokens, 0, "usage.input_tokens")
		case word == keyOutputTo && string(key) == "output_tokens":
			i = d.count(b, i, &u.OutputTokens, 0, "usage.output_tokens")
		case word == keyCacheRea && string(key) == "cache_read_tokens":
			i = d.count(b, i, &u.CacheReadTokens, 0, "usage.cache_read_tokens")
		case word == keyCacheWri && string(key) == "cache_write_tokens":
			i = d.count(b, i, &u.CacheWriteTokens, 0, "usage.cache_write_tokens")
		case word == keyReasonin && string(key) == "reasoning_tokens":
			i = d.count(b, i, &u.ReasoningTokens, 0, "usage.reasoning_tokens")
		case word == keyCostUSD && len(key) == 8:
			i = d.number(b, i, &u.CostMicroUSD, &u.HasCost, 0, 6, false, "usage.cost_usd")
		default:
			i = d.skip(b, i, 3, "usage")
		}
		i, more = d.after(b, i, "usage")
	}
	u.Has = d.seen&hasUsage != 0
	return i
}

func (d *Decoder) task(b []byte, i int, s *Step) int {
	t := &s.Task
	if d.seen&hasTask != 0 {
		*t = blankTask
	}
	i, more := d.enter(b, i, hasTask, "task")
	for more {
		var word uint64
		if _, word, i = d.key(b, i, "task"); i < 0 {
			return -1
		}
		switch {
		case word == keyGoal:
			i = d.text(b, i, &t.Goal, "task.goal")
		case word == keyTools:
			v, next := d.list(b, i, 3, "task.tools")
			i = d.formed(b, i, next, v, &t.Tools, Array, "task.tools", "")
		case word == keyLimits:
			i = d.limits(b, i, t)
		default:
			i = d.skip(b, i, 3, "task")
		}
		i, more = d.after(b, i, "task")
	}
	return i
}

func (d *Decoder) limits(b []byte, i int, t *Task) int {
	t.MaxSteps, t.MaxCostMicroUSD, t.DeadlineMS = None, None, None
	i, more := d.enter(b, i, 0, "task.limits")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "task.limits"); i < 0 {
			return -1
		}
		var has bool
		switch {
		case word == keyMaxSteps && string(key) == "max_steps":
			i = d.count(b, i, &t.MaxSteps, None, "task.limits.max_steps")
		case word == keyMaxCostU && string(key) == "max_cost_usd":
			i = d.number(b, i, &t.MaxCostMicroUSD, &has, None, 6, false, "task.limits.max_cost_usd")
		case word == keyDeadline && string(key) == "deadline_s":
			i = d.number(b, i, &t.DeadlineMS, &has, None, 3, false, "task.limits.deadline_s")
		default:
			i = d.skip(b, i, 4, "task.limits")
		}
		i, more = d.after(b, i, "task.limits")
	}
	return i
}

func (d *Decoder) compaction(b []byte, i int, s *Step) int {
	c := &s.Compaction
	*c = blankCompaction
	i, more := d.enter(b, i, hasContext, "context")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "context"); i < 0 {
			return -1
		}
		switch {
		case word == keyTokensBe && string(key) == "tokens_before":
			i = d.count(b, i, &c.TokensBefore, None, "context.tokens_before")
		case word == keyTokensAf && string(key) == "tokens_after":
			i = d.count(b, i, &c.TokensAfter, None, "context.tokens_after")
		default:
			i = d.skip(b, i, 3, "context")
		}
		i, more = d.after(b, i, "context")
	}
	return i
}

func (d *Decoder) approval(b []byte, i int, s *Step) int {
	a := &s.Approval
	*a = Approval{}
	d.seen &^= hasGranted
	i, more := d.enter(b, i, hasApproval, "approval")
	for more {
		var word uint64
		if _, word, i = d.key(b, i, "approval"); i < 0 {
			return -1
		}
		switch {
		case word == keyCallID:
			i = d.word(b, i, &a.CallID, "approval.call_id")
		case word == keyGranted:
			var has bool
			i = d.flag(b, i, &a.Granted, &has, "approval.granted")
			d.seen &^= hasGranted
			if has {
				d.seen |= hasGranted
			}
		case word == keyBy:
			i = d.word(b, i, &a.By, "approval.by")
		default:
			i = d.skip(b, i, 3, "approval")
		}
		i, more = d.after(b, i, "approval")
	}
	return i
}

func (d *Decoder) escalation(b []byte, i int, s *Step) int {
	e := &s.Escalation
	*e = Escalation{}
	i, more := d.enter(b, i, hasEscalation, "escalation")
	for more {
		var word uint64
		if _, word, i = d.key(b, i, "escalation"); i < 0 {
			return -1
		}
		switch {
		case word == keyTo:
			i = d.escalationTo(b, i, &e.To)
		case word == keyReason:
			i = d.text(b, i, &e.Reason, "escalation.reason")
		default:
			i = d.skip(b, i, 3, "escalation")
		}
		i, more = d.after(b, i, "escalation")
	}
	return i
}

func (d *Decoder) guardrail(b []byte, i int, s *Step) int {
	g := &s.Guardrail
	*g = Guardrail{}
	i, more := d.enter(b, i, hasGuardrail, "guardrail")
	for more {
		var word uint64
		if _, word, i = d.key(b, i, "guardrail"); i < 0 {
			return -1
		}
		switch {
		case word == keyAction:
			i = d.word(b, i, &g.Action, "guardrail.action")
		case word == keyReason:
			i = d.text(b, i, &g.Reason, "guardrail.reason")
		default:
			i = d.skip(b, i, 3, "guardrail")
		}
		i, more = d.after(b, i, "guardrail")
	}
	return i
}

func (d *Decoder) handoff(b []byte, i int, s *Step) int {
	s.HandoffTo = nil
	i, more := d.enter(b, i, hasHandoff, "handoff")
	for more {
		var word uint64
		if _, word, i = d.key(b, i, "handoff"); i < 0 {
			return -1
		}
		if word == keyTo {
			i = d.name(b, i, &s.HandoffTo, "handoff.to", MaxName)
		} else {
			i = d.skip(b, i, 3, "handoff")
		}
		i, more = d.after(b, i, "handoff")
	}
	return i
}

func (d *Decoder) outcome(b []byte, i int, s *Step) int {
	o := &s.Outcome
	*o = blankOutcome
	i, more := d.enter(b, i, hasOutcome, "outcome")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "outcome"); i < 0 {
			return -1
		}
		switch {
		case word == keyStatus:
			i = d.outcomeStatus(b, i, &o.Status)
		case word == keyScore:
			var has bool
			i = d.number(b, i, &o.Score, &has, None, 3, true, "outcome.score")
		case word == keyScoredBy && string(key) == "scored_by":
			i = d.scoredBy(b, i, &o.ScoredBy)
		default:
			i = d.skip(b, i, 3, "outcome")
		}
		i, more = d.after(b, i, "outcome")
	}
	o.Has = d.seen&hasOutcome != 0
	return i
}

func (d *Decoder) feedback(b []byte, i int, s *Step) int {
	f := &s.Feedback
	*f = Feedback{}
	i, more := d.enter(b, i, hasFeedback, "feedback")
	for more {
		var key []byte
		var word uint64
		if key, word, i = d.key(b, i, "feedback"); i < 0 {
			return -1
		}
		switch {
		case word == keyFailureI && string(key) == "failure_id":
			i = d.name(b, i, &f.FailureID, "feedback.failure_id", MaxName)
		case word == keyVerdict:
			i = d.word(b, i, &f.Verdict, "feedback.verdict")
		case word == keyBy:
			i = d.word(b, i, &f.By, "feedback.by")
		default:
			i = d.skip(b, i, 3, "feedback")
		}
		i, more = d.after(b, i, "feedback")
	}
	return i
}
