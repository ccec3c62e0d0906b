package app

import (
	"fmt"
	"io"
	"net"

	"misstep/internal/config"
)

// banner tells a person where things are, and what to try.
func banner(w io.Writer, r Running, c *config.HTTP) {
	url := "http://"
	if c.TLS.CertFile != "" {
		url = "https://"
	}
	url += reachable(r.HTTP)
	auth := ""
	if c.TokenFile != "" {
		auth = fmt.Sprintf(` -H "authorization: Bearer $(cat '%s')"`, c.TokenFile)
	}
	where := "data in " + r.Data
	if r.Data == "" {
		where = "steps in the stream " + r.Stream
	}
	fmt.Fprintf(w, "misstep is up: ruleset %s, %s\n  HTTP  %s (POST /v1/steps, /metrics, /readyz)\n", r.Ruleset, where, url)
	if r.Admin != "" {
		fmt.Fprintf(w, "  admin %s (/debug/pprof/, /metrics)\n", reachable(r.Admin))
	}
	fmt.Fprintf(w, "  NATS  %s (steps to %s, failures from agent.failures.>)\n", r.NATS, r.subject)
	fmt.Fprintf(w, "  try   curl -sS %s/v1/steps -H 'content-type: application/json'%s -d '%s'\n", url, auth, trySteps)
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
