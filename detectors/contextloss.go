package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of context_loss.
var (
	reAsk = &Rule{
		Name: "re_ask", Code: "C1", Family: "question", Fault: event.FaultAgent,
		Doc:       "The agent asks the user for a value that the user gave before.",
		Threshold: "At once: warning. Asking once more is counted in.",
		Guards:    "The value must have a type: a tool took it, or its noun stood by it. A question that repeats the value, a check of identity, a request for another one, a value that failed or was taken back, several values of the type, and a request that has moved on to something else stay silent.",
		Source:    "MAST FM-1.4, loss of conversation history; MultiChallenge, inference memory.",
		Needs:     facts.NeedBeginning | facts.NeedMessages | facts.NeedLanguage | facts.NeedSlots,
	}
	contradictedSlot = &Rule{
		Name: "contradicted_slot", Code: "C2", Family: "slot", Fault: event.FaultAgent,
		Doc:       "A write carries another value than the one that the user gave for the same thing.",
		Threshold: "At the call: warning.",
		Guards:    "The user gave one value of that type and stands by it, and neither user nor agent named the other one since. A value that the agent named and the user answered to is agreed on.",
		Source:    "MAST FM-2.5, ignored input; MultiChallenge, self-coherence.",
		Needs:     facts.NeedBeginning | facts.NeedSlotTypes | facts.NeedLanguage | facts.NeedSlots,
	}
	entitySwap = &Rule{
		Name: "entity_swap", Code: "C2e", Family: "slot", Fault: event.FaultAgent,
		Doc:       "The user named one thing by its id, and a write goes to another of the same type.",
		Threshold: "At the call: error; warning where the user's same message also spoke of something else.",
		Guards:    "The pinned id must share a type with the argument: a tool took it under that parameter, its noun is in the parameter's name, or both have one shape of letters and digits. An id that nobody showed is made up, which tool_misuse tells. Ids that the user named too, that the agent named and the user answered to, that a write brought, and requests that moved on (also, another, both) stay silent; so does a call that holds the pinned id as well.",
		Source:    "MAST FM-2.5; detection by the last few messages alone alarms on a quarter of healthy runs.",
		Needs:     facts.NeedBeginning | facts.NeedSlotTypes | facts.NeedLanguage | facts.NeedSlots | facts.NeedProvenance,
	}
	outdatedValue = &Rule{
		Name: "outdated_value", Code: "C2", Family: "slot", Fault: event.FaultAgent,
		Doc:       "A call carries a value that the user has corrected since.",
		Threshold: "At the call: error for a write; warning for a read while no call took up the new value.",
		Guards:    "The correction must be plain: A, not B; change A to B; I meant B, with one value of the type before it. A call that holds the new value too, and parameters for the old one, stay silent; a value that the user names again is good again.",
		Source:    "MultiChallenge, versioned editing; Lost in Conversation (2505.06120).",
		Needs:     facts.NeedBeginning | facts.NeedSlotTypes | facts.NeedLanguage | facts.NeedSlots,
	}
	brokenConstraint = &Rule{
		Name: "broken_constraint", Code: "C3", Family: "constraint", Fault: event.FaultAgent,
		Doc:       "A write breaks a limit that the user set: a bound on a number, an amount or a date, or something excluded or alone allowed.",
		Threshold: "At the call, by its arguments or by what a tool told of the thing it chooses: error for a bound on a number or an amount, else warning; a wish is info.",
		Guards:    "The limit's noun must be in the parameter's name. Conditions, reports of what was, and wishes set no limit. A limit that the user raises, or that the agent named the breach of and the user agreed to, is given up.",
		Source:    "MAST FM-1.1, disobeyed specification; MultiChallenge, instruction retention.",
		Needs:     facts.NeedSlotTypes | facts.NeedLanguage | facts.NeedSlots,
	}
	repeatedStep = &Rule{
		Name: "repeated_step", Code: "C4", Family: "repeat", Fault: event.FaultAgent,
		Doc:       "A write that succeeded is done again, with the same arguments.",
		Threshold: "When the second one succeeds: error for tools that send, pay, create or cannot be undone; warning for other declared writes; info where only the name says that the tool writes, or where the result says that it was done already.",
		Guards:    "Calls of one turn, polling tools, checks such as verify or login, a user who asks for it again, an agent that said it would be done in parts, and another write of the tool in between, which the repetition may set back.",
		Source:    "MAST FM-1.3, step repetition.",
		Needs:     facts.NeedArguments | facts.NeedSlots,
	}
	redundantRead = &Rule{
		Name: "redundant_read", Code: "C4r", Family: "repeat", Fault: event.FaultAgent,
		Doc:       "The agent reads again what it read before, and nothing has changed.",
		Threshold: "The same result three calls or more later: info. Two reads made again within ten steps of a cut: warning.",
		Guards:    "Polling tools, a write or a message of the user in between.",
		Source:    "MAST FM-1.3; detector-side measure of forgotten results.",
		Needs:     facts.NeedArguments | facts.NeedResult,
	}
	contextCut = &Rule{
		Name: "context_cut", Code: "C5", Family: "window", Fault: event.FaultAgent,
		Doc:       "The agent's context was compacted or cut.",
		Threshold: "A context_compacted step, or model calls of one agent whose context falls by 40 % and 2,000 tokens and stays there: info. For ten steps after it the other rules of the class are more confident.",
		Guards:    "One small prompt between large ones is no cut.",
		Source:    "Compaction markers of coding agents; OpenHands condensation.",
		Needs:     facts.NeedSlots,
	}
	contextOverflow = &Rule{
		Name: "context_overflow", Code: "C5", Family: "window", Fault: event.FaultAgent,
		Doc:       "The model refused a prompt because it exceeds the context window.",
		Threshold: "At once: warning.",
		Guards:    "The provider's error type must say so.",
		Source:    "context_length_exceeded and its kin.",
	}
	lostFact = &Rule{
		Name: "lost_fact", Code: "C5w", Family: "window", Fault: event.FaultAgent,
		Doc:       "After its context was cut, the model is no longer given values that the user pinned.",
		Threshold: "At the first model call after the cut that carries its messages: warning, with what is lost.",
		Guards:    "Only ids, e-mail addresses and last digits that the user stands by; never where messages were left out for size.",
		Source:    "Lost in Conversation; fact survival.",
		Needs:     facts.NeedBeginning | facts.NeedSlots,
	}
	conversationReset = &Rule{
		Name: "conversation_reset", Code: "C6", Family: "reset", Fault: event.FaultAgent,
		Doc:       "In the middle of a run the agent begins anew: it greets, or goes through its first calls again.",
		Threshold: "A greeting that offers help after work was done, or the first three calls again in their order after the user spoke on (two after a cut): warning.",
		Guards:    "A user who greets, takes leave or asks to start over; anything else, further, more.",
		Source:    "MAST FM-2.1, conversation reset.",
		Needs:     facts.NeedBeginning | facts.NeedMessages | facts.NeedLanguage | facts.NeedSlots,
	}
)

