package detectors

import (
	"bytes"
	"fmt"
	"slices"

	"misstep/detectors/facts"
	"misstep/event"
)

// idempotent are words in a tool's name that say that doing it again checks or
// keeps up what was done.
var idempotent = []string{
	"verify", "validate", "authenticate", "auth", "login", "signin", "ensure", "check", "sync", "refresh", "ping", "save", "put", "upsert", "acquire",
	"connect", "init", "initialize", "renew", "keepalive", "touch", "lock", "test", "build", "run", "compile", "commit", "start", "restart", "reload",
	"edit", "write", "apply", "patch", "replace", "format", "set",
}

// once are words in a tool's name that say that doing it again does it twice.
var once = []string{
	"send", "pay", "book", "create", "order", "refund", "charge", "transfer", "post", "submit", "issue", "purchase", "buy", "add", "insert", "append",
	"publish", "email", "notify", "withdraw", "deposit", "credit", "debit", "invoice", "ship", "schedule", "grant",
}

func isAny(words, list []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
}

// result looks for work that is done again.
func (m *contextLoss) result(p *Pass) {
	c, a := p.Call, p.Agent
	if c.Failed() || c.Tool.Polls || c.Key == 0 {
		return
	}
	first := a.Call(c.PrevKey)
	for first != nil && (!first.Done || first.Status.Failed()) {
		first = a.Call(first.PrevKey)
	}
	if first == nil || first.Turn == c.Turn {
		m.again(p)
		return
	}
	if c.Tool.Changes {
		m.repeated(p, first)
	} else {
		m.reread(p, first)
		m.again(p)
	}
}

// repeated reports a write that was done before.
func (m *contextLoss) repeated(p *Pass, first *facts.Call) {
	c := p.Call
	if isAny(c.Tool.Words, idempotent) && !isAny(c.Tool.Words, once) || m.setBack(p, first) {
		return
	}
	if s := p.T.Slots; s != nil && (s.Redo > first.Users || s.Parts > 0 && s.Parts+1 >= first.Users) {
		return
	}
	if c.Index == first.Index+1 && c.Users == first.Users && !isAny(c.Tool.Words, once) && c.Tool.Effect != event.EffectIrreversible {
		return // on the spot: a loop, when it goes on
	}
	s := event.Warning
	switch {
	case c.Tool.Effect == event.EffectIrreversible || c.Tool.Effect == event.EffectWrite && isAny(c.Tool.Words, once):
		s = event.Error
	case !c.Tool.Effect.Writes():
		s = event.Info
	}
	if v := p.Step.Result.Content; v.Present() && (bytes.Contains(v.Raw[:min(len(v.Raw), 256)], []byte("already")) || bytes.Contains(v.Raw[:min(len(v.Raw), 256)], []byte("no change"))) {
		s = event.Info
	}
	if !p.Sees(repeatedStep, c.Tool.Name, s) {
		return
	}
	confidence, more := afterCut(p, 950)
	if s == event.Info {
		confidence = 600
	}
	p.Report(Finding{
		Rule: repeatedStep, Subject: c.Tool.Name, Severity: s, Confidence: confidence,
		Message:  fmt.Sprintf("%s was done again with the same arguments, though it had succeeded.%s", c.Tool.Name, more),
		Evidence: []event.Evidence{p.Agent.Step(first, "done"), p.Agent.Step(c, "done again")},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// setBack reports whether a write between two equal ones may have undone the
// first.
func (m *contextLoss) setBack(p *Pass, first *facts.Call) bool {
	for i := first.Index + 1; i < p.Call.Index; i++ {
		c := p.Agent.Call(i)
		if c == nil || c.Key == first.Key || !c.Done || c.Status.Failed() || !c.Tool.Changes {
			continue
		}
		if c.Tool.Name == first.Tool.Name || isAny(c.Tool.Words, []string{"cancel", "delete", "remove", "undo", "revert", "reset", "restore", "reopen", "rollback", "clear", "close", "disable", "stop", "release", "revoke", "void"}) {
			return true
		}
	}
	return false
}

// farApart is how many calls later a read must come again to count.
const farApart = 3

func (m *contextLoss) reread(p *Pass, first *facts.Call) {
	c := p.Call
	if c.Result == 0 || c.Result != first.Result || isAny(c.Tool.Words, idempotent) || c.Writes != first.After {
		return
	}
	s := event.Info
	if at := p.Memory[cutAt]; at > 0 && p.T.Ordinal-at <= riskSteps && c.PrevKey < p.Memory[cutBefore]>>24 {
		if p.Memory[rereads]++; p.Memory[rereads] > 1 {
			s = event.Warning
		}
	} else if c.Users != first.Users || c.Index-first.Index < farApart {
		return
	}
	if !p.Sees(redundantRead, c.Tool.Name, s) {
		return
	}
	confidence, more := afterCut(p, 500)
	p.Report(Finding{
		Rule: redundantRead, Subject: c.Tool.Name, Severity: s, Confidence: confidence,
		Message:  fmt.Sprintf("%s was read again with the same arguments and the same result.%s", c.Tool.Name, more),
		Evidence: []event.Evidence{p.Agent.Step(first, "read"), p.Agent.Step(c, "read again")},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// again looks for the first calls of the agent, made again in their order.
func (m *contextLoss) again(p *Pass) {
	c, a := p.Call, p.Agent
	n, cut := int64(3), false
	if at := p.Memory[cutAt]; at > 0 && p.T.Ordinal-at <= 2*riskSteps {
		n, cut = 2, true
	}
	if c.Index < 2*n+1 || p.T.Slots != nil && p.T.Slots.Redo > 0 || a.Open() > 0 {
		return
	}
	for i := range n {
		early, late := a.Call(i), a.Call(c.Index-n+1+i)
		if early == nil || late == nil || early.Key == 0 || early.Key != late.Key || early.Failed() {
			return
		}
		if !cut && early.Users == late.Users { // on its own, it is a loop
			return
		}
		for j := n; j <= c.Index-n; j++ { // a cycle is a loop, no new beginning
			if between := a.Call(j); between == nil || between.Key == early.Key {
				return
			}
		}
	}
	if a.Call(0).Key == a.Call(1).Key || !p.Sees(conversationReset, "first calls", event.Warning) {
		return
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: conversationReset, Subject: "first calls", Severity: event.Warning, Confidence: confidence,
		Message:  fmt.Sprintf("The agent goes through its first %d calls again, from %s on.%s", n, a.Call(0).Tool.Name, more),
		Evidence: []event.Evidence{a.Step(a.Call(0), "first call"), a.Step(a.Call(c.Index-n+1), "again"), a.Step(c, "and on")},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}
