package detect

import (
	"bytes"
	"fmt"
	"testing"

	"misstep/stream"
)

// TestNeighbourClocks: an agent whose clock is in 2099, in 1969 or at the ends
// of time changes no byte of what comes out for others, whether the log has
// times of its own or not.
func TestNeighbourClocks(t *testing.T) {
	for _, logTimes := range []bool{true, false} {
		recs := traffic(t, 4_000)
		if !logTimes {
			for i := range recs {
				recs[i].Time = stream.NoTime
			}
		}
		want := byKey(run(t, recs, 2, 64))
		var odd []stream.Record
		for i, r := range recs {
			if i%5 == 0 {
				when := []string{"2099-12-31T23:59:59Z", "1969-07-20T20:17:40Z", "2262-04-11T23:47:16.854775807Z", "1677-09-21T00:12:43.145224193Z"}[i/5%4]
				odd = append(odd, stream.Record{Time: r.Time, Value: fmt.Appendf(nil,
					`{"trajectory_id":"odd-%d","id":"%d","time":%q,"kind":"tool_call","call":{"tool":"teleport","arguments":{"n":1}}}`, i%3, i, when)})
			}
			odd = append(odd, r)
		}
		for i := range odd {
			odd[i].Offset = int64(i)
		}
		got := byKey(run(t, odd, 2, 64))
		if len(want) < 50 {
			t.Fatalf("only %d trajectories have outputs", len(want))
		}
		for key, w := range want {
			if !bytes.Equal(got[key], w) {
				t.Errorf("log times %t, %s: beside the odd ones\n%s\nwithout\n%s", logTimes, key, got[key], w)
			}
		}
		if len(got["odd-0"]) == 0 {
			t.Errorf("log times %t: nothing came out for the odd ones", logTimes)
		}
	}
}

// byKey gives the outputs of each trajectory, without their origins.
func byKey(outs []stream.Output) map[string][]byte {
	m := map[string][]byte{}
	for _, o := range outs {
		if o.Topic != stream.DeadLetter {
			m[o.Key] = fmt.Appendf(m[o.Key], "%s %s\n", o.Topic, o.Value)
		}
	}
	return m
}
