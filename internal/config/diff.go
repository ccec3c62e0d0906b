package config

import (
	"slices"
	"strings"
)

// ofRuleset are the settings that compile to the ruleset.
var ofRuleset = []string{"idle", "detectors", "tools", "policies", "suppressions", "feedback", "observe_until", "prices", "budgets"}

// Diff names the settings in which to differs from c: those of the ruleset, and
// the others. Files that are named are not looked into.
func (c *Config) Diff(to *Config) (rules, others []string) {
	// What YAML writes is the whole configuration, so no setting is forgotten.
	a, b := flatten(c.YAML()), flatten(to.YAML())
	var names []string
	for name, v := range a {
		if b[name] != v {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		top, _, _ := strings.Cut(name, ".")
		if slices.Contains(ofRuleset, top) {
			rules = append(rules, name)
		} else {
			others = append(others, name)
		}
	}
	return rules, others
}

// flatten gives the value of each setting in what YAML wrote. A list is one
// value.
func flatten(text string) map[string]string {
	out := map[string]string{}
	var path []string
	list := -1 // indentation of the list that the line is in
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		rest := strings.TrimLeft(line, " ")
		depth := (len(line) - len(rest)) / 2
		if strings.HasPrefix(rest, "- ") && list < 0 {
			list = depth
		}
		if list >= 0 && depth >= list {
			out[strings.Join(path, ".")] += line + "\n"
			continue
		}
		list = -1
		key, value, _ := strings.Cut(rest, ":")
		path = append(path[:depth], key)
		if value != "" {
			out[strings.Join(path, ".")] = value
		}
	}
	return out
}
