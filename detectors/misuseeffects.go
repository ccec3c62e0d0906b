package detectors

import (
	"fmt"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of tool_misuse about what an agent changes in the world, and tells of it.
var (
	unconfirmedEffect = &Rule{
		Name: "unconfirmed_effect", Code: "T4", Family: "consent", Fault: event.FaultAgent,
		Doc:       "The agent does something irreversible that the user has not confirmed.",
		Threshold: "At once: warning for a tool whose effect is irreversible, or whose description says that the user must confirm, in a conversation; error for a tool of which the policy says `confirm: true`.",
		Guards:    "The agent asked and the user agreed in the turn after: this holds for all calls until the user speaks again. An approval that was granted counts too. A task without a conversation (one user message) is judged only where the policy says so.",
		Source:    "tau-bench's policies demand details listed and an explicit yes; MCP destructiveHint.",
		Needs:     facts.NeedMessages,
	}
	successOverFailure = &Rule{
		Name: "success_over_failure", Code: "T3c", Family: "claim", Fault: event.FaultAgent,
		Doc:       "The agent ends its task as a success although its last change failed and it never said so.",
		Threshold: "At the task's end: error.",
		Guards:    "Only where the agent itself calls the task a success; a later change that worked, and any word of trouble to the user, end the wait.",
		Source:    "MAST FM-3.1 and FM-3.3: ended early, not verified.",
		Needs:     facts.NeedMessages,
	}
	outputSchema = &Rule{
		Name: "output_schema", Code: "T6", Family: "output", Fault: event.FaultTool,
		Doc:       "A tool's result breaks the tool's own output schema.",
		Threshold: "At once: warning.",
		Guards:    "Only results of calls that worked, and only where the tool declares an output schema (MCP outputSchema).",
		Source:    "MCP: servers must provide results that conform to outputSchema.",
		Needs:     facts.NeedPlainResult | facts.NeedOutputSchema,
	}
)

// What the conversation says about consent, in Memory.
const (
	consentNone  = iota
	consentAsked // the agent's latest message asks
	consentGiven
)

// consent follows the conversation.
func (m *toolMisuse) consent(p *Pass) {
	have := &p.Memory[consentState]
	switch p.Step.Kind {
	case event.AgentMessage:
		if asks(p) {
			*have = consentAsked
		}
	case event.UserMessage:
		was := *have
		*have = consentNone
		if was == consentAsked && agrees(p.said()) {
			*have = consentGiven
		}
	case event.ApprovalGiven:
		*have = consentNone
		if p.Step.Approval.Granted {
			*have = consentGiven
		}
	}
}

// unconfirmed looks at a call that needs consent.
func (m *toolMisuse) unconfirmed(p *Pass, c *facts.Call) {
	demanded, told := false, c.Tool.Confirm
	c.Tool.Policies(p.T.Labels.Workflow, func(policy *facts.Policy) { demanded = demanded || policy.Confirm })
	if p.Memory[consentState] == consentGiven || !demanded && (!told && c.Tool.Effect != event.EffectIrreversible || p.T.Users < 2) {
		return
	}
	s, conf := event.Warning, 700
	if demanded {
		s, conf = event.Error, 950
	}
	if !p.Sees(unconfirmedEffect, c.Tool.Name, s) {
		return
	}
	why := "the agent did not ask before"
	if p.Memory[consentState] == consentAsked {
		why = "the agent asked and did not wait for the answer"
	}
	p.Report(Finding{
		Rule: unconfirmedEffect, Subject: c.Tool.Name, Severity: s, Confidence: conf,
		Message:  fmt.Sprintf("%s needs the user's word before, and has none: %s.", c.Tool.Name, why),
		Evidence: []event.Evidence{p.Here("call of " + quote(c.Tool.Name))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// end looks at how a task ends.
func (m *toolMisuse) end(p *Pass) {
	o := &p.Step.Outcome
	if o.Status != event.OutcomeSuccess || o.ScoredBy != event.ScoredByAgent {
		return
	}
	failed, agent := m.pending(p)
	if failed == nil || !failed.Tool.Changes || !p.Sees(successOverFailure, failed.Tool.Name, event.Error) {
		return
	}
	p.Report(Finding{
		Rule: successOverFailure, Subject: failed.Tool.Name, Severity: event.Error, Confidence: 900, Error: failed.Error,
		Message:  fmt.Sprintf("The task was ended as a success, but %s failed (%s) and was not made good.", failed.Tool.Name, failed.Class),
		Evidence: []event.Evidence{agent.ResultStep(failed, "failed: "+failed.Class.String()), p.Here("called a success")},
		Tokens:   failed.Tokens, CostMicroUSD: failed.Cost,
	})
}

// output holds a result against the tool's output schema.
func (m *toolMisuse) output(p *Pass, c *facts.Call) {
	if c.Failed() || len(p.Output.Found) == 0 || !p.Sees(outputSchema, c.Tool.Name, event.Warning) {
		return
	}
	first := p.Output.Found[0]
	p.Report(Finding{
		Rule: outputSchema, Subject: c.Tool.Name, Severity: event.Warning, Confidence: 1000,
		Message:  fmt.Sprintf("%s gave a result that its own output schema refuses: %s.", c.Tool.Name, first.String()),
		Evidence: []event.Evidence{p.Here(first.Keyword + " at " + quote(first.Path))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}
