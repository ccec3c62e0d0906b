package detectors

import (
	"bytes"
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// message looks at what the agent says to the user.
func (m *contextLoss) message(p *Pass) {
	if p.Lacks&facts.NeedMessages != 0 {
		return
	}
	m.greets(p)
	s := p.T.Slots
	if s == nil || len(p.Asks) == 0 {
		return
	}
	for i := range p.Asks {
		m.reasks(p, &p.Asks[i])
	}
}

func (m *contextLoss) reasks(p *Pass, ask *facts.Ask) {
	s := p.T.Slots
	var given *facts.Mention
	for i := range s.Mentions {
		v := &s.Mentions[i]
		if v.Noun != ask.Noun || v.Last < s.Hello || v.Kind == facts.SlotDate || v.Kind == facts.SlotMoney {
			continue
		}
		if ask.Label && (v.Kind != facts.SlotID && (v.Kind != facts.SlotNumber || v.Shape == 0) || v.Slot == 0 && !strings.ContainsAny(v.Text, "0123456789")) {
			continue
		}
		if given != nil && given.Live() && v.Live() { // several: which one is meant?
			return
		}
		if v.Live() {
			given = v
		}
	}
	if given == nil || s.Miss > 0 && s.Miss >= s.User || s.Echoed(given.Hash) == s.Turn || given.Failed >= given.Last && given.Failed > 0 || s.Opened > given.Last ||
		given.Done > 0 && s.User > given.Done || s.Greeted == s.User && s.User > given.Last {
		return
	}
	if !p.Sees(reAsk, ask.Word, event.Warning) {
		return
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: reAsk, Subject: ask.Word, Severity: event.Warning, Confidence: confidence,
		Message:  fmt.Sprintf("The agent asks for the %s, which the user gave before (%s).%s", ask.Word, quote(given.Text), more),
		Evidence: []event.Evidence{remembered(given, "gave "+quote(given.Text)), p.Here("asks for it")},
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

// offers begin a conversation.
var offers = []string{
	"how can i help", "how may i help", "how can i assist", "how may i assist", "what can i do for you", "what may i do for you", "what can i help you with", "how could i help",
	"what would you like help with", "what do you need help with", "what brings you", "how can we help", "what can we do for you", "how might i help",
	"wie kann ich ihnen helfen", "wie kann ich dir helfen", "womit kann ich", "was kann ich für",
}

// hellos begin a short message that begins a conversation, with shortOffers.
var (
	hellos      = []string{"hi", "hello", "hey", "welcome", "good morning", "good afternoon", "good evening", "greetings", "good day", "hallo", "guten tag", "willkommen"}
	shortOffers = []string{"request", "help", "assist", "need", "looking for", "question", "do for you", "up to", "on your mind", "what's up"}
)

// anyStart reports whether a text begins with a word of the list.
func anyStart(text []byte, list []string) bool {
	for _, w := range list {
		if len(text) > len(w) && string(text[:len(w)]) == w && !(text[len(w)]-'a' < 26) {
			return true
		}
	}
	return false
}

// goesOn say that an offer of help is no beginning.
var goesOn = []string{
	"else", "further", "more", "other", "again", "next", "now", "sorry", "thank", "with this", "with that", "you're welcome", "glad", "proceed", "rest", "still", "with your", "with the", "with these", "continue", "bye", "about", "noch", "sonst", "weiter",
}

// greets looks for the beginning of a conversation in its middle.
func (m *contextLoss) greets(p *Pass) {
	s := p.T.Slots
	if p.T.Task.Calls == 0 && p.T.Users < 3 || s != nil && (s.Greeted == s.User || s.Redo == p.T.Users) {
		return
	}
	m.text = p.Step.Text.AppendText(m.text[:0])
	if len(m.text) > 400 {
		return
	}
	lower(m.text)
	offer := anyIn(m.text, offers)
	if offer == "" && len(m.text) < 60 && anyStart(m.text, hellos) {
		offer = anyIn(m.text, shortOffers)
	}
	if offer == "" || anyIn(m.text, goesOn) != "" || !p.Sees(conversationReset, "greeting", event.Warning) {
		return
	}
	confidence, more := afterCut(p, 700)
	p.Report(Finding{
		Rule: conversationReset, Subject: "greeting", Severity: event.Warning, Confidence: confidence,
		Message:  fmt.Sprintf("In the middle of the task the agent begins anew: it asks %s.%s", quote(offer), more),
		Evidence: []event.Evidence{p.Here("begins anew")},
		Tokens:   p.T.Tokens, CostMicroUSD: p.T.CostMicroUSD,
	})
}

func anyIn(text []byte, list []string) string {
	for _, w := range list {
		if bytes.Contains(text, []byte(w)) {
			return w
		}
	}
	return ""
}

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }
