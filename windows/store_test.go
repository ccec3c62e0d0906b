package windows

import (
	"bytes"
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
	for i, key := range keys {
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
