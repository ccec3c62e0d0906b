package facts

import (
	"fmt"
	"unsafe"

	"misstep/detectors/state"
	"misstep/event"
)

// SlotsState is Slots, as they are read.
type SlotsState struct {
	Mentions []MentionState `cbor:"1,keyasint,omitempty"`
	Limits   []LimitState   `cbor:"2,keyasint,omitempty"`
	Turn     int32          `cbor:"3,keyasint,omitempty"`
	User     int32          `cbor:"4,keyasint,omitempty"`
	Agent    int32          `cbor:"5,keyasint,omitempty"`
	Opened   int32          `cbor:"6,keyasint,omitempty"`
	Also     int32          `cbor:"7,keyasint,omitempty"`
	Yes      int32          `cbor:"8,keyasint,omitempty"`
	Greeted  int32          `cbor:"9,keyasint,omitempty"`
	Redo     uint32         `cbor:"10,keyasint,omitempty"`
	Blind    bool           `cbor:"11,keyasint,omitempty"`
	Echoes   []EchoState    `cbor:"12,keyasint,omitempty"`
	Called   []EchoState    `cbor:"13,keyasint,omitempty"`
	Tails    []TailState    `cbor:"14,keyasint,omitempty"`
	Breaches []BreachState  `cbor:"15,keyasint,omitempty"`
	Made     []uint64       `cbor:"16,keyasint,omitempty"`
	ToldSeq  int64          `cbor:"17,keyasint,omitempty"` // as state.Some gives it
	ToldID   []byte         `cbor:"18,keyasint,omitempty"`
	Parts    uint32         `cbor:"19,keyasint,omitempty"`
	Hello    int32          `cbor:"20,keyasint,omitempty"`
	Said     []SaidState    `cbor:"21,keyasint,omitempty"`
	Miss     int32          `cbor:"22,keyasint,omitempty"`
	Foreign  bool           `cbor:"23,keyasint,omitempty"`
}

// MentionState is a Mention.
type MentionState struct {
	Hash   uint64   `cbor:"1,keyasint,omitempty"`
	Shape  uint64   `cbor:"2,keyasint,omitempty"`
	Slot   uint64   `cbor:"3,keyasint,omitempty"`
	Noun   uint64   `cbor:"4,keyasint,omitempty"`
	By     uint64   `cbor:"5,keyasint,omitempty"`
	Num    int64    `cbor:"6,keyasint,omitempty"`
	Kind   SlotKind `cbor:"7,keyasint,omitempty"`
	Typed  bool     `cbor:"8,keyasint,omitempty"`
	First  int32    `cbor:"9,keyasint,omitempty"`
	Last   int32    `cbor:"10,keyasint,omitempty"`
	Dead   int32    `cbor:"11,keyasint,omitempty"`
	Used   int32    `cbor:"12,keyasint,omitempty"`
	Done   int32    `cbor:"13,keyasint,omitempty"`
	Failed int32    `cbor:"14,keyasint,omitempty"`
	Text   []byte   `cbor:"15,keyasint,omitempty"`
	Seq    int64    `cbor:"16,keyasint,omitempty"` // as state.Some gives it
	ID     []byte   `cbor:"17,keyasint,omitempty"`
}

// LimitState is a Limit.
type LimitState struct {
	Op     LimitOp  `cbor:"1,keyasint,omitempty"`
	Kind   SlotKind `cbor:"2,keyasint,omitempty"`
	Num    int64    `cbor:"3,keyasint,omitempty"`
	Nouns  []uint64 `cbor:"4,keyasint,omitempty"`
	Loose  bool     `cbor:"5,keyasint,omitempty"`
	Firm   bool     `cbor:"6,keyasint,omitempty"`
	Phrase []byte   `cbor:"7,keyasint,omitempty"`
	Text   []byte   `cbor:"8,keyasint,omitempty"`
	Turn   int32    `cbor:"9,keyasint,omitempty"`
	Asked  int32    `cbor:"10,keyasint,omitempty"`
	Dead   int32    `cbor:"11,keyasint,omitempty"`
	Seq    int64    `cbor:"12,keyasint,omitempty"` // as state.Some gives it
	ID     []byte   `cbor:"13,keyasint,omitempty"`
}

// SaidState is a Said.
type SaidState struct {
	Text  []byte `cbor:"1,keyasint,omitempty"`
	Turn  int32  `cbor:"2,keyasint,omitempty"`
	Agent bool   `cbor:"3,keyasint,omitempty"`
	Cued  bool   `cbor:"4,keyasint,omitempty"`
	Seq   int64  `cbor:"5,keyasint,omitempty"` // as state.Some gives it
	ID    []byte `cbor:"6,keyasint,omitempty"`
	No    bool   `cbor:"7,keyasint,omitempty"`
}

// EchoState is a value that an agent wrote or a call took.
type EchoState struct {
	Hash  uint64 `cbor:"1,keyasint,omitempty"`
	Shape uint64 `cbor:"2,keyasint,omitempty"`
	Turn  int32  `cbor:"3,keyasint,omitempty"`
	Tail  bool   `cbor:"4,keyasint,omitempty"`
	Text  []byte `cbor:"5,keyasint,omitempty"`
}

