// Package state writes the state of trajectories as deterministic CBOR (RFC
// 8949, 4.2.1): maps with integer keys, of which those whose value is zero are
// left out. It appends to one buffer and allocates nothing, since a checkpoint
// writes many thousand trajectories between two batches; fxamacker/cbor reads
// what it wrote.
package state

import (
	"encoding/binary"
	"math"
)

// Writer appends CBOR to Buf. Members of a map are written in the order of
// their keys, which lie between 0 and 255.
type Writer struct {
	Buf []byte
	n   int // members of the map that is open
}

// Map is a map that is open.
type Map struct {
	at    int // of its head in Buf
	outer int // members of the map around it
}

// Open begins a map; Close ends it, before the one around it is gone on with.
func (w *Writer) Open() Map {
	m := Map{len(w.Buf), w.n}
	w.Buf, w.n = append(w.Buf, mapType), 0
	return m
}

// Close writes how many members the map has.
func (w *Writer) Close(m Map) {
	if w.n < 24 {
		w.Buf[m.at] = mapType | byte(w.n)
	} else {
		w.Buf = append(w.Buf, 0)
		copy(w.Buf[m.at+2:], w.Buf[m.at+1:])
		w.Buf[m.at], w.Buf[m.at+1] = mapType|oneByte, byte(w.n)
	}
	w.n = m.outer
}

// Key begins a member; the caller writes its value.
func (w *Writer) Key(k uint8) {
	w.n++
	w.head(uintType, uint64(k))
}

// Int writes a member, unless it is 0.
func (w *Writer) Int(k uint8, v int64) {
	if v != 0 {
		w.Key(k)
		w.PutInt(v)
	}
}

// Uint writes a member, unless it is 0.
func (w *Writer) Uint(k uint8, v uint64) {
	if v != 0 {
		w.Key(k)
		w.head(uintType, v)
	}
}

// Bool writes a member, unless it is false.
func (w *Writer) Bool(k uint8, v bool) {
	if v {
		w.Key(k)
		w.Buf = append(w.Buf, trueValue)
	}
}

// Text writes a member, unless it is empty. It must be valid UTF-8.
func (w *Writer) Text(k uint8, v string) {
	if v != "" {
		w.Key(k)
		w.PutText(v)
	}
}

// Bytes writes a member, unless it is empty.
func (w *Writer) Bytes(k uint8, v []byte) {
	if len(v) > 0 {
		w.Key(k)
		w.PutBytes(v)
	}
}

// Array begins a member that is an array of n values, unless n is 0, and
// reports whether it did; the caller writes the values.
func (w *Writer) Array(k uint8, n int) bool {
	if n == 0 {
		return false
	}
	w.Key(k)
	w.PutArray(n)
	return true
}

// PutInt writes a value.
func (w *Writer) PutInt(v int64) {
	if v < 0 {
		w.head(negativeType, uint64(-1-v))
		return
	}
	w.head(uintType, uint64(v))
}

// PutUint writes a value.
func (w *Writer) PutUint(v uint64) { w.head(uintType, v) }

// PutText writes a value, which must be valid UTF-8.
func (w *Writer) PutText(v string) {
	w.head(textType, uint64(len(v)))
	w.Buf = append(w.Buf, v...)
}

// PutBytes writes a value.
func (w *Writer) PutBytes(v []byte) {
	w.head(bytesType, uint64(len(v)))
	w.Buf = append(w.Buf, v...)
}

// PutArray begins an array of n values.
func (w *Writer) PutArray(n int) { w.head(arrayType, uint64(n)) }

// The major types of RFC 8949, 3.1, and what of a head's low bits says how many
// bytes of argument follow.
const (
	uintType     = 0 << 5
	negativeType = 1 << 5
	bytesType    = 2 << 5
	textType     = 3 << 5
	arrayType    = 4 << 5
	mapType      = 5 << 5
	trueValue    = 7<<5 | 21

	oneByte    = 24
	twoBytes   = 25
	fourBytes  = 26
	eightBytes = 27
)

func (w *Writer) head(major byte, v uint64) {
	switch {
	case v < oneByte:
		w.Buf = append(w.Buf, major|byte(v))
	case v <= math.MaxUint8:
		w.Buf = append(w.Buf, major|oneByte, byte(v))
	case v <= math.MaxUint16:
		w.Buf = append(w.Buf, major|twoBytes, byte(v>>8), byte(v))
	case v <= math.MaxUint32:
		w.Buf = binary.BigEndian.AppendUint32(append(w.Buf, major|fourBytes), uint32(v))
	default:
		w.Buf = binary.BigEndian.AppendUint64(append(w.Buf, major|eightBytes), v)
	}
}

// Some turns an integer that may be absent (math.MinInt64) into one whose zero
// value says so, and small ones into small ones; Maybe turns it back.
func Some(v int64) int64 {
	switch {
	case v == math.MinInt64:
		return 0
	case v == math.MaxInt64:
		return math.MinInt64
	case v >= 0:
		return v + 1
	}
	return v
}

// Maybe is the inverse of Some.
func Maybe(v int64) int64 {
	switch {
	case v == 0:
		return math.MinInt64
	case v == math.MinInt64:
		return math.MaxInt64
	case v > 0:
		return v - 1
	}
	return v
}
