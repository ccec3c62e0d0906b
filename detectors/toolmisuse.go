package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of tool_misuse.
var (
	schemaViolation = &Rule{
		Name: "schema_violation", Code: "T1", Family: "schema", Fault: event.FaultAgent,
		Doc:       "The arguments break the tool's own parameter schema.",
		Threshold: "At once: warning; error for a tool whose effect is irreversible. One failure a call, about the first violation.",
		Guards:    "null for an optional parameter is an absent one. Unknown parameters are hallucinated_tool, values of the wrong type that convert without loss are coercible_argument.",
		Source:    "BFCL missing_required, type_error, value_error; AgentRx invalid invocation.",
		Needs:     facts.NeedSchema | facts.NeedPlainArguments,
	}
	coercibleArgument = &Rule{
		Name: "coercible_argument", Code: "T1", Family: "schema", Fault: event.FaultAgent,
		Doc:       "An argument has the wrong type but converts without loss, such as a number in quotes.",
		Threshold: "At once: info, never more.",
		Guards:    "As schema_violation.",
		Source:    "ToolScan IAT, less severe where nothing is lost.",
		Needs:     facts.NeedSchema | facts.NeedPlainArguments,
	}
	errorIgnored = &Rule{
		Name: "error_ignored", Code: "T3a", Family: "claim", Fault: event.FaultAgent,
		Doc:       "A call failed, and the agent tells that it worked.",
		Threshold: "At once, in the agent's words to the user after the error: error where the failed tool writes, else warning.",
		Guards:    "The claim must be of something done, in words of the failed tool, in a sentence that neither asks, promises nor denies; any word of trouble in the message acknowledges the error. A later success, of the same tool or of another that writes, and the next user message end the wait.",
		Source:    "Tools Fail (2406.19228): errors are passed over; MAST FM-3.3, no or wrong verification.",
		Needs:     facts.NeedMessages,
	}
	silentError = &Rule{
		Name: "silent_error", Code: "T3s", Family: "body", Fault: event.FaultTool,
		Doc:       "A tool calls its result fine, and the body says error.",
		Threshold: "At once: info. The call counts as failed for every other rule.",
		Guards:    "Only leading members (error, success: false, status 4xx or 5xx, ...) and texts that begin like an error.",
		Source:    "Tools Fail (2406.19228): silent errors are over-trusted.",
		Needs:     facts.NeedPlainResult,
	}
)

// ToolMisuse finds tools that are used wrongly, and errors that are passed over.
var ToolMisuse = &Detector{
	Name: "tool_misuse", Version: 1, Class: event.ToolMisuse,
	Doc: "The agent uses a tool wrongly, or passes over its error.\nArguments are held against the tool's schema, and what the agent tells against what the tool answered.",
	Rules: []*Rule{
		schemaViolation, coercibleArgument, rejectedCall, fabricatedArgument, foreignEntity, ungroundedAmount, errorIgnored, actsOnFailed, successOverFailure, silentError,
		unconfirmedEffect, unmetPrecondition, outputSchema, valuePolicy, echoedRequest,
	},
	Kinds: []event.Kind{event.ToolCall, event.ToolResult, event.AgentMessage, event.UserMessage, event.ApprovalGiven, event.TaskEnd},
	New:   func(*Config) Watcher { return &toolMisuse{} },
}

type toolMisuse struct{ text []byte }

// Memory of tool_misuse: the failed call that nobody has owned up to.
const (
	pendingCall  = iota // its index in its agent's ring, plus 1; 0 for none
	pendingAgent        // that agent's place in the trajectory
	pendingTold         // messages of the agent since then
	consentState        // what the conversation says about consent
)

// patience is how many messages after an error may pass before a claim is no
// longer about it.
const patience = 3

// Observe implements Watcher.
func (m *toolMisuse) Observe(p *Pass) {
	switch p.Step.Kind {
	case event.ToolCall:
		if p.Call != nil {
			m.arguments(p, p.Call)
			m.values(p, p.Call)
			m.unconfirmed(p, p.Call)
		}
	case event.ToolResult:
		if p.Call != nil {
			m.result(p, p.Call)
			m.output(p, p.Call)
		}
	case event.UserMessage:
		m.consent(p)
		p.Memory[pendingCall] = 0
	case event.ApprovalGiven:
		m.consent(p)
	case event.TaskEnd:
		m.end(p)
	case event.AgentMessage:
		m.consent(p)
		if p.Memory[pendingCall] != 0 {
			m.message(p)
		}
	}
}