// TailState is the last digits of what an id stands for.
type TailState struct {
	ID     uint64 `cbor:"1,keyasint,omitempty"`
	Digits int32  `cbor:"2,keyasint,omitempty"`
}

// BreachState says that the record of an id breaks a limit.
type BreachState struct {
	ID    uint64 `cbor:"1,keyasint,omitempty"`
	Limit int32  `cbor:"2,keyasint,omitempty"`
	Num   int64  `cbor:"3,keyasint,omitempty"`
}

// ContextState is a Context.
type ContextState struct {
	Last int64 `cbor:"1,keyasint,omitempty"`
	High int64 `cbor:"2,keyasint,omitempty"`
	Fell int64 `cbor:"3,keyasint,omitempty"`
}

func (s *Slots) append(w *state.Writer) {
	m := w.Open()
	if w.Array(1, len(s.Mentions)) {
		for i := range s.Mentions {
			s.Mentions[i].append(w)
		}
	}
	if w.Array(2, len(s.Limits)) {
		for i := range s.Limits {
			s.Limits[i].append(w)
		}
	}
	for i, v := range [...]int32{s.Turn, s.User, s.Agent, s.Opened, s.Also, s.Yes, s.Greeted} {
		w.Int(uint8(3+i), int64(v))
	}
	w.Uint(10, uint64(s.Redo))
	w.Bool(11, s.Blind)
	for i, list := range [...][]echo{s.echoes, s.called} {
		if w.Array(uint8(12+i), len(list)) {
			for j := range list {
				e := w.Open()
				w.Uint(1, list[j].hash)
				w.Uint(2, list[j].shape)
				w.Int(3, int64(list[j].turn))
				w.Bool(4, list[j].tail)
				w.Bytes(5, []byte(list[j].text))
				w.Close(e)
			}
		}
	}
	if w.Array(14, len(s.tails)) {
		for _, t := range s.tails {
			e := w.Open()
			w.Uint(1, t.id)
			w.Int(2, int64(t.digits))
			w.Close(e)
		}
	}
	if w.Array(15, len(s.breaches)) {
		for _, b := range s.breaches {
			e := w.Open()
			w.Uint(1, b.id)
			w.Int(2, int64(b.limit))
			w.Int(3, b.num)
			w.Close(e)
		}
	}
	if w.Array(16, len(s.made)) {
		for _, h := range s.made {
			w.PutUint(h)
		}
	}
	w.Int(17, state.Some(s.ToldSeq))
	w.Bytes(18, s.ToldID)
	w.Uint(19, uint64(s.Parts))
	w.Int(20, int64(s.Hello))
	if w.Array(21, len(s.said)) {
		for i := range s.said {
			v := &s.said[i]
			e := w.Open()
			w.Bytes(1, v.Text)
			w.Int(2, int64(v.Turn))
			w.Bool(3, v.Agent)
			w.Bool(4, v.Cued)
			w.Int(5, state.Some(v.Seq))
			w.Bytes(6, v.ID)
			w.Bool(7, v.No)
			w.Close(e)
		}
	}
	w.Int(22, int64(s.Miss))
	w.Bool(23, s.Foreign)
	w.Close(m)
}

func (m *Mention) append(w *state.Writer) {
	head := w.Open()
	for i, h := range [...]uint64{m.Hash, m.Shape, m.Slot, m.Noun, m.By} {
		w.Uint(uint8(1+i), h)
	}
	w.Int(6, m.Num)
	w.Uint(7, uint64(m.Kind))
	w.Bool(8, m.Typed)
	for i, n := range [...]int32{m.First, m.Last, m.Dead, m.Used, m.Done, m.Failed} {
		w.Int(uint8(9+i), int64(n))
	}
	w.Bytes(15, []byte(m.Text))
	w.Int(16, state.Some(m.Seq))
	w.Bytes(17, []byte(m.ID))
	w.Close(head)
}

func (m *Limit) append(w *state.Writer) {
	head := w.Open()
	w.Uint(1, uint64(m.Op))
	w.Uint(2, uint64(m.Kind))
	w.Int(3, m.Num)
	n := len(m.Nouns)
	for n > 0 && m.Nouns[n-1] == 0 {
		n--
	}
	if w.Array(4, n) {
		for _, h := range m.Nouns[:n] {
			w.PutUint(h)
		}
	}
	w.Bool(5, m.Loose)
	w.Bool(6, m.Firm)
	w.Bytes(7, []byte(m.Phrase))
	w.Bytes(8, []byte(m.Text))
	w.Int(9, int64(m.Turn))
	w.Int(10, int64(m.Asked))
	w.Int(11, int64(m.Dead))
	w.Int(12, state.Some(m.Seq))
	w.Bytes(13, []byte(m.ID))
	w.Close(head)
}

