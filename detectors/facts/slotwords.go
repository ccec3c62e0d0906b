package facts

import (
	"slices"
	"strings"
)

// The word lists of slots, in English and German; what no list knows pins values
// by their looks alone and sets no limit.

// labelWords stand between a value and the noun that says what it is.
var labelWords = []string{
	"#", "a", "an", "and", "are", "as", "at", "by", "called", "code", "digits", "ending", "ends", "for", "four", "from", "id", "ids", "in", "is",
	"it", "it's", "its", "last", "my", "name", "no", "number", "numbers", "of", "on", "or", "our", "ref", "reference", "that", "the",
	"their", "these", "this", "to", "was", "with", "your",
	"der", "die", "das", "den", "dem", "ein", "eine", "einen", "mein", "meine", "meinen", "meiner", "nummer", "nr", "lautet", "ist", "von", "für", "mit", "und", "im", "am", "zur", "zum", "endet", "auf",
}

// verbWords stand before a value and say nothing of its type.
var verbWords = []string{
	"actually", "am", "book", "but", "can", "cancel", "change", "check", "correction", "could", "do", "don't", "exchange", "find", "get", "give",
	"hello", "help", "here", "hi", "have", "i", "i'd", "i'm", "instead", "let", "like", "make", "me", "mean", "meant", "modify", "move",
	"need", "not", "now", "ok", "please", "refund", "return", "said", "see", "send", "should", "sorry", "sure", "swap", "take", "thanks",
	"then", "update", "use", "using", "wait", "want", "we", "which", "would", "yes", "you", "leave", "keep", "pls", "plz", "thx",
	"bitte", "ich", "wir", "möchte", "will", "brauche", "habe", "hätte", "storniere", "erstatte", "erstatten", "ändere", "ändern", "buche", "buchen", "nehmen", "nimm", "hallo", "danke", "ja", "nein", "doch", "nicht", "statt", "sondern", "meinte", "sie",
}

// adjectiveWords stand between a number and its noun.
var adjectiveWords = []string{
	"additional", "adult", "available", "checked", "consecutive", "different", "extra", "free", "individual", "large", "more", "new", "of",
	"other", "paid", "separate", "single", "small", "total", "whole", "percent",
}

// kin gives words of one meaning one form.
var kin = map[string]string{
	"baggage": "bag", "luggage": "bag", "suitcase": "bag",
	"passenger": "person", "traveler": "person", "traveller": "person", "guest": "person", "people": "person", "adult": "person", "attendee": "person", "participant": "person",
	"qty": "quantity", "unit": "quantity", "piece": "quantity", "copy": "quantity", "copie": "quantity", "item": "quantity", "count": "quantity",
	"layover": "stop", "connection": "stop", "stopover": "stop",
	"booking": "reservation", "mobile": "phone", "telephone": "phone", "cell": "phone",
	"zipcode": "zip", "postal": "zip", "postcode": "zip", "e-mail": "email", "mail": "email",
	"customer": "user", "client": "user", "percentage": "percent", "pct": "percent", "%": "percent",
	"star": "rating", "rated": "rating", "seat": "ticket", "replica": "instance", "license": "ticket",
	"bestellung": "order", "bestellnummer": "order", "auftrag": "order", "auftragsnummer": "order", "buchung": "reservation", "buchungsnummer": "reservation", "reservierung": "reservation", "konto": "account", "kontonummer": "account", "rechnung": "invoice", "rechnungsnummer": "invoice", "kunde": "user", "kundennummer": "user", "karte": "card", "adresse": "address", "gäste": "person", "gast": "person", "personen": "person", "nächte": "night", "stück": "quantity", "preis": "price", "kosten": "cost", "betrag": "amount", "erstattung": "refund", "gebühr": "fee",
	"shipment": "shipping", "purchase": "order", "refunded": "refund", "refunding": "refund", "reimbursement": "reimburse", "withdrawal": "withdraw",
}

// moneyNouns name an amount of money of any kind.
var moneyNouns = []string{
	"amount", "price", "cost", "total", "fare", "spend", "spending", "budget", "charge", "payment", "sum", "value", "rate", "pay", "bid", "limit", "expense",
}

// moneyKinds name an amount of money of one kind: a limit on it is about no
// other.
var moneyKinds = []string{
	"fee", "refund", "refunded", "reimburse", "reimbursement", "deposit", "tip", "discount", "shipping", "tax", "penalty", "certificate", "credit", "insurance", "surcharge",
	"premium", "commission", "bonus", "compensation", "withdrawal", "withdraw", "transfer", "delivery",
}

