package stream

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
)

// toy is a small program with all that the engine must cope with: packed
// records, refused events, log times from the log and from the record, and
// deadlines that lead to further ones.
//
// A record is "@clock|" (optional) and events divided by ";". An event is a
// key; one that begins with "!" is refused. Every third event of a key puts out
// "KEY n"; a key without an event for toyIdle puts out "KEY idle n", and when
// it had two events or more, toyGone later, "KEY gone", and is forgotten.
//
// What it puts out ends with mark.
type toy struct{ mark string }

const (
	toyIdle = 10
	toyGone = 5
)

type toyEvent struct{ key []byte }

// toyDecoder lends its events keys that it spoils at Reset.
type toyDecoder struct {
	lent  [][]byte
	fresh bool // Reset was called since the last batch
}

func (toy) NewDecoder() Decoder[toyEvent] { return &toyDecoder{} }
func (p toy) NewShard() Shard[toyEvent]   { return &toyShard{mark: p.mark, keys: map[string]*toyState{}} }

func (d *toyDecoder) Reset() {
	for _, key := range d.lent {
		for i := range key {
			key[i] = '#'
		}
	}
	d.lent, d.fresh = d.lent[:0], true
}

func (d *toyDecoder) Decode(b *Batch[toyEvent], r int32, out *Emitter) {
	if b.Clock[r] != NoTime {
		panic("clock is set before the decoder has seen the record")
	}
	if r == 0 && !d.fresh {
		panic("a batch begins without Reset")
	}
	d.fresh = false
	if size := b.Records[r].Oversize; size > 0 {
		out.Event(r, int32(len(b.Events)), Output{Topic: DeadLetter, Value: fmt.Appendf(nil, "size %d", size)})
		return
	}
	v := b.Records[r].Value
	if at, rest, ok := bytes.Cut(v, []byte("|")); ok {
		b.Clock[r], _ = strconv.ParseInt(string(at[1:]), 10, 64)
		v = rest
	}
	for ev := range bytes.SplitSeq(v, []byte(";")) {
		if len(ev) == 0 {
			continue
		}
		e := b.Add(r)
		e.key = bytes.Clone(ev)
		d.lent = append(d.lent, e.key)
		if ev[0] == '!' {
			b.Cancel()
			out.Event(r, int32(len(b.Events)), Output{Topic: DeadLetter, Value: fmt.Appendf(nil, "refused %s", ev)})
			continue
		}
		b.Hash[len(b.Hash)-1] = toyHash(string(ev))
	}
}

func toyHash(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64() * 0x9e3779b97f4a7c15
}

type toyState struct {
	N    int
	Due  int64 // NoTime: none
	Idle bool  // Due is for gone
}

type toyShard struct {
	mark string
	keys map[string]*toyState

	// The snapshot: the keys that it does not hold yet, and those that were
	// encoded because they were about to change.
	unread map[string]bool
	early  [][]byte
	frozen bool
}

func (s *toyShard) Step(b *Batch[toyEvent], mine []int32, out *Emitter) {
	for _, i := range mine {
		r := b.At[i]
		s.fire(b.Clock[r], func(due int64, key, text string) {
			out.Deadline(r, due, key, Output{Key: key, Value: []byte(text + s.mark)})
		})
		key := string(b.Events[i].key)
		s.save(key)
		st := s.keys[key]
		if st == nil {
			st = &toyState{}
			s.keys[key] = st
		}
		if st.touch(b.Clock[r]) {
			out.Event(r, i, Output{Key: key, Value: fmt.Appendf(nil, "%s %d%s", key, st.N, s.mark)})
		}
	}
	r := int32(len(b.Records) - 1)
	s.fire(b.Clock[r], func(due int64, key, text string) {
		out.Deadline(r, due, key, Output{Key: key, Value: []byte(text + s.mark)})
	})
}

// touch applies an event and says whether it puts something out.
func (st *toyState) touch(clock int64) bool {
	st.N++
	st.Due, st.Idle = NoTime, false
	if clock != NoTime {
		st.Due = clock + toyIdle
	}
	return st.N%3 == 0
}

// expire applies a deadline; false means that the key is to be forgotten.
func (st *toyState) expire(key string) (text string, keep bool) {
	if st.Idle {
		return key + " gone", false
	}
	text = fmt.Sprintf("%s idle %d", key, st.N)
	if st.N < 2 {
		return text, false
	}
	st.Idle, st.Due = true, st.Due+toyGone
	return text, true
}

func (s *toyShard) fire(clock int64, emit func(due int64, key, text string)) {
	if clock == NoTime {
		return
	}
	for {
		// The slowest way that is right: find the first due, fire it, look again.
		var first string
		var st *toyState
		for key, k := range s.keys {
			if k.Due != NoTime && k.Due <= clock && (st == nil || k.Due < st.Due || k.Due == st.Due && key < first) {
				first, st = key, k
			}
		}
		if st == nil {
			return
		}
		s.save(first)
		due := st.Due
		text, keep := st.expire(first)
		if !keep {
			delete(s.keys, first)
		}
		emit(due, first, text)
	}
}

func (s *toyShard) End(r int32, out *Emitter) {
	for key, st := range s.keys {
		for keep := true; keep; {
			due := st.Due
			var text string
			text, keep = st.expire(key)
			out.Deadline(r, due, key, Output{Key: key, Value: []byte(text + s.mark)})
		}
		delete(s.keys, key)
	}
}

