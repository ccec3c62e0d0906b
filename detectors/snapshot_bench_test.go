package detectors

import (
	"testing"

	"misstep/event"
	"misstep/internal/gen"
)

// liveShard is a shard with the state of 10,000 live trajectories.
func liveShard(b *testing.B) (*Ruleset, *Shard) {
	b.Helper()
	g := gen.New(gen.Options{Seed: 1})
	rules, err := NewRuleset(Config{})
	if err != nil {
		b.Fatal(err)
	}
	s, out := rules.NewShard(), &collector{}
	var d event.Decoder
	for range g.Warm() {
		line, _ := g.Next()
		d.Reset(line)
		steps := make([]event.Step, 1)
		if err := d.Next(&steps[0]); err != nil {
			b.Fatal(err)
		}
		s.Step(&Batch{Steps: steps, At: []int32{0}, Hash: []uint64{Key(&steps[0])}, Clock: []int64{event.None}}, []int32{0}, out)
		out.outs = out.outs[:0]
	}
	return rules, s
}

// BenchmarkSnapshot writes that state.
func BenchmarkSnapshot(b *testing.B) {
	_, s := liveShard(b)
	var buf []byte
	parts := 0
	b.ReportAllocs()
	for b.Loop() {
		s.Freeze()
		size, done := 0, false
		for parts = 0; !done; parts++ {
			buf, done = s.AppendFrozen(buf[:0], 512<<10)
			size += len(buf)
		}
		b.SetBytes(int64(size))
	}
	b.ReportMetric(float64(s.Counts().Live), "trajectories")
	b.ReportMetric(float64(parts), "parts")
}

// BenchmarkRestore reads it.
func BenchmarkRestore(b *testing.B) {
	rules, s := liveShard(b)
	s.Freeze()
	var parts [][]byte
	for done := false; !done; {
		var part []byte
		part, done = s.AppendFrozen(nil, 512<<10)
		parts = append(parts, part)
	}
	b.ReportAllocs()
	for b.Loop() {
		next := rules.NewShard()
		for _, p := range parts {
			if err := next.LoadState(p, func(uint64) bool { return true }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(s.Counts().Live), "trajectories")
}