// stemHash hashes the form of a word, in lower case, that it shares with its
// plural and its kin.
func stemHash(w []byte) uint64 {
	if n := len(w); n > 3 && w[n-1] == 's' && w[n-2] != 's' {
		w = w[:n-1]
	}
	if k, ok := kin[string(w)]; ok {
		return slotHash([]byte(k))
	}
	return slotHash(w)
}

func isLabel(w []byte) bool     { return inWords(labelWords, w) }
func isVerbish(w []byte) bool   { return inWords(verbWords, w) }
func isAdjective(w []byte) bool { return inWords(adjectiveWords, w) }

func inWords(list []string, w []byte) bool {
	if len(w) > 16 {
		return false
	}
	for _, s := range list {
		if s == string(w) {
			return true
		}
	}
	return false
}

// phrases are a list of sequences of words, split once. The lexer finds where
// they begin, all lists at once.
type phrases struct {
	bit  uint64 // of the list in slotToken.starts
	list [][]string
}

// lead is a phrase, by its first word.
type lead struct {
	bit  uint64
	rest []string
}

// phraseHeads are all phrases by the hash of their first word. They are made while
// the phraseLists are, before anything reads them.
var (
	phraseHeads = map[uint64][]lead{}
	phraseSet   [64]uint64 // a filter over the keys of phraseHeads
	phraseLists int
)

// split makes a list.
func split(list ...string) phrases {
	p := phrases{bit: 1 << phraseLists}
	phraseLists++
	for _, s := range list {
		words := strings.Fields(s)
		p.list = append(p.list, words)
		enlist(p.bit, words)
	}
	return p
}

func enlist(bit uint64, words []string) {
	h := slotHash([]byte(words[0]))
	phraseHeads[h] = append(phraseHeads[h], lead{bit, words[1:]})
	phraseSet[h>>6&63] |= 1 << (h & 63)
}

// mark notes at each token which lists have a phrase that begins there.
func (l *slotLexer) mark() {
	l.all = 0
	for i := range l.toks {
		t := &l.toks[i]
		if phraseSet[t.hash>>6&63]&(1<<(t.hash&63)) == 0 {
			continue
		}
		for _, p := range phraseHeads[t.hash] {
			if l.at(i+1, p.rest) {
				t.starts |= p.bit
			}
		}
		l.all |= t.starts
		if t.last && t.starts&shortened.bit != 0 && i+1 < len(l.toks) && l.toks[i+1].kind != SlotWord {
			t.last = false // a full stop that shortens
		}
	}
}

// found reports whether any phrase stands in the text.
func (p phrases) found(l *slotLexer) bool { return l.all&p.bit != 0 }

// longest gives the length in words of the longest phrase at token i, 0 for none.
func (p phrases) longest(l *slotLexer, i int) int {
	n := 0
	if i >= 0 && i < len(l.toks) && l.toks[i].starts&p.bit != 0 {
		for _, words := range p.list {
			if len(words) > n && l.at(i, words) {
				n = len(words)
			}
		}
	}
	return n
}

// find gives the place of a phrase among tokens [from, to), -1 for none.
func (l *slotLexer) find(words []string, from, to int) int {
	for i := from; i+len(words) <= to; i++ {
		if l.at(i, words) {
			return i
		}
	}
	return -1
}

// at reports whether a phrase stands at token i.
func (l *slotLexer) at(i int, words []string) bool {
	if i < 0 || i+len(words) > len(l.toks) {
		return len(words) == 0
	}
	for k, w := range words {
		if !l.is(i+k, w) {
			return false
		}
	}
	return true
}

