//go:build unix

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOneOwner has real processes follow one another as the owner of the log of
// steps: after a kill, after a pause longer than the lease, and after a stop.
// Trajectories are cut in half by each, and none is lost or judged twice.
func TestOneOwner(t *testing.T) {
	s := startNATS(t, "")
	s.connect()
	const lease = 2 * time.Second
	conf := fmt.Sprintf("nats: {url: %q, create: true, lease: %v}\n", s.url, lease)
	n := 0
	var half []string
	begin := func(name string) {
		for i := range 5 {
			id := fmt.Sprint(name, "-", i)
			s.publish("agent.steps.support", id, 0)
			half = append(half, id)
		}
	}
	end := func() {
		for _, id := range half {
			s.publish("agent.steps.support", id, 1)
		}
		n += len(half)
		half = nil
	}
	const owns, stands = "owns the log of steps", "standing by: another process"
	a := startDetector(t, conf).up()
	a.logged(owns)
	b := startDetector(t, conf).up()
	who := fmt.Sprintf("process %d on ", a.cmd.Process.Pid)
	if m := b.logged(stands); !strings.HasPrefix(fmt.Sprint(m["owner"]), who) {
		t.Errorf("stands by for %v", m)
	}
	if code, body := b.ready(); code != 503 || !strings.Contains(body, "standing by: owned by "+who) {
		t.Errorf("standing by, readyz gave %d %s", code, body)
	}
	// Who stands by has nothing to finish.
	stopped := time.Now()
	b.signal(syscall.SIGTERM)
	if code := b.exit(); code != exitDone || time.Since(stopped) > 2*time.Second {
		t.Errorf("exit code %d, %v after SIGTERM:\n%s", code, time.Since(stopped), b.log.String())
	}
	b = startDetector(t, conf).up()
	b.logged(stands)
	begin("before the kill")
	end()
	s.results(n)

	begin("kill")
	killed := time.Now()
	a.kill()
	b.logged(owns)
	took := time.Since(killed)
	t.Logf("taken over %v after kill -9, with a lease of %v", took.Round(time.Millisecond), lease)
	if took > lease+lease/2 { // it is within a few milliseconds, on a machine with nothing else to do
		t.Errorf("taken over %v after kill -9, with a lease of %v", took, lease)
	}
	end()
	s.results(n)

	a = startDetector(t, conf).up()
	a.logged(stands)
	begin("pause")
	b.signal(syscall.SIGSTOP)
	paused := time.Now()
	a.logged(owns)
	t.Logf("taken over %v after SIGSTOP", time.Since(paused).Round(time.Millisecond))
	end()
	s.results(n)
	begin("after the pause")
	b.signal(syscall.SIGCONT)
	b.logged("standing by from now on")
	b.logged(stands)
	end()
	s.results(n)

	begin("stop")
	stopped = time.Now()
	a.signal(syscall.SIGTERM)
	b.logged(owns)
	took = time.Since(stopped)
	t.Logf("handed over %v after SIGTERM", took.Round(time.Millisecond))
	if code := a.exit(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, a.log.String())
	}
	end()
	s.results(n)
	b.signal(syscall.SIGTERM)
	if code := b.exit(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, b.log.String())
	}
	s.results(n)
}

// TestServerGoesAway: a server that is killed and comes back costs nothing, and
// whoever worked works on.
func TestServerGoesAway(t *testing.T) {
	s := startNATS(t, "")
	s.connect()
	d := startDetector(t, fmt.Sprintf("nats: {url: %q, create: true, lease: 10s}\n", s.url)).up()
	d.logged("owns the log of steps")
	n := 0
	for range 3 {
		s.publish("agent.steps", fmt.Sprint(n), 0)
		s.process.kill()
		d.logged("NATS connection is lost")
		s.start()
		s.publish("agent.steps", fmt.Sprint(n), 1)
		n++
		s.results(n)
	}
	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, d.log.String())
	}
	if strings.Contains(d.log.String(), "standing by") {
		t.Errorf("the lease was lost:\n%s", d.log.String())
	}
}
