package detectors

import (
	"bytes"

	"misstep/detectors/facts"
	"misstep/detectors/lexicon"
)

// maxClaimText is how much of a message is searched for a claim.
const maxClaimText = 8 << 10

// troubleWords acknowledge that something went wrong. They are English; a
// message in another language neither acknowledges nor claims.
var troubleWords = lexicon.List(lexicon.English, lexicon.Trouble)

// acknowledges reports whether a message, in lower case, owns up to trouble of
// any kind.
func acknowledges(text []byte) bool {
	var g facts.Grams
	g.Of(text)
	return trouble.In(text, &g)
}

// What the lists below are made into for the search.
var (
	trouble    = facts.NewPhrases(troubleWords)
	doneSet    = newWordSet(doneWords)
	auxSet     = newWordSet(auxiliaries)
	promiseSet = newWordSet(promises)
)

// doneWords tell that something was done, whatever it was.
var doneWords = lexicon.List(lexicon.English, lexicon.Done)

// auxiliaries come at most three words before a word that tells of something
// done, and make it a claim of the present: "has now been cancelled".
var auxiliaries = lexicon.List(lexicon.English, lexicon.Auxiliary)

// promises make of a sentence something that is still to come.
var promises = lexicon.List(lexicon.English, lexicon.Promise)

// claims reports whether a message, in lower case, tells that the tool's work
// is done, and with which word: in one sentence that is neither a question nor
// a promise, a word of the tool's name and a word of something done that an
// auxiliary makes a claim. Empty when it does not. The word borrows from text.
func claims(text []byte, tool []string) []byte {
	for len(text) > 0 {
		end := sentenceEnd(text)
		sentence := bytes.TrimRight(text[:end], " \t\r\n")
		text = text[end:]
		if bytes.HasSuffix(sentence, []byte("?")) {
			continue
		}
		if w := claimIn(sentence, tool); w != nil {
			return w
		}
	}
	return nil
}

func claimIn(sentence []byte, tool []string) (claim []byte) {
	const reach = 3 // words from the auxiliary to what was done
	bound, aux := false, -reach-1
	terse, closed := isTerse(sentence), bytes.HasSuffix(sentence, []byte(".")) || bytes.HasSuffix(sentence, []byte("!"))
	var done []byte // the word before, when it tells of something done
	for n := 0; ; n++ {
		w, rest := nextWord(sentence)
		if w == nil {
			break
		}
		sentence = rest
		if promiseSet.has(w) {
			return nil
		}
		named := hasStem(w, tool)
		bound = bound || named
		if claim == nil && done != nil && string(w) == "successfully" {
			claim = done
		}
		done = nil
		if doneSet.has(w) || named && bytes.HasSuffix(w, []byte("ed")) {
			done = w
			if claim == nil && (n-aux <= reach || terse && (n == 0 || closed && isLast(rest))) {
				claim = w
			}
		}
		if auxSet.has(w) {
			aux = n
		}
	}
	if !bound {
		return nil
	}
	return claim
}

func isLast(rest []byte) bool {
	w, _ := nextWord(rest)
	return w == nil
}

// isTerse reports whether a sentence is too short for an auxiliary: "Order
// cancelled."
func isTerse(sentence []byte) bool {
	const most = 6
	for n := 0; ; n++ {
		var w []byte
		if w, sentence = nextWord(sentence); w == nil {
			return true
		}
		if n == most {
			return false
		}
	}
}

// nextWord gives the first word of a text, nil when there is none, and what
// comes after it.
func nextWord(text []byte) (word, rest []byte) {
	start := 0
	for start < len(text) && !isWordByte(text[start]) {
		start++
	}
	end := start
	for end < len(text) && isWordByte(text[end]) {
		end++
	}
	if start == end {
		return nil, nil
	}
	return text[start:end], text[end:]
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '\'' || c >= 0x80
}

func isOneOf(w []byte, list []string) bool {
	for _, s := range list {
		if len(s) == len(w) && s == string(w) {
			return true
		}
	}
	return false
}

// hasStem reports whether a word begins like a word of the tool's name that a
// claim about it would use: in its first letters, at least four, without an
// ending.
func hasStem(word []byte, tool []string) bool {
	for _, t := range tool {
		if len(t) < 4 {
			continue
		}
		if stem := t[:max(4, len(t)-3)]; len(word) >= len(stem) && stem == string(word[:len(stem)]) {
			return true
		}
	}
	return false
}

// sentenceEnd is the length of the first sentence of a non-empty text.
func sentenceEnd(text []byte) int {
	for i, c := range text {
		switch c {
		case '.', '!', '?':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '"' {
				return i + 1
			}
		case '\n':
			return i + 1
		}
	}
	return len(text)
}

func lower(b []byte) {
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c | 0x20
		}
	}
}
