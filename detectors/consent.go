package detectors

import "bytes"

// askWords ask for consent without a question mark.
var askWords = []string{
	"please confirm", "let me know if", "confirm if", "confirm that", "confirm whether", "(yes/no)", "yes or no", "reply yes", "type yes", "say yes", "proceed?",
}

// asks reports whether a message of the agent asks something of the user.
func asks(text []byte) bool {
	if bytes.IndexByte(text, '?') >= 0 {
		return true
	}
	low := make([]byte, 0, 256)
	low = append(low, text[:min(len(text), maxClaimText)]...)
	lower(low)
	for _, w := range askWords {
		if bytes.Contains(low, []byte(w)) {
			return true
		}
	}
	return false
}

// agreeWords agree, refuseWords take it back, where they begin a word.
var (
	agreeWords = []string{
		"yes", "yeah", "yep", "yup", "sure", "ok", "okay", "correct", "confirm", "confirmed", "agreed", "agree", "absolutely", "definitely", "exactly", "fine", "perfect", "great", "please",
	}
	agreePhrases  = []string{"go ahead", "please do", "do it", "sounds good", "that works", "that's right", "that is right", "proceed", "i would like", "i'd like", "let's do", "looks good", "works for me"}
	refusePhrases = []string{"do not proceed", "don't proceed", "do not do", "don't do", "not yet", "wait", "hold on", "stop", "no,", "no.", "nope", "never mind", "rather not", "instead of that"}
)

// agrees reports whether a message of the user, in lower case, consents.
func agrees(text []byte) bool {
	for _, w := range refusePhrases {
		if containsAt(text, w) {
			return false
		}
	}
	for _, w := range agreePhrases {
		if bytes.Contains(text, []byte(w)) {
			return true
		}
	}
	for rest := text; ; {
		var w []byte
		if w, rest = nextWord(rest); w == nil {
			return false
		}
		if isOneOf(w, agreeWords) {
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
