package app

import (
	"fmt"
	"io"
	"net"
	"strings"

	"misstep/internal/config"
)

// banner tells a person where things are, and what to try.
func banner(w io.Writer, r Running, c *config.Config) {
	where := "data in " + r.Data
	if r.Data == "" {
		where = "steps in the stream " + r.Stream
	}
	if r.Kafka != "" {
		where = "steps in the topic " + r.Stream
	}
	url, auth := urlOf(r.HTTP, &c.HTTP), ""
	if c.HTTP.TokenFile != "" {
		auth = ` -H "authorization: Bearer $(cat '` + strings.ReplaceAll(c.HTTP.TokenFile, "'", `'\''`) + `')"`
	}
	fmt.Fprintf(w, "misstep is up: ruleset %s, %s\n  HTTP  %s (POST /v1/steps, /metrics, /readyz)\n", r.Ruleset, where, url)
	if r.Admin != "" {
		fmt.Fprintf(w, "  admin %s (/debug/pprof/, /metrics)\n", urlOf(r.Admin, &c.Admin))
	}
	if r.Kafka != "" {
		fmt.Fprintf(w, "  Kafka %s (steps to %s, failures from %s, group %s)\n", r.Kafka, r.Stream, c.Kafka.Topics.Failures, r.Group)
	} else {
		fmt.Fprintf(w, "  NATS  %s (steps to %s, failures from agent.failures.>)\n", r.NATS, r.subject)
	}
	fmt.Fprintf(w, "  try   curl -sS %s/v1/steps -H 'content-type: application/json'%s -d '%s'\n", url, auth, trySteps)
}

func urlOf(addr string, c *config.HTTP) string {
	if c.TLS.CertFile != "" {
		return "https://" + reachable(addr)
	}
	return "http://" + reachable(addr)
}

// reachable gives an address of this machine for one that stands for all.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// trySteps is the shortest story with a failure: a tool that is not there.
const trySteps = `[{"trajectory_id":"t1","kind":"task_start","task":{"tools":[{"name":"search"}]}},` +
	`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`
