//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestRulesetChangeAndKill has real processes killed before, while and after
// another ruleset comes into force, and goes back to the first one in the end.
// What is published stands, each failure is there once, and each step is judged
// by the ruleset that was in force when it came.
func TestRulesetChangeAndKill(t *testing.T) {
	severities := map[string]string{
		"error":   "",
		"warning": "detectors: {hallucinated_tool: {rules: {invented_tool: {max_severity: warning}}}}\n",
		"info":    "detectors: {hallucinated_tool: {rules: {invented_tool: {max_severity: info}}}}\n",
	}
	o := operate(t, severities["error"])
	s := &natsServer{t: t}
	connect := func() {
		if s.nc != nil {
			s.nc.Close()
		}
		s.url = o.nats
		s.connect(nats.Token(firstToken))
	}
	connect()
	want := map[string]string{} // of the failure of each trajectory
	wait := func() {
		t.Helper()
		seen := map[string]string{}
		s.records(func(m jetstream.Msg) bool {
			var f struct {
				ID         string
				Rev        int
				Severity   string
				Trajectory string `json:"trajectory_id"`
			}
			if err := json.Unmarshal(m.Data(), &f); err != nil {
				t.Fatal(err)
			}
			if _, twice := seen[f.Trajectory]; twice || f.Rev != 0 {
				t.Errorf("rev %d of the failure of %s (%s) is one too many", f.Rev, f.Trajectory, f.Severity)
			}
			seen[f.Trajectory] = f.Severity
			return len(seen) >= len(want)
		}, "agent.failures.>")
		for id, severity := range want {
			if seen[id] != severity {
				t.Errorf("the failure of %s is of severity %q, want %q", id, seen[id], severity)
			}
		}
	}
	restart := func() {
		t.Helper()
		o.kill()
		o.process = spawn(t, "detector", "run", "-c", o.file)
		m := o.logged("started")
		o.http, o.nats = fmt.Sprint(m["http"]), fmt.Sprint(m["nats"])
		connect()
	}
	for i, c := range []struct {
		severity string // from here on
		kill     string
	}{
		{"warning", "instead of a reload"},
		{"info", "with the reload"},
		{"error", "after the reload"},
		{"info", "before and after"},
		{"warning", "with the reload"},
		{"error", "instead of a reload"}, // back to the first
	} {
		before, cut := fmt.Sprint("before-", i), fmt.Sprint("cut-", i)
		s.publish("agent.steps.support", before, 0)
		s.publish("agent.steps.support", cut, 0)
		s.publish("agent.steps.support", before, 1)
		want[before] = "error"
		if i > 0 {
			want[before] = want[fmt.Sprint("cut-", i-1)]
		}
		wait()
		if c.kill == "before and after" {
			restart()
		}
		o.configure(t, severities[c.severity])
		if c.kill != "instead of a reload" {
			o.signal(syscall.SIGHUP)
		}
		if c.kill == "after the reload" || c.kill == "before and after" {
			o.logged("reloaded; another ruleset is in force")
		}
		restart()
		s.publish("agent.steps.support", cut, 1)
		want[cut] = c.severity
		wait()
	}
	o.signal(syscall.SIGTERM)
	if code := o.exit(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, o.log.String())
	}
}