// restore sets the table to what was read.
func (s *Slots) restore(r *SlotsState) error {
	s.reset()
	if len(r.Mentions) > maxMentions || len(r.Limits) > maxLimits || len(r.Echoes) > maxEchoes || len(r.Called) > maxCalled ||
		len(r.Tails) > maxTails || len(r.Breaches) > maxBreaches || len(r.Made) > maxMade || len(r.ToldID) > event.MaxName || len(r.Said) > maxSaid {
		return fmt.Errorf("state: slots: %d mentions, %d limits, %d echoes, %d calls, %d tails, %d breaches, %d made: more than are kept",
			len(r.Mentions), len(r.Limits), len(r.Echoes), len(r.Called), len(r.Tails), len(r.Breaches), len(r.Made))
	}
	s.Turn, s.User, s.Agent, s.Opened, s.Also, s.Yes, s.Greeted = r.Turn, r.User, r.Agent, r.Opened, r.Also, r.Yes, r.Greeted
	s.Redo, s.Parts, s.Blind, s.ToldSeq, s.ToldID = r.Redo, r.Parts, r.Blind, state.Maybe(r.ToldSeq), append(s.ToldID, r.ToldID...)
	for i := range r.Mentions {
		v := &r.Mentions[i]
		if len(v.Text) > maxPinText || len(v.ID) > event.MaxName {
			return fmt.Errorf("state: slots: mention %d is not whole", i)
		}
		s.Mentions = append(s.Mentions, Mention{
			Hash: v.Hash, Shape: v.Shape, Slot: v.Slot, Noun: v.Noun, By: v.By, Num: v.Num, Kind: v.Kind, Typed: v.Typed,
			First: v.First, Last: v.Last, Dead: v.Dead, Used: v.Used, Done: v.Done, Failed: v.Failed,
			Text: string(v.Text), Seq: state.Maybe(v.Seq), ID: string(v.ID),
		})
	}
	for i := range r.Limits {
		v := &r.Limits[i]
		l := Limit{
			Op: v.Op, Kind: v.Kind, Num: v.Num, Loose: v.Loose, Firm: v.Firm, Phrase: string(v.Phrase), Text: string(v.Text),
			Turn: v.Turn, Asked: v.Asked, Dead: v.Dead, Seq: state.Maybe(v.Seq), ID: string(v.ID),
		}
		if len(v.Nouns) > len(l.Nouns) || len(v.Phrase) > maxPinText || len(v.Text) > 2*maxPinText || len(v.ID) > event.MaxName {
			return fmt.Errorf("state: slots: limit %d is not whole", i)
		}
		copy(l.Nouns[:], v.Nouns)
		s.Limits = append(s.Limits, l)
	}
	for _, e := range r.Echoes {
		s.echoes = append(s.echoes, e.echo())
	}
	for _, e := range r.Called {
		s.called = append(s.called, e.echo())
	}
	for _, t := range r.Tails {
		s.tails = append(s.tails, tail{t.ID, t.Digits})
	}
	for _, b := range r.Breaches {
		s.breaches = append(s.breaches, breach{b.ID, b.Limit, b.Num})
	}
	s.made = append(s.made, r.Made...)
	s.Hello, s.Miss, s.Foreign = r.Hello, r.Miss, r.Foreign
	for i := range r.Said {
		v := &r.Said[i]
		if len(v.Text) > maxSaidText || len(v.ID) > event.MaxName {
			return fmt.Errorf("state: slots: message %d is not whole", i)
		}
		s.said = append(s.said, Said{Text: v.Text, Turn: v.Turn, Agent: v.Agent, Cued: v.Cued, No: v.No, Seq: state.Maybe(v.Seq), ID: v.ID})
	}
	return nil
}

func (e *EchoState) echo() echo {
	return echo{hash: e.Hash, shape: e.Shape, turn: e.Turn, tail: e.Tail, text: string(cutText(e.Text, maxPinText))}
}

// size is how many bytes the table holds. The ids of steps are shared by what
// one step said, and counted each time.
func (s *Slots) size() int64 {
	n := int64(unsafe.Sizeof(*s)) + int64(len(s.ToldID)) +
		int64(cap(s.Mentions))*int64(unsafe.Sizeof(Mention{})) + int64(cap(s.Limits))*int64(unsafe.Sizeof(Limit{})) +
		int64(cap(s.echoes)+cap(s.called))*int64(unsafe.Sizeof(echo{})) + int64(cap(s.tails))*int64(unsafe.Sizeof(tail{})) +
		int64(cap(s.breaches))*int64(unsafe.Sizeof(breach{})) + int64(cap(s.made))*8
	for i := range s.said {
		n += int64(unsafe.Sizeof(Said{})) + int64(cap(s.said[i].Text)+cap(s.said[i].ID))
	}
	for i := range s.Mentions {
		n += int64(len(s.Mentions[i].Text) + len(s.Mentions[i].ID))
	}
	for i := range s.Limits {
		n += int64(len(s.Limits[i].Phrase) + len(s.Limits[i].Text) + len(s.Limits[i].ID))
	}
	for i := range s.echoes {
		n += int64(len(s.echoes[i].text))
	}
	return n
}
