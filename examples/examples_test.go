// Package examples tests the examples, which use no library of ours.
package examples

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"misstep/event"
)

// publishers are the commands that take the address as their last argument.
var publishers = []struct {
	source  string
	command []string
}{
	{"publish-go/main.go", []string{"go", "run", "./publish-go"}},
	{"publish.py", []string{"python3", "publish.py"}},
	{"publish.mjs", []string{"node", "publish.mjs"}},
}

func TestPublish(t *testing.T) {
	for _, p := range publishers {
		t.Run(p.source, func(t *testing.T) {
			needs(t, p.command[0])
			var kinds []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Content-Type"); r.Method != http.MethodPost || r.URL.Path != "/v1/steps" || got != "application/x-ndjson" {
					t.Errorf("%s %s with content type %q", r.Method, r.URL.Path, got)
				}
				kinds = decode(t, r.Body)
				_, _ = io.WriteString(w, `{"accepted":6}`) // the client may be gone
			}))
			defer server.Close()
			out, err := command(p.command, server.URL+"/v1/steps").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			want := "tool_call tool_result tool_call tool_result tool_call tool_result"
			if got := strings.Join(kinds, " "); got != want {
				t.Errorf("steps %q, want %q", got, want)
			}
		})
	}
}

func TestPublishFailure(t *testing.T) {
	for _, p := range publishers {
		t.Run(p.source, func(t *testing.T) {
			needs(t, p.command[0])
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"accepted":0}`, http.StatusBadRequest)
			}))
			defer server.Close()
			out, err := command(p.command, server.URL+"/v1/steps").CombinedOutput()
			if err == nil {
				t.Errorf("a refusal went unnoticed: %s", out)
			}
		})
	}
}

// TestShort holds the examples to what is promised: under 15 lines each, without
// comments, blank lines and the list of imports.
func TestShort(t *testing.T) {
	for _, p := range publishers {
		src, err := os.ReadFile(p.source)
		if err != nil {
			t.Fatal(err)
		}
		n, imports := 0, false
		for line := range strings.Lines(string(src)) {
			line = strings.TrimSpace(line)
			imports = imports && line != ")" || line == "import ("
			if line != "" && !imports && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, `"""`) {
				n++
			}
		}
		if n >= 15 {
			t.Errorf("%s has %d lines, want under 15", p.source, n)
		}
	}
}

// needs skips a test whose interpreter is missing, except in CI.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and in CI it must be", program)
		}
		t.Skipf("%s IS NOT INSTALLED: ITS EXAMPLE WAS NOT TESTED", program)
	}
}

func command(words []string, url string) *exec.Cmd {
	return exec.Command(words[0], append(words[1:len(words):len(words)], url)...)
}

// decode reads a body as the detector does and gives the kinds of its steps.
func decode(t *testing.T, body io.Reader) []string {
	payload, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	var d event.Decoder
	var s event.Step
	var kinds []string
	d.Reset(payload)
	for {
		err := d.Next(&s)
		if errors.Is(err, io.EOF) {
			return kinds
		}
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			return kinds
		}
		if bytes.Equal(s.TrajectoryID, nil) {
			t.Error("a step without a trajectory")
		}
		kinds = append(kinds, s.Kind.String())
	}
}