var (
	shortened  = split("max", "min", "no", "nr", "ca", "approx", "st")
	monthWords = split("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
		"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec")
	countWords = split("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve")
	// openers say that the user speaks of something beside what was spoken of.
	openers = split("another", "other", "others", "both", "each", "every", "rest", "remaining", "second one", "the second", "a second", "different", "one more", "separate", "all of", "all my", "all the", "all three", "as well as the",
		"next one", "next account", "next order", "next booking", "next reservation", "next customer", "next item", "next case", "next ticket", "next request", "next invoice", "someone else",
		"don't have the", "do not have the", "don't have my", "do not have my", "don't have it", "don't remember", "do not remember", "can't find", "cannot find",
		"andere", "anderen", "anderes", "beide", "beiden", "alle", "jede", "jeden", "restlichen", "noch eine", "noch einen", "weitere", "weiteren", "nächste", "nächsten", "habe keine", "weiß nicht mehr")
	// softOpeners may.
	softOpeners = split("also", "as well", "additionally", "all", "else", "too", "any", "moving on", "besides", "in addition", "secondly", "furthermore", "plus", "lastly", "finally", "next", "then",
		"auch", "außerdem", "zusätzlich", "ferner", "ebenfalls", "sonst")
	// redoWords ask for something once more.
	redoWords = split("again", "once more", "another", "repeat", "resend", "one more", "retry", "redo", "twice", "second", "extra", "additional", "re-run", "rerun", "same again", "more",
		"nochmal", "noch einmal", "erneut", "wieder", "zweimal")
	// rewords put a value in the place of one that was asked about.
	rewords = split("make that", "make it", "should be", "meant", "lieber")
	// anyWords leave all open but what is excluded.
	anyWords = split("any", "anyone", "anybody", "anything", "everything", "everyone", "whatever", "all")
	// parts announce that one thing is done more than once.
	parts = split("two parts", "parts", "twice", "installments", "instalments", "split", "each", "both", "one by one", "times", "copies", "separately",
		"zwei teilen", "zweimal", "jeweils", "raten")
	// strongCues say that what was said before was wrong; weakCues may.
	strongCues = split("meant", "correction", "my mistake", "mistake", "wrong", "typo", "misspoke", "mistyped", "scratch that", "should be", "should have been",
		"should've", "incorrect", "i mean", "apologies", "oops", "not right", "disregard", "ignore", "misread", "mixed up", "changed my mind", "change of plans",
		"on second thought", "forget", "strike that", "rather than", "instead of", "correct that", "replace", "no longer", "outdated", "old one",
		"meinte", "korrektur", "falsch", "mein fehler", "vertippt", "aus versehen", "statt", "anstatt", "muss heißen", "stimmt nicht", "vergessen sie", "doch nicht", "sondern")
	weakCues = split("actually", "instead", "sorry", "make it", "make that", "rather", "wait", "switch", "let's do", "update", "change", "changed", "go with", "hold on", "hmm", "new", "correct",
		"eigentlich", "stattdessen", "entschuldigung", "lieber", "moment", "ändern", "doch")
	// negations take the value behind them back.
	negations = split("not", "instead of", "rather than", "isn't", "wasn't", "never", "don't use", "no longer", "ignore", "forget", "disregard", "without", "except", "avoid",
		"nicht", "statt", "anstatt", "nicht mehr", "außer")
	// takenBack stands behind a value that was wrong.
	takenBack = split("is wrong", "was wrong", "is incorrect", "was incorrect", "was a typo", "is a typo", "was a mistake", "is outdated", "is old", "is my old", "was my old", "is no longer",
		"ist falsch", "war falsch", "stimmt nicht")
	// changeVerbs make of "from A to B" a change of A into B.
	changeVerbs = split("change", "changed", "switch", "move", "moved", "update", "correct", "reschedule", "rescheduled", "push", "replace", "adjust", "modify", "increase", "raise", "lower", "reduce",
		"ändern", "ändere", "verschieben", "verschiebe", "umbuchen")
	// yesWords agree to what the agent proposed.
	yesWords = split("yes", "yeah", "yep", "sure", "ok", "okay", "go ahead", "proceed", "fine", "works", "sounds good", "confirm", "confirmed", "please do", "that's right", "correct", "perfect", "agreed", "great", "do it",
		"ja", "gerne", "genau", "einverstanden", "passt", "in ordnung", "bestätige", "machen sie")
	// hellos begin a conversation.
	hellos = split("hi", "hello", "hey", "good morning", "good afternoon", "good evening",
		"hallo", "guten tag", "guten morgen", "guten abend")
	// greetWords greet or take leave.
	greetWords = split("hi", "hello", "hey", "thanks", "thank", "bye", "goodbye", "good morning", "good afternoon", "good evening", "that's all", "nothing else", "cheers",
		"hallo", "danke", "tschüss", "guten tag", "guten morgen", "auf wiedersehen", "vielen dank")
	// wishes make of a constraint a preference.
	wishes = split("prefer", "preferably", "ideally", "if possible", "would be nice", "hopefully", "rather", "nice to have", "not mandatory", "optional", "wish",
		"am liebsten", "wenn möglich", "idealerweise", "vorzugsweise", "gern")
	// whenWords make of a constraint a condition.
	whenWords = split("if", "unless", "whether", "in case", "suppose", "would it", "what if",
		"wenn", "falls", "ob", "sofern")
	// toldVerbs make of a constraint a report of what was.
	toldVerbs = []string{
		"bought", "purchased", "ordered", "paid", "booked", "placed", "made", "received", "was", "were", "had", "spent", "cost", "costs", "charged", "did",
		"been", "has", "have", "got", "there's", "wasn't", "did", "sent", "arrived", "delivered", "left", "there", "seeing", "showing", "says", "said",
		"gekauft", "bestellt", "bezahlt", "gebucht", "waren", "hatte", "kostete", "erhalten",
	}
)

