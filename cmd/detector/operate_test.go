//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// operated is a detector whose files are changed while it runs.
type operated struct {
	*process
	file, token string
	http, nats  string
}

const firstToken, secondToken = "first-0123456789", "second-0123456789"

func operate(t *testing.T, conf string) *operated {
	t.Helper()
	dir := t.TempDir()
	o := &operated{file: filepath.Join(dir, "misstep.yaml"), token: filepath.Join(dir, "token")}
	o.write(t, o.token, firstToken+"\n")
	o.configure(t, conf)
	o.process = spawn(t, "detector", "run", "-c", o.file)
	m := o.logged("started")
	o.http, o.nats = fmt.Sprint(m["http"]), fmt.Sprint(m["nats"])
	return o
}

func (o *operated) write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// configure writes the configuration with the settings that no test changes.
func (o *operated) configure(t *testing.T, conf string) {
	t.Helper()
	dir := filepath.Dir(o.file)
	o.write(t, o.file, fmt.Sprintf(`data: %q
http: {listen: '127.0.0.1:0', token_file: %q}
nats: {listen: '127.0.0.1:0', token_file: %q}
log: {format: json}
%s`, filepath.Join(dir, "data"), o.token, o.token, conf))
}

// get gives the status code and the body of a page.
func (o *operated) get(path, token string) (int, string) {
	o.t.Helper()
	r, err := http.NewRequest("GET", "http://"+o.http+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (o *operated) metrics(token string, want ...string) {
	o.t.Helper()
	code, text := o.get("/metrics", token)
	for _, w := range want {
		if code != 200 || !strings.Contains(text, "\n"+w+"\n") {
			o.t.Errorf("/metrics gave %d and no %s", code, w)
		}
	}
}

// TestHangUp has a running detector read its files again, good and bad.
func TestHangUp(t *testing.T) {
	o := operate(t, "")
	if code, _ := o.get("/metrics", secondToken); code != 401 {
		t.Errorf("the wrong token got %d", code)
	}
	o.metrics(firstToken, "misstep_config_last_reload_successful 1", "misstep_config_reload_failures_total 0")
	nc, err := nats.Connect(o.nats, nats.Token(firstToken))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()

	o.configure(t, "idle: never\n")
	o.signal(syscall.SIGHUP)
	if m := o.logged("reload failed; the configuration before stays in force"); !strings.Contains(fmt.Sprint(m["error"]), o.file+":5:7: idle: found \"never\"") {
		t.Errorf("the log says %v", m)
	}
	o.metrics(firstToken, "misstep_config_last_reload_successful 0", "misstep_config_reload_failures_total 1")

	o.write(t, o.token, secondToken)
	o.configure(t, "shards: 1\n")
	o.signal(syscall.SIGHUP)
	if m := o.logged("these settings changed and wait for a restart"); fmt.Sprint(m["settings"]) != "[shards]" {
		t.Errorf("the log says %v", m)
	}
	o.logged("reloaded; the ruleset is the same")
	o.metrics(secondToken, "misstep_config_last_reload_successful 1", "misstep_config_reload_failures_total 1")
	if code, _ := o.get("/metrics", firstToken); code != 401 {
		t.Errorf("the old token got %d", code)
	}
	if nc, err := nats.Connect(o.nats, nats.Token(firstToken)); err == nil {
		nc.Close()
		t.Error("NATS takes the old token")
	}

	if err := os.Remove(o.token); err != nil {
		t.Fatal(err)
	}
	o.signal(syscall.SIGHUP)
	o.logged("reload failed")
	o.metrics(secondToken, "misstep_config_last_reload_successful 0")
	o.write(t, o.token, secondToken)

	o.configure(t, "budgets: {max_calls: 3}\n")
	o.signal(syscall.SIGHUP)
	m := o.logged("reloaded; another ruleset is in force")
	if fmt.Sprint(m["settings"]) != "[budgets.max_calls]" || m["old"] == m["new"] {
		t.Errorf("the log says %v", m)
	}
	if _, text := o.get("/metrics", secondToken); !strings.Contains(text, fmt.Sprintf(`ruleset="%v"`, m["new"])) || strings.Contains(text, fmt.Sprint(m["old"])) {
		t.Errorf("/metrics does not show the ruleset %v alone", m["new"])
	}

	// A storm, and one while it stops.
	for range 200 {
		o.signal(syscall.SIGHUP)
	}
	o.logged("reloaded")
	o.signal(syscall.SIGTERM)
	o.signal(syscall.SIGHUP)
	if code := o.exit(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if log := o.log.String(); strings.Contains(log, firstToken) || strings.Contains(log, secondToken) {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// TestSecondSignal: the first has it finish what it does, here a request whose
// body does not come; the second ends it at once.
func TestSecondSignal(t *testing.T) {
	o := operate(t, "")
	c, err := net.Dial("tcp", o.http)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// What the server answers to Expect says that it reads the body.
	_, err = fmt.Fprintf(c, "POST /v1/steps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", firstToken)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	o.signal(syscall.SIGTERM)
	o.logged("stopping")
	began := time.Now()
	o.signal(syscall.SIGTERM)
	o.exit()
	if s := o.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v after %v, want the signal", o.cmd.ProcessState, time.Since(began))
	}
}
