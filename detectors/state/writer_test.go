package state

import (
	"bytes"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"
)

type record struct {
	A int64    `cbor:"1,keyasint,omitempty"`
	B uint64   `cbor:"2,keyasint,omitempty"`
	C bool     `cbor:"3,keyasint,omitempty"`
	D string   `cbor:"4,keyasint,omitempty"`
	E []byte   `cbor:"23,keyasint,omitempty"`
	F []uint64 `cbor:"24,keyasint,omitempty"`
	G *record  `cbor:"25,keyasint,omitempty"`
	H []string `cbor:"255,keyasint,omitempty"`
}

func (r *record) write(w *Writer) {
	m := w.Open()
	w.Int(1, r.A)
	w.Uint(2, r.B)
	w.Bool(3, r.C)
	w.Text(4, r.D)
	w.Bytes(23, r.E)
	if w.Array(24, len(r.F)) {
		for _, v := range r.F {
			w.PutUint(v)
		}
	}
	if r.G != nil {
		w.Key(25)
		r.G.write(w)
	}
	if w.Array(255, len(r.H)) {
		for _, v := range r.H {
			w.PutText(v)
		}
	}
	w.Close(m)
}

func draw(t *rapid.T, depth int) *record {
	r := &record{
		A: rapid.Int64().Draw(t, "a"), B: rapid.Uint64().Draw(t, "b"), C: rapid.Bool().Draw(t, "c"),
		D: rapid.String().Draw(t, "d"), E: rapid.SliceOf(rapid.Byte()).Draw(t, "e"),
		F: rapid.SliceOf(rapid.Uint64()).Draw(t, "f"), H: rapid.SliceOf(rapid.String()).Draw(t, "h"),
	}
	if depth < 3 && rapid.Bool().Draw(t, "nested") {
		r.G = draw(t, depth+1)
	}
	return r
}

// TestAsTheLibrary compares with fxamacker/cbor's deterministic encoding.
func TestAsTheLibrary(t *testing.T) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, 0)
		want, err := enc.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var w Writer
		r.write(&w)
		if !bytes.Equal(w.Buf, want) {
			t.Fatalf("%+v\ngives %x\nwant  %x", r, w.Buf, want)
		}
	})
}

// TestManyMembers has more than one byte's worth of head.
func TestManyMembers(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 200} {
		var w Writer
		w.PutArray(2)
		m := w.Open()
		for k := range n {
			w.Int(uint8(k), int64(k)-7)
		}
		w.Close(m)
		w.PutInt(-5)
		var got []any
		if err := cbor.Unmarshal(w.Buf, &got); err != nil {
			t.Fatal(err)
		}
		members := n
		if n > 7 {
			members-- // the one that is 0
		}
		if v := got[0].(map[any]any); len(v) != members || got[1] != int64(-5) {
			t.Errorf("%d members: read %d, then %v", n, len(v), got[1])
		}
	}
}

func TestSome(t *testing.T) {
	for v, want := range map[int64]int64{math.MinInt64: 0, 0: 1, 1: 2, -1: -1, math.MaxInt64: math.MinInt64, math.MinInt64 + 1: math.MinInt64 + 1} {
		if got := Some(v); got != want {
			t.Errorf("Some(%d) = %d, want %d", v, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		if got := Maybe(Some(v)); got != v {
			t.Fatalf("Maybe(Some(%d)) = %d", v, got)
		}
	})
}