// overWords limit the value behind them from above when they are denied, and
// from below when they are demanded.
var overWords = split("more than", "over", "above", "exceed", "exceeds", "exceeding", "beyond", "higher than", "greater than", "go past",
	"mehr als", "über")

// caps set a limit by their name.
var caps = split("budget", "limit", "cap", "max", "maximum", "ceiling", "minimum", "min",
	"höchstens", "maximal")

// demands make of "more than" a limit.
var demands = split("must", "need", "needs", "has to", "have to", "should", "require", "required", "make sure", "ensure",
	"muss", "müssen", "soll")

// comparing is a table of comparators.
type comparing struct {
	bit  uint64
	list []comparator
}

func compare(tables ...[]comparator) comparing {
	t := comparing{bit: 1 << phraseLists, list: slices.Concat(tables...)}
	phraseLists++
	for _, c := range t.list {
		enlist(t.bit, c.words)
	}
	return t
}

// comparator is a phrase that limits the value behind it, or before it.
type comparator struct {
	words []string
	op    LimitOp
	far   int // how many words of any kind may stand between
	firm  bool
}

func comparators(op LimitOp, far int, firm bool, list ...string) []comparator {
	out := make([]comparator, len(list))
	for i, s := range list {
		out[i] = comparator{strings.Fields(s), op, far, firm}
	}
	return out
}

// Longer phrases come before those that they end in.
var (
	comparesBefore = compare(
		comparators(LimitMax, 0, true, "no more than", "not more than", "never more than", "not over", "not above", "not higher than", "no higher than", "not to exceed",
			"not exceed", "not exceeding", "never exceed", "without exceeding", "no greater than", "not greater than", "no larger than", "no longer than", "not surpass", "capped at", "limited to", "up to", "at most", "at the most", "a maximum of", "maximum of", "max of", "maximum", "max", "limit of", "cap of", "ceiling of", "höchstens", "maximal", "nicht mehr als", "nicht über", "bis zu", "bis maximal"),
		comparators(LimitUnder, 0, true, "less than", "fewer than", "lower than", "cheaper than", "under", "below", "smaller than", "unter", "weniger als", "günstiger als", "billiger als"),
		comparators(LimitMax, 0, true, "within", "not past"),
		comparators(LimitMax, 3, true, "budget of", "budget is", "budget's", "budget", "limit is", "limit", "cap", "ceiling is", "ceiling", "keep it to", "stick to", "maximum is", "max is", "afford", "budget ist", "budget von", "budget liegt bei", "limit von", "grenze von", "obergrenze von"),
		comparators(LimitMin, 0, true, "no less than", "not less than", "no fewer than", "not fewer than", "at least", "a minimum of", "minimum of", "min of", "minimum", "not below", "not under", "no lower than", "not lower than", "mindestens", "wenigstens", "nicht weniger als"),
	)
	comparesBehind = compare(
		comparators(LimitMax, 0, true, "or less", "or fewer", "or under", "or below", "or cheaper", "or lower", "max", "maximum", "tops", "at most", "at the most", "at maximum", "limit", "budget", "ceiling", "cap", "is my limit", "is my budget", "is my max", "is the limit", "is the most", "at the very most", "is too much", "is too expensive", "is out of the question", "oder weniger", "maximal", "höchstens"),
		comparators(LimitMin, 0, true, "or more", "or higher", "or better", "or above", "minimum", "at least", "at minimum", "at the least", "oder mehr", "mindestens"),
	)
	beforeDate = compare(
		comparators(LimitMin, 0, true, "not before", "no earlier than", "not earlier than", "never before", "on or after", "no sooner than", "not sooner than", "nicht vor", "frühestens", "frühestens am"),
		comparators(LimitMax, 0, true, "no later than", "not later than", "not after", "on or before", "never after", "not past", "latest by", "by the latest", "at the latest by", "spätestens", "spätestens am", "bis zum", "bis spätestens", "nicht nach"),
		comparators(LimitUnder, 0, true, "before", "earlier than", "prior to", "sooner than"),
		comparators(LimitOver, 0, true, "after", "later than"),
		comparators(LimitMax, 0, true, "by", "until"),
	)
	behindDate = compare(
		comparators(LimitMax, 0, true, "at the latest", "or earlier", "or before", "or sooner", "latest"),
		comparators(LimitMin, 0, true, "at the earliest", "or later", "or after", "earliest"),
	)
)

// fillers may stand between a comparator and its value.
var fillers = []string{
	"of", "to", "is", "a", "an", "the", "about", "around", "my", "our", "total", "be", "at", "usd", "for", "exactly", "roughly", "only", "just", "than", "by", "eur", "gbp",
	"dem", "den", "der", "zum", "am", "ein", "eine", "etwa", "ca", "insgesamt", "euro",
}
