package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// formatVersion is raised when older programs would misread what is written.
// Fields are added without.
const formatVersion = 1

// manifest describes one checkpoint: the state after the record at Offset.
type manifest struct {
	Version   int     `cbor:"1,keyasint"`
	ID        string  `cbor:"2,keyasint"`
	Source    []byte  `cbor:"3,keyasint"` // a text need not be Unicode
	Partition int32   `cbor:"4,keyasint"`
	Applied   bool    `cbor:"5,keyasint"` // false: before the first record
	Offset    int64   `cbor:"6,keyasint"`
	Next      int32   `cbor:"7,keyasint"` // index of the next output of that record
	Clock     int64   `cbor:"8,keyasint"`
	Ruleset   []byte  `cbor:"9,keyasint"`  // in force from here
	Quiet     int64   `cbor:"10,keyasint"` // records up to this offset put nothing out, -1 for none
	Shards    int     `cbor:"11,keyasint"`
	Chunks    []chunk `cbor:"12,keyasint"`           // parts 1, 2, ...
	Log       []byte  `cbor:"13,keyasint,omitempty"` // identity of the log, if it has one
}

// chunk is a part as the manifest knows it. A part of the state that is larger
// than a chunk goes on in the next one, unless Last.
type chunk struct {
	_      struct{} `cbor:",toarray"`
	Length int
	CRC    uint32
	Last   bool
}

// head says what is current.
type head struct {
	Version  int    `cbor:"1,keyasint"`
	Current  string `cbor:"2,keyasint,omitempty"` // id of a checkpoint
	Previous string `cbor:"3,keyasint,omitempty"` // the one before, kept in case Current is damaged
	// Advances of the log clock without a record, since Previous.
	Advances []advance `cbor:"4,keyasint,omitempty"`
	// Where Previous, or when there is none Current, stands.
	From advance `cbor:"5,keyasint"`
	At   advance `cbor:"6,keyasint"` // where Current stands
}

// HeadInfo is what a Checkpoints may want to know of a head.
type HeadInfo struct {
	Current, Previous string // ids of checkpoints, empty for none
	Offset            int64  // of the last record that Current holds, -1 for none
}

// ReadHead reads a head. Its errors are ErrDamaged.
func ReadHead(b []byte) (HeadInfo, error) {
	var h head
	if err := unseal(b, &h); err != nil {
		return HeadInfo{}, err
	}
	info := HeadInfo{Current: h.Current, Previous: h.Previous, Offset: -1}
	if h.Current != "" {
		info.Offset = h.At.Offset
	}
	return info, nil
}

// advance says that, after the record at Offset, the log clock went to Clock.
type advance struct {
	_      struct{} `cbor:",toarray"`
	Offset int64
	Clock  int64
}

// after says whether the state at p has not seen the advance yet.
func (a advance) after(p advance) bool {
	return a.Offset > p.Offset || a.Offset == p.Offset && a.Clock > p.Clock
}

// advanced gives the head with one more advance. Of those at one offset the
// last makes up for all: deadlines fire in order, whether at once or not.
func (h head) advanced(a advance) head {
	h.Advances = slices.Clone(h.Advances)
	if n := len(h.Advances); n > 0 && h.Advances[n-1].Offset == a.Offset {
		h.Advances[n-1] = a
	} else {
		h.Advances = append(h.Advances, a)
	}
	return h
}

// pending counts the advances that Current does not hold.
func (h head) pending() (n int64) {
	for _, a := range h.Advances {
		if a.after(h.At) {
			n++
		}
	}
	return n
}

// swung gives the head with another current checkpoint.
func (h head) swung(id string, at advance) head {
	h.From, h.At = h.At, at
	h.Previous, h.Current = h.Current, id
	if h.Previous == "" {
		h.From = at
	}
	h.Advances = slices.DeleteFunc(slices.Clone(h.Advances), func(a advance) bool { return !a.after(h.From) })
	return h
}

func (m *manifest) at() advance {
	if !m.Applied {
		return advance{Offset: -1, Clock: NoTime}
	}
	return advance{Offset: m.Offset, Clock: m.Clock}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// seal encodes a manifest or a head, the same to the same bytes, and a checksum.
func seal(v any) ([]byte, error) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	b, err := enc.Marshal(v)
	if err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint32(b, checksum(b)), nil
}

// unseal decodes what seal gave. Its errors are ErrDamaged.
func unseal(b []byte, v any) error {
	body := len(b) - crc32.Size
	if body < 1 {
		return fmt.Errorf("%d bytes are too few: %w", len(b), ErrDamaged)
	}
	if got, want := checksum(b[:body]), binary.LittleEndian.Uint32(b[body:]); got != want {
		return fmt.Errorf("checksum is %08x, want %08x: %w", got, want, ErrDamaged)
	}
	dec, err := cbor.DecOptions{MaxArrayElements: 1 << 24}.DecMode()
	if err != nil {
		return err
	}
	var v1 struct {
		Version int `cbor:"1,keyasint"`
	}
	if err := dec.Unmarshal(b[:body], &v1); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	if v1.Version != formatVersion {
		return fmt.Errorf("format version is %d, this program reads %d: %w", v1.Version, formatVersion, ErrDamaged)
	}
	if err := dec.Unmarshal(b[:body], v); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	return nil
}

// check says why a manifest is not of the checkpoint that is asked for.
func (m *manifest) check(id, source string, part int32) error {
	switch {
	case m.ID != id:
		return fmt.Errorf("manifest is of the checkpoint %q: %w", m.ID, ErrDamaged)
	case string(m.Source) != source || m.Partition != part:
		return fmt.Errorf("manifest is of %s/%d, this is %s/%d: %w", m.Source, m.Partition, source, part, ErrDamaged)
	case len(m.Chunks) > 0 && !m.Chunks[len(m.Chunks)-1].Last:
		return fmt.Errorf("manifest ends within a part: %w", ErrDamaged)
	}
	return nil
}

func (m *manifest) bytes() int64 {
	var n int64
	for _, c := range m.Chunks {
		n += int64(c.Length)
	}
	return n
}
