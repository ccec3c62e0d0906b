package facts

import (
	"misstep/event"
)

// Slots are what users pinned in a task: values with a type, what they took
// back, and the limits they set; with what agents and tools said of the same.
// A value's type is learned from the tools: from the parameter that took it,
// from the noun that stands by it, or from the shape that it shares with an
// argument. Everything in it is bounded.
type Slots struct {
	Mentions []Mention // what users wrote, oldest first
	Limits   []Limit   // what users set, oldest first
	Turn     int32     // messages of users and agents so far
	User     int32     // Turn of the latest message of a user, 0 for none
	Agent    int32     // Turn of the latest message of an agent, 0 for none
	Opened   int32     // Turn of the latest user message that speaks of another thing
	Also     int32     // Turn of the latest user message that may do so
	Yes      int32     // Turn of the latest user message that agrees to something
	Greeted  int32     // Turn of the latest user message that greets or takes leave
	Redo     uint32    // how many messages of users there were when one asked for something again
	Parts    uint32    // how many messages of users there were when an agent spoke of doing a thing more than once
	Foreign  bool      // a message of a user is in a language whose words are not known
	Blind    bool      // a message of a user could not be read

	echoes   []echo   // what agents wrote, oldest first
	tails    []tail   // the last digits of what an id stands for, as tools told
	breaches []breach // ids whose records break a limit, as tools told
	made     []uint64 // ids that writes brought, oldest first
	called   []echo   // ids that calls took, oldest first
	said     []Said   // the latest messages, oldest first
	Miss     int32    // Turn of the latest read that failed
	Hello    int32    // Turn of the latest user message that greets: what was before is another conversation

	ToldSeq int64  // of the latest message of an agent
	ToldID  []byte // of that step
}

// The bounds of Slots. Beyond them the oldest gives way.
const (
	maxMentions = 32
	maxEchoes   = 64
	maxLimits   = 12
	maxTails    = 24
	maxBreaches = 48
	maxMade     = 24
	maxCalled   = 24
	maxPinText  = 48 // bytes of a value that are kept to be told
)

// SlotKind is what a value looks like.
type SlotKind uint8

// The kinds of values.
const (
	SlotWord   SlotKind = iota // of no type
	SlotNumber                 // Num in thousandths
	SlotMoney                  // Num in thousandths of the unit
	SlotDate                   // Num is year, month, day as yyyymmdd; year 0 where none was given
	SlotID                     // holds a digit, or is all capitals
	SlotEmail
	SlotTail // the last digits of a card, an account, a phone; Num is the digits
	SlotFlag // true or false
)

// Mention is one value that a user wrote.
type Mention struct {
	Hash  uint64 // of the value in lower case, without a leading #
	Shape uint64 // what values of the same type look like
	Slot  uint64 // hash of the parameter that took it, 0 while none did
	Noun  uint64 // hash of the noun by it, 0 for none
	By    uint64 // hash of the value that replaced it
	Num   int64
	Kind  SlotKind
	// Typed says that its shape is one of its own: letters and digits, not
	// digits or words alone.
	Typed bool

	First, Last int32 // Turns of the first and the latest user message with it
	Dead        int32 // Turn at which the user took it back, 0: it stands
	Used        int32 // Turn of the latest call with it, 0 for none
	Done        int32 // Turn of the latest successful write with it, 0 for none
	Failed      int32 // Turn of the latest failed call with it, 0 for none

	Text string // as written, cut
	Seq  int64  // of the latest user message with it
	ID   string // of that step
}

// Live reports whether the user stands by the value.
func (m *Mention) Live() bool { return m.Dead < m.Last || m.Dead == 0 }

// LimitOp is how a limit compares.
type LimitOp uint8

// The operators of limits.
const (
	LimitMax   LimitOp = iota + 1 // at most Num
	LimitUnder                    // less than Num
	LimitMin                      // at least Num
	LimitOver                     // more than Num
	LimitNot                      // not Phrase
	LimitOnly                     // only Phrase
)

// Limit is a constraint that a user set.
type Limit struct {
	Op     LimitOp
	Kind   SlotKind  // SlotNumber, SlotMoney or SlotDate; SlotWord for a Phrase
	Num    int64     // as in Mention
	Nouns  [4]uint64 // hashes of the nouns about it, 0 for none
	Loose  bool      // any amount of money is meant, or may be
	Firm   bool      // it says must, only, no more than: not a wish
	Phrase string    // in lower case, words apart by one space
	Text   string    // what the user wrote, cut
	Turn   int32     // of the message that set it
	Asked  int32     // Turn of an agent's message that names what breaks it, 0 for none
	Dead   int32     // Turn at which the user gave it up, 0: it stands
	Seq    int64
	ID     string // of the step that set it
}

// echo is a value that an agent wrote, or that a call took.
type echo struct {
	hash, shape uint64
	turn        int32
	tail        bool   // the last digits of something
	text        string // of an id, as written; empty for others
}

// tail is the last digits of what an id stands for.
type tail struct {
	id     uint64
	digits int32
}

// breach says that the record of an id breaks a limit.
type breach struct {
	id    uint64
	limit int32 // Turn and place of the limit
	num   int64
}

// Mention gives what users wrote of a value, nil for nothing.
func (s *Slots) Mention(hash uint64) *Mention {
	for i := range s.Mentions {
		if s.Mentions[i].Hash == hash {
			return &s.Mentions[i]
		}
	}
	return nil
}

// Echoed gives the Turn of the latest message of an agent with a value, 0 for
// none.
func (s *Slots) Echoed(hash uint64) int32 {
	for i := range s.echoes {
		if s.echoes[i].hash == hash {
			return s.echoes[i].turn
		}
	}
	return 0
}

