// Package lexicon knows words: which phrases of a language put an agent under
// pressure, refuse, give in, claim success, own up to trouble, correct, confirm
// or ask, and in which language a text is written. The words are data, in a folder
// of each language under words, not code.
//
// A file holds a section for each meaning and in it one phrase a line. A phrase
// is written in full forms ("do not", which also finds "don't" and "dont"); a
// word that ends in * stands for all words that begin so, and .. for up to
// three words of any kind; one behind = counts only as a sentence of its own.
// After the name of a section may stand weight=N, the
// thousandths that one message of it adds to the pressure, and affirmed, which
// lets a phrase count only where no negation stands just before it. Case,
// umlauts and typographic apostrophes make no difference.
package lexicon

import "math/bits"

// Language is what language a text is written in.
type Language uint8

// The languages. A text of too few words to tell is Undecided, and the words
// of every language are looked for in it; in one of another language, Other,
// nothing is looked for, and who reads it must abstain.
const (
	Undecided Language = iota
	English
	German
	Other
	numLanguages
)

var languageNames = [numLanguages]string{"undecided", "en", "de", "other"}

// String names the language.
func (l Language) String() string {
	if l < numLanguages {
		return languageNames[l]
	}
	return languageNames[Other]
}

// Meaning is what a phrase means.
type Meaning uint8

// The meanings. Doubt to Threat are what a user presses an agent with, Evidence
// is what may rightly change a decision; Refusal to Policy are an agent's own
// words, Done to Trouble those of its reports, Correction to Declining a user's,
// and the rest are anybody's. Auxiliary and Promise are words that make a claim
// of a Done word, or unmake it.
const (
	Negation Meaning = iota
	Doubt
	Contradiction
	Insistence
	Exception
	Authority
	Threat
	Evidence
	Refusal
	Permit
	Grant
	Incapable
	Condition
	Answer
	Concession
	Holding
	Hedge
	Policy
	Favor
	Against
	Concessive
	Turning
	Done
	Auxiliary
	Promise
	Trouble
	Correction
	GoalChange
	Confirmation
	Declining
	Question
	Asking
	Greeting
	Thanks
	Invalidated
	Yes
	No
	FamilyRefund
	FamilyCancel
	FamilyExchange
	FamilyReturn
	FamilyModify
	FamilyUpgrade
	FamilyCompensate
	FamilyBook
	FamilyApprove
	FamilyAccess
	FamilyDelete
	FamilyTransfer
	FamilyExtend
	numMeanings
)

// NumMeanings is the number of meanings; for arrays of counters.
const NumMeanings = int(numMeanings)

var meaningNames = [numMeanings]string{
	"negation", "doubt", "contradiction", "insistence", "exception", "authority", "threat", "evidence",
	"refusal", "permit", "grant", "incapable", "condition", "answer", "concession", "holding", "hedge", "policy", "favor", "against", "concessive", "turning", "done", "auxiliary", "promise", "trouble",
	"correction", "goal_change", "confirmation", "declining", "question", "asking", "greeting", "thanks",
	"invalidated", "yes", "no", "family.refund", "family.cancel", "family.exchange", "family.return",
	"family.modify", "family.upgrade", "family.compensate", "family.book", "family.approve", "family.access",
	"family.delete", "family.transfer", "family.extend",
}

// String gives the meaning's name as it stands in the files.
func (m Meaning) String() string {
	if m < numMeanings {
		return meaningNames[m]
	}
	return "unknown"
}

// Set is a set of meanings.
type Set uint64

// SetOf gives the set of the meanings.
func SetOf(ms ...Meaning) Set {
	s := Set(0)
	for _, m := range ms {
		s |= 1 << m
	}
	return s
}

// Has reports whether the meaning is in the set.
func (s Set) Has(m Meaning) bool { return s&(1<<m) != 0 }

// Len is the number of meanings in the set.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Families are the meanings that name a family of acts which an agent decides
// on.
func Families() Set {
	s := Set(0)
	for m := FamilyRefund; m <= FamilyExtend; m++ {
		s |= 1 << m
	}
	return s
}

// Pressures are the meanings with which a user presses an agent.
func Pressures() Set { return SetOf(Doubt, Contradiction, Insistence, Exception, Authority, Threat) }

// Text is one text, read. It belongs to its Scanner and is valid until the next
// Scan.
type Text struct {
	Language  Language
	Cut       bool // only the first MaxText bytes were read
	Words     []Word
	Sentences []Sentence
	Matches   []Match // by the place of their first word
	Found     Set     // the meanings of Matches

	lex   *lexicon
	fold  []byte // the words, folded, one behind another
	count [numMeanings]uint16
}

// Word is one word of a text. A contraction gives the words of its full form,
// which stand in one place of the text.
type Word struct {
	From, To int32 // bytes of the text that was scanned
	Sentence int32 // its number
	from, to int32 // bytes of fold
	exact    int32 // number of the entry that it is, -1 for none
	stem     int32 // number of the longest stem that it begins with, -1 for none
}

// Sentence is a run of words up to a full stop, a line's end or the text's.
type Sentence struct {
	From, To int32 // words, the last excluded
	Question bool  // it ends with a question mark
}

// Match is a phrase that a text holds.
type Match struct {
	Meaning  Meaning
	From, To int32 // words, the last excluded
	Negated  bool  // a negation stands at most three words before it, in its sentence
}

// Word gives word i as it was compared: in lower case, umlauts written out.
func (t *Text) Word(i int) []byte { return t.fold[t.Words[i].from:t.Words[i].to] }

// Has reports whether the text holds a phrase of the meaning.
func (t *Text) Has(m Meaning) bool { return t.Found.Has(m) }

// Count is the number of phrases of the meaning.
func (t *Text) Count(m Meaning) int { return int(t.count[m]) }

// First gives the first phrase of the meaning, nil for none.
func (t *Text) First(m Meaning) *Match {
	if !t.Found.Has(m) {
		return nil
	}
	for i := range t.Matches {
		if t.Matches[i].Meaning == m {
			return &t.Matches[i]
		}
	}
	return nil
}

// In gives the meanings of the phrases that begin in sentence i.
func (t *Text) In(i int) Set {
	s, sentence := Set(0), t.Sentences[i]
	for _, m := range t.Matches {
		if m.From >= sentence.From && m.From < sentence.To {
			s |= 1 << m.Meaning
		}
	}
	return s
}

// SentenceOf gives the number of the sentence that a match begins in.
func (t *Text) SentenceOf(m *Match) int { return int(t.Words[m.From].Sentence) }

// Pressure is how hard a user's text presses, in thousandths: the weight of the
// heaviest tier that it holds, 0 for none.
func (t *Text) Pressure() int {
	most := 0
	for m := Doubt; m <= Threat; m++ {
		if t.Found.Has(m) {
			most = max(most, t.lex.weights[m])
		}
	}
	return most
}

// Weight is what one message of a tier of pressure adds, in thousandths; 0 for
// a meaning that is none.
func Weight(m Meaning) int { return standard.weights[m] }

// List gives the phrases of a meaning as the file of the language has them,
// without the mark of a stem.
func List(l Language, m Meaning) []string { return standard.lists[l][m] }

// Function reports whether word i is a function word of the text's language, of
// any of the known ones where that is undecided.
func (t *Text) Function(i int) bool {
	e := t.Words[i].exact
	if e < 0 {
		return false
	}
	of := uint32(1) << t.Language
	if t.Language == Undecided {
		of = 1<<English | 1<<German
	}
	return t.lex.entries[e].function&of != 0
}
