package kafka

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// pointerVersion is raised when older programs would misread what is written.
const pointerVersion = 1

// maxMetadata is how long the metadata of a commit may be: brokers take 4096
// bytes by default.
const maxMetadata = 3800

// pointer is the metadata of a committed offset: which checkpoint is current,
// and where the outputs are.
type pointer struct {
	Version int `json:"misstep"`
	// Head is the engine's; where it is too long, it is a record of the topic of
	// checkpoints, at the offset HeadAt.
	Head   []byte `json:"head,omitempty"`
	HeadAt *int64 `json:"head_at,omitempty"`
	// Manifests are the offsets of the checkpoints' manifests, by their ids.
	Manifests map[string]int64 `json:"ckpt,omitempty"`
	// Outputs are, by topic, where those of the partition are.
	Outputs map[string]*written `json:"out,omitempty"`
	// Partitions are the numbers of partitions that the topic has and had.
	Partitions []int  `json:"parts,omitempty"`
	Log        string `json:"log,omitempty"` // identity
}

// committed is what a group has committed for a partition.
type committed struct {
	offset  int64    // -1: nothing
	pointer *pointer // nil: not by this program, as by an operator
}

// committed asks for what a group has committed.
func (c *Cluster) committed(ctx context.Context, group string, of place) (committed, error) {
	none := committed{offset: -1}
	what := fmt.Sprintf("what the group %s has committed for %v", group, of)
	resp, err := call(ctx, c, what, func(ctx context.Context) (*kafka.OffsetFetchResponse, error) {
		return c.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
			GroupID: group, Topics: map[string][]int{of.source: {int(of.partition)}},
		})
	})
	if err != nil {
		return none, err
	}
	if resp.Error != nil {
		return none, fmt.Errorf("%s: %w", what, resp.Error)
	}
	for _, p := range resp.Topics[of.source] {
		if p.Partition != int(of.partition) {
			continue
		}
		if p.Error != nil {
			return none, fmt.Errorf("%s: %w", what, p.Error)
		}
		got := committed{offset: p.CommittedOffset}
		var ptr pointer
		if json.Unmarshal([]byte(p.Metadata), &ptr) == nil && ptr.Version == pointerVersion {
			for topic, w := range ptr.Outputs {
				if w == nil || w.parse() != nil {
					delete(ptr.Outputs, topic) // it is looked for
				}
			}
			got.pointer = &ptr
		}
		return got, nil
	}
	return none, nil
}

// commit commits an offset with a pointer. Its error is stream.ErrFenced where
// the member is none of the present generation.
func (c *Cluster) commit(ctx context.Context, group string, generation int, member string, of place, offset int64, metadata string) error {
	what := fmt.Sprintf("commit offset %d of %v for the group %s", offset, of, group)
	resp, err := call(ctx, c, what, func(ctx context.Context) (*kafka.OffsetCommitResponse, error) {
		return c.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: generation, MemberID: member,
			Topics: map[string][]kafka.OffsetCommit{of.source: {{Partition: int(of.partition), Offset: offset, Metadata: metadata}}},
		})
	})
	if err != nil {
		return err
	}
	for _, p := range resp.Topics[of.source] {
		if p.Error != nil {
			return fmt.Errorf("%s: %w", what, fenced(p.Error))
		}
	}
	return nil
}

// Position gives what a group has committed for a partition, below 0 when that
// is nothing, and how many partitions the topic had as far as that tells.
func Position(ctx context.Context, c *Cluster, group, topic string, partition int32) (offset int64, partitions []int, err error) {
	got, err := c.committed(ctx, group, place{topic, partition})
	if err != nil {
		return 0, nil, err
	}
	if got.pointer != nil {
		partitions = got.pointer.Partitions
	}
	return got.offset, partitions, nil
}
