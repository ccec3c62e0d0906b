package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	parse := func(src string) *Config {
		t.Helper()
		c, err := Parse("c", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct{ a, b, rules, others string }{
		{"", "", "", ""},
		{full, full, "", ""},
		{"", "idle: 5m", "idle", ""},
		{"", "data: x", "", "data"},
		{"", "shards: 2\nlog: {level: debug}\nmetrics: {max_tools: 3}", "", "log.level metrics.max_tools shards"},
		{"", "http: {token_file: t}", "", "http.token_file"},
		{"http: {tls: {cert_file: a, key_file: b}}", "http: {tls: {cert_file: c, key_file: b}}", "", "http.tls.cert_file"},
		{"", "admin: {listen: '127.0.0.1:1', hosts: [a]}", "", "admin.hosts admin.listen"},
		{"", "nats: {steps: {max_age: 1h}, min_free: 1GiB, sync_interval: always}", "", "nats.min_free nats.steps nats.sync_interval"},
		{"", "nats: {url: 'nats://h'}", "", "nats.listen nats.min_free nats.results nats.steps nats.sync_interval nats.url"},
		{"", "detectors: {retry_loop: {rules: {cycle: {enabled: false}}}, tool_misuse: {enabled: false}}", "detectors.retry_loop.rules.cycle detectors.tool_misuse.enabled", ""},
		{"tools: [{name: a}]", "tools: [{name: b}]\nbudgets: {max_calls: 1}", "budgets.max_calls tools", ""},
		{"tools: [{name: a}]", "tools: [{name: a}, {name: b}]\nprices: [{model: m}]", "prices tools", ""},
	} {
		a, b := parse(c.a), parse(c.b)
		for _, swap := range []bool{false, true} {
			if swap {
				a, b = b, a
			}
			rules, others := a.Diff(b)
			if !slices.Equal(rules, strings.Fields(c.rules)) || !slices.Equal(others, strings.Fields(c.others)) {
				t.Errorf("%q to %q, swapped %t: rules %q, others %q; want %s; %s", c.a, c.b, swap, rules, others, c.rules, c.others)
			}
		}
	}
}
