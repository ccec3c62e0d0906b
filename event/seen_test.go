package event

import (
	"encoding/json"
	"fmt"
)

// seenIn lists what a decoded step holds, in the terms of the model.
func seenIn(s *Step) seen {
	got := seen{"kind": s.Kind.String()}
	text := func(path string, b []byte) {
		if b != nil {
			got[path] = string(b)
		}
	}
	num := func(path string, n int64) {
		if n != None {
			got[path] = fmt.Sprint(n)
		}
	}
	value := func(path string, v Value) {
		switch {
		case v.Form == Hidden:
			got[path] = "hidden " + compacted(v.Raw)
		case v.IsString():
			got[path] = string(v.AppendText(nil))
		case v.Form != Absent:
			got[path] = compacted(v.AppendJSON(nil))
		}
	}
	tool := func(path string, name, kid []byte, hidden bool) {
		text(path, name)
		if hidden {
			got[path] = "hidden " + string(kid) + " " + string(name)
		}
	}
	cut := func(path string, c Cut) {
		if c.Truncated {
			got[path+"truncated"] = "true"
		}
		num(path+"content_len", c.Len)
		text(path+"content_hash", c.Hash)
	}
	text("trajectory_id", s.TrajectoryID)
	text("id", s.ID)
	num("seq", s.Seq)
	num("time", s.Time)
	num("log_time", s.LogTime)
	text("task_id", s.TaskID)
	text("agent", s.Agent)
	text("parent_trajectory_id", s.Parent)
	text("workflow", s.Workflow)
	text("release", s.Release)
	text("model", s.Model)
	text("tenant", s.Tenant)
	num("usage.input_tokens", s.Usage.InputTokens)
	num("usage.output_tokens", s.Usage.OutputTokens)
	num("usage.cache_read_tokens", s.Usage.CacheReadTokens)
	num("usage.cache_write_tokens", s.Usage.CacheWriteTokens)
	num("usage.reasoning_tokens", s.Usage.ReasoningTokens)
	num("usage.cost_usd", s.Usage.CostMicroUSD)
	value("text", s.Text)
	cut("", s.Cut)
	text("source", s.Source)
	value("messages", s.ModelCall.Messages)
	num("messages_skipped", s.ModelCall.MessagesSkipped)
	num("context_tokens", s.ModelCall.ContextTokens)
	got["status"] = s.ModelCall.Status.String()
	text("error_type", s.ModelCall.ErrorType)
	text("finish_reason", s.ModelCall.FinishReason)
	num("duration_ms", s.ModelCall.DurationMS)
	value("plan", s.Plan)
	value("task.goal", s.Task.Goal)
	value("task.tools", s.Task.Tools)
	num("task.limits.max_steps", s.Task.MaxSteps)
	num("task.limits.max_cost_usd", s.Task.MaxCostMicroUSD)
	num("task.limits.deadline_s", s.Task.DeadlineMS)
	text("call.id", s.Call.ID)
	tool("call.tool", s.Call.Tool, s.Call.ToolKID, s.Call.ToolHidden)
	value("call.arguments", s.Call.Arguments)
	value("call.arguments_raw", s.Call.Raw)
	text("call.turn", s.Call.Turn)
	cut("call.", s.Call.Cut)
	text("result.call_id", s.Result.CallID)
	tool("result.tool", s.Result.Tool, s.Result.ToolKID, s.Result.ToolHidden)
	got["result.status"] = s.Result.Status.String()
	text("result.error_type", s.Result.ErrorType)
	if s.Result.Content.IsString() {
		got["result.content"] = "text " + string(s.Result.Content.AppendText(nil))
	} else {
		value("result.content", s.Result.Content)
	}
	num("result.duration_ms", s.Result.DurationMS)
	cut("result.", s.Result.Cut)
	num("context.tokens_before", s.Compaction.TokensBefore)
	num("context.tokens_after", s.Compaction.TokensAfter)
	text("approval.call_id", s.Approval.CallID)
	got["approval.granted"] = fmt.Sprint(s.Approval.Granted)
	text("approval.by", s.Approval.By)
	got["escalation.to"] = s.Escalation.To.String()
	value("escalation.reason", s.Escalation.Reason)
	text("guardrail.action", s.Guardrail.Action)
	value("guardrail.reason", s.Guardrail.Reason)
	text("handoff.to", s.HandoffTo)
	got["outcome.status"] = s.Outcome.Status.String()
	num("outcome.score", s.Outcome.Score)
	got["outcome.scored_by"] = s.Outcome.ScoredBy.String()
	text("feedback.failure_id", s.Feedback.FailureID)
	text("feedback.verdict", s.Feedback.Verdict)
	text("feedback.by", s.Feedback.By)
	return got
}

