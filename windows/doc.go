// Package windows holds the keyed state that stream processing is made of: a
// store of values by key, rings of the last values, sliding counters, sessions,
// deadlines and clocks.
//
// Nothing here reads the wall clock, starts a goroutine or uses floating point:
// what comes out is a function of what was put in, in order. Times are Unix
// nanoseconds. No type is safe for concurrent use; each is owned by the one
// goroutine that runs its shard.
package windows

import "math"

// None is the value of an absent time.
const None = math.MinInt64