// Made reports whether a write brought an id.
func (s *Slots) Made(hash uint64) bool {
	for _, h := range s.made {
		if h == hash {
			return true
		}
	}
	return false
}

// Tail gives the last digits of what an id stands for, -1 where no tool told.
func (s *Slots) Tail(hash uint64) int64 {
	for _, t := range s.tails {
		if t.id == hash {
			return int64(t.digits)
		}
	}
	return -1
}

// Breach gives the value by which the record of an id breaks limit i.
func (s *Slots) Breach(hash uint64, i int) (num int64, ok bool) {
	key := s.limitKey(i)
	for _, b := range s.breaches {
		if b.id == hash && b.limit == key {
			return b.num, true
		}
	}
	return 0, false
}

// limitKey names a limit for as long as it is kept.
func (s *Slots) limitKey(i int) int32 {
	l := &s.Limits[i]
	key := l.Turn << 4
	for j := range i {
		if s.Limits[j].Turn == l.Turn {
			key++
		}
	}
	return key
}

func (s *Slots) reset() {
	clear(s.Mentions)
	clear(s.Limits)
	*s = Slots{
		Mentions: s.Mentions[:0], Limits: s.Limits[:0], echoes: s.echoes[:0],
		tails: s.tails[:0], breaches: s.breaches[:0], made: s.made[:0], called: s.called[:0], said: s.said[:0], ToldID: s.ToldID[:0],
	}
}

// room drops the first element of a list that is full.
func room[T any](list []T, most int) []T {
	if len(list) < most {
		return list
	}
	n := copy(list, list[len(list)-most+1:])
	return list[:n]
}

// echoAt notes that an agent wrote a value.
func (s *Slots) echoAt(t *slotToken, written []byte) {
	for i := range s.echoes {
		if s.echoes[i].hash == t.hash {
			s.echoes[i].turn = s.Turn
			return
		}
	}
	e := echo{hash: t.hash, turn: s.Turn, tail: t.kind == SlotTail}
	if t.kind == SlotID && t.typed || e.tail {
		e.shape, e.text = t.shape, string(cutText(written, maxPinText))
	}
	s.echoes = append(room(s.echoes, maxEchoes), e)
}

// calledAt notes that a call took an id.
func (s *Slots) calledAt(hash uint64) {
	for i := range s.called {
		if s.called[i].hash == hash {
			s.called[i].turn = s.Turn
			return
		}
	}
	s.called = append(room(s.called, maxCalled), echo{hash: hash, turn: s.Turn})
}

// Called gives the Turn of the latest call that took an id, 0 for none.
func (s *Slots) Called(hash uint64) int32 {
	for i := range s.called {
		if s.called[i].hash == hash {
			return s.called[i].turn
		}
	}
	return 0
}

// Proposed gives what the agent named to the user in its latest message, of the
// type of an argument, and the user agreed to or did not answer yet. It is
// empty where there was nothing of the kind, and where the argument itself was
// named there.
func (s *Slots) Proposed(l *Leaf) string {
	if s.Agent == 0 || s.Agent < s.User && (s.Yes != s.User || s.Agent != s.User-1) {
		return ""
	}
	text := ""
	tail := s.Tail(l.Hash)
	for i := range s.echoes {
		e := &s.echoes[i]
		switch {
		case e.turn != s.Agent:
		case e.hash == l.Hash || e.tail && e.hash == numHash(tail*1000):
			return ""
		case e.tail && tail >= 0, !e.tail && e.shape != 0 && l.Typed && e.shape == l.Shape:
			text = e.text
		}
	}
	return text
}

// mention notes that a user wrote a value.
func (s *Slots) mention(t *slotToken, lex *slotLexer, step *event.Step, id string) *Mention {
	m := s.Mention(t.hash)
	if m == nil {
		if len(s.Mentions) == maxMentions {
			s.forget()
		}
		s.Mentions = append(s.Mentions, Mention{
			Hash: t.hash, Shape: t.shape, Kind: t.kind, Num: t.num, Typed: t.typed, First: s.Turn,
			Text: string(cutText(lex.written(t), maxPinText)),
		})
		m = &s.Mentions[len(s.Mentions)-1]
	}
	m.Last, m.Seq, m.ID = s.Turn, step.Seq, id
	if t.noun != 0 {
		m.Noun = t.noun
	}
	return m
}

// forget drops the oldest mention, one that no call took before others.
func (s *Slots) forget() {
	victim := 0
	for i := range s.Mentions {
		if s.Mentions[i].Used == 0 && s.Mentions[i].Kind == SlotNumber {
			victim = i
			break
		}
	}
	s.Mentions = append(s.Mentions[:victim], s.Mentions[victim+1:]...)
}

// slots gives the slot table of the task, made when it is first needed.
func (t *Trajectory) slots(w *Workspace) *Slots {
	if t.Slots == nil {
		if n := len(w.spareSlots); n > 0 {
			t.Slots, w.spareSlots = w.spareSlots[n-1], w.spareSlots[:n-1]
		} else {
			t.Slots = new(Slots)
		}
		t.Slots.reset()
	}
	return t.Slots
}

func (t *Trajectory) dropSlots(w *Workspace) {
	if t.Slots != nil {
		w.spareSlots = append(w.spareSlots, t.Slots)
		t.Slots = nil
	}
}

// cutText cuts a text at a character.
func cutText(b []byte, most int) []byte {
	if len(b) <= most {
		return b
	}
	for most > 0 && b[most]&0xc0 == 0x80 {
		most--
	}
	return b[:most]
}
