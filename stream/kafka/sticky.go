package kafka

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"
)

// sticky is the balancer of our groups: each member keeps of its partitions what
// is its share, so that a member that comes or goes moves as few as can be. All
// give up all for a moment (kafka-go knows no other way); who gets a partition
// back goes on with the state in memory.
type sticky struct {
	mu    sync.Mutex
	owned owned
}

// owned is what a member tells the leader.
type owned struct {
	Generation int   `json:"g"`
	Partitions []int `json:"p"`
}

func (s *sticky) own(generation int, partitions []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned = owned{generation, slices.Clone(partitions)}
}

// ProtocolName implements kafka.GroupBalancer.
func (s *sticky) ProtocolName() string { return "misstep-sticky" }

// UserData implements kafka.GroupBalancer.
func (s *sticky) UserData() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.owned)
}

// AssignGroups implements kafka.GroupBalancer.
func (s *sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	out := kafka.GroupMemberAssignments{}
	byTopic := map[string][]int{}
	for _, p := range partitions {
		byTopic[p.Topic] = append(byTopic[p.Topic], p.ID)
	}
	for _, m := range members {
		out[m.ID] = map[string][]int{}
	}
	for topic, all := range byTopic {
		var those []kafka.GroupMember
		for _, m := range members {
			if slices.Contains(m.Topics, topic) {
				those = append(those, m)
			}
		}
		for id, got := range share(those, all) {
			out[id][topic] = got
		}
	}
	return out
}

// share spreads partitions over members, evenly to within one.
func share(members []kafka.GroupMember, all []int) map[string][]int {
	got := map[string][]int{}
	if len(members) == 0 {
		return got
	}
	slices.Sort(all)
	type claim struct {
		id string
		owned
	}
	var claims []claim
	for _, m := range members {
		c := claim{id: m.ID}
		if json.Unmarshal(m.UserData, &c.owned) != nil {
			c.owned = owned{} // of another program; it owns nothing
		}
		claims = append(claims, c)
	}
	// Of two that claim a partition the later owner has it. Who has most keeps
	// the larger share, so that fewer move.
	slices.SortFunc(claims, func(a, b claim) int {
		if d := b.Generation - a.Generation; d != 0 {
			return d
		}
		if d := len(b.Partitions) - len(a.Partitions); d != 0 {
			return d
		}
		return strings.Compare(a.id, b.id)
	})
	least, larger := len(all)/len(members), len(all)%len(members)
	taken := map[int]bool{}
	for _, c := range claims {
		slices.Sort(c.Partitions)
		for _, p := range c.Partitions {
			most := least
			if larger > 0 {
				most++
			}
			if len(got[c.id]) == most {
				break
			}
			if slices.Contains(all, p) && !taken[p] {
				taken[p] = true
				got[c.id] = append(got[c.id], p)
			}
		}
		if len(got[c.id]) > least {
			larger--
		}
	}
	for _, p := range all {
		if taken[p] {
			continue
		}
		to := ""
		for _, c := range claims {
			if to == "" || len(got[c.id]) < len(got[to]) {
				to = c.id
			}
		}
		got[to] = append(got[to], p)
	}
	for id := range got {
		slices.Sort(got[id])
	}
	return got
}
