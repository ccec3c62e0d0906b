package logtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"misstep/stream"
)

// A golden checkpoint is a folder with the files HEAD, ID and, for each part,
// its number.
const (
	goldenHead = "HEAD"
	goldenID   = "ID"
)

// SaveCheckpoint writes the checkpoint of a partition that a store holds to a
// folder, for LoadCheckpoint of this program and of later ones. id is what the
// engine told of it, as Taken.
func SaveCheckpoint(t testing.TB, dir string, s stream.Checkpoints, source string, partition int32, id string) {
	t.Helper()
	if err := saveCheckpoint(t, dir, s, source, partition, id); err != nil {
		t.Fatalf("save checkpoint %s: %v", id, err)
	}
}

func saveCheckpoint(t testing.TB, dir string, s stream.Checkpoints, source string, partition int32, id string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	write := func(name string, b []byte) error { return os.WriteFile(filepath.Join(dir, name), b, 0o644) }
	head, err := s.Head(t.Context(), source, partition)
	if err != nil {
		return err
	}
	if err := errors.Join(write(goldenHead, head), write(goldenID, []byte(id+"\n"))); err != nil {
		return err
	}
	for n := stream.ManifestPart; ; n++ {
		b, err := s.Get(t.Context(), source, partition, id, n)
		if errors.Is(err, stream.ErrDamaged) && n > stream.ManifestPart {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(strconv.Itoa(n), b); err != nil {
			return err
		}
	}
}

// LoadCheckpoint gives a store in memory that holds what SaveCheckpoint wrote,
// for an engine over a log of the same source and partition.
func LoadCheckpoint(t testing.TB, dir, source string, partition int32) stream.Checkpoints {
	t.Helper()
	s, err := loadCheckpoint(t, dir, source, partition)
	if err != nil {
		t.Fatalf("load checkpoint: %v", err)
	}
	return s
}

func loadCheckpoint(t testing.TB, dir, source string, partition int32) (stream.Checkpoints, error) {
	s := stream.NewMemoryCheckpoints()
	head, err := os.ReadFile(filepath.Join(dir, goldenHead))
	if err != nil {
		return nil, err
	}
	id, err := os.ReadFile(filepath.Join(dir, goldenID))
	if err != nil {
		return nil, err
	}
	for n := stream.ManifestPart; ; n++ {
		b, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(n)))
		if errors.Is(err, os.ErrNotExist) && n > stream.ManifestPart {
			return s, s.Swing(t.Context(), source, partition, head)
		}
		if err != nil {
			return nil, err
		}
		if err := s.Put(t.Context(), source, partition, strings.TrimSpace(string(id)), n, b); err != nil {
			return nil, fmt.Errorf("part %d: %w", n, err)
		}
	}
}
