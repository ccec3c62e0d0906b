package detect

import (
	"sync"

	"misstep/detectors"
)

// slot holds a copy of what one shard has met. The shard renews it after each
// batch, so that a reader never touches the shard itself.
type slot struct {
	mu     sync.Mutex
	counts detectors.Counts
}

func (s *slot) set(c detectors.Counts) {
	s.mu.Lock()
	s.counts = c
	s.mu.Unlock()
}

func (s *slot) get() detectors.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Stats sums what all shards of the program have met. It may be called by any
// goroutine at any time.
func (p *Program) Stats() detectors.Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sum detectors.Counts
	for _, s := range p.slots {
		sum.Add(s.get())
	}
	return sum
}
