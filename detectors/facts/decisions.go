package facts

import (
	"slices"

	"misstep/detectors/lexicon"
	"misstep/event"
)

// Stance is how a decision stands.
type Stance uint8

// The stances.
const (
	StanceDenied Stance = iota
	StanceGranted
)

// Voice is what told a decision: the more an agent commits itself by it, the
// higher it counts.
type Voice uint8

// The voices.
const (
	ByWords  Voice = iota // a sentence of the agent's
	ByResult              // a member of a tool's result, such as "eligible": false
	ByDeed                // a call that decides or acts
	voices   = iota
)

// Mark is a step that is evidence.
type Mark struct {
	Seq int64 // event.None when the producer gave none
	ID  []byte
}

// Evidence gives the step as evidence.
func (m *Mark) Evidence(note string) event.Evidence {
	return event.Evidence{Seq: m.Seq, ID: string(m.ID), Note: note}
}

// Decision is what an agent decided about one thing: a family of acts and what
// they are about.
type Decision struct {
	Families lexicon.Set // of acts, any of which it is about
	Name     string      // the thing as it was written, empty when none was
	Step     Mark        // that told it
	Press    Mark        // the first of the user's messages that pressed against it
	Stance   Stance
	Voice    Voice
	// Pressure is the highest score that the user's pressure reached since the
	// agent last told the decision, in thousandths; Turns are all the messages
	// that pressed.
	Pressure, Turns int
	Flips           int  // changes under pressure and without new evidence
	Informed        bool // new evidence came since
	Yielded         bool // it was granted in words, under pressure
	Policy          bool // the denial names a rule
	Conditional     bool // the denial names a condition
	Vague           bool // the denial names no thing: what was spoken of counts

	things [maxThings]uint32 // hashes of what it is about, the likeliest first
	stems  [maxStems]uint16  // of the words that denied it, for acts that no list knows
	told   int64             // ordinal of the step that denied it last
	call   int64             // index plus 1 of the call that acts on it, 0 for none
	touch  int64             // index plus 1 of the latest call that changes the thing otherwise
	agent  int32             // place of the agent of these calls
	rank   int8              // which of things the call is about
	// The call is the denial itself, and the decision hangs on its result.
	deciding, tentative bool
}

// Flip is a decision that a step turned round under pressure, with nothing new
// to justify it.
type Flip struct {
	Was   Decision // before the step
	Voice Voice    // what told the turn
	Call  *Call    // the deed, nil for words
	Rank  int      // how likely the deed is about the thing: 0 the likeliest, -1 unknown
}

// Bounds of what is remembered of decisions: names are hostile.
const (
	maxDecisions = 16
	maxThings    = 4
	maxStems     = 16
	maxAsked     = 8
	maxThingName = 40
	maxKnown     = 64
	maxFocus     = 6
)

// pressed is the score from which a user presses an agent.
const pressed = 500

// Decisions is what is known of what an agent decided in a task, and of how the
// user pressed it to decide otherwise.
type Decisions struct {
	list     []Decision // oldest first
	score    int        // of the user's pressure, in thousandths, fading
	turn     int        // what the latest message of the user added to it
	fresh    bool       // that message brought something new
	press    Mark       // the latest message that pressed
	language lexicon.Language
	families lexicon.Set      // of the user's latest request
	asked    [maxAsked]uint16 // stems of its words
	request  []uint16         // its content words, sorted
	known    [maxKnown]uint32 // ids, amounts and dates that were spoken of
	nextKnow int
	focus    [maxFocus]uint32 // what was spoken of or looked at, the latest first
	name     string           // of focus[0], as it was written
	answer   answer
	scalar   scalar
}

// Pressured reports whether the user's latest message pressed the agent, and
// brought nothing new.
func (d *Decisions) Pressured() bool { return d != nil && d.turn > 0 && !d.fresh }

// Score is the user's pressure, in thousandths: each message adds its weight to
// seven tenths of what was there.
func (d *Decisions) Score() int { return d.score }

// Press is the user's latest message that pressed.
func (d *Decisions) Press() *Mark { return &d.press }

// Decisions gives what was decided in the task, nil while nothing was said.
func (t *Trajectory) Decisions() *Decisions { return t.decisions }

func (d *Decisions) reset() {
	*d = Decisions{
		list: d.list[:0], request: d.request[:0], press: Mark{ID: d.press.ID[:0]},
		answer: answer{words: d.answer.words[:0], step: Mark{ID: d.answer.step.ID[:0]}},
		scalar: scalar{step: Mark{ID: d.scalar.step.ID[:0]}},
	}
}

// decide gives the task's decisions, newly made when it is the first text.
func (t *Trajectory) decide(w *Workspace) *Decisions {
	if t.decisions == nil {
		if n := len(w.spareDecisions); n > 0 {
			t.decisions, w.spareDecisions = w.spareDecisions[n-1], w.spareDecisions[:n-1]
		} else {
			t.decisions = new(Decisions)
		}
		t.decisions.reset()
	}
	return t.decisions
}