// differences compares what the model saw with what the step holds. What reads
// as its default may be absent from one of them.
func differences(model seen, s *Step) []string {
	defaults := map[string]string{
		"status": "unknown", "result.status": "unknown", "approval.granted": "false", "escalation.to": "unknown",
		"outcome.status": "unknown", "outcome.scored_by": "agent",
		"truncated": "false", "call.truncated": "false", "result.truncated": "false",
		"messages_skipped": "0", "usage.input_tokens": "0", "usage.output_tokens": "0", "usage.cache_read_tokens": "0",
		"usage.cache_write_tokens": "0", "usage.reasoning_tokens": "0", "usage.cost_usd": "0",
	}
	got := seenIn(s)
	var list []string
	for path, want := range model {
		if want == "there" || path == "v" || path == "tools" {
			continue
		}
		have, ok := got[path]
		if !ok && defaults[path] != "" {
			have = defaults[path]
		} else if !ok {
			have = "nothing"
		}
		if have != want {
			list = append(list, fmt.Sprintf("%s: got %q, want %q", path, have, want))
		}
	}
	for path, have := range got {
		if _, ok := model[path]; !ok && have != defaults[path] {
			list = append(list, fmt.Sprintf("%s: got %q, want nothing", path, have))
		}
	}
	if _, ok := model["usage"]; ok != s.Usage.Has {
		list = append(list, "Usage.Has")
	}
	if _, ok := model["usage.cost_usd"]; ok != s.Usage.HasCost {
		list = append(list, "Usage.HasCost")
	}
	if _, ok := model["outcome"]; ok != s.Outcome.Has {
		list = append(list, "Outcome.Has")
	}
	list = append(list, toolsDiffer(model, s)...)
	return list
}

// toolsDiffer compares the member that is a list or a change.
func toolsDiffer(model seen, s *Step) []string {
	show := func(v Value) string {
		if v.Form == Absent {
			return ""
		}
		return compacted(v.AppendJSON(nil))
	}
	var wantTools, wantAdd, wantRemove string
	tools := model["tools"]
	switch model["kind"] {
	case "model_call":
		wantTools = tools
	case "tools_changed":
		if _, ok := hiddenMember(json.RawMessage(tools)); ok {
			wantAdd, wantRemove = tools, tools
			break
		}
		members, _ := membersOf([]byte(tools))
		for _, m := range members {
			text := compacted(m.raw)
			if text == "null" {
				text = ""
			}
			switch m.key {
			case "add":
				wantAdd = text
			case "remove":
				wantRemove = text
			}
		}
	}
	hiddenAs := func(text string) string {
		if text != "" {
			if h, ok := hiddenMember(json.RawMessage(text)); ok {
				return `{"$hidden":` + string(h) + `}`
			}
		}
		return text
	}
	var list []string
	for _, c := range [...][3]string{
		{"tools", show(s.ModelCall.Tools), hiddenAs(wantTools)},
		{"tools.add", show(s.Change.Add), hiddenAs(wantAdd)},
		{"tools.remove", show(s.Change.Remove), hiddenAs(wantRemove)},
	} {
		if c[1] != c[2] {
			list = append(list, fmt.Sprintf("%s: got %q, want %q", c[0], c[1], c[2]))
		}
	}
	return list
}
