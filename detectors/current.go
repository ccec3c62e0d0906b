package detectors

import "misstep/detectors/facts"

// Current is what the latest step that the shard applied brought, for those who
// explain a failure. It changes with the next step.
func (s *Shard) Current() *facts.Current { return &s.w.Cur }