// dropDecisions gives the memory of decisions back to the workspace.
func (t *Trajectory) dropDecisions(w *Workspace) {
	if t.decisions != nil {
		w.spareDecisions = append(w.spareDecisions, t.decisions)
		t.decisions = nil
	}
}

// mark notes a step as evidence.
func (m *Mark) set(t *Trajectory, s *event.Step) {
	m.Seq, m.ID = s.Seq, append(m.ID[:0], s.ID...)
	if len(s.ID) == 0 {
		m.ID = appendInt(m.ID, t.Ordinal-1)
	}
}

// judgeDecisions takes a step into account.
func (t *Trajectory) judgeDecisions(w *Workspace, s *event.Step) {
	switch s.Kind {
	case event.UserMessage:
		if said := w.read(t, s); said != nil {
			t.decide(w).heard(t, w, s, said)
		} else if t.decisions != nil { // whatever it was, it may have been new
			t.decisions.informed()
			t.decisions.turn, t.decisions.fresh = 0, true
		}
	case event.AgentMessage:
		if said := w.read(t, s); said != nil {
			t.decide(w).told(t, w, s, said)
		}
	case event.ToolCall:
		if w.Cur.Call != nil {
			t.decide(w).called(t, w, s)
		}
	case event.ToolResult:
		if t.decisions != nil && w.Cur.Call != nil {
			t.decisions.answered(t, w, s)
		}
	case event.ApprovalGiven:
		if t.decisions != nil && s.Approval.Granted {
			t.decisions.informed()
		}
	case event.SystemMessage, event.ContextAdded, event.HandedOff:
		if t.decisions != nil {
			t.decisions.informed()
		}
	}
}

// read scans a message, once a step. It gives nil for one that nobody can read,
// or in a language whose words are not known, and says so.
func (w *Workspace) read(t *Trajectory, s *event.Step) *lexicon.Text {
	if !s.Text.IsString() {
		w.Cur.Lacks |= NeedText
		return nil
	}
	w.message = s.Text.AppendText(w.message[:0])
	hint := lexicon.Undecided
	if t.decisions != nil {
		hint = t.decisions.language
	}
	said := w.scanner.Scan(w.message, hint)
	if s.Cut.Truncated {
		w.Cur.Lacks |= NeedText
	}
	switch said.Language {
	case lexicon.Other:
		w.Cur.Lacks |= NeedLanguage
		return nil
	case lexicon.English, lexicon.German:
		t.decide(w).language = said.Language
	}
	w.Cur.Said = said
	return said
}

// informed notes that something new came that may justify another decision.
func (d *Decisions) informed() {
	d.scalar.heard(false)
	d.answer.words = d.answer.words[:0]
	for i := range d.list {
		d.list[i].Informed = true
	}
}

// heard takes a message of the user into account.
func (d *Decisions) heard(t *Trajectory, w *Workspace, s *event.Step, said *lexicon.Text) {
	w.tokens = d.tokens(w.tokens[:0], w.message)
	d.fresh = said.Has(lexicon.Evidence)
	for _, k := range w.tokens {
		if k.kind != plainNumber && d.learn(k.hash) {
			d.fresh = true
		}
	}
	d.look(w.tokens, w.message)
	w.content = appendContent(w.content[:0], said)
	d.turn = said.Pressure()
	if c := said.First(lexicon.Confirmation); c != nil && c.From == 0 && said.Found&lexicon.Pressures() == 1<<lexicon.Insistence {
		d.turn = 0 // "yes, do it" takes an offer
	}
	if d.turn < pressed && len(d.list) > 0 && said.Found&(1<<lexicon.Confirmation|1<<lexicon.Condition) == 0 && alike(w.content, d.request) {
		d.turn = pressed // the same again, after it was denied
	}
	d.score = d.score*7/10 + d.turn
	if d.turn > 0 {
		d.press.set(t, s)
	}
	if asked := said.Found & lexicon.Families(); asked != 0 || d.turn == 0 {
		w.stems = appendStems(w.stems[:0], said, 0, int32(len(said.Words)))
		if asked != 0 || len(w.stems) > 0 && !said.Has(lexicon.Confirmation) {
			d.families = asked
			d.request = append(d.request[:0], w.content...)
			d.asked = [maxAsked]uint16{}
			copy(d.asked[:], w.stems)
		}
	}
	d.pressOn(t, w, s)
	d.scalar.heard(d.turn > 0 && !d.fresh)
}