func (m *toolMisuse) arguments(p *Pass, c *facts.Call) {
	v := &p.Violations
	if len(v.Found) == 0 {
		return
	}
	// The first violation that cannot be converted away, else the first.
	rule, first := coercibleArgument, v.Found[0]
	for _, f := range v.Found {
		if !f.Coercible {
			rule, first = schemaViolation, f
			break
		}
	}
	s := event.Info
	if rule == schemaViolation {
		s = event.Warning
		if c.Tool.Effect == event.EffectIrreversible {
			s = event.Error
		}
	}
	subject := c.Tool.Name
	if path := anyIndex(first.Path); path != "" {
		subject += "." + path
	}
	if !p.Sees(rule, subject, s) {
		return
	}
	more := ""
	if n := len(v.Found) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	p.Report(Finding{
		Rule: rule, Subject: subject, Severity: s, Confidence: 1000,
		Message:  fmt.Sprintf("%s was called with arguments that its schema refuses: %s%s.", c.Tool.Name, first.String(), more),
		Evidence: []event.Evidence{p.Here(first.Keyword + " at " + quote(first.Path))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// anyIndex is a path without the numbers of array elements.
func anyIndex(path string) string {
	if !strings.Contains(path, "[") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] >= '0' && path[i] <= '9' && len(b) > 0 && b[len(b)-1] == '[' {
			continue
		}
		b = append(b, path[i])
	}
	return string(b)
}

func (m *toolMisuse) result(p *Pass, c *facts.Call) {
	if c.Silent && p.Sees(silentError, c.Tool.Name, event.Info) {
		p.Report(Finding{
			Rule: silentError, Subject: c.Tool.Name, Severity: event.Info, Confidence: 800, Error: c.Error,
			Message:  fmt.Sprintf("%s called its result fine, but the body reports an error (%s).", c.Tool.Name, c.Class),
			Evidence: []event.Evidence{p.Here("error in the body")},
			Tokens:   c.Tokens, CostMicroUSD: c.Cost,
		})
	}
	m.echoed(p, c)
	if c.Failed() {
		m.rejected(p, c)
		p.Memory[pendingCall], p.Memory[pendingAgent], p.Memory[pendingTold] = c.Index+1, p.agentPlace(), 0
		return
	}
	if failed, _ := m.pending(p); failed != nil && (failed.Tool.Name == c.Tool.Name || c.Tool.Effect.Writes() || !failed.Tool.Effect.Writes()) {
		p.Memory[pendingCall] = 0
	}
	if p.Troubled(event.ToolMisuse) {
		name := c.Tool.Name
		p.Resolve(event.ToolMisuse, func(opener *Rule, subject string) bool {
			switch opener.Family {
			case schemaViolation.Family:
				if c.Misfit {
					return false // the tool took it, but the agent put nothing right
				}
			case errorIgnored.Family, silentError.Family, outputSchema.Family, rejectedCall.Family:
			default:
				if p.T.Task.Calls <= p.lastCall(event.ToolMisuse, subject) {
					return false // likewise: it is about this very call
				}
			}
			return subject == name || strings.HasPrefix(subject, name+".")
		})
	}
}

// pending gives the failed call that nobody has owned up to, nil for none.
func (m *toolMisuse) pending(p *Pass) (*facts.Call, *facts.Agent) {
	i := p.Memory[pendingAgent]
	if p.Memory[pendingCall] == 0 || i >= int64(len(p.T.Agents)) {
		return nil, nil
	}
	a := p.T.Agents[i]
	return a.Call(p.Memory[pendingCall] - 1), a
}

func (m *toolMisuse) message(p *Pass) {
	failed, agent := m.pending(p)
	p.Memory[pendingTold]++
	if failed == nil || agent != p.Agent || p.Lacks&facts.NeedMessages != 0 {
		return
	}
	r := p.said()
	if trouble.In(r.text, &r.grams) {
		p.Memory[pendingCall] = 0
		return
	}
	switch claim := claims(r.text, failed.Tool.Words); {
	case claim != nil:
		p.Memory[pendingCall] = 0
		s := event.Warning
		if failed.Tool.Effect.Writes() {
			s = event.Error
		}
		if p.Sees(errorIgnored, failed.Tool.Name, s) {
			p.Report(Finding{
				Rule: errorIgnored, Subject: failed.Tool.Name, Severity: s, Confidence: 850, Error: failed.Error,
				Message:  fmt.Sprintf("%s failed (%s), and the agent tells that it worked.", failed.Tool.Name, failed.Class),
				Evidence: []event.Evidence{agent.ResultStep(failed, "failed: "+failed.Class.String()), p.Here("claims success (" + string(claim) + ")")},
				Tokens:   failed.Tokens, CostMicroUSD: failed.Cost,
			})
		}
	case p.Memory[pendingTold] >= patience:
		p.Memory[pendingCall] = 0
	}
}
