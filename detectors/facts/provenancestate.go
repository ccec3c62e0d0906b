package facts

import (
	"fmt"
	"slices"

	"misstep/detectors/state"
)

// ProvenanceState is the provenance of one trajectory, as it is read.
type ProvenanceState struct {
	Runs    []uint64       `cbor:"1,keyasint,omitempty"` // hashes with their sources, sorted
	Amounts []int64        `cbor:"2,keyasint,omitempty"`
	Touches []TouchedState `cbor:"3,keyasint,omitempty"`
	Heard   Source         `cbor:"4,keyasint,omitempty"`
	Holes   bool           `cbor:"5,keyasint,omitempty"`
	Longest int32          `cbor:"6,keyasint,omitempty"`
	Spelled bool           `cbor:"7,keyasint,omitempty"`
	Looked  bool           `cbor:"8,keyasint,omitempty"`
	Said    []uint32       `cbor:"9,keyasint,omitempty"`  // words, sorted
	Call    int64          `cbor:"10,keyasint,omitempty"` // that said them, plus 1
	Agent   int32          `cbor:"11,keyasint,omitempty"`
	Kinds   []uint64       `cbor:"12,keyasint,omitempty"` // key, then form
}

// TouchedState is an identifier that a call named.
type TouchedState struct {
	Hash   uint64 `cbor:"1,keyasint,omitempty"`
	Call   int64  `cbor:"2,keyasint,omitempty"`
	Agent  int32  `cbor:"3,keyasint,omitempty"`
	Failed bool   `cbor:"4,keyasint,omitempty"`
}

func (v *Provenance) append(w *state.Writer) {
	m := w.Open()
	if w.Array(1, v.n) {
		sorted := make([]uint64, 0, v.n)
		for _, r := range v.runs {
			if r != 0 {
				sorted = append(sorted, r)
			}
		}
		slices.Sort(sorted)
		for _, r := range sorted {
			w.PutUint(r)
		}
	}
	if w.Array(2, len(v.amounts)) {
		for _, a := range v.amounts {
			w.PutInt(a)
		}
	}
	if w.Array(3, len(v.touches)) {
		for _, x := range v.touches {
			t := w.Open()
			w.Uint(1, x.hash)
			w.Int(2, x.call)
			w.Int(3, int64(x.agent))
			w.Bool(4, x.failed)
			w.Close(t)
		}
	}
	w.Uint(4, uint64(v.heard))
	w.Bool(5, v.Holes)
	w.Int(6, int64(v.Longest))
	w.Bool(7, v.Spelled)
	w.Bool(8, v.Looked)
	if v.said.call > 0 {
		w.Array(9, len(v.said.set))
		for _, h := range v.said.set {
			w.PutUint(uint64(h))
		}
		w.Int(10, v.said.call)
		w.Int(11, int64(v.said.agent))
	}
	if w.Array(12, len(v.kinds)) {
		for _, k := range v.kinds {
			w.PutUint(uint64(k.key)<<32 | uint64(k.form))
		}
	}
	w.Close(m)
}

// restore sets a new provenance to what was read.
func (v *Provenance) restore(s *ProvenanceState) error {
	if len(s.Runs) > maxRuns || len(s.Amounts) > maxAmounts || len(s.Touches) > maxTouched {
		return fmt.Errorf("state: %d values, %d amounts and %d identifiers of calls are known; at most %d, %d and %d are",
			len(s.Runs), len(s.Amounts), len(s.Touches), maxRuns, maxAmounts, maxTouched)
	}
	for _, r := range s.Runs {
		if r&^sourceMask == 0 {
			return fmt.Errorf("state: a value that is known has no hash")
		}
		v.add(r&^sourceMask, Source(r&sourceMask))
	}
	v.amounts = append(v.amounts, s.Amounts...)
	for _, x := range s.Touches {
		if x.Agent < 0 || x.Call < 0 {
			return fmt.Errorf("state: an identifier was named by call %d of agent %d", x.Call, x.Agent)
		}
		v.touches = append(v.touches, touched{hash: x.Hash, call: x.Call, agent: x.Agent, failed: x.Failed})
	}
	if len(s.Said) > maxEchoWords || !slices.IsSorted(s.Said) || s.Call < 0 {
		return fmt.Errorf("state: %d words of call %d are known; at most %d are, in order", len(s.Said), s.Call, maxEchoWords)
	}
	v.said = words{call: s.Call, agent: s.Agent, set: append(v.said.set, s.Said...)}
	if len(s.Kinds) > maxKinds {
		return fmt.Errorf("state: %d kinds of identifiers are known; at most %d are", len(s.Kinds), maxKinds)
	}
	for _, k := range s.Kinds {
		v.kinds = append(v.kinds, kind{uint32(k >> 32), uint32(k)})
	}
	v.Looked = s.Looked
	v.heard, v.Holes, v.Longest, v.Spelled = s.Heard, s.Holes, s.Longest, s.Spelled
	return nil
}
