package facts

import (
	"fmt"
	"unsafe"

	"misstep/detectors/lexicon"
	"misstep/detectors/state"
	"misstep/event"
)

// size is how many bytes the decisions take, 0 for none.
func (d *Decisions) size() int64 {
	if d == nil {
		return 0
	}
	n := int64(unsafe.Sizeof(*d)) + int64(cap(d.list))*int64(unsafe.Sizeof(Decision{}))
	n += 2 * int64(cap(d.request)+cap(d.answer.words))
	n += int64(cap(d.press.ID)+cap(d.answer.step.ID)+cap(d.scalar.step.ID)) + maxThingName
	for i := range d.list {
		n += int64(cap(d.list[i].Step.ID) + cap(d.list[i].Press.ID) + len(d.list[i].Name))
	}
	return n
}

// DecisionsState is Decisions, as it is read.
type DecisionsState struct {
	List     []DecisionState `cbor:"1,keyasint,omitempty"`
	Score    int             `cbor:"2,keyasint,omitempty"`
	Turn     int             `cbor:"3,keyasint,omitempty"`
	Fresh    bool            `cbor:"4,keyasint,omitempty"`
	Press    *MarkState      `cbor:"5,keyasint,omitempty"`
	Language uint8           `cbor:"6,keyasint,omitempty"`
	Families uint64          `cbor:"7,keyasint,omitempty"`
	Request  []uint16        `cbor:"8,keyasint,omitempty"`
	Known    []uint32        `cbor:"9,keyasint,omitempty"`
	NextKnow int             `cbor:"10,keyasint,omitempty"`
	Focus    []uint32        `cbor:"11,keyasint,omitempty"`
	Name     []byte          `cbor:"12,keyasint,omitempty"`
	Answer   *AnswerState    `cbor:"13,keyasint,omitempty"`
	Scalar   *ScalarState    `cbor:"14,keyasint,omitempty"`
	Asked    []uint16        `cbor:"15,keyasint,omitempty"`
}

// MarkState is Mark; its number is as state.Some gives it.
type MarkState struct {
	Seq int64  `cbor:"1,keyasint,omitempty"`
	ID  []byte `cbor:"2,keyasint,omitempty"`
}

// DecisionState is Decision.
type DecisionState struct {
	Families uint64    `cbor:"1,keyasint,omitempty"`
	Name     []byte    `cbor:"2,keyasint,omitempty"`
	Step     MarkState `cbor:"3,keyasint,omitempty"`
	Press    MarkState `cbor:"4,keyasint,omitempty"`
	Stance   Stance    `cbor:"5,keyasint,omitempty"`
	Voice    Voice     `cbor:"6,keyasint,omitempty"`
	Pressure int       `cbor:"7,keyasint,omitempty"`
	Turns    int       `cbor:"8,keyasint,omitempty"`
	Flips    int       `cbor:"9,keyasint,omitempty"`
	Flags    uint64    `cbor:"10,keyasint,omitempty"` // bits in the order of flags
	Things   []uint32  `cbor:"11,keyasint,omitempty"`
	Call     int64     `cbor:"12,keyasint,omitempty"`
	Touch    int64     `cbor:"13,keyasint,omitempty"`
	Agent    int32     `cbor:"14,keyasint,omitempty"`
	Rank     int8      `cbor:"15,keyasint,omitempty"`
	Told     int64     `cbor:"16,keyasint,omitempty"`
	Stems    []uint16  `cbor:"17,keyasint,omitempty"`
}

// AnswerState is the latest answer.
type AnswerState struct {
	Words  []uint16  `cbor:"1,keyasint,omitempty"`
	Length int       `cbor:"2,keyasint,omitempty"`
	Count  []int16   `cbor:"3,keyasint,omitempty"`
	Step   MarkState `cbor:"4,keyasint,omitempty"`
	Turns  int       `cbor:"5,keyasint,omitempty"`
	Tone   int       `cbor:"6,keyasint,omitempty"`
	Shared int       `cbor:"7,keyasint,omitempty"`
}