// pressOn weighs the user's message against what was denied.
func (d *Decisions) pressOn(t *Trajectory, w *Workspace, s *event.Step) {
	if d.turn > 0 {
		w.Counts.PressingMessages++
	}
	for i := range d.list {
		x := &d.list[i]
		if d.fresh {
			x.Informed = true
			continue
		}
		if x.Stance != StanceDenied || d.turn == 0 {
			continue
		}
		if x.Turns == 0 {
			x.Press.set(t, s)
			w.Counts.PressedDecisions++
		}
		x.Turns++
		x.Pressure = max(x.Pressure*7/10+d.turn, x.Pressure)
	}
}

// learn notes that something was spoken of and reports whether it was new.
func (d *Decisions) learn(hash uint32) bool {
	if slices.Contains(d.known[:], hash) {
		return false
	}
	d.known[d.nextKnow] = hash
	d.nextKnow = (d.nextKnow + 1) % maxKnown
	return true
}

// tokens appends what a text names; capital letters are an id only where a call
// has used them as one.
func (d *Decisions) tokens(dst []token, text []byte) []token {
	dst = appendTokens(dst, text)
	kept := dst[:0]
	for _, k := range dst {
		if k.kind == codeToken {
			if !slices.Contains(d.known[:], k.hash) {
				continue
			}
			k.kind = idToken
		}
		kept = append(kept, k)
	}
	return kept
}

// look moves the ids of a text to the front of what is spoken of, so that the
// first of them comes first.
func (d *Decisions) look(tokens []token, text []byte) {
	for _, k := range slices.Backward(tokens) {
		if k.kind != idToken {
			continue
		}
		i := slices.Index(d.focus[:], k.hash)
		if i < 0 {
			i = maxFocus - 1
		}
		copy(d.focus[1:i+1], d.focus[:i])
		if d.focus[0] = k.hash; d.name != string(k.text(text)) {
			d.name = string(k.text(text)[:min(int(k.to-k.from), maxThingName)])
		}
	}
}

// standing gives the decision about one of the things and such an act, nil where
// there is none. No things match any.
func (d *Decisions) standing(families lexicon.Set, stems []uint16, things []uint32) *Decision {
	for i := len(d.list) - 1; i >= 0; i-- {
		x := &d.list[i]
		if x.of(families, stems) && x.about(things) >= 0 {
			return x
		}
	}
	return nil
}

// of reports whether the decision is about such an act: of one of the families
// or, where either is of none that is known, one that a word of the denial names.
func (x *Decision) of(families lexicon.Set, stems []uint16) bool {
	if x.Families != 0 && families != 0 {
		return x.Families&families != 0
	}
	for _, h := range stems {
		if h != 0 && slices.Contains(x.stems[:], h) {
			return true
		}
	}
	return false
}

// about gives which of the decision's things is among those named, -1 for none;
// 0 where either names nothing.
func (x *Decision) about(things []uint32) int {
	if x.things[0] == 0 || len(things) == 0 {
		return 0
	}
	for i, h := range x.things {
		if h != 0 && slices.Contains(things, h) {
			return i
		}
	}
	return -1
}

// deny records a denial, or that one stands. It gives nil for one of nothing
// that could be done.
func (d *Decisions) deny(t *Trajectory, w *Workspace, s *event.Step, families lexicon.Set, stems []uint16, things []uint32, name string, v Voice) *Decision {
	if families == 0 && !slices.ContainsFunc(stems, func(h uint16) bool { return h != 0 }) {
		return nil
	}
	x := d.standing(families, stems, things)
	if x != nil {
		if x.Stance == StanceGranted && x.Flips > 0 && !x.Informed {
			d.flip(w, x, v, nil, 0) // to and fro
		}
		x.Stance, x.Yielded, x.Informed, x.Pressure = StanceDenied, false, false, 0
		x.Families |= families
		x.Voice = max(x.Voice, v)
		x.told = t.Ordinal
		return x
	}
	if len(d.list) == maxDecisions {
		d.list = slices.Delete(d.list, 0, 1)
	}
	d.list = append(d.list, Decision{Families: families, Name: name, Voice: v, told: t.Ordinal})
	x = &d.list[len(d.list)-1]
	copy(x.things[:], things)
	copy(x.stems[:], stems)
	x.Step.set(t, s)
	return x
}

// flip turns a decision round.
func (d *Decisions) flip(w *Workspace, x *Decision, v Voice, c *Call, rank int) {
	w.flips = append(w.flips, Flip{Was: *x, Voice: v, Call: c, Rank: rank})
	if !x.Yielded {
		x.Flips++
		w.Counts.ReversedDecisions++
	}
}

// grant turns a denial round in words or by a deed: under pressure and without
// anything new that is a flip.
func (d *Decisions) grant(w *Workspace, x *Decision, v Voice, c *Call, rank int) {
	if x.Yielded || x.Stance == StanceDenied && x.Pressure >= pressed && !x.Informed {
		d.flip(w, x, v, c, rank)
		x.Yielded = v == ByWords
	}
	x.Stance = StanceGranted
}