func (s *toyShard) NextDeadline() (next int64, ok bool) {
	for _, st := range s.keys {
		if st.Due != NoTime && (!ok || st.Due < next) {
			next, ok = st.Due, true
		}
	}
	return next, ok
}

func (s *toyShard) Freeze() {
	if s.frozen {
		panic("frozen twice")
	}
	s.unread, s.frozen = map[string]bool{}, true
	for key := range s.keys {
		s.unread[key] = true
	}
}

// save encodes a key that is about to change, if the snapshot lacks it.
func (s *toyShard) save(key string) {
	if s.unread[key] {
		s.early = append(s.early, s.encode(key))
	}
}

// toyEntry is a key in a snapshot.
type toyEntry struct {
	Key string
	toyState
}

func (s *toyShard) encode(key string) []byte {
	delete(s.unread, key)
	b, err := json.Marshal(toyEntry{key, *s.keys[key]})
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

func (s *toyShard) AppendFrozen(dst []byte, most int) ([]byte, bool, error) {
	if !s.frozen {
		panic("not frozen")
	}
	from := len(dst)
	for len(dst)-from < most && len(s.early) > 0 {
		dst, s.early = append(dst, s.early[0]...), s.early[1:]
	}
	for key := range s.unread {
		if len(dst)-from >= most {
			break
		}
		dst = append(dst, s.encode(key)...)
	}
	if len(s.early) == 0 && len(s.unread) == 0 {
		s.frozen = false
		return dst, true, nil
	}
	return dst, false, nil
}

func (s *toyShard) Thaw() { s.unread, s.early, s.frozen = nil, nil, false }

func (s *toyShard) LoadState(state []byte, keep func(uint64) bool) error {
	dec := json.NewDecoder(bytes.NewReader(state))
	for {
		var en toyEntry
		err := dec.Decode(&en)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !keep(toyHash(en.Key)) {
			continue
		}
		if s.keys[en.Key] != nil {
			return errors.New("key is there twice")
		}
		s.keys[en.Key] = &en.toyState
	}
}

// model says what the toy program puts out, record by record and event by
// event, in one map, without any of the engine's code. An advance makes time
// pass after a record.
func model(source string, recs []Record, end End, advances ...advance) []Output {
	var outs []Output
	keys := map[string]*toyState{}
	clock := int64(NoTime)
	index := int32(0)
	emit := func(offset int64, topic Topic, key, text string) {
		outs = append(outs, Output{
			Origin: Origin{Source: source, Partition: 3, Offset: offset, Index: index},
			Topic:  topic, Key: key, Value: []byte(text),
		})
		index++
	}
	for i, rec := range recs {
		if i > 0 {
			for _, a := range advances {
				if before := recs[i-1].Offset; a.Offset == before {
					clock = max(clock, a.Clock)
					shard := toyShard{keys: keys}
					shard.fire(clock, func(_ int64, key, text string) { emit(before, "", key, text) })
				}
			}
		}
		index = 0
		if rec.Oversize > 0 {
			if rec.Time > clock {
				clock = rec.Time
			}
		} else {
			t := rec.Time
			if at, _, ok := strings.Cut(string(rec.Value), "|"); ok && t == NoTime {
				t, _ = strconv.ParseInt(at[1:], 10, 64)
			}
			clock = max(clock, t)
		}
		shard := toyShard{keys: keys}
		shard.fire(clock, func(_ int64, key, text string) { emit(rec.Offset, "", key, text) })
		if rec.Oversize > 0 {
			emit(rec.Offset, DeadLetter, "", fmt.Sprintf("size %d", rec.Oversize))
			continue
		}
		v := string(rec.Value)
		if _, rest, ok := strings.Cut(v, "|"); ok {
			v = rest
		}
		for _, ev := range strings.Split(v, ";") {
			switch {
			case ev == "":
			case ev[0] == '!':
				emit(rec.Offset, DeadLetter, "", "refused "+ev)
			default:
				if keys[ev] == nil {
					keys[ev] = &toyState{}
				}
				if keys[ev].touch(clock) {
					emit(rec.Offset, "", ev, fmt.Sprintf("%s %d", ev, keys[ev].N))
				}
			}
		}
	}
	if end == EndIdle && len(recs) > 0 {
		type last struct {
			due       int64
			key, text string
		}
		var all []last
		for key, st := range keys {
			for keep := true; keep; {
				due := st.Due
				var text string
				text, keep = st.expire(key)
				all = append(all, last{due, key, text})
			}
		}
		slices.SortStableFunc(all, func(a, b last) int {
			return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.key, b.key))
		})
		for _, l := range all {
			emit(recs[len(recs)-1].Offset, "", l.key, l.text)
		}
	}
	return outs
}

// sameOutputs says where two runs differ.
func sameOutputs(got, want []Output) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("output %d is missing: want %v %q", i, want[i].Origin, want[i].Value)
		case i >= len(want):
			return fmt.Errorf("output %d is one too many: %v %q", i, got[i].Origin, got[i].Value)
		case got[i].Origin != want[i].Origin || got[i].Topic != want[i].Topic || got[i].Key != want[i].Key || !bytes.Equal(got[i].Value, want[i].Value):
			return fmt.Errorf("output %d is %v %s %q, want %v %s %q", i, got[i].Origin, got[i].Topic, got[i].Value, want[i].Origin, want[i].Topic, want[i].Value)
		}
	}
	return nil
}
