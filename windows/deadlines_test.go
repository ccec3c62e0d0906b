package windows

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// dueModel is the naive form of Deadlines: a map that is searched each time.
type dueModel map[uint32]int64

func (m dueModel) next(key func(uint32) []byte, now int64) (slot uint32, at int64, ok bool) {
	for s, d := range m {
		if d > now {
			continue
		}
		if !ok || cmp.Or(cmp.Compare(d, at), bytes.Compare(key(s), key(slot))) < 0 {
			slot, at, ok = s, d, true
		}
	}
	if ok {
		delete(m, slot)
	}
	return slot, at, ok
}

func TestDeadlinesAgainstMap(t *testing.T) {
	key := func(slot uint32) []byte { return fmt.Appendf(nil, "%03d", (slot*37)%101) }
	rapid.Check(t, func(t *rapid.T) {
		d, m := NewDeadlines(key), dueModel{}
		now := int64(0)
		slot := rapid.Uint32Range(0, 100)
		near := rapid.Int64Range(-3, 12)
		arm := func(t *rapid.T) {
			s, at := slot.Draw(t, "slot"), now+near.Draw(t, "in")
			d.Arm(s, at)
			m[s] = at
		}
		next := func(t *rapid.T) bool {
			s, at, ok := d.Next(now)
			ws, wat, wok := m.next(key, now)
			if s != ws || at != wat || ok != wok {
				t.Fatalf("next(%d) = %d at %d %v, want %d at %d %v", now, s, at, ok, ws, wat, wok)
			}
			return ok
		}
		t.Repeat(map[string]func(*rapid.T){
			"arm": arm, "arm2": arm, "arm3": arm,
			"disarm": func(t *rapid.T) {
				s := slot.Draw(t, "slot")
				d.Disarm(s)
				delete(m, s)
			},
			"advance": func(t *rapid.T) { now += rapid.Int64Range(0, 5).Draw(t, "by") },
			"next":    func(t *rapid.T) { next(t) },
			"drain": func(t *rapid.T) {
				for next(t) {
					if rapid.IntRange(0, 3).Draw(t, "arm between") == 0 {
						s, at := slot.Draw(t, "slot"), now+rapid.Int64Range(-2, 4).Draw(t, "in")
						if at < now && rapid.Bool().Draw(t, "later") {
							at = now + 1
						}
						d.Arm(s, at)
						m[s] = at
					}
				}
			},
			"": func(t *rapid.T) {
				if d.Len() != len(m) {
					t.Fatalf("%d armed, want %d", d.Len(), len(m))
				}
				if d.queue.len() > 2*d.armed+64 {
					t.Fatalf("%d entries for %d armed", d.queue.len(), d.armed)
				}
				wake, ok := d.Wake()
				if ok != (len(m) > 0) {
					t.Fatalf("wake %v with %d armed", ok, len(m))
				}
				for s := range uint32(101) {
					at, armed := m[s]
					if !armed {
						at = None
					}
					if d.At(s) != at {
						t.Fatalf("slot %d: deadline %d, want %d", s, d.At(s), at)
					}
					if armed && wake > at {
						t.Fatalf("slot %d is due at %d, before wake %d", s, at, wake)
					}
				}
			},
		})
	})
}

// TestDeadlinesStaySmall arms and disarms many slots over and over.
func TestDeadlinesStaySmall(t *testing.T) {
	d := NewDeadlines(func(uint32) []byte { return nil })
	const n = 1000
	for round := range int64(50) {
		for s := range uint32(n) {
			d.Arm(s, 1_000_000-round) // ever earlier: each a new entry
		}
		if d.queue.len() > 2*n+64 {
			t.Fatalf("%d entries for %d slots", d.queue.len(), n)
		}
	}
	for s := range uint32(n) {
		d.Disarm(s)
	}
	if d.queue.len() > 64 {
		t.Errorf("%d entries for none armed", d.queue.len())
	}
	if _, _, ok := d.Next(2_000_000); ok {
		t.Error("a disarmed slot is due")
	}
}

