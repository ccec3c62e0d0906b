package facts

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"misstep/detectors/state"
	"misstep/event"
)

// ProgressState is Progress, as it is read. The filters are their words, in
// little endian.
type ProgressState struct {
	Now    []byte               `cbor:"1,keyasint,omitempty"`
	Old    []byte               `cbor:"2,keyasint,omitempty"`
	Agents []AgentProgressState `cbor:"3,keyasint,omitempty"`
	Own    []byte               `cbor:"4,keyasint,omitempty"`
	OwnOf  int64                `cbor:"5,keyasint,omitempty"`
	OwnBy  int                  `cbor:"6,keyasint,omitempty"`
}

// AgentProgressState is what is known of one agent's progress.
type AgentProgressState struct {
	Calls     []RecentCallState `cbor:"1,keyasint,omitempty"`
	Stall     int32             `cbor:"2,keyasint,omitempty"`
	Still     int32             `cbor:"3,keyasint,omitempty"`
	Users     uint32            `cbor:"4,keyasint,omitempty"`
	Wrote     uint32            `cbor:"5,keyasint,omitempty"`
	Messages  *SayingState      `cbor:"6,keyasint,omitempty"`
	Thoughts  *SayingState      `cbor:"7,keyasint,omitempty"`
	Context   int64             `cbor:"8,keyasint,omitempty"` // as state.Some gives it
	Compacted int32             `cbor:"9,keyasint,omitempty"`
	News      int32             `cbor:"10,keyasint,omitempty"`
	Marks     []CitedState      `cbor:"11,keyasint,omitempty"`
	Turn      uint32            `cbor:"12,keyasint,omitempty"`
}

// RecentCallState is a call as those after it are compared with it.
type RecentCallState struct {
	Index   int64       `cbor:"1,keyasint,omitempty"`
	Args    SketchState `cbor:"2,keyasint,omitempty"`
	Novelty int32       `cbor:"3,keyasint,omitempty"`
	Echo    bool        `cbor:"4,keyasint,omitempty"`
	Exact   bool        `cbor:"5,keyasint,omitempty"`
}

// SketchState is a sketch of words.
type SketchState struct {
	N     uint16   `cbor:"1,keyasint,omitempty"`
	Words []uint32 `cbor:"2,keyasint,omitempty"`
	Names []uint32 `cbor:"3,keyasint,omitempty"`
}

// SayingState is a run of messages.
type SayingState struct {
	Text  SketchState  `cbor:"1,keyasint,omitempty"`
	Hash  uint32       `cbor:"2,keyasint,omitempty"`
	N     int32        `cbor:"3,keyasint,omitempty"`
	First []CitedState `cbor:"4,keyasint,omitempty"`
}

func (p *Progress) append(w *state.Writer) {
	if p == nil {
		return
	}
	w.Key(21)
	m := w.Open()
	appendFilter(w, 1, p.tokens.now[:])
	appendFilter(w, 2, p.tokens.old[:])
	if w.Array(3, len(p.agents)) {
		for _, a := range p.agents {
			a.append(w)
		}
	}
	appendFilter(w, 4, p.own[:])
	w.Int(5, p.ownCall)
	w.Int(6, int64(p.ownBy))
	w.Close(m)
}

func appendFilter(w *state.Writer, key uint8, f []uint64) {
	n := len(f)
	for n > 0 && f[n-1] == 0 {
		n--
	}
	var b [setWords * 8]byte
	for i := range n {
		binary.LittleEndian.PutUint64(b[8*i:], f[i])
	}
	w.Bytes(key, b[:8*n])
}

func (p *agentProgress) append(w *state.Writer) {
	m := w.Open()
	n := 0
	for i := range p.calls {
		if p.calls[i].index > 0 {
			n++
		}
	}
	if w.Array(1, n) {
		for i := range p.calls {
			if c := &p.calls[i]; c.index > 0 {
				one := w.Open()
				w.Int(1, c.index)
				w.Key(2)
				c.args.append(w)
				w.Int(3, int64(c.novelty))
				w.Bool(4, c.echo)
				w.Bool(5, c.exact)
				w.Close(one)
			}
		}
	}
	w.Int(2, int64(p.stall))
	w.Int(3, int64(p.still))
	w.Uint(4, uint64(p.users))
	w.Uint(5, uint64(p.wrote))
	for i := range p.said {
		if said := &p.said[i]; said.n > 0 {
			w.Key(uint8(6 + i))
			one := w.Open()
			w.Key(1)
			said.text.append(w)
			w.Uint(2, uint64(said.hash))
			w.Int(3, int64(said.n))
			appendCited(w, 4, said.first)
			w.Close(one)
		}
	}
	w.Int(8, state.Some(p.context))
	w.Int(9, int64(p.compacted))
	w.Int(10, int64(p.news))
	if p.compacted > 0 {
		appendCited(w, 11, p.marks)
	}
	w.Uint(12, uint64(p.turn))
	w.Close(m)
}

