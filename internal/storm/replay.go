//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// replay has the replayer read the stream of steps from its beginning, and gives
// what it puts out.
func (w *world) replay(ctx context.Context) ([]result, error) {
	bin := filepath.Join(w.dir, "replayer")
	if err := goBuild(ctx, bin, "replayer"); err != nil {
		return nil, err
	}
	url, _, _ := strings.Cut(w.urls, ",")
	failures, tasks := filepath.Join(w.dir, "failures.jsonl"), filepath.Join(w.dir, "tasks.jsonl")
	cmd := exec.CommandContext(ctx, bin, "run", url+"/AGENT_STEPS", "--end", "open", "--out", failures, "--tasks", tasks)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("replayer: %w: %s", err, text)
	}
	var out []result
	for _, file := range []string{failures, tasks} {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for r := bufio.NewReader(f); ; {
			l, err := r.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			l = l[:len(l)-1]
			key, err := keyOf(l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, result{key: key, value: l})
		}
	}
	return out, nil
}
