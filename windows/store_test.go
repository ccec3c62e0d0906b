package windows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// storeModel drives a Store beside a map. Its hash is a parameter, so that
// collisions can be forced.
type storeModel struct {
	store *Store[int]
	want  map[string]int
	at    map[string]*int
	slot  map[string]uint32
	hash  func([]byte) uint64
	next  int
}

func (m *storeModel) key(t *rapid.T) []byte {
	n := rapid.IntRange(0, 40).Draw(t, "key")
	if n%7 == 6 { // longer than what is kept inline
		return bytes.Repeat([]byte{byte(n)}, inlineKey+n)
	}
	return fmt.Appendf(nil, "k%d", n)
}

func (m *storeModel) put(t *rapid.T) {
	key := m.key(t)
	slot, fresh := m.store.Put(m.hash(key), key)
	if _, there := m.want[string(key)]; there == fresh {
		t.Fatalf("put %q: fresh is %v", key, fresh)
	}
	if fresh {
		m.next++
		*m.store.At(slot) = m.next
		m.want[string(key)], m.at[string(key)], m.slot[string(key)] = m.next, m.store.At(slot), slot
		clear(key) // the store has its own copy
	} else if slot != m.slot[string(key)] {
		t.Fatalf("put %q: slot %d, was %d", key, slot, m.slot[string(key)])
	}
}

func (m *storeModel) del(t *rapid.T) {
	key := m.key(t)
	version := m.store.Version()
	got := m.store.Delete(m.hash(key), key)
	if _, there := m.want[string(key)]; there != got {
		t.Fatalf("delete %q: %v", key, got)
	}
	if got == (version == m.store.Version()) {
		t.Fatalf("delete %q: %v, version %d then %d", key, got, version, m.store.Version())
	}
	delete(m.want, string(key))
	delete(m.at, string(key))
	delete(m.slot, string(key))
}

func (m *storeModel) get(t *rapid.T) {
	key := m.key(t)
	v, ok := m.store.Get(m.hash(key), key)
	want, there := m.want[string(key)]
	if ok != there || ok && (*v != want || v != m.at[string(key)]) {
		t.Fatalf("get %q: %v, want %d %v", key, ok, want, there)
	}
}

func (m *storeModel) batch(t *rapid.T) {
	n := rapid.IntRange(0, 70).Draw(t, "n")
	hashes, keys, out := make([]uint64, n), make([][]byte, n), make([]*int, n)
	for i := range n {
		keys[i] = m.key(t)
		hashes[i] = m.hash(keys[i])
		out[i] = new(int) // must be overwritten
	}
	m.store.GetBatch(hashes, keys, out)
	slots := make([]uint32, n)
	m.store.SlotBatch(hashes, keys, slots)
	for i, key := range keys {
		want, there := m.slot[string(key)]
		if !there {
			want = NoSlot
		}
		if slots[i] != want {
			t.Fatalf("batch %d, key %q: slot %d, want %d", i, key, slots[i], want)
		}
		if slot, ok := m.store.Slot(hashes[i], key); slot != want || ok != there {
			t.Fatalf("key %q: slot %d %v, want %d", key, slot, ok, want)
		}
		if out[i] != m.at[string(key)] {
			t.Fatalf("batch %d, key %q: %v, want %v", i, key, out[i], m.at[string(key)])
		}
	}
}

func (m *storeModel) check(t *rapid.T) {
	if m.store.Len() != len(m.want) {
		t.Fatalf("%d keys, want %d", m.store.Len(), len(m.want))
	}
	var got []string
	for key, v := range m.store.All() {
		got = append(got, string(key))
		if *v != m.want[string(key)] {
			t.Fatalf("key %q holds %d, want %d", key, *v, m.want[string(key)])
		}
	}
	if want := slices.Sorted(maps.Keys(m.want)); !slices.Equal(got, want) {
		t.Fatalf("keys %q, want %q", got, want)
	}
}

func TestStoreAgainstMap(t *testing.T) {
	hashes := map[string]func([]byte) uint64{
		"good":   func(k []byte) uint64 { return HashKey(nil, k) },
		"equal":  func([]byte) uint64 { return 42 },
		"few":    func(k []byte) uint64 { return HashKey(nil, k) % 3 },
		"packed": func(k []byte) uint64 { return uint64(len(k)) },
	}
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := &storeModel{
					store: NewStore[int](0), hash: hash, want: map[string]int{},
					at: map[string]*int{}, slot: map[string]uint32{},
				}
				t.Repeat(map[string]func(*rapid.T){
					"put": m.put, "put2": m.put, "delete": m.del, "get": m.get, "batch": m.batch, "": m.check,
				})
			})
		})
	}
}

// TestStoreBoundsHostileHashes puts many keys that were made to collide, which
// an unbounded search would pay for with the square of their number.
func TestStoreBoundsHostileHashes(t *testing.T) {
	const n = 20_000
	s := NewStore[int](0)
	hash := func(i int) uint64 { return uint64(i % 2) } // two tags for all
	key := func(i int) []byte { return fmt.Appendf(nil, "%d", i) }
	for i := range n {
		slot, fresh := s.Put(hash(i), key(i))
		if !fresh {
			t.Fatalf("key %d was there", i)
		}
		*s.At(slot) = i
	}
	if s.used != 2*maxTwins {
		t.Errorf("%d places of the table taken by two tags, want %d", s.used, 2*maxTwins)
	}
	for i := 0; i < n; i += 2 {
		if !s.Delete(hash(i), key(i)) {
			t.Fatalf("key %d is not there", i)
		}
	}
	for i := range n {
		v, ok := s.Get(hash(i), key(i))
		if ok != (i%2 == 1) || ok && *v != i {
			t.Fatalf("key %d: %v", i, ok)
		}
	}
}

