package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"misstep/stream"
	"misstep/stream/logtest"
)

func TestMemoryLog(t *testing.T) {
	logtest.TestLog(t, func(*testing.T) logtest.Log {
		l := stream.NewMemoryLog("memory", 4)
		return logtest.Log{
			Append: func(_ *testing.T, values ...[]byte) {
				for i, v := range values {
					l.Append(int64(i), v)
				}
			},
			End:      func(*testing.T) { l.End() },
			Open:     func(_ *testing.T, from int64) stream.Log { return l.Open(from) },
			MaxValue: 1 << 20,
			Timed:    true,
		}
	})
}

// TestFileLogOfPipe has the records come while the log is read.
func TestFileLogOfPipe(t *testing.T) {
	logtest.TestLog(t, func(t *testing.T) logtest.Log {
		r, w := io.Pipe()
		t.Cleanup(func() { r.Close() })
		return logtest.Log{
			Append: func(t *testing.T, values ...[]byte) {
				for _, v := range values {
					if _, err := w.Write(append(v, '\n')); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			},
			End: func(*testing.T) { w.Close() },
			Open: func(_ *testing.T, from int64) stream.Log {
				return stream.OpenReader(stream.FileOptions{From: from}, r)
			},
			Once:     true,
			MaxValue: 1 << 20,
		}
	})
}

func TestFileLog(t *testing.T) {
	logtest.TestLog(t, func(t *testing.T) logtest.Log {
		path := filepath.Join(t.TempDir(), "steps.jsonl")
		return logtest.Log{
			Append: func(t *testing.T, values ...[]byte) {
				if err := os.WriteFile(path, append(bytes.Join(values, []byte("\n")), '\n'), 0o600); err != nil {
					t.Error(err)
				}
			},
			End: func(*testing.T) {},
			Open: func(t *testing.T, from int64) stream.Log {
				l, err := stream.OpenFiles(stream.FileOptions{From: from}, path)
				if err != nil {
					t.Fatal(err)
				}
				return l
			},
			Static:   true,
			MaxValue: 1 << 20,
		}
	})
}

func TestMemoryResults(t *testing.T) {
	logtest.TestResults(t, func(*testing.T) logtest.Results {
		r := stream.NewMemoryResults()
		return logtest.Results{
			Open:     func(*testing.T) stream.Results { return r },
			Read:     func(*testing.T) []stream.Output { return r.Outputs() },
			MaxValue: 1 << 20,
		}
	})
}

func TestFileResults(t *testing.T) {
	logtest.TestResults(t, func(t *testing.T) logtest.Results {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		return logtest.Results{
			Open: func(t *testing.T) stream.Results {
				r, err := stream.CreateFiles(map[stream.Topic]string{stream.Failures: path})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				})
				return r
			},
			Read: func(t *testing.T) []stream.Output {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				var outs []stream.Output
				for line := range bytes.Lines(b) {
					outs = append(outs, stream.Output{Value: bytes.TrimSuffix(line, []byte("\n"))})
				}
				return outs
			},
			Once:      true,
			NoOrigins: true,
			MaxValue:  1 << 20,
		}
	})
}

func TestMemoryCheckpoints(t *testing.T) {
	logtest.TestCheckpoints(t, func(t *testing.T) logtest.Checkpoints {
		results, store := stream.NewMemoryResults(), stream.NewMemoryCheckpoints()
		return logtest.Checkpoints{
			Open: func(*testing.T) (stream.Results, stream.Checkpoints) { return results, store.Owner() },
			RemoveHead: func(t *testing.T, source string, partition int32) {
				s := store.Owner()
				if err := errors.Join(s.Fence(t.Context(), source, partition), s.Swing(t.Context(), source, partition, nil)); err != nil {
					t.Fatal(err)
				}
			},
			Wipe: func(t *testing.T) { wipe(t, store.Owner()) },
		}
	})
}

// wipe removes the parts of the suite's log.
func wipe(t *testing.T, s stream.Checkpoints) {
	ids, err := s.List(t.Context(), "log", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := s.Delete(t.Context(), "log", 0, id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderCheckpoints(t *testing.T) {
	logtest.TestCheckpoints(t, func(t *testing.T) logtest.Checkpoints {
		dir, results := t.TempDir(), stream.NewMemoryResults()
		var open *stream.Folder
		end := func() {
			if open != nil {
				if err := open.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Cleanup(end)
		return logtest.Checkpoints{
			Open: func(t *testing.T) (stream.Results, stream.Checkpoints) {
				end()
				var err error
				if open, err = stream.LockFolder(dir); err != nil {
					t.Fatal(err)
				}
				return results, stream.NewFolderCheckpoints(open)
			},
			RemoveHead: func(t *testing.T, source string, partition int32) {
				heads, err := filepath.Glob(filepath.Join(dir, "checkpoints", "_"+source, fmt.Sprint(partition), "HEAD"))
				if err != nil || len(heads) != 1 {
					t.Fatalf("heads are %q, %v", heads, err)
				}
				if err := os.Remove(heads[0]); err != nil {
					t.Fatal(err)
				}
			},
			Wipe: func(t *testing.T) {
				// The head is no part, and stays.
				heads, err := filepath.Glob(filepath.Join(dir, "checkpoints", "_log", "0", "*-*"))
				if err != nil || len(heads) == 0 {
					t.Fatalf("checkpoints are %q, %v", heads, err)
				}
				for _, path := range heads {
					if err := os.RemoveAll(path); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

// TestGoldenCheckpoint: a checkpoint that was saved to files is gone on with.
func TestGoldenCheckpoint(t *testing.T) {
	dir := t.TempDir()
	run := func(store stream.Checkpoints, records int) (outs []stream.Output, taken stream.Taken, restored stream.Restored) {
		log := stream.NewMemoryLog("golden", 1)
		for i := range records {
			log.Append(int64(i), fmt.Appendf(nil, "k%d", i%7))
		}
		log.End()
		e, err := stream.New(stream.Options[string]{
			Program: logtest.Counting{}, Log: log.Open(0), Results: stream.NewMemoryResults(), Shards: 3,
			Tap: func(o []stream.Output) { outs = append(outs, o...) },
			Checkpoint: stream.Checkpointing{
				Store: store, PartBytes: 20,
				OnRestore:  func(r stream.Restored) { restored = r },
				OnFallback: func(err error) { t.Error(err) },
				OnTaken:    func(c stream.Taken) { taken = c },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return outs, taken, restored
	}
	store := stream.NewMemoryCheckpoints()
	first, taken, _ := run(store, 50)
	logtest.SaveCheckpoint(t, dir, store, "golden", 1, taken.ID)
	rest, _, restored := run(logtest.LoadCheckpoint(t, dir, "golden", 1), 80)
	if restored.Offset != 49 || taken.Parts < 3 {
		t.Fatalf("saved %+v, restored %+v", taken, restored)
	}
	want, _, _ := run(nil, 80)
	if len(first)+len(rest) != len(want) || string(rest[len(rest)-1].Value) != string(want[len(want)-1].Value) {
		t.Errorf("%d and %d outputs, want %d", len(first), len(rest), len(want))
	}
}
