package facts

// Ask is one thing that an agent asks the user for.
type Ask struct {
	Noun  uint64 // hash of the noun that says what it is
	Label bool   // it asks for the id or number of that
	Word  string // the noun, for a reader
}

// requests ask the user for something.
var requests = split("could you provide", "could you please provide", "can you provide", "can you please provide", "please provide", "provide me", "provide your", "what is your", "what's your",
	"what is the", "what's the", "may i have", "can i have", "could i have", "could i get", "can i get", "i need your", "i'll need your", "i will need your", "i'll need the", "i need the", "tell me", "let me know your", "let me know the",
	"share your", "share the", "give me", "please share", "could you share", "can you share", "please give", "which order", "which account", "which reservation", "which email", "please enter", "please tell", "remind me", "please send", "send me", "please specify", "could you specify", "can you specify",
	"i would need", "i'd need", "could you tell", "can you tell", "may i ask", "please supply", "could you give", "can you give", "need to know", "please state", "could you confirm your", "do you have your", "do you have the", "could you let me know", "please let me know", "could you remind", "can you remind", "mind sharing", "mind giving", "mind telling", "would you mind", "what was", "send over", "give the", "give your",
	"könnten sie mir", "können sie mir", "wie lautet", "was ist ihre", "was ist die", "bitte nennen", "nennen sie", "nenn mir", "teilen sie mir", "geben sie mir", "ich brauche ihre", "ich benötige", "bitte geben")

// noAsk make of a request one that does not ask for what was given: another
// one, a check of it, or trouble with it.
var noAsk = split("verify", "re-verify", "reverify", "re-verification", "re-authenticate", "validate", "verification", "verifying", "security", "confirm", "re-confirm", "double-check", "double check", "another", "other", "different", "new", "second", "additional",
	"alternative", "alternate", "updated", "next", "correct", "if", "identity", "authenticate", "each", "any", "remaining", "last four", "last 4", "for security", "destination", "return", "one by one",
	"bestätigen", "verifizieren", "sicherheit", "andere", "anderen", "weitere", "neue", "neuen", "falls", "wenn")

// trouble in a message means that what was given did not serve.
var trouble = split("couldn't find", "could not find", "unable to", "not found", "invalid", "doesn't match", "does not match", "don't match", "no record", "incorrect", "didn't find", "did not find",
	"wasn't able", "was not able", "cannot find", "can't find", "not able to", "no account", "doesn't exist", "does not exist", "error", "not recognized", "issue", "wrong", "unfortunately", "couldn't locate", "could not locate", "expired", "mismatch", "failed", "not match",
	"nicht gefunden", "konnte nicht", "ungültig", "leider", "fehler", "nicht finden")

var which = []string{"which"}

// askables are asked for by one word.
var askables = []string{
	"email", "e-mail", "zip", "zipcode", "postcode", "phone",
	"bestellnummer", "buchungsnummer", "kontonummer", "kundennummer", "rechnungsnummer", "auftragsnummer",
}

// labelled words ask for an id of the noun before them.
var askLabels = []string{"id", "ids", "number", "code", "reference", "no"}

// asked finds what a message of an agent asks for.
func (w *Workspace) asked(l *slotLexer) {
	w.asks = w.asks[:0]
	if trouble.found(l) {
		return
	}
	for from := 0; from < len(l.toks); {
		_, to := l.sentence(from)
		short := to-from <= 12 && int(l.toks[to-1].end) < len(l.text) && l.text[l.toks[to-1].end] == '?'
		switch {
		case l.has(noAsk, from, to):
		case l.has(requests, from, to) || short || l.is(from, "your") && l.is(to-1, "please") && to-from <= 6:
			w.askedIn(l, from, to)
		}
		if i := l.find(which, from, to); i >= 0 && to-from <= 8 && i+1 < to && l.toks[i+1].kind == SlotWord && !l.has(noAsk, from, to) { // which account?
			w.asks = append(w.asks, Ask{Noun: stemHash(l.word(i + 1)), Label: true, Word: w.intern(l.word(i + 1))})
		}
		from = to
	}
	w.Cur.Asks = w.asks
}

func (w *Workspace) askedIn(l *slotLexer, from, to int) {
	for i := from; i < to; i++ {
		word := l.word(i)
		switch {
		case inWords(askables, word):
			w.asks = append(w.asks, Ask{Noun: stemHash(word), Word: w.intern(word)})
		case inWords(askLabels, word) && (l.is(i+1, "of") || l.is(i+1, "for")) && (l.is(i+2, "your") || l.is(i+2, "the")) && i+3 < to && l.toks[i+3].kind == SlotWord:
			w.asks = append(w.asks, Ask{Noun: stemHash(l.word(i + 3)), Label: true, Word: w.intern(l.word(i + 3))})
		case i > from && inWords(askLabels, word) && l.toks[i-1].kind == SlotWord && !isLabel(l.word(i-1)) && !inWords(askables, l.word(i-1)):
			w.asks = append(w.asks, Ask{Noun: stemHash(l.word(i - 1)), Label: true, Word: w.intern(l.word(i - 1))})
		}
	}
}
