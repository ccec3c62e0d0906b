//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// childKind says what this binary is as a child of a test: a nats-server, with
// a configuration file as its argument, or the detector.
const childKind = "MISSTEP_TEST_CHILD"

const patience = 30 * time.Second

// runChild runs what the environment asks for; it returns when it asks for
// nothing.
func runChild() {
	switch os.Getenv(childKind) {
	case "nats-server":
		os.Exit(runServer(os.Args[1]))
	case "detector":
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

func runServer(conf string) int {
	opts, err := server.ProcessConfigFile(conf)
	if err == nil {
		opts.NoLog = true
		var s *server.Server
		if s, err = server.NewServer(opts); err == nil {
			s.Start()
			if s.ReadyForConnections(patience) {
				fmt.Println(s.ClientURL())
			}
			s.WaitForShutdown()
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// process is a child.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader    // standard output of a server, standard error of a detector
	log  bytes.Buffer     // what was read of it
	told []map[string]any // and nobody waited for yet
	done bool
}

func spawn(t *testing.T, kind string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), childKind+"="+kind)
	var pipe io.ReadCloser
	var err error
	if kind == "detector" {
		pipe, err = p.cmd.StderrPipe()
	} else {
		p.cmd.Stderr = os.Stderr
		pipe, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(pipe)
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.kill()
	})
	return p
}

func (p *process) signal(s syscall.Signal) {
	if !p.done {
		_ = p.cmd.Process.Signal(s) // it may have ended
	}
}

func (p *process) kill() {
	if p.done {
		return
	}
	p.done = true
	_ = p.cmd.Process.Kill()          // likewise
	_, _ = io.Copy(io.Discard, p.out) // to the end
	_ = p.cmd.Wait()                  // it was killed
}

// line gives the next line; the test fails when none comes.
func (p *process) line() string {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	s, err := p.out.ReadString('\n')
	p.log.WriteString(s)
	if err != nil {
		p.t.Fatalf("process %d said no more than\n%s", p.cmd.Process.Pid, p.log.String())
	}
	return s
}

// logged waits for a line of the detector's log, which may have come already.
func (p *process) logged(message string) map[string]any {
	p.t.Helper()
	for i := 0; ; i++ {
		for i >= len(p.told) {
			var m map[string]any
			if s := p.line(); json.Unmarshal([]byte(s), &m) == nil {
				p.told = append(p.told, m)
			}
		}
		if m := p.told[i]; strings.HasPrefix(fmt.Sprint(m["message"]), message) {
			p.told = append(p.told[:i:i], p.told[i+1:]...)
			return m
		}
	}
}

// exit waits for the end of the process and gives its exit code.
func (p *process) exit() int {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_, _ = io.Copy(&p.log, p.out) // to the end
	p.done = true
	_ = p.cmd.Wait() // the exit code tells
	return p.cmd.ProcessState.ExitCode()
}

// natsServer is a server of the user's in a process of its own.
type natsServer struct {
	*process
	t    *testing.T
	url  string
	file string
	nc   *nats.Conn
	js   jetstream.JetStream
}

func startNATS(t *testing.T, conf string) *natsServer {
	t.Helper()
	dir := t.TempDir()
	s := &natsServer{t: t, file: filepath.Join(dir, "nats.conf")}
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q }\n%s", freeAddrs(t, 1)[0], filepath.Join(dir, "js"), conf)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// freeAddrs gives addresses that nobody listens at.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		out = append(out, ln.Addr().String())
	}
	return out
}

func (s *natsServer) start() {
	s.process = spawn(s.t, "nats-server", s.file)
	s.url = strings.TrimSpace(s.line())
}

func (s *natsServer) connect(options ...nats.Option) {
	s.t.Helper()
	var err error
	if s.nc, err = nats.Connect(s.url, append(options, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.nc.Close)
	if s.js, err = jetstream.New(s.nc); err != nil {
		s.t.Fatal(err)
	}
}

// publish stores the first or the second half of the story of a trajectory.
func (s *natsServer) publish(subject, trajectory string, half int) {
	s.t.Helper()
	step := []string{
		`{"trajectory_id":%q,"id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}}`,
		`{"trajectory_id":%q,"id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}`,
	}[half]
	for deadline := time.Now().Add(patience); ; {
		_, err := s.js.Publish(s.t.Context(), subject, fmt.Appendf(nil, step, trajectory))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal(err)
		}
	}
}

// records hands each record of the results to do, and waits for more until that
// is content.
func (s *natsServer) records(do func(m jetstream.Msg) bool, subjects ...string) {
	s.t.Helper()
	c, err := s.js.CreateConsumer(s.t.Context(), "AGENT_RESULTS", jetstream.ConsumerConfig{
		FilterSubjects: subjects, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	msgs, err := c.Messages()
	if err != nil {
		s.t.Fatal(err)
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextMaxWait(patience))
		if err != nil {
			s.t.Fatalf("waiting for more results: %v", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			s.t.Fatal(err)
		}
		if do(m) && meta.NumPending == 0 {
			return
		}
	}
}

// results waits until each of n trajectories has its failure, and checks that
// nothing is there twice.
func (s *natsServer) results(n int) {
	s.t.Helper()
	origins, seen := map[string]bool{}, map[string]bool{}
	s.records(func(m jetstream.Msg) bool {
		origin, id := m.Headers().Get("misstep-origin"), m.Headers().Get("trajectory_id")
		if origins[origin] || seen[id] || !strings.HasPrefix(m.Subject(), "agent.failures.hallucinated_tool.") {
			s.t.Errorf("%s of %s with the origin %s is one too many", m.Subject(), id, origin)
		}
		origins[origin], seen[id] = true, true
		return len(seen) >= n
	}, "agent.failures.>", "agent.deadletter")
	if len(seen) != n {
		s.t.Errorf("%d trajectories have failures, want %d", len(seen), n)
	}
}

// detector is the real command in a process of its own.
type detector struct {
	*process
	http string
}

func startDetector(t *testing.T, conf string, args ...string) *detector {
	t.Helper()
	file := filepath.Join(t.TempDir(), "misstep.yaml")
	if err := os.WriteFile(file, []byte(conf+"http: {listen: '127.0.0.1:0'}\nlog: {format: json}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &detector{process: spawn(t, "detector", append([]string{"run", "-c", file}, args...)...)}
}

// up waits until the detector answers.
func (d *detector) up() *detector {
	d.t.Helper()
	d.http = fmt.Sprint(d.logged("started")["http"])
	return d
}

func (d *detector) ready() (int, string) {
	d.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://" + d.http + "/readyz")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
