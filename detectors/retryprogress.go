package detectors

import (
	"fmt"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of retry_loop about what calls and messages bring that is new.
var (
	rewordedRepeat = &Rule{
		Name: "reworded_repeat", Code: "R3n", Family: "result", Fault: event.FaultAgent,
		Doc:       "The agent asks the same again in other words, and the answers bring nothing new.",
		Threshold: "Within the last 12 calls, of one tool, with at least 60 % of the words in common, and less than 10 % of the words of the latest result new: 2 times info, 3 warning, 4 error.",
		Guards:    "An answer that brings something new ends it: paging, batches and searches that close in on something pass. So do calls of which each names a thing (an id, a number, a path) that the other does not. Words count without order, endings and filler. Parallel turns, user messages and writes count as in identical_failing_call.",
		Source:    "browser-use compares token sets; new is judged against what all results told so far.",
		Needs:     facts.NeedProgress | facts.NeedPlainArguments | facts.NeedPlainResult,
	}
	semanticStall = &Rule{
		Name: "semantic_stall", Code: "R5", Family: "stall", Fault: event.FaultAgent,
		Doc:       "The agent goes over the same ground with call after call and learns nothing.",
		Threshold: "6 calls on end of which each resembles an earlier one, or has the very answer of another, and hardly any word of a result is new (moving average, a fifth from the latest, below 27 %): warning, 10 error.",
		Guards:    "A call that resembles none before it counts as news unless its answer, of 8 words or more, was given before, so batches pass; so do a result with 30 % new words, a changed answer to the same call, a new write and a user message. Tools that poll do not count.",
		Source:    "gemini-cli's definition: repetitive calls and no net progress.",
		Needs:     facts.NeedProgress | facts.NeedPlainArguments | facts.NeedPlainResult,
	}
	monologue = &Rule{
		Name: "monologue", Code: "R6", Family: "message", Fault: event.FaultAgent,
		Doc:       "The agent says the same again and again, with nobody and no tool in between.",
		Threshold: "Messages, or texts of model calls, with 70 % of the words in common: 3 on end warning, 5 error.",
		Guards:    "A call, a result or a user message in between starts the count anew.",
		Source:    "OpenHands (3 equal messages), qwen-code (3 equal thoughts).",
		Needs:     facts.NeedProgress,
	}
	thrash = &Rule{
		Name: "thrash", Code: "R7", Family: "tool", Fault: event.FaultAgent,
		Doc:       "The agent tries one tool again and again, each time otherwise, and most of it fails.",
		Threshold: "8 calls of one tool on end, in different turns, none like another, at least half of them failed: warning, 12 error.",
		Guards:    "Another tool, a user message and a new write in between start the count anew, so edit, build and test pass. Where only one tool was ever called there is no other to turn to: then three quarters must have failed.",
		Source:    "qwen-code (8 calls of one name).",
		Needs:     facts.NeedArguments,
	}
	compactionLoop = &Rule{
		Name: "compaction_loop", Code: "R9", Family: "context", Fault: event.FaultAgent,
		Doc:       "The agent fills its context, has it compacted, and fills it again, without getting on.",
		Threshold: "Compactions (told, or a model call whose context shrinks by 40 % and 2,000 tokens): 2 warning, 3 error, 5 critical.",
		Guards:    "A new write, a user message, or three results with something new since the latest compaction start the count anew.",
		Source:    "claude-code reports 6004, 22195 and 24179 (211 compactions, no progress).",
		Needs:     facts.NeedProgress,
	}
)

var (
	rewordedLevels   = levels{event.Info, 2, 3, 4, 500, 700, 850}
	stallLevels      = levels{event.Warning, 6, 10, 1 << 30, 500, 700, 700}
	monologueLevels  = levels{event.Warning, 3, 5, 1 << 30, 800, 900, 900}
	compactionLevels = levels{event.Warning, 2, 3, 5, 800, 950, 990}
)

// rewording reports calls that ask the same in other words (R3n).
func rewording(p *Pass, c *facts.Call) {
	f := &p.Fresh
	if f.Alike < 2 || !f.Reworded {
		return
	}
	s, conf := rewordedLevels.at(f.Alike)
	switch s {
	case event.Error:
		s = event.Warning
	case event.Critical:
		s = event.Error
	}
	message := fmt.Sprintf("%s was asked the same %d times in other words, and the answers brought nothing new.", c.Tool.Name, f.Alike)
	if !p.Sees(rewordedRepeat, c.Tool.Name, s) {
		if s > event.Info { // a second question of another kind does not retell the first
			p.Recount(rewordedRepeat, c.Tool.Name, f.Alike, message)
		}
		return
	}
	first, evidence := c, []event.Evidence(nil)
	for i := f.Alike - 2; i >= 0; i-- {
		if q := p.Agent.Call(f.AlikeCalls[i]); q != nil {
			if first == c {
				first = q
			}
			evidence = append(evidence, p.Agent.ResultStep(q, "asked"))
		}
	}
	evidence = append(evidence, p.Agent.ResultStep(c, "nothing new"))
	p.Report(Finding{
		Rule: rewordedRepeat, Subject: c.Tool.Name, Severity: s, Confidence: conf, Count: f.Alike, Message: message,
		Evidence: evidence,
		Tokens:   first.Tokens, CostMicroUSD: first.Cost,
	})
}

// stalled reports calls that bring nothing (R5).
func stalled(p *Pass, c *facts.Call) {
	n := p.Fresh.Still
	s, conf := stallLevels.at(n)
	if s == event.SeverityNone {
		return
	}
	const subject = "progress"
	message := fmt.Sprintf("%d calls on end went over the same ground and brought nothing new, the latest of %s.", n, c.Tool.Name)
	if !p.Sees(semanticStall, subject, s) {
		p.Recount(semanticStall, subject, n, message)
		return
	}
	first := c
	for i := max(0, c.Index-int64(n)+1); i < c.Index; i++ {
		if q := p.Agent.Call(i); q != nil && q.Done { // a parallel one may still be open
			first = q
			break
		}
	}
	p.Report(Finding{
		Rule: semanticStall, Subject: subject, Severity: s, Confidence: conf, Count: n, Message: message,
		Evidence: []event.Evidence{p.Agent.ResultStep(first, "since then nothing new"), p.Agent.ResultStep(c, "nothing new")},
		Tokens:   first.Tokens, CostMicroUSD: first.Cost,
	})
}

// said reports messages that say the same (R6) and compactions without
// progress (R9).
func said(p *Pass) {
	f := &p.Fresh
	switch {
	case f.Compacted > 0:
		s, conf := compactionLevels.at(f.Compacted)
		cited(p, compactionLoop, "context", s, conf, f.Compacted, fmt.Sprintf("The context was compacted %d times, and the agent did not get on in between.", f.Compacted))
	case f.Same > 0:
		s, conf := monologueLevels.at(f.Same)
		cited(p, monologue, "messages", s, conf, f.Same, fmt.Sprintf("The agent said the same %d times on end.", f.Same))
	}
}

func cited(p *Pass, rule *Rule, subject string, s event.Severity, conf, n int, message string) {
	if s == event.SeverityNone {
		return
	}
	if !p.Sees(rule, subject, s) {
		p.Recount(rule, subject, n, message)
		return
	}
	evidence := append([]event.Evidence{}, p.Fresh.Marks...)
	if here := p.Here("the latest"); len(evidence) == 0 || evidence[len(evidence)-1].ID != here.ID {
		evidence = append(evidence, here)
	}
	p.Report(Finding{
		Rule: rule, Subject: subject, Severity: s, Confidence: conf, Count: n, Message: message, Evidence: evidence,
		Tokens: p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

const (
	thrashCalls = 8
	thrashMost  = 12
)

// thrashing reports calls of one tool on end of which most failed (R7).
func thrashing(p *Pass, c *facts.Call) {
	a := p.Agent
	n, failed := 0, 0
	first, turn := c, c.Turn+1
	for i := c.Index; n < facts.RingSize; i-- {
		q := a.Call(i)
		if q == nil || q.Tool.Name != c.Tool.Name || q.Users != c.Users || !q.Done && q != c || q.After != c.Writes && q != c {
			break
		}
		if q.Turn == turn {
			continue
		}
		if q.PrevKey != facts.None && q.PrevKey > c.Index-facts.RingSize {
			break // that is a repetition
		}
		turn = q.Turn
		n++
		if q.Failed() {
			failed++
		}
		first = q
	}
	most := 2
	if len(p.T.Task.Tools) == 1 {
		most = 1
	}
	s := event.SeverityNone
	switch {
	case n < thrashCalls || most == 2 && 2*failed < n || most == 1 && 4*failed < 3*n:
		return
	case n >= thrashMost:
		s = event.Error
	default:
		s = event.Warning
	}
	message := fmt.Sprintf("%s was called %d times on end, each time otherwise, and %d of them failed.", c.Tool.Name, n, failed)
	if !p.Sees(thrash, c.Tool.Name, s) {
		p.Recount(thrash, c.Tool.Name, n, message)
		return
	}
	p.Report(Finding{
		Rule: thrash, Subject: c.Tool.Name, Severity: s, Confidence: 600, Count: n, Message: message, Error: c.Error,
		Evidence: []event.Evidence{a.ResultStep(first, "first"), a.ResultStep(c, "latest")},
		Tokens:   first.Tokens, CostMicroUSD: first.Cost,
	})
}
