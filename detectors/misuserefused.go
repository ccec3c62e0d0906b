package detectors

import (
	"bytes"
	"fmt"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of tool_misuse about calls that did nothing, or were never made.
var (
	rejectedCall = &Rule{
		Name: "rejected_call", Code: "T1e", Family: "refusal", Fault: event.FaultAgent,
		Doc:       "The tool itself refused the call as wrong.",
		Threshold: "At once: info; warning where the answer says that the call's form is wrong (unexpected, unknown or missing arguments, wrong types, code that does not parse).",
		Guards:    "Errors of the tool's own (5xx, time-outs, rate limits), denials and values that were not found do not count. Where the catalogue's schema told before that a parameter does not exist it is information: hallucinated_tool has it.",
		Source:    "AgentRx invalid invocation; TRAIL formatting errors: of its 79 failed calls people blame 61 on the agent.",
		Needs:     facts.NeedErrorText,
	}
	echoedRequest = &Rule{
		Name: "echoed_request", Code: "T9", Family: "echo", Fault: event.FaultAgent,
		Doc:       "The agent writes a request into code that only prints it: nobody was asked.",
		Threshold: "At once: warning, for tools that run code whose output gives back at least 8 words of the code, and little else, and ask somebody for something.",
		Guards:    "Output that brings words of its own, at least one in five.",
		Source:    "TRAIL, calls that were not made: a request to a team member that was printed.",
		Needs:     facts.NeedProvenance | facts.NeedPlainArguments | facts.NeedPlainResult,
	}
)

// formWords say that a call was refused for its form, whatever its values.
var formWords = []string{
	"unexpected keyword argument", "unexpected argument", "unexpected parameter", "unknown argument", "unknown parameter", "unknown field", "unrecognized argument", "unrecognised argument",
	"missing required", "missing 1 required", "missing 2 required", "required positional argument", "required argument", "required parameter", "required property", "field required", "is a required",
	"extra fields not permitted", "extra inputs are not permitted", "additional properties", "is not of type", "invalid type", "validation error for", "input validation error",
	"invalid arguments", "invalid parameters", "invalid params", "must be of type", "must be an integer", "must be a number", "must be a string", "must be a boolean", "must be an array", "must be an object", "not valid json", "invalid json", "failed to parse",
	"code parsing", "parsing failed", "indentationerror", "unterminated", "snippet is invalid", "regex pattern",
}

// rejected looks at a call that failed.
func (m *toolMisuse) rejected(p *Pass, c *facts.Call) {
	if c.Class != facts.Invalid && !isForm(p.ErrorText) || c.Fault == event.FaultUser || c.Fault == event.FaultPolicy ||
		c.Misfit && !c.Unlisted { // schema_violation has it
		return
	}
	s := event.Info
	if isForm(p.ErrorText) && !c.Unlisted {
		s = event.Warning
	}
	subject := c.Tool.Name
	if !p.Sees(rejectedCall, subject, s) {
		return
	}
	p.Report(Finding{
		Rule: rejectedCall, Subject: subject, Severity: s, Confidence: 800, Error: c.Error,
		Message:  fmt.Sprintf("%s refused the call as wrong (%s).", c.Tool.Name, c.Class),
		Evidence: []event.Evidence{p.Here("refused: " + c.Class.String())},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func isForm(text []byte) bool {
	for _, w := range formWords {
		if bytes.Contains(text, []byte(w)) {
			return true
		}
	}
	return false
}

// requestWords ask somebody for something.
var requestWords = []string{"please", "could you", "can you", "would you", "i need you", "we need you", "kindly"}

func requests(text []byte) bool {
	for _, w := range requestWords {
		if containsAt(text, w) {
			return true
		}
	}
	return false
}

// echoed looks at a result that only gives the call back.
func (m *toolMisuse) echoed(p *Pass, c *facts.Call) {
	if !c.Echo || !c.Tool.RunsCode {
		return
	}
	m.text = p.Step.Result.Content.AppendText(m.text[:0])
	m.text = m.text[:min(len(m.text), maxClaimText)]
	lower(m.text)
	if !requests(m.text) || !p.Sees(echoedRequest, c.Tool.Name, event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: echoedRequest, Subject: c.Tool.Name, Severity: event.Warning, Confidence: 700,
		Message:  fmt.Sprintf("%s only printed what the agent wrote: the request in it reached nobody.", c.Tool.Name),
		Evidence: []event.Evidence{p.Agent.Step(c, "code that only prints")},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}