// TestDeadlinesLaterIsFree moves deadlines later, which must not touch the queue.
func TestDeadlinesLaterIsFree(t *testing.T) {
	d := NewDeadlines(func(s uint32) []byte { return []byte{byte(s)} })
	for s := range uint32(100) {
		d.Arm(s, 10)
	}
	before := slices.Collect(d.queue.all())
	for i := range int64(100_000) {
		d.Arm(uint32(i%100), 10+i)
	}
	if !slices.Equal(before, slices.Collect(d.queue.all())) {
		t.Error("the queue changed")
	}
	for i := range int64(100) {
		slot, at, ok := d.Next(200_000)
		if want := 10 + 99_900 + i; !ok || at != want || slot != uint32(i) {
			t.Fatalf("slot %d at %d, %v; want %d at %d", slot, at, ok, i, want)
		}
	}
}

// TestDeadlinesWithinTies fires many slots that are due at the same times, and
// moves some of them, earlier, later and to the same time, before it is their
// turn.
func TestDeadlinesWithinTies(t *testing.T) {
	key := func(slot uint32) []byte { return []byte{byte(slot * 37 % 29)} }
	rng := rand.New(rand.NewPCG(3, 5))
	for round := range 3000 {
		d, m := NewDeadlines(key), dueModel{}
		arm := func(lo, hi int) {
			slot, at := rng.Uint32N(29), int64(lo+rng.IntN(hi-lo+1))
			d.Arm(slot, at)
			m[slot] = at
		}
		for range 20 {
			arm(0, 3)
		}
		for n := 0; ; n++ {
			if round%2 == 0 {
				m.wantEarliest(t, d)
			}
			slot, at, ok := d.Next(3)
			wantSlot, wantAt, want := m.next(key, 3)
			if slot != wantSlot || at != wantAt || ok != want {
				t.Fatalf("round %d, %d fired: %d at %d %v, want %d at %d %v", round, n, slot, at, ok, wantSlot, wantAt, want)
			}
			if !ok {
				break
			}
			switch n := rng.IntN(100 + n); {
			case n < 20:
				arm(0, 6)
			case n < 30:
				slot := rng.Uint32N(29)
				d.Disarm(slot)
				delete(m, slot)
			case n < 40: // the deadline that is being fired, for one that has had its turn or not
				slot := rng.Uint32N(29)
				d.Arm(slot, at)
				m[slot] = at
			}
		}
		for slot, at := range m {
			if d.At(slot) != at {
				t.Fatalf("round %d: slot %d has %d left, want %d", round, slot, d.At(slot), at)
			}
		}
	}
}

func (m dueModel) wantEarliest(t *testing.T, d *Deadlines) {
	t.Helper()
	want, has := int64(0), false
	for _, at := range m {
		if !has || at < want {
			want, has = at, true
		}
	}
	if got, ok := d.Earliest(); got != want || ok != has {
		t.Fatalf("the earliest is %d, %v, want %d, %v", got, ok, want, has)
	}
}

// TestDeadlinesPruneInOrder drops most entries and then fires the rest.
func TestDeadlinesPruneInOrder(t *testing.T) {
	d, m := NewDeadlines(func(s uint32) []byte { return binary.BigEndian.AppendUint32(nil, s) }), dueModel{}
	rng := rand.New(rand.NewPCG(7, 7))
	const n = 500
	for at := int64(100_000); at > 90_000; at -= rng.Int64N(20) {
		slot := rng.Uint32N(n)
		d.Arm(slot, at)
		m[slot] = at
		if slot%3 == 0 { // later again, which leaves its entry early
			d.Arm(slot, at+rng.Int64N(5000))
			m[slot] = d.At(slot)
		}
	}
	for range 5 * n {
		slot := rng.Uint32N(n)
		d.Disarm(slot)
		delete(m, slot)
		if slot%2 == 0 {
			d.Arm(slot, 80_000-rng.Int64N(5000))
			m[slot] = d.At(slot)
		}
	}
	for {
		m.wantEarliest(t, d)
		slot, at, ok := d.Next(200_000)
		wantSlot, wantAt, want := m.next(d.key, 200_000)
		if slot != wantSlot || at != wantAt || ok != want {
			t.Fatalf("%d at %d %v, want %d at %d %v", slot, at, ok, wantSlot, wantAt, want)
		}
		if !ok {
			break
		}
	}
}