func (s *sketch) append(w *state.Writer) {
	m := w.Open()
	w.Uint(1, uint64(s.n))
	appendHashes(w, 2, s.words[:s.kept])
	appendHashes(w, 3, s.names[:s.named])
	w.Close(m)
}

func appendCited(w *state.Writer, key uint8, list []event.Evidence) {
	if !w.Array(key, len(list)) {
		return
	}
	for i := range list {
		e := &list[i]
		one := w.Open()
		w.Int(1, state.Some(e.Seq))
		w.Text(2, e.ID)
		w.Text(3, e.Note)
		w.Close(one)
	}
}

func restoreProgress(s *ProgressState) (*Progress, error) {
	p := new(Progress)
	for _, f := range []struct {
		from []byte
		to   []uint64
	}{{s.Now, p.tokens.now[:]}, {s.Old, p.tokens.old[:]}, {s.Own, p.own[:]}} {
		if len(f.from) > len(f.to)*8 || len(f.from)%8 != 0 {
			return nil, fmt.Errorf("state: a filter of %d bytes; it has at most %d", len(f.from), len(f.to)*8)
		}
		for j := range len(f.from) / 8 {
			f.to[j] = binary.LittleEndian.Uint64(f.from[8*j:])
		}
	}
	p.ownCall, p.ownBy = s.OwnOf, s.OwnBy
	p.tokens.count()
	if len(s.Agents) > maxAgents {
		return nil, fmt.Errorf("state: progress of %d agents; at most %d are kept", len(s.Agents), maxAgents)
	}
	for i := range s.Agents {
		a, err := restoreAgentProgress(&s.Agents[i])
		if err != nil {
			return nil, err
		}
		p.agents = append(p.agents, a)
	}
	return p, nil
}

func restoreAgentProgress(s *AgentProgressState) (*agentProgress, error) {
	p := &agentProgress{
		stall: s.Stall, still: s.Still, users: s.Users, wrote: s.Wrote, context: state.Maybe(s.Context),
		compacted: s.Compacted, news: s.News, turn: s.Turn,
	}
	for i := range s.Calls {
		c := &s.Calls[i]
		if c.Index < 1 {
			return nil, fmt.Errorf("state: a recent call has the number %d", c.Index-1)
		}
		r := &p.calls[(c.Index-1)%recentCalls]
		r.index, r.novelty, r.echo, r.exact = c.Index, c.Novelty, c.Echo, c.Exact
		if err := r.args.restore(&c.Args); err != nil {
			return nil, err
		}
	}
	for i, m := range [...]*SayingState{s.Messages, s.Thoughts} {
		if m == nil {
			continue
		}
		said := &p.said[i]
		said.hash, said.n = m.Hash, m.N
		if err := said.text.restore(&m.Text); err != nil {
			return nil, err
		}
		var err error
		if said.first, err = restoreCited(m.First); err != nil {
			return nil, err
		}
	}
	var err error
	p.marks, err = restoreCited(s.Marks)
	return p, err
}

func (s *sketch) restore(st *SketchState) error {
	if len(st.Words) > sketchWords || len(st.Names) > sketchNames {
		return fmt.Errorf("state: a sketch of %d words and %d names; at most %d and %d are kept", len(st.Words), len(st.Names), sketchWords, sketchNames)
	}
	s.n = st.N
	s.kept, s.named = uint8(copy(s.words[:], st.Words)), uint8(copy(s.names[:], st.Names))
	return nil
}

// restoreCited takes the first steps of a run.
func restoreCited(list []CitedState) ([]event.Evidence, error) {
	if len(list) > maxMarks {
		return nil, fmt.Errorf("state: a run cites %d steps; at most %d are kept", len(list), maxMarks)
	}
	var out []event.Evidence
	for _, e := range list {
		out = append(out, event.Evidence{Seq: state.Maybe(e.Seq), ID: e.ID, Note: e.Note})
	}
	return out, nil
}

// size is how many bytes the progress takes.
func (p *Progress) size() int64 {
	if p == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*p)) + int64(len(p.agents))*int64(unsafe.Sizeof(agentProgress{}))
}
