//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"misstep/internal/config"
)

// watched is a writer that says when it was given a text.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	want string
	seen chan struct{}
}

func watch(want string) *watched { return &watched{want: want, seen: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.b.String(), w.want)
	w.b.Write(p)
	if !before && strings.Contains(w.b.String(), w.want) {
		close(w.seen)
	}
	return len(p), nil
}

func (w *watched) wait(t *testing.T) string {
	t.Helper()
	select {
	case <-w.seen:
	case <-time.After(20 * time.Second):
		t.Errorf("%q did not come", w.want)
	}
	return w.String()
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

var tryLine = regexp.MustCompile(`curl -sS (http://[^ ]+) .* -d '([^']+)'`)

// TestRunAndStop does what a person does: starts the command, runs the line
// that it says to try, sees a failure, and interrupts it.
func TestRunAndStop(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		stdout, stderr := watch("hallucinated_tool/invented_tool teleport"), watch("  try ")
		code := make(chan int, 1)
		dir := filepath.Join(t.TempDir(), "data")
		go func() {
			code <- run([]string{"--data", dir, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"}, strings.NewReader(""), stdout, stderr)
		}()
		m := tryLine.FindStringSubmatch(stderr.wait(t))
		if m == nil {
			t.Fatalf("there is nothing to try in\n%s", stderr)
		}
		resp, err := http.Post(m[1], "application/json", strings.NewReader(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "{\"accepted\":2}\n" {
			t.Fatalf("%s answered %s, %v", m[1], body, err)
		}
		stdout.wait(t)
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		if got := <-code; got != exitDone {
			t.Errorf("%v: exit code %d, want %d\n%s", sig, got, exitDone, stderr)
		}
		if strings.Contains(stdout.String(), "\x1b") {
			t.Errorf("there is colour without a terminal: %q", stdout)
		}
	}
}

// TestSettings: a flag is above the file, the file above the defaults.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("data: from-file\nhttp: {listen: '127.0.0.1:1'}\nlog: {level: warn}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	show := func(c *config.Config) string {
		return fmt.Sprint(c.Data, " ", c.HTTP.Listen, " ", c.NATS.Listen, " ", c.Log.Level)
	}
	for want, s := range map[string]settings{
		"./misstep-data 127.0.0.1:4318 127.0.0.1:4222 info": {},
		"from-file 127.0.0.1:1 127.0.0.1:4222 warn":         {config: file},
		"from-flag 127.0.0.1:2 127.0.0.1:3 debug":           {config: file, data: "from-flag", http: "127.0.0.1:2", nats: "127.0.0.1:3", level: "debug"},
		"from-flag 127.0.0.1:4318 [::1]:0 error":            {data: "from-flag", nats: "[::1]:0", level: "error"},
	} {
		c, err := s.load()
		if err != nil || show(c) != want {
			t.Errorf("%+v gives %s, %v; want %s", s, show(c), err, want)
		}
	}
}
