package detectors

import (
	"bytes"
	"slices"
	"strings"

	"misstep/detectors/schema"
)

// maxClaimText is how much of a message is searched for a claim.
const maxClaimText = 8 << 10

// troubleWords acknowledge that something went wrong. They are English; a
// message in another language neither acknowledges nor claims.
var troubleWords = []string{
	"error", "fail", "unable", "unfortunately", "sorry", "apolog", "issue", "problem", "trouble",
	"cannot", "can't", "can not", "couldn't", "could not", "wasn't", "was not", "weren't", "isn't", "is not",
	"didn't", "did not", "doesn't", "does not", "don't", "do not", "haven't", "have not", "hasn't", "has not",
	"won't", "will not", "not able", "not found", "no longer", "not possible", "not allowed", "not eligible",
	"not available", "unavailable", "unsuccessful", "invalid", "incorrect", "denied", "rejected", "declined",
	"refused", "mistake", "unexpected", "however", "try again", "retry", "instead", "timed out", "timeout",
	"insufficient", "exceed", "missing", "must be", "needs to be", "require", "limit",
}

// acknowledges reports whether a message, in lower case, owns up to trouble of
// any kind.
func acknowledges(text []byte) bool {
	for _, w := range troubleWords {
		if bytes.Contains(text, []byte(w)) {
			return true
		}
	}
	return false
}

// doneWords tell that something was done, whatever it was.
var doneWords = []string{
	"completed", "processed", "updated", "confirmed", "done", "booked", "cancelled", "canceled", "changed",
	"created", "sent", "submitted", "modified", "refunded", "issued", "exchanged", "returned", "added",
	"removed", "deleted", "saved", "applied", "scheduled", "placed", "transferred", "upgraded", "finalized",
	"finalised", "resolved", "fixed", "found", "retrieved", "paid", "charged",
}

// auxiliaries come at most three words before a word that tells of something
// done, and make it a claim of the present: "has now been cancelled".
var auxiliaries = []string{"has", "have", "been", "is", "are", "i've", "we've", "was", "were", "i", "we", "successfully", "all"}

// claims reports whether a message, in lower case, tells that the tool's work
// is done, and with which word: in one sentence that is neither a question nor
// a promise, a word of the tool's name and a word of something done that an
// auxiliary makes a claim. Empty when it does not.
func claims(text []byte, tool string) string {
	stems := toolStems(tool)
	for len(text) > 0 {
		end := sentenceEnd(text)
		sentence := text[:end]
		text = text[end:]
		if bytes.HasSuffix(bytes.TrimRight(sentence, " \t\r\n"), []byte("?")) {
			continue
		}
		if w := claimIn(string(sentence), stems); w != "" {
			return w
		}
	}
	return ""
}

// promises make of a sentence something that is still to come.
var promises = []string{
	"will", "would", "shall", "should", "could", "can", "may", "might", "i'll", "let", "going", "please", "if", "once", "before", "to-be", "need", "want", "like",
}

func claimIn(sentence string, stems []string) string {
	words := strings.FieldsFunc(sentence, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '\'' || r > 0x7f)
	})
	bound := false
	for _, w := range words {
		if slices.Contains(promises, w) {
			return ""
		}
		bound = bound || hasStem(w, stems)
	}
	if !bound {
		return ""
	}
	for i, w := range words {
		if !slices.Contains(doneWords, w) && !(strings.HasSuffix(w, "ed") && hasStem(w, stems)) {
			continue
		}
		for _, aux := range words[max(0, i-3):i] {
			if slices.Contains(auxiliaries, aux) {
				return w
			}
		}
		if i+1 < len(words) && words[i+1] == "successfully" {
			return w
		}
	}
	return ""
}

// toolStems are the beginnings of the words in a tool's name that a claim
// about it would use: at least four letters, without an ending.
func toolStems(tool string) []string {
	var stems []string
	for _, w := range schema.Words(tool) {
		if len(w) >= 4 {
			stems = append(stems, w[:max(4, len(w)-3)])
		}
	}
	return stems
}

func hasStem(word string, stems []string) bool {
	for _, s := range stems {
		if strings.HasPrefix(word, s) {
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