// TestStoreBoundsProbes packs different tags with one home.
func TestStoreBoundsProbes(t *testing.T) {
	s := NewStore[int](2 * maxProbe * 5 / 8)
	var put []uint64
	for h := uint64(1); len(put) < maxProbe+10; h++ {
		if tagOf(h)>>s.shift == 7 {
			put = append(put, h)
			slot, _ := s.Put(h, fmt.Appendf(nil, "%d", h))
			*s.At(slot) = int(h)
		}
	}
	if len(s.crowd) != 10 {
		t.Errorf("%d keys beyond %d probes, want 10", len(s.crowd), maxProbe)
	}
	for i, h := range put {
		key := fmt.Appendf(nil, "%d", h)
		if v, ok := s.Get(h, key); !ok || *v != int(h) {
			t.Fatalf("key %d of one home is not found", i)
		}
		if i%3 == 0 && !s.Delete(h, key) {
			t.Fatalf("key %d of one home is not deleted", i)
		}
	}
	for i, h := range put {
		if _, ok := s.Get(h, fmt.Appendf(nil, "%d", h)); ok != (i%3 != 0) {
			t.Fatalf("after deletes, key %d of one home: %v", i, ok)
		}
	}
}

func TestStoreMillionKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const n = 1_000_000
	s := NewStore[int](0)
	var key [8]byte
	set := func(i int) ([]byte, uint64) {
		binary.BigEndian.PutUint64(key[:], uint64(i))
		return key[:], HashKey(nil, key[:])
	}
	for i := range n {
		k, h := set(i)
		slot, fresh := s.Put(h, k)
		if !fresh {
			t.Fatalf("key %d was there", i)
		}
		*s.At(slot) = i
	}
	if len(s.crowd) != 0 {
		t.Errorf("%d of a million honest keys are in the crowd", len(s.crowd))
	}
	for i := 0; i < n; i += 3 {
		k, h := set(i)
		if !s.Delete(h, k) {
			t.Fatalf("key %d is not there", i)
		}
	}
	made := s.made
	for i := range n {
		k, h := set(i)
		v, ok := s.Get(h, k)
		if ok != (i%3 != 0) || ok && *v != i {
			t.Fatalf("key %d: %v", i, ok)
		}
	}
	for i := 0; i < n; i += 3 {
		k, h := set(i)
		s.Put(h, k)
	}
	if s.made != made {
		t.Errorf("%d slots made for keys that fit the freed ones", s.made-made)
	}
	if len(s.table) != 1<<21 {
		t.Errorf("table of %d places", len(s.table))
	}
}

func TestStoreRecyclesBuffers(t *testing.T) {
	s := NewStore[[]byte](0)
	short, long := []byte("short"), bytes.Repeat([]byte("long"), 40)
	turn := func(key []byte) {
		slot, _ := s.Put(7, key)
		v := s.At(slot)
		*v = append((*v)[:0], "what the value holds"...)
		s.Delete(7, key)
	}
	turn(long)
	if n := testing.AllocsPerRun(20, func() { turn(long); turn(short) }); n != 0 {
		t.Errorf("%v allocations to reuse a slot", n)
	}
}

// TestStoreKeepsShardsSpread puts keys whose hashes share their upper or lower
// bits, as all keys of one shard do.
func TestStoreKeepsShardsSpread(t *testing.T) {
	for name, mine := range map[string]func(uint64) bool{
		"upper": func(h uint64) bool { return h>>60 == 5 },
		"lower": func(h uint64) bool { return h&15 == 5 },
	} {
		s := NewStore[int](0)
		for i := 0; s.Len() < 5_000; i++ {
			key := fmt.Appendf(nil, "%d", i)
			if h := HashKey(nil, key); mine(h) {
				s.Put(h, key)
			}
		}
		far := uint32(0)
		for i, w := range s.table {
			if w != 0 {
				far = max(far, (uint32(i)-uint32(w>>32)>>s.shift)&uint32(len(s.table)-1))
			}
		}
		if far > 64 {
			t.Errorf("%s bits shared: an entry is %d places from its home", name, far)
		}
	}
}

func TestKeys(t *testing.T) {
	pairs := [][2]string{{"", ""}, {"", "a"}, {"a", ""}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"b", "a"}, {"\x00", "a"}, {"", "\x00a"}}
	keys, hashes := map[string][2]string{}, map[uint64][2]string{}
	for _, p := range pairs {
		key := AppendKey(nil, []byte(p[0]), []byte(p[1]))
		if q, ok := keys[string(key)]; ok {
			t.Errorf("%q and %q have the same key", p, q)
		}
		keys[string(key)] = p
		h := HashKey([]byte(p[0]), []byte(p[1]))
		if q, ok := hashes[h]; ok {
			t.Errorf("%q and %q have the same hash", p, q)
		}
		hashes[h] = p
		tenant, id, ok := SplitKey(key)
		if !ok || string(tenant) != p[0] || string(id) != p[1] {
			t.Errorf("%q splits into %q and %q, %v", p, tenant, id, ok)
		}
	}
	for _, bad := range []string{"", "\x05abc", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, _, ok := SplitKey([]byte(bad)); ok {
			t.Errorf("%q splits", bad)
		}
	}
}