// ContextLoss finds what an agent forgets of what it was told.
var ContextLoss = &Detector{
	Name: "context_loss", Version: 1, Class: event.ContextLoss,
	Doc: "The agent forgets facts, constraints or decisions that were established before.\nWhat the user pinned, corrected and limited is held against calls, and what was done against what is done again.",
	Rules: []*Rule{
		reAsk, contradictedSlot, entitySwap, outdatedValue, brokenConstraint, repeatedStep, redundantRead,
		contextCut, contextOverflow, lostFact, conversationReset,
	},
	Kinds: []event.Kind{event.ToolCall, event.ToolResult, event.AgentMessage, event.ModelCall, event.ContextCompacted},
	New:   func(*Config) Watcher { return &contextLoss{} },
}

type contextLoss struct {
	text []byte
	lost []string
}

// Memory of context_loss.
const (
	cutAt     = iota // Ordinal of the step that cut the context, 0 for none
	cutCheck         // 1 while the facts that survived it are to be looked for
	cutBefore        // what there was before it: calls of the agent, and messages
	rereads          // reads of before it that were made again
)

// riskSteps is for how many steps after a cut the rules are more confident.
const riskSteps = 10

// Observe implements Watcher.
func (m *contextLoss) Observe(p *Pass) {
	switch p.Step.Kind {
	case event.ToolCall:
		if p.Call != nil {
			m.call(p)
		}
	case event.ToolResult:
		if p.Call != nil && p.Call.Done {
			m.result(p)
		}
	case event.AgentMessage:
		m.message(p)
	case event.ModelCall:
		m.model(p)
	case event.ContextCompacted:
		m.cut(p)
	}
}

