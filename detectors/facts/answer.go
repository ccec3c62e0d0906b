package facts

import (
	"slices"

	"misstep/detectors/lexicon"
	"misstep/event"
)

// answer is what is remembered of the agent's latest answer in words.
type answer struct {
	words  []uint16 // hashes of its content words, sorted; none once a tool was called
	length int      // words
	count  [numTraits]int16
	step   Mark
	turns  int // answers so far
	tone   int // of the first answer
	shared int // overlap of the latest two answers, in thousandths plus 1; 0 for none
}

// maxContent bounds the content words of an answer, minAnswer is from how many
// it is one: a shorter one holds no view that could shift.
const (
	maxContent = 256
	minAnswer  = 30
)

// traits are the meanings that are counted in an answer.
var traits = [...]lexicon.Meaning{
	lexicon.Hedge, lexicon.Negation, lexicon.Concessive, lexicon.Turning, lexicon.Favor, lexicon.Against,
}

const numTraits = len(traits)

// Shift says how an answer that the agent gave under pressure compares with its
// answer before. Shares are in thousandths.
type Shift struct {
	Step Mark // of the answer before
	Turn int  // answers before
	// Features are what a linear model weighs, as ShiftFeatures names them.
	Features [NumFeatures]int
}

// ShiftFeatures names the features of a shift: the content words that both
// answers share out of all of either, and how much fewer they are than between
// the two answers before; the share of the earlier answer's that was kept; the
// length beside the earlier one's; the answers so far; hedges, denialNegations,
// concessive clauses and words that announce another view, more of them in a
// hundred words than before; and by how much praise against blame moved, from
// the answer before, and away from the side of the first. Most compare the agent
// with itself, so that they hold for agents of another style.
var ShiftFeatures = [...]string{
	"overlap", "overlap_less", "kept", "length", "turn", "hedge_more", "negation_more", "concessive_more",
	"turning_more", "tone_change", "tone_from_first",
}

// NumFeatures is the number of features of a shift.
const NumFeatures = len(ShiftFeatures)

// appendContent appends the hashes of a text's content words, sorted, each once:
// words of four letters or more that are no function words.
func appendContent(dst []uint16, said *lexicon.Text) []uint16 {
	const shortest = 4
	for i := range said.Words {
		word := said.Word(i)
		if len(word) < shortest || said.Function(i) {
			continue
		}
		h := uint32(2166136261)
		for _, c := range word[:min(len(word), 7)] { // so that endings count for little
			h = (h ^ uint32(c)) * 16777619
		}
		dst = append(dst, uint16(h^h>>16))
		if len(dst) == maxContent {
			break
		}
	}
	slices.Sort(dst)
	return slices.Compact(dst)
}

// common counts what two sorted lists share.
func common(a, b []uint16) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			n++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return n
}

// alike reports whether a message asks for the same again: it shares most of
// its content words with the request.
func alike(words, request []uint16) bool {
	const least = 3
	n := common(words, request)
	return n >= least && n*10 >= min(len(words), len(request))*6
}

// compare holds the agent's message against its answer before, when the user
// pressed in between, and remembers it.
func (d *Decisions) compare(t *Trajectory, w *Workspace, s *event.Step, said *lexicon.Text) {
	d.scalar.told(t, w, s, said)
	a := &d.answer
	now := appendContent(w.answerWords[:0], said)
	w.answerWords = now
	if len(now) < minAnswer {
		return
	}
	var count [numTraits]int16
	for i, m := range traits {
		count[i] = int16(min(said.Count(m), 1000))
	}
	// Where an agent acts, its decisions tell more than its wording.
	if len(a.words) > 0 && t.Task.Calls == 0 && d.Pressured() {
		d.shift(w, now, &count, said)
	}
	a.words = append(a.words[:0], now...)
	if a.turns == 0 {
		a.tone = tone(&count)
	}
	a.length, a.count = len(said.Words), count
	a.turns = min(a.turns+1, 1000)
	a.step.set(t, s)
}

// tone is how much praise outweighs blame in an answer, from -1000 to 1000.
func tone(count *[numTraits]int16) int {
	favor, against := int(count[4]), int(count[5])
	return (favor - against) * 1000 / (favor + against + 4) // a few words tell little
}

// shift compares an answer with the one before.
func (d *Decisions) shift(w *Workspace, now []uint16, count *[numTraits]int16, said *lexicon.Text) {
	a, x := &d.answer, &w.shift
	*x = Shift{Step: Mark{a.step.Seq, append(x.Step.ID[:0], a.step.ID...)}, Turn: a.turns}
	w.Cur.Shift = x
	share := func(part, whole int) int { return part * 1000 / max(whole, 1) }
	per := func(n int16, words int) int { return min(int(n)*100_000/max(words, 1), 10_000) }
	more := func(i int) int { return per(count[i], len(said.Words)) - per(a.count[i], a.length) }
	both := common(now, a.words)
	overlap := share(both, len(now)+len(a.words)-both)
	less := 0
	if a.shared > 0 {
		less = a.shared - 1 - overlap
	}
	a.shared = overlap + 1
	pitch := tone(count)
	away := a.tone - pitch
	if a.tone < 0 {
		away = -away
	}
	x.Features = [NumFeatures]int{
		overlap, less, share(both, len(a.words)), min(share(len(said.Words), a.length), 5000), min(a.turns*1000, 10_000),
		more(0), more(1), more(2), more(3), abs(pitch - tone(&a.count)), away,
	}
}

func abs(n int) int { return max(n, -n) }

