package stream

import "context"

// Place is one partition of a log of results.
type Place struct {
	Log       string
	Partition int32
}

// Progress is how far a follower is in one partition.
type Progress struct {
	// From is the offset that the next start reads from: below Next where the
	// follower needs what it has delivered to know its own state again.
	From int64 `json:"from"`
	// Next is the first offset that was not delivered.
	Next int64 `json:"next"`
}

// Entry is one record of a log of results, as a follower reads it.
type Entry struct {
	Place
	Offset int64
	Time   int64 // when the log took it, in Unix nanoseconds
	Topic  Topic
	Value  []byte // the reader's own
}

// Follower reads the logs of results at a position of its own that outlives the
// process. Of all that have its name, in all processes, one reads at a time.
type Follower interface {
	// Acquire waits until this process is the reader, and gives its position. A
	// place that is not in it has not been read yet.
	Acquire(ctx context.Context) (map[Place]Progress, error)
	// Read waits for entries and appends them to dst: those of a place in order,
	// from its position on. ErrLost says that another process is the reader now.
	Read(ctx context.Context, dst []Entry) ([]Entry, error)
	// Commit makes the position durable; places that are left out keep theirs.
	// ErrLost as Read.
	Commit(ctx context.Context, at map[Place]Progress) error
	// Lag is how many entries were not given yet, about. It may be called by any
	// goroutine.
	Lag(ctx context.Context) (int64, error)
	// Close lets another process be the reader.
	Close() error
}
