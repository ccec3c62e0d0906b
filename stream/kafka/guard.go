package kafka

import "misstep/stream"

// maxAhead is how far a producer's clock may be ahead of the partition's.
const maxAhead = int64(10 * 60 * 1e9)

// guard makes log times of the times that producers give, in a topic that keeps
// those (CreateTime): a jump of more than ten minutes ahead counts only once two
// keys show it, so that one producer with its clock in 2099 moves nobody else.
// What it holds is lost with a restart, which is the one way in which it can
// give another time the next time.
type guard struct {
	clock int64 // highest time that counts, stream.NoTime before the first
	far   int64 // that one key shows
	key   []byte
	held  bool // far and key count
}

// time gives the log time of a record. now is this process's clock, which counts
// only where the partition has none yet.
func (g *guard) time(t int64, key []byte, now int64) int64 {
	if t < 0 {
		return g.clock // the producer gave none
	}
	clock := g.clock
	if clock == stream.NoTime {
		clock = now
	}
	if t-clock <= maxAhead {
		g.clock = max(g.clock, t)
		return t
	}
	if !g.held || string(g.key) == string(key) {
		g.far, g.key, g.held = t, append(g.key[:0], key...), true
		return clock
	}
	g.clock, g.held = min(g.far, t), false
	return g.clock
}