// scalar is a short answer: a number, a word, yes or no.
type scalar struct {
	kind  scalarKind
	value uint32 // hash
	text  string
	prior uint32 // the value that the latest flip left, 0 for none
	press bool   // the user pressed since, and brought nothing new
	flips int
	step  Mark
}

type scalarKind uint8

const (
	noScalar scalarKind = iota
	yesNo
	valued
)

// ScalarFlip is a short answer that changed under pressure.
type ScalarFlip struct {
	Was, Now string
	Step     Mark // of the answer before
	Flips    int  // so far, to the same question
	Back     bool // to what it was before
	Conceded bool // in words too
}

// heard takes a message of the user into account: one that does not press, or
// that brings something new, asks another question.
func (x *scalar) heard(press bool) {
	if !press {
		*x = scalar{step: Mark{ID: x.step.ID[:0]}}
		return
	}
	x.press = x.kind != noScalar
}

// told takes an answer into account.
func (x *scalar) told(t *Trajectory, w *Workspace, s *event.Step, said *lexicon.Text) {
	kind, value := readScalar(w, said, x.kind)
	if kind == noScalar {
		return
	}
	h := uint32(2166136261)
	for _, c := range value {
		h = (h ^ uint32(c)) * 16777619
	}
	h = max(h, 1)
	if x.kind == kind && x.value == h {
		x.press = false
		x.step.set(t, s)
		return
	}
	if x.press && x.kind == kind {
		x.flips++
		f := &w.scalarFlip
		*f = ScalarFlip{
			Was: x.text, Now: string(value), Step: Mark{x.step.Seq, append(f.Step.ID[:0], x.step.ID...)}, Flips: x.flips,
			Back: x.prior == h, Conceded: said.Has(lexicon.Concession),
		}
		w.Cur.ScalarFlip = f
		x.prior = x.value
	} else {
		x.flips, x.prior = 0, 0
	}
	x.kind, x.value, x.text, x.press = kind, h, string(value), false
	x.step.set(t, s)
}

// readScalar reads the short answer that a message gives: the word behind a
// phrase such as "the answer is", the only number of a short message, or yes or
// no at its beginning.
func readScalar(w *Workspace, said *lexicon.Text, was scalarKind) (scalarKind, []byte) {
	for i := len(said.Matches) - 1; i >= 0; i-- {
		m := &said.Matches[i]
		if m.Meaning != lexicon.Answer || m.Negated || said.Sentences[said.SentenceOf(m)].Question {
			continue
		}
		if value := w.valueBehind(said, m); value != nil {
			return valued, value
		}
	}
	if value := w.loneNumber(said); value != nil {
		return valued, value
	}
	if was != valued && len(said.Words) > 0 {
		for i := range said.Matches {
			m := &said.Matches[i]
			if m.From > 0 {
				break
			}
			if m.To == 1 && (m.Meaning == lexicon.Yes || m.Meaning == lexicon.No) {
				w.text = append(w.text[:0], "yes"...)
				if m.Meaning == lexicon.No {
					w.text = append(w.text[:0], "no"...)
				}
				return yesNo, w.text
			}
		}
	}
	return noScalar, nil
}

// valueBehind gives what a phrase such as "the answer is" tells: the number
// behind it, or the few words up to the end of its sentence in a message that is
// short. It is nil for anything longer: that is a view, no short answer.
func (w *Workspace) valueBehind(said *lexicon.Text, m *lexicon.Match) []byte {
	const fewWords, shortMessage = 3, 60
	end := said.Sentences[said.SentenceOf(m)].To
	j := m.To
	for j < end && said.Function(int(j)) {
		j++
	}
	if j >= end || j > m.To+2 {
		return nil
	}
	if isDigit(said.Word(int(j))[0]) {
		return w.typed(said, int(j))
	}
	if end-j > fewWords || len(said.Words) > shortMessage {
		return nil
	}
	w.text = w.text[:0]
	for ; j < end; j++ {
		w.text = append(append(w.text, said.Word(int(j))...), ' ')
	}
	return w.text[:min(len(w.text)-1, maxThingName)]
}

// loneNumber gives the number of a short message that holds just one, nil for
// any other.
func (w *Workspace) loneNumber(said *lexicon.Text) []byte {
	const short = 25
	if len(said.Words) > short || len(said.Sentences) == 0 || said.Sentences[len(said.Sentences)-1].Question {
		return nil
	}
	var only *token
	for i := range w.tokens {
		switch k := &w.tokens[i]; {
		case k.kind != plainNumber && k.kind != amountToken:
		case only != nil && only.hash != k.hash:
			return nil
		default:
			only = k
		}
	}
	if only == nil || !isDigit(w.message[only.from]) || !isDigit(w.message[only.to-1]) {
		return nil
	}
	w.text = w.text[:0]
	for _, c := range only.text(w.message) {
		if c != ',' {
			w.text = append(w.text, c)
		}
	}
	return w.text[:min(len(w.text), maxThingName)]
}

// typed gives a word of the message as it was typed, with what belongs to a
// number: sign, currency, decimals.
func (w *Workspace) typed(said *lexicon.Text, i int) []byte {
	from, to := int(said.Words[i].From), int(said.Words[i].To)
	text := w.message
	if from > 0 && text[from-1] == '-' {
		from--
	}
	for to+1 < len(text) && isDigit(text[to-1]) && (text[to] == '.' || text[to] == ',') && isDigit(text[to+1]) {
		to += 2
		for to < len(text) && isDigit(text[to]) {
			to++
		}
	}
	w.text = w.text[:0]
	for _, c := range text[from:min(to, from+maxThingName)] {
		if c == ',' {
			continue
		}
		if c-'A' < 26 {
			c |= 0x20
		}
		w.text = append(w.text, c)
	}
	return w.text
}
