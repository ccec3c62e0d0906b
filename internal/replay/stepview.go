package replay

import (
	"strconv"
	"strings"

	"misstep/event"
)

// Widths of the parts of a step that explain shows.
const (
	maxArguments = 160
	maxExcerpt   = 160
)

// stepText shows one step on one line: its kind and what it carried, shortened,
// with everything that a terminal might act on escaped. An agent is named when
// it is another than the one whose failure is shown.
func stepText(s *event.Step, agent string) string {
	var b strings.Builder
	b.WriteString(s.Kind.String())
	add := func(label string, text []byte, most int) {
		if len(text) == 0 {
			return
		}
		sep := " "
		if label != "" && strings.Contains(b.String(), ": ") {
			sep = "; "
		}
		b.WriteString(sep + label)
		b.WriteString(foreign(string(text[:min(len(text), 8*most)]), most))
	}
	if len(s.Agent) > 0 && string(s.Agent) != agent {
		add("@", s.Agent, maxName)
	}
	switch s.Kind {
	case event.TaskStart:
		add("goal: ", excerpt(s.Task.Goal), maxExcerpt)
		add("tools: ", toolNames(s.Task.Tools), maxExcerpt)
	case event.ToolsChanged:
		add("add: ", toolNames(s.Change.Add), maxExcerpt)
		add("remove: ", excerpt(s.Change.Remove), maxExcerpt)
	case event.ToolCall:
		toolCallText(s, add)
	case event.ToolResult:
		r := &s.Result
		add("", r.Tool, maxName)
		b.WriteString(" " + r.Status.String())
		add("(", r.ErrorType, maxName)
		if len(r.ErrorType) > 0 {
			b.WriteString(")")
		}
		add("", excerpt(r.Content), maxExcerpt)
		cut(&b, &r.Cut)
	case event.ModelCall:
		add("", []byte(s.ModelCall.Status.String()), maxName)
		add("", s.ModelCall.ErrorType, maxName)
		add("", excerpt(s.Text), maxExcerpt)
	case event.PlanUpdate:
		add("", excerpt(s.Plan), maxExcerpt)
	case event.Escalated:
		add("to ", []byte(s.Escalation.To.String()), maxName)
		add("", excerpt(s.Escalation.Reason), maxExcerpt)
	case event.GuardrailActed:
		add("", s.Guardrail.Action, maxName)
		add("", excerpt(s.Guardrail.Reason), maxExcerpt)
	case event.HandedOff:
		add("to ", s.HandoffTo, maxName)
	case event.ApprovalGiven:
		add("", []byte(map[bool]string{true: "granted", false: "refused"}[s.Approval.Granted]), maxName)
		add("by ", s.Approval.By, maxName)
	case event.TaskEnd, event.OutcomeGiven:
		if s.Outcome.Has {
			add("", []byte(s.Outcome.Status.String()+" by "+s.Outcome.ScoredBy.String()), maxName)
		}
	case event.FeedbackGiven:
		add("", s.Feedback.Verdict, maxName)
		add("", s.Feedback.FailureID, maxName)
	case event.ContextCompacted:
		if s.Compaction.TokensAfter != event.None {
			add("to ", []byte(strconv.FormatInt(s.Compaction.TokensAfter, 10)+" tokens"), maxName)
		}
	default:
		add("", excerpt(s.Text), maxExcerpt)
		cut(&b, &s.Cut)
	}
	return b.String()
}

func toolCallText(s *event.Step, add func(string, []byte, int)) {
	c := &s.Call
	switch {
	case c.ToolHidden:
		add("", []byte("(hidden name)"), maxName)
	default:
		add("", c.Tool, maxName)
	}
	if c.Raw.Form != event.Absent {
		add("no JSON object: ", excerpt(c.Raw), maxArguments)
		return
	}
	args := excerpt(c.Arguments)
	if len(args) == 0 {
		args = []byte("{}")
	}
	add("", args, maxArguments)
}

func cut(b *strings.Builder, c *event.Cut) {
	if !c.Truncated {
		return
	}
	b.WriteString(" (cut")
	if c.Len != event.None {
		b.WriteString(", " + strconv.FormatInt(c.Len, 10) + " bytes in all")
	}
	b.WriteString(")")
}

// excerpt is the beginning of a value's text, more than is shown of it.
func excerpt(v event.Value) []byte {
	switch v.Form {
	case event.Hidden:
		return []byte("(hidden)")
	case event.Absent, event.Null:
		return nil
	}
	return v.AppendText(nil)
}

// toolNames lists the names in an array of ToolSpec.
func toolNames(v event.Value) []byte {
	if !v.Present() {
		return nil
	}
	var names []string
	err := event.ParseTools(v, func(t event.ToolSpec) error {
		names = append(names, string(t.Name))
		return nil
	})
	if err != nil {
		return []byte("(cannot be read)")
	}
	return []byte(strings.Join(names, ", "))
}
