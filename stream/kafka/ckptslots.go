package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"misstep/stream"
)

// store is what is known of one partition's checkpoints.
type store struct {
	parts     map[string]map[int]part // by id and number
	manifests map[string]int64        // offsets that the commit tells
	scanned   bool                    // parts has all
	doubtful  bool                    // it may not be as parts says
	heads     []stream.HeadInfo       // of which one is current
	asked     bool                    // heads is known
}

// part is where a part is.
type part struct {
	slot   int
	offset int64
}

// offsets are those of the parts 1, 2, ... of a checkpoint.
func (s *store) offsets(id string) []byte {
	out := []int64{}
	for n := 1; ; n++ {
		p, ok := s.parts[id][n]
		if !ok {
			break
		}
		out = append(out, p.offset)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil // numbers can be encoded
	}
	return b
}

// put notes where a part is, in place of what had its key.
func (s *store) put(id string, n int, p part) {
	for other, parts := range s.parts {
		if at, ok := parts[n]; ok && at.slot == p.slot && other != id {
			delete(parts, n)
			if len(parts) == 0 {
				delete(s.parts, other)
			}
		}
	}
	if s.parts[id] == nil {
		s.parts[id] = map[int]part{}
	}
	s.parts[id][n] = p
}

// slot gives the slot of a checkpoint, which for a new one is free: its parts
// are nobody's, or of one that no head names.
func (c *Checkpoints) slot(ctx context.Context, of place, s *store, id string) (int, error) {
	for _, p := range s.parts[id] {
		return p.slot, nil
	}
	if err := c.learn(ctx, of, s); err != nil {
		return 0, err
	}
	var used, needed [numSlots]bool
	for other, parts := range s.parts {
		for _, p := range parts {
			used[p.slot] = true
			if slices.ContainsFunc(s.heads, func(h stream.HeadInfo) bool { return h.Current == other || h.Previous == other }) {
				needed[p.slot] = true
			}
			break
		}
	}
	for _, taken := range [][numSlots]bool{used, needed} {
		if i := slices.Index(taken[:], false); i >= 0 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("all %d slots of %v are in use", numSlots, of)
}

// learn finds out what is in use.
func (c *Checkpoints) learn(ctx context.Context, of place, s *store) error {
	if !s.asked {
		got, err := c.cluster.committed(ctx, c.opts.Group, of)
		if err != nil {
			return err
		}
		s.asked, s.heads = true, nil
		if got.pointer != nil {
			if info, err := stream.ReadHead(got.pointer.Head); err == nil {
				s.heads, s.manifests = []stream.HeadInfo{info}, got.pointer.Manifests
			}
		}
	}
	if s.scanned {
		return nil
	}
	for _, h := range s.heads {
		for _, id := range []string{h.Current, h.Previous} {
			if id == "" || s.parts[id] != nil {
				continue
			}
			if err := c.open(ctx, of, s, id); err != nil {
				return c.scan(ctx, of, nil)
			}
		}
	}
	if len(s.heads) == 0 {
		return c.scan(ctx, of, nil)
	}
	return nil
}

// open learns where the parts of a checkpoint are from its manifest.
func (c *Checkpoints) open(ctx context.Context, of place, s *store, id string) error {
	at, ok := s.manifests[id]
	if !ok || c.forget {
		return fmt.Errorf("nothing says where the manifest of checkpoint %s is: %w", id, stream.ErrDamaged)
	}
	rec, err := c.at(ctx, of, at)
	if err != nil {
		return err
	}
	slot, n, ok := c.slotOf(of, rec.key)
	if have, _ := rec.header(headerCheckpoint); !ok || string(have) != id || n != stream.ManifestPart {
		return fmt.Errorf("what is at offset %d of %s is not the manifest of checkpoint %s: %w", at, c.opts.Topic, id, stream.ErrDamaged)
	}
	var offsets []int64
	v, _ := rec.header(headerParts)
	if err := json.Unmarshal(v, &offsets); err != nil {
		return fmt.Errorf("manifest of checkpoint %s: %w: %w", id, err, stream.ErrDamaged)
	}
	s.put(id, stream.ManifestPart, part{slot, at})
	for i, o := range offsets {
		s.put(id, i+1, part{slot, o})
	}
	return nil
}

// slotOf reads the key of a part.
func (c *Checkpoints) slotOf(of place, key []byte) (slot, n int, ok bool) {
	rest, ok := strings.CutPrefix(string(key), c.prefix(of))
	if !ok {
		return 0, 0, false
	}
	name, number, ok := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || len(name) != 1 || name[0] < 'A' || name[0] >= 'A'+numSlots {
		return 0, 0, false
	}
	return int(name[0] - 'A'), n, true
}
