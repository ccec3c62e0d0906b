package kafka

import (
	"strconv"

	"misstep/stream"
)

// Headers of the messages on the topics of results.
const (
	HeaderOrigin     = "misstep-origin"
	HeaderTrajectory = "trajectory_id"
)

// place is one partition of a source.
type place struct {
	source    string
	partition int32
}

func (p place) String() string { return p.source + "/" + strconv.Itoa(int(p.partition)) }

// percent makes a part of a key of any text.
func percent(s string) string {
	return string(stream.AppendPercent(nil, s, func(c byte) bool { return c > ' ' && c < 0x7f && c != '/' }))
}
