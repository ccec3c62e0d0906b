package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// exception is a glob of files that are not held to the standard yet.
type exception struct {
	glob string
	line int // in the list
	used bool
}

// readExcept reads a list of files whose survivors are not judged. A line of it
// is
//
//	detectors/facts/slot*.go -- why not yet
//
// Lines that begin with # are comments.
func readExcept(name string) ([]*exception, error) {
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("files that are not held to it: %w", err)
	}
	var out []*exception
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		glob, reason, ok := strings.Cut(line, " -- ")
		glob = strings.TrimSpace(glob)
		if _, err := path.Match(glob, ""); err != nil || !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%s:%d: found %q, want GLOB -- REASON", name, i+1, line)
		}
		out = append(out, &exception{glob: glob, line: i + 1})
	}
	return out, nil
}

// without drops the conditions of the files that are listed. A line that is about
// no file is an error: it is out of date.
func without(sites []*site, list []*exception) ([]*site, error) {
	kept := slices.DeleteFunc(slices.Clone(sites), func(s *site) bool {
		drop := false
		for _, e := range list {
			if ok, err := path.Match(e.glob, s.key().file); err == nil && ok {
				drop, e.used = true, true
			}
		}
		return drop
	})
	for _, e := range list {
		if !e.used {
			return nil, fmt.Errorf("list of files that are not held to it, line %d: no file with a condition is %s: remove it", e.line, e.glob)
		}
	}
	return kept, nil
}
