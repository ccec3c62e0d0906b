package kafka

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// TestShare: each partition has one member, shares differ by one at most, and no
// more partitions move than must.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "partitions")
		members := rapid.IntRange(1, 8).Draw(t, "members")
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		var group []kafka.GroupMember
		for i := range members {
			o := owned{Generation: rapid.IntRange(0, 3).Draw(t, "generation")}
			if n > 0 {
				o.Partitions = rapid.SliceOfNDistinct(rapid.IntRange(0, n+2), 0, n, rapid.ID).Draw(t, "had")
			}
			data, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
				data = []byte("of another program")
			}
			group = append(group, kafka.GroupMember{ID: fmt.Sprint("m", i), UserData: data})
		}
		got := share(group, slices.Clone(all))
		var given []int
		for _, m := range group {
			if len(got[m.ID]) < n/members || len(got[m.ID]) > (n+members-1)/members {
				t.Fatalf("%s has %d of %d partitions among %d", m.ID, len(got[m.ID]), n, members)
			}
			given = append(given, got[m.ID]...)
		}
		slices.Sort(given)
		if !slices.Equal(given, all) {
			t.Fatalf("given are %v of %v", given, all)
		}
		// Once more, all stay where they are.
		var again []kafka.GroupMember
		for _, m := range group {
			data, err := json.Marshal(owned{5, got[m.ID]})
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, kafka.GroupMember{ID: m.ID, UserData: data})
		}
		for id, p := range share(again, slices.Clone(all)) {
			if !slices.Equal(p, got[id]) {
				t.Fatalf("%s had %v and gets %v, though nothing changed", id, got[id], p)
			}
		}
		// One that comes takes its share, and nothing moves between the others.
		for id, p := range share(append(again, kafka.GroupMember{ID: "new", UserData: []byte("{}")}), slices.Clone(all)) {
			for _, q := range p {
				if id != "new" && !slices.Contains(got[id], q) {
					t.Fatalf("%d moves to %s, which was there before", q, id)
				}
			}
		}
	})
}

func TestAssign(t *testing.T) {
	s := &sticky{}
	s.own(3, []int{1, 2})
	data, err := s.UserData()
	if err != nil {
		t.Fatal(err)
	}
	got := s.AssignGroups([]kafka.GroupMember{{ID: "a", Topics: []string{"x"}, UserData: data}, {ID: "b", Topics: []string{"x", "y"}}},
		[]kafka.Partition{{Topic: "x", ID: 0}, {Topic: "x", ID: 1}, {Topic: "x", ID: 2}, {Topic: "y", ID: 0}, {Topic: "z", ID: 0}})
	want := kafka.GroupMemberAssignments{"a": {"x": {1, 2}}, "b": {"x": {0}, "y": {0}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