// afterCut is the confidence of a finding, higher after a cut, and what its
// message then adds.
func afterCut(p *Pass, confidence int) (int, string) {
	if at := p.Memory[cutAt]; at > 0 && p.T.Ordinal-at <= riskSteps {
		return min(confidence+100, 990), " The context was cut shortly before."
	}
	return confidence, ""
}

// remembered is the user's message with a value, as evidence.
func remembered(m *facts.Mention, note string) event.Evidence {
	return event.Evidence{Seq: m.Seq, ID: m.ID, Note: note}
}

// cutHere remembers that the context was cut at this step.
func (m *contextLoss) cutHere(p *Pass) {
	turn := int64(0)
	if s := p.T.Slots; s != nil {
		turn = int64(s.Turn)
	}
	*p.Memory = Memory{cutAt: p.T.Ordinal, cutCheck: 1, cutBefore: p.Agent.Calls()<<24 | min(turn, 1<<24-1)}
}

func (m *contextLoss) cut(p *Pass) {
	m.cutHere(p)
	if !p.Sees(contextCut, "context", event.Info) {
		return
	}
	c := p.Step.Compaction
	size := ""
	if c.TokensBefore > 0 && c.TokensAfter >= 0 {
		size = fmt.Sprintf(" from %d to %d tokens", c.TokensBefore, c.TokensAfter)
	}
	p.Report(Finding{
		Rule: contextCut, Subject: "context", Severity: event.Info, Confidence: 1000,
		Message:  "The agent's context was compacted" + size + ".",
		Evidence: []event.Evidence{p.Here("compacted")},
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

func (m *contextLoss) model(p *Pass) {
	if p.Step.ModelCall.Status.Failed() && overflows(p.Step.ModelCall.ErrorType) {
		m.cutHere(p)
		if p.Sees(contextOverflow, "overflow", event.Warning) {
			p.Report(Finding{
				Rule: contextOverflow, Subject: "overflow", Severity: event.Warning, Confidence: 1000,
				Message:  "The model refused the prompt: it is longer than the context window.",
				Evidence: []event.Evidence{p.Here("refused for length")},
				Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
			})
		}
		return
	}
	if c := &p.Agent.Context; c.Fell == p.T.Ordinal {
		m.cutHere(p)
		if p.Sees(contextCut, "context", event.Info) {
			p.Report(Finding{
				Rule: contextCut, Subject: "context", Severity: event.Info, Confidence: 800,
				Message:  fmt.Sprintf("The agent's context fell to %d tokens.", c.Last),
				Evidence: []event.Evidence{p.Here("context fell")},
				Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
			})
		}
	}
	if p.Memory[cutCheck] != 0 && p.Step.ModelCall.Messages.Form == event.Array && p.Step.ModelCall.MessagesSkipped == 0 {
		p.Memory[cutCheck] = 0
		m.survival(p)
	}
}

// overflows reports whether an error type of a model call says that the prompt
// was too long.
func overflows(errorType []byte) bool {
	s := strings.ToLower(string(errorType[:min(len(errorType), 128)]))
	for _, w := range []string{"context_length", "context length", "context_window", "context window", "contextwindow", "contextlength", "maximum context", "prompt_too_long", "prompt is too long", "too_long", "token_limit", "tokens_limit", "context_overflow", "max_context"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// survival looks for what the user pinned in what the model is given.
func (m *contextLoss) survival(p *Pass) {
	s := p.T.Slots
	if s == nil {
		return
	}
	m.lost = m.lost[:0]
	n := 0
	var evidence []event.Evidence
	for i := range s.Mentions {
		v := &s.Mentions[i]
		if !v.Live() || v.Kind != facts.SlotEmail && v.Kind != facts.SlotTail && (v.Kind != facts.SlotID || !v.Typed && v.Slot == 0) {
			continue
		}
		n++
		if contains(p.Step.ModelCall.Messages.Raw, strings.TrimPrefix(v.Text, "#")) {
			continue
		}
		m.lost = append(m.lost, quote(v.Text))
		if len(evidence) < 4 {
			evidence = append(evidence, remembered(v, "the user gave "+quote(v.Text)))
		}
	}
	if len(m.lost) == 0 || !p.Sees(lostFact, "facts", event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: lostFact, Subject: "facts", Severity: event.Warning, Confidence: 900,
		Message:  fmt.Sprintf("After the context was cut, %d of %d values that the user gave are gone from the prompt: %s.", len(m.lost), n, strings.Join(m.lost[:min(len(m.lost), 4)], ", ")),
		Evidence: append(evidence, p.Here("prompt without them")),
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}