// ScalarState is the latest short answer.
type ScalarState struct {
	Kind  uint8     `cbor:"1,keyasint,omitempty"`
	Value uint32    `cbor:"2,keyasint,omitempty"`
	Text  []byte    `cbor:"3,keyasint,omitempty"`
	Prior uint32    `cbor:"4,keyasint,omitempty"`
	Press bool      `cbor:"5,keyasint,omitempty"`
	Flips int       `cbor:"6,keyasint,omitempty"`
	Step  MarkState `cbor:"7,keyasint,omitempty"`
}

// flags are the decision's, each a bit in the state.
func (x *Decision) flags() [7]*bool {
	return [7]*bool{&x.Informed, &x.Yielded, &x.Policy, &x.Conditional, &x.Vague, &x.deciding, &x.tentative}
}

func (d *Decisions) append(w *state.Writer) {
	m := w.Open()
	if w.Array(1, len(d.list)) {
		for i := range d.list {
			d.list[i].append(w)
		}
	}
	w.Int(2, int64(d.score))
	w.Int(3, int64(d.turn))
	w.Bool(4, d.fresh)
	d.press.append(w, 5)
	w.Uint(6, uint64(d.language))
	w.Uint(7, uint64(d.families))
	appendHashes(w, 8, d.request)
	known := d.known[:]
	for len(known) > 0 && known[len(known)-1] == 0 {
		known = known[:len(known)-1]
	}
	appendHashes(w, 9, known)
	w.Int(10, int64(d.nextKnow))
	focus := d.focus[:]
	for len(focus) > 0 && focus[len(focus)-1] == 0 {
		focus = focus[:len(focus)-1]
	}
	appendHashes(w, 11, focus)
	w.Bytes(12, []byte(d.name))
	if a := &d.answer; a.turns > 0 {
		w.Key(13)
		am := w.Open()
		appendHashes(w, 1, a.words)
		w.Int(2, int64(a.length))
		w.Array(3, numTraits)
		for _, n := range a.count {
			w.PutInt(int64(n))
		}
		a.step.append(w, 4)
		w.Int(5, int64(a.turns))
		w.Int(6, int64(a.tone))
		w.Int(7, int64(a.shared))
		w.Close(am)
	}
	if x := &d.scalar; x.kind != noScalar {
		w.Key(14)
		sm := w.Open()
		w.Uint(1, uint64(x.kind))
		w.Uint(2, uint64(x.value))
		w.Bytes(3, []byte(x.text))
		w.Uint(4, uint64(x.prior))
		w.Bool(5, x.press)
		w.Int(6, int64(x.flips))
		x.step.append(w, 7)
		w.Close(sm)
	}
	asked := d.asked[:]
	for len(asked) > 0 && asked[len(asked)-1] == 0 {
		asked = asked[:len(asked)-1]
	}
	appendHashes(w, 15, asked)
	w.Close(m)
}

func appendHashes[T uint16 | uint32](w *state.Writer, key uint8, list []T) {
	if w.Array(key, len(list)) {
		for _, h := range list {
			w.PutUint(uint64(h))
		}
	}
}

func (m *Mark) append(w *state.Writer, key uint8) {
	if len(m.ID) == 0 {
		return
	}
	w.Key(key)
	mm := w.Open()
	w.Int(1, state.Some(m.Seq))
	w.Bytes(2, m.ID)
	w.Close(mm)
}

func (x *Decision) append(w *state.Writer) {
	m := w.Open()
	w.Uint(1, uint64(x.Families))
	w.Bytes(2, []byte(x.Name))
	x.Step.append(w, 3)
	x.Press.append(w, 4)
	w.Uint(5, uint64(x.Stance))
	w.Uint(6, uint64(x.Voice))
	w.Int(7, int64(x.Pressure))
	w.Int(8, int64(x.Turns))
	w.Int(9, int64(x.Flips))
	flags := uint64(0)
	for i, f := range x.flags() {
		if *f {
			flags |= 1 << i
		}
	}
	w.Uint(10, flags)
	things := x.things[:]
	for len(things) > 0 && things[len(things)-1] == 0 {
		things = things[:len(things)-1]
	}
	appendHashes(w, 11, things)
	w.Int(12, x.call)
	w.Int(13, x.touch)
	w.Int(14, int64(x.agent))
	w.Int(15, int64(x.rank))
	w.Int(16, x.told)
	stems := x.stems[:]
	for len(stems) > 0 && stems[len(stems)-1] == 0 {
		stems = stems[:len(stems)-1]
	}
	appendHashes(w, 17, stems)
	w.Close(m)
}

