//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The environment of TestStorm: how long it rages, such as 2m, how many NATS
// servers there are, of which one at a time is killed, and the seed of an
// earlier one.
const (
	stormTime  = "MISSTEP_STORM"
	stormNodes = "MISSTEP_STORM_NODES"
	stormSeed  = "MISSTEP_STORM_SEED"
)

// TestStorm kills, pauses and stops detectors and their NATS server at random
// while steps come in. Each failure must be in the results once.
func TestStorm(t *testing.T) {
	if os.Getenv(stormTime) == "" {
		t.Skip("set " + stormTime + " to how long it is to rage")
	}
	length, err := time.ParseDuration(os.Getenv(stormTime))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(stormSeed); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	s := &storm{t: t, random: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}, dir: t.TempDir()}
	replicas := 1
	if n, _ := strconv.Atoi(os.Getenv(stormNodes)); n > 1 {
		s.nodes, replicas = startCluster(t, n), min(n, 3)
	} else {
		s.nodes = []*natsServer{startNATS(t, "")}
	}
	s.natsServer = &natsServer{t: t, url: s.nodes[0].url}
	for _, n := range s.nodes[1:] {
		s.natsServer.url += "," + n.url
	}
	s.connect()
	s.conf = filepath.Join(s.dir, "misstep.yaml")
	if err := os.WriteFile(s.conf, fmt.Appendf(nil, "nats: {url: [\"%s\"], create: true, replicas: %d, lease: %v}\nhttp: {listen: '127.0.0.1:0'}\nlog: {format: json}\n", strings.ReplaceAll(s.url, ",", `", "`), replicas, stormLease), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; { // a cluster is not ready at once
		if _, err := s.js.AccountInfo(t.Context()); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("JetStream is not ready")
		}
	}
	for range 3 {
		s.detectors = append(s.detectors, s.spawn())
	}
	t.Cleanup(func() {
		for _, c := range s.detectors {
			_ = c.Process.Signal(syscall.SIGCONT) // it may have ended
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	end := time.Now().Add(length)
	next := time.Now()
	for time.Now().Before(end) {
		s.produce()
		if time.Now().After(next) {
			s.strike()
			next = time.Now().Add(time.Duration(100+s.random.IntN(900)) * time.Millisecond)
		}
	}
	s.wake(true)
	for len(s.open) > 0 {
		s.finish(len(s.open) - 1)
	}
	s.results(s.done)
	s.inOrder()
	t.Logf("%d trajectories; %v", s.done, s.counts)
}

const stormLease = time.Second

type storm struct {
	*natsServer // a client of all nodes
	nodes       []*natsServer
	t           *testing.T
	random      *rand.Rand
	dir, conf   string
	detectors   []*exec.Cmd
	logs        map[*exec.Cmd]string // their files
	asleep      map[int]time.Time    // until when
	open        []string             // trajectories that have begun
	begun       int
	done        int // that have their failure to come
	counts      map[string]int
}

// spawn starts a detector. It logs to a file that stays for a look.
func (s *storm) spawn() *exec.Cmd {
	s.counts["started"]++
	f, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("detector-%d.log", s.counts["started"])))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if s.logs == nil {
		s.logs = map[*exec.Cmd]string{}
	}
	c := exec.Command(os.Args[0], "run", "-c", s.conf)
	c.Env = append(os.Environ(), childKind+"=detector")
	c.Stderr = f
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.logs[c] = f.Name()
	return c
}

// logOf gives what a detector logged.
func (s *storm) logOf(c *exec.Cmd) string {
	b, err := os.ReadFile(s.logs[c])
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// produce begins or finishes a few trajectories.
func (s *storm) produce() {
	for range 1 + s.random.IntN(20) {
		if len(s.open) == 0 || len(s.open) < 50 && s.random.IntN(2) == 0 {
			id := fmt.Sprint("run-", s.begun)
			s.begun++
			s.publish("agent.steps.support", id, 0)
			s.open = append(s.open, id)
		} else {
			s.finish(s.random.IntN(len(s.open)))
		}
	}
	s.wake(false)
}

func (s *storm) finish(i int) {
	s.publish("agent.steps.support", s.open[i], 1)
	s.open[i] = s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.done++
}

// strike does one thing that should not matter.
func (s *storm) strike() {
	i := s.random.IntN(len(s.detectors))
	c := s.detectors[i]
	what := "kill -9"
	switch n := s.random.IntN(20); {
	case n < 4:
		what = "pause"
		if _, ok := s.asleep[i]; !ok {
			_ = c.Process.Signal(syscall.SIGSTOP) // it may have ended
			if s.asleep == nil {
				s.asleep = map[int]time.Time{}
			}
			s.asleep[i] = time.Now().Add(stormLease + time.Duration(s.random.IntN(2000))*time.Millisecond)
		}
	case n < 8:
		what = "stop"
		if _, ok := s.asleep[i]; !ok {
			_ = c.Process.Signal(syscall.SIGTERM)
			if err := c.Wait(); err != nil && !strings.Contains(err.Error(), "signal") {
				s.t.Errorf("a detector that was stopped gave %v:\n%s", err, s.logOf(c))
			}
			s.detectors[i] = s.spawn()
		}
	case n < 9:
		what = "kill -9 of the server"
		node := s.nodes[s.random.IntN(len(s.nodes))]
		node.kill()
		node.start()
	default:
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
		delete(s.asleep, i)
		s.detectors[i] = s.spawn()
	}
	s.counts[what]++
}

// wake ends the pauses that are over, or all.
func (s *storm) wake(all bool) {
	for i, until := range s.asleep {
		if all || time.Now().After(until) {
			_ = s.detectors[i].Process.Signal(syscall.SIGCONT) // it may have ended
			delete(s.asleep, i)
		}
	}
}

// inOrder checks that origins increase from record to record.
func (s *storm) inOrder() {
	last, lastIndex := -1, -1
	s.records(func(m jetstream.Msg) bool {
		parts := strings.Split(m.Headers().Get("misstep-origin"), "/")
		if len(parts) != 4 {
			s.t.Fatalf("origin is %q", parts)
		}
		offset, err1 := strconv.Atoi(parts[2])
		index, err2 := strconv.Atoi(parts[3])
		if err1 != nil || err2 != nil || offset < last || offset == last && index <= lastIndex {
			s.t.Errorf("%q comes after offset %d, index %d", parts, last, lastIndex)
		}
		last, lastIndex = offset, index
		return true
	}, "agent.failures.>", "agent.tasks")
}
