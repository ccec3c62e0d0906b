package main

import "strings"

// compare gives the rows and lines of the figures that are not the same in two
// files, what people wrote aside.
func compare(was, now string) []string {
	a, b := figures(was), figures(now)
	in := func(list []string) map[string]bool {
		m := make(map[string]bool, len(list))
		for _, l := range list {
			m[l] = true
		}
		return m
	}
	inA, inB := in(a), in(b)
	var out []string
	for _, l := range a {
		if !inB[l] {
			out = append(out, "- "+l)
		}
	}
	for _, l := range b {
		if !inA[l] {
			out = append(out, "+ "+l)
		}
	}
	return out
}

// figures gives the lines of a file that are measured, each with its section.
func figures(text string) []string {
	head, rest, ok := strings.Cut(text, handBegin)
	if ok {
		if _, tail, ok := strings.Cut(rest, handEnd); ok {
			head += tail
		}
	}
	section := ""
	var out []string
	for line := range strings.Lines(head) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
			continue
		}
		if strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "- ") {
			out = append(out, section+": "+line)
		}
	}
	return out
}
