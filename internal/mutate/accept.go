package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// acceptance is one survivor that is known, and the reason why it may live.
type acceptance struct {
	key    key
	line   int // in the list
	reason string
	used   bool
}

// readAccepted reads the list of accepted survivors. A line of it is
//
//	detectors/facts/mask.go: len(b) > 0 #2 -- why no test can tell
//
// that is the file, the condition as the run prints it, which of the equal ones
// in the file (the first when not given), and the reason. Lines that begin with
// # are comments.
func readAccepted(name string) (map[key]*acceptance, error) {
	out := map[key]*acceptance{}
	if name == "" {
		return out, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("accepted survivors: %w", err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		// A condition may hold ": " but a file name does not; a reason may hold
		// " -- " but a condition does not, unless in a string.
		file, rest, ok := strings.Cut(line, ": ")
		text, reason, ok2 := strings.Cut(rest, " -- ")
		if !ok || !ok2 || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%s:%d: found %q, want FILE: CONDITION [#N] -- REASON", name, i+1, line)
		}
		k := key{file: file, text: strings.TrimSpace(text), nth: 1}
		if j := strings.LastIndex(k.text, " #"); j >= 0 {
			if n, err := strconv.Atoi(k.text[j+2:]); err == nil {
				k.text, k.nth = k.text[:j], n
			}
		}
		if old := out[k]; old != nil {
			return nil, fmt.Errorf("%s:%d: %s: %s is listed in line %d already", name, i+1, k.file, k.text, old.line)
		}
		out[k] = &acceptance{key: k, line: i + 1, reason: strings.TrimSpace(reason)}
	}
	return out, nil
}

// String gives the key as it stands in the list.
func (k key) String() string {
	s := k.file + ": " + k.text
	if k.nth > 1 {
		s += " #" + strconv.Itoa(k.nth)
	}
	return s
}
