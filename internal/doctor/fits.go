package doctor

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"misstep/stream/kafka"
)

// fits says which partitioners put the keys of a sample where they are.
type fits struct {
	keyed    int64
	fit      map[kafka.Partitioner]int64
	keyless  int64
	other    int64 // whose key is not the trajectory
	mixed    int64 // records of several trajectories
	otherAt  string
	misfitAt map[kafka.Partitioner]string
}

func (f *fits) add(rec kafka.Sampled, ids [][]byte, partitions int) {
	at := fmt.Sprintf("partition %d, offset %d", rec.Partition, rec.Offset)
	if len(rec.Key) == 0 {
		f.keyless++
		return
	}
	if f.fit == nil {
		f.fit, f.misfitAt = map[kafka.Partitioner]int64{}, map[kafka.Partitioner]string{}
	}
	f.keyed++
	for _, p := range kafka.Partitioners() {
		if p.Of(rec.Key, partitions) == rec.Partition {
			f.fit[p]++
		} else if f.misfitAt[p] == "" {
			f.misfitAt[p] = at
		}
	}
	for i, id := range ids {
		switch {
		case i > 0 && !bytes.Equal(id, ids[0]):
			f.mixed++
			return
		case i == 0 && !bytes.Equal(id, rec.Key):
			f.other++
			f.otherAt = at
		}
	}
}

func (f *fits) report(r *Report, declared kafka.Partitioner, topic string) {
	if f.keyless > 0 {
		r.add(Wrong, "partitioner", "have the producers give the trajectory_id as key; what is not keyed is re-keyed by intake over HTTP",
			"%s in %s without a key, so the steps of a trajectory lie in any partition", count(f.keyless, "record is", "records are"), topic)
	}
	if f.mixed > 0 {
		r.add(Wrong, "partitioner", "pack the steps of one trajectory into a message", "%s steps of several trajectories", count(f.mixed, "record holds", "records hold"))
	}
	if f.other > 0 {
		r.add(Warning, "partitioner", "give the trajectory_id as key", "%s another key than its trajectory_id, such as that of %s; it is right as long as a trajectory always has the same key",
			count(f.other, "record has", "records have"), f.otherAt)
	}
	if f.keyed == 0 {
		return
	}
	if f.fit[declared] == f.keyed {
		r.add(OK, "partitioner", "", "%s: all of %s where it puts them", declared, count(f.keyed, "key is", "keys are"))
		return
	}
	var right []string
	for _, p := range kafka.Partitioners() {
		if f.fit[p] == f.keyed {
			right = append(right, string(p))
		}
	}
	mend := "let all producers use one of murmur2, crc32, fnv1a; were partitions added lately?"
	if len(right) > 0 {
		slices.Sort(right)
		mend = "set kafka.partitioner to " + strings.Join(right, " or ") + ", which fits all"
	}
	r.add(Wrong, "partitioner", mend, "%s: %d of %s elsewhere than it puts them, such as that of %s", declared, f.keyed-f.fit[declared], count(f.keyed, "key is", "keys are"), f.misfitAt[declared])
}
