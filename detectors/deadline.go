package detectors

// NextDeadline gives the earliest time at which something of the shard counts
// as idle or is forgotten; false when there is nothing.
func (s *Shard) NextDeadline() (deadline int64, ok bool) { return s.deadlines.Earliest() }