// restore sets the decisions to what was read.
func (d *Decisions) restore(s *DecisionsState) error {
	if len(s.List) > maxDecisions || len(s.Request) > maxContent || len(s.Known) > maxKnown || len(s.Focus) > maxFocus || len(s.Asked) > maxAsked ||
		s.NextKnow < 0 || s.NextKnow >= maxKnown || len(s.Name) > maxThingName || s.Language >= uint8(lexicon.Other) {
		return fmt.Errorf("state: %d decisions, %d words, %d things; at most %d, %d and %d are kept", len(s.List), len(s.Request), len(s.Known), maxDecisions, maxContent, maxKnown)
	}
	d.score, d.turn, d.fresh, d.nextKnow = s.Score, s.Turn, s.Fresh, s.NextKnow
	d.language, d.families, d.name = lexicon.Language(s.Language), lexicon.Set(s.Families), string(s.Name)
	d.request = append(d.request[:0], s.Request...)
	copy(d.known[:], s.Known)
	copy(d.focus[:], s.Focus)
	copy(d.asked[:], s.Asked)
	if s.Press != nil {
		if err := d.press.restore(s.Press); err != nil {
			return err
		}
	}
	for i := range s.List {
		var x Decision
		if err := x.restore(&s.List[i]); err != nil {
			return err
		}
		d.list = append(d.list, x)
	}
	if a := s.Answer; a != nil {
		if len(a.Words) > maxContent || len(a.Count) != numTraits || a.Turns < 1 {
			return fmt.Errorf("state: an answer of %d words; at most %d are kept", len(a.Words), maxContent)
		}
		d.answer.words = append(d.answer.words[:0], a.Words...)
		d.answer.length, d.answer.turns, d.answer.tone, d.answer.shared = a.Length, a.Turns, a.Tone, a.Shared
		copy(d.answer.count[:], a.Count)
		if err := d.answer.step.restore(&a.Step); err != nil {
			return err
		}
	}
	if x := s.Scalar; x != nil {
		if len(x.Text) > maxThingName || scalarKind(x.Kind) > valued {
			return fmt.Errorf("state: a short answer of %d bytes and kind %d", len(x.Text), x.Kind)
		}
		d.scalar = scalar{kind: scalarKind(x.Kind), value: x.Value, text: string(x.Text), prior: x.Prior, press: x.Press, flips: x.Flips}
		return d.scalar.step.restore(&x.Step)
	}
	return nil
}

func (x *Decision) restore(s *DecisionState) error {
	if len(s.Things) > maxThings || len(s.Stems) > maxStems || len(s.Name) > maxThingName || s.Stance > StanceGranted || s.Voice >= voices || s.Rank >= maxThings {
		return fmt.Errorf("state: a decision about %d things, stance %d, voice %d", len(s.Things), s.Stance, s.Voice)
	}
	*x = Decision{
		Families: lexicon.Set(s.Families), Name: string(s.Name), Stance: s.Stance, Voice: s.Voice,
		Pressure: s.Pressure, Turns: s.Turns, Flips: s.Flips, call: s.Call, touch: s.Touch, agent: s.Agent, rank: s.Rank, told: s.Told,
	}
	for i, f := range x.flags() {
		*f = s.Flags&(1<<i) != 0
	}
	copy(x.things[:], s.Things)
	copy(x.stems[:], s.Stems)
	if err := x.Step.restore(&s.Step); err != nil {
		return err
	}
	return x.Press.restore(&s.Press)
}

func (m *Mark) restore(s *MarkState) error {
	if len(s.ID) > event.MaxName {
		return fmt.Errorf("state: a step's id of %d bytes; at most %d are kept", len(s.ID), event.MaxName)
	}
	m.Seq, m.ID = state.Maybe(s.Seq), append([]byte(nil), s.ID...)
	return nil
}
