package kafka

import (
	"fmt"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// api is a part of Kafka's protocol that is needed, in any version from min to
// max that a client library of this age can speak. only, when it is not empty,
// are those that it can.
type api struct {
	key      protocol.ApiKey
	min, max int
	only     []int
}

// needed are the parts of the protocol without which nothing works. The
// membership of a group speaks few versions, the rest a range.
var needed = []api{
	{key: protocol.Produce, min: 3, max: 8},
	{key: protocol.Fetch, only: []int{versionFetch}},
	{key: protocol.ListOffsets, min: 1, max: 5},
	{key: protocol.Metadata, only: []int{versionMetadata}},
	{key: protocol.OffsetCommit, min: 2, max: 7},
	{key: protocol.OffsetFetch, only: []int{1}},
	{key: protocol.FindCoordinator, only: []int{0}},
	{key: protocol.JoinGroup, only: []int{1, 2}},
	{key: protocol.Heartbeat, only: []int{0}},
	{key: protocol.LeaveGroup, only: []int{0}},
	{key: protocol.SyncGroup, only: []int{0}},
}

// speaks reports whether a version that is needed is among those of the broker.
func (a api) speaks(from, to int) bool {
	if len(a.only) > 0 {
		return slices.ContainsFunc(a.only, func(v int) bool { return from <= v && v <= to })
	}
	return from <= a.max && a.min <= to
}

func (a api) String() string {
	if len(a.only) == 0 {
		return fmt.Sprintf("%d to %d", a.min, a.max)
	}
	out := make([]string, len(a.only))
	for i, v := range a.only {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, " or ")
}

// checkVersions says which parts of the protocol the broker does not speak as
// they are needed.
func checkVersions(have []kafka.ApiVersionsResponseApiKey) error {
	var lacks []string
	for _, a := range needed {
		i := slices.IndexFunc(have, func(h kafka.ApiVersionsResponseApiKey) bool { return h.ApiKey == int(a.key) })
		switch {
		case i < 0:
			lacks = append(lacks, fmt.Sprintf("it has no %v, of which version %v is needed", a.key, a))
		case !a.speaks(have[i].MinVersion, have[i].MaxVersion):
			lacks = append(lacks, fmt.Sprintf("it has %v in the versions %d to %d, and %v is needed", a.key, have[i].MinVersion, have[i].MaxVersion, a))
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fmt.Errorf("the broker speaks another protocol than this program: %s; use Kafka 3.1 to 4, or a later version of this program", strings.Join(lacks, ", "))
}
