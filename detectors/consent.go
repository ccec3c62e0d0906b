package detectors

import (
	"bytes"

	"misstep/detectors/facts"
)

// askWords ask for consent without a question mark.
var askWords = []string{
	"please confirm", "let me know if", "confirm if", "confirm that", "confirm whether", "(yes/no)", "yes or no", "reply yes", "type yes", "say yes", "proceed?",
}

// asks reports whether the current message of the agent asks something of the user.
func asks(p *Pass) bool {
	if bytes.IndexByte(p.Step.Text.Raw, '?') >= 0 { // it is part of no escape
		return true
	}
	r := p.said()
	return bytes.IndexByte(r.whole, '?') >= 0 || asking.In(r.text, &r.grams)
}

// agreeWords agree, refuseWords take it back, where they begin a word.
var (
	agreeWords = []string{
		"yes", "yeah", "yep", "yup", "sure", "ok", "okay", "correct", "confirm", "confirmed", "agreed", "agree", "absolutely", "definitely", "exactly", "fine", "perfect", "great", "please",
	}
	agreePhrases  = []string{"go ahead", "please do", "do it", "sounds good", "that works", "that's right", "that is right", "proceed", "i would like", "i'd like", "let's do", "looks good", "works for me"}
	refusePhrases = []string{"do not proceed", "don't proceed", "do not do", "don't do", "not yet", "wait", "hold on", "stop", "no,", "no.", "nope", "never mind", "rather not", "instead of that"}
)

// What the lists are made into for the search.
var (
	asking   = facts.NewPhrases(askWords)
	agreeing = facts.NewPhrases(agreePhrases)
	refusing = facts.NewPhrases(refusePhrases)
	agreeSet = newWordSet(agreeWords)
)

// agrees reports whether a message of the user consents.
func agrees(r *reading) bool {
	if _, at := refusing.Find(r.text, &r.grams, beginsWord); at >= 0 {
		return false
	}
	if agreeing.In(r.text, &r.grams) {
		return true
	}
	for rest := r.text; ; {
		var w []byte
		if w, rest = nextWord(rest); w == nil {
			return false
		}
		if agreeSet.has(w) {
			return true
		}
	}
}

// containsAt reports whether text holds s where a word begins.
func containsAt(text []byte, s string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(s))
		if i < 0 {
			return false
		}
		i += from
		if i == 0 || !isWordByte(text[i-1]) {
			return true
		}
		from = i + 1
	}
}
