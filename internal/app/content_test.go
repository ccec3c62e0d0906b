package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/nats-io/nats.go"
)

// TestLogWithoutContent sends a mark wherever a caller can put something, good
// and bad, and looks for it in the log at its most talkative.
func TestLogWithoutContent(t *testing.T) {
	const mark, token = "s3cr3tMark", "0123456789abcdef-token"
	c := settings(t.TempDir())
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.HTTP.TokenFile, c.NATS.TokenFile = file, file
	c.Admin.Listen, c.Admin.TokenFile = "127.0.0.1:0", file
	d := start(t, c)
	request := func(method, url, body string, header ...string) int {
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
			if name == "Host" {
				r.Host = value
			}
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		return resp.StatusCode
	}
	const asJSON = "Content-Type: application/json"
	steps, auth := "http://"+d.HTTP+"/v1/steps", "Authorization: Bearer "+token
	call := `"kind":"tool_call","call":{"id":"m","tool":"m-tool","arguments":{"m":"m"}}`
	story := strings.ReplaceAll(`{"trajectory_id":"m-run","tenant":"m","id":"m1","workflow":"m","agent":"m","kind":"task_start","text":"m","task":{"id":"m","name":"m","tools":[{"name":"m","description":"m","parameters":{"type":"object","properties":{"m":{"type":"m","pattern":"("}},"$ref":"m"}}]}}
{"trajectory_id":"m-run","tenant":"m","id":"m2",`+call+`}
{"trajectory_id":"m-run","tenant":"m","id":"m3","kind":"tool_result","result":{"call_id":"m","status":"error","error":{"message":"m"},"content":"m"}}
{"trajectory_id":"m-run","tenant":"m","id":"m4",`+call+`}
{"trajectory_id":"m-run","tenant":"m","id":"m5","kind":"tool_result","result":{"call_id":"m","status":"error","content":"m"}}
{"trajectory_id":"m-run","tenant":"m","id":"m6","kind":"task_end","outcome":{"status":"failure","reason":"m"}}
`, `"m`, `"`+mark)
	for _, c := range []struct{ got, want int }{
		{request("POST", steps, story, asJSON, auth), 200},
		{request("POST", steps, `{"`+mark+`":`, asJSON, auth), 400},
		{request("POST", steps, mark, asJSON, auth), 400},
		{request("POST", steps+"?partial="+mark, story, asJSON, auth), 400},
		{request("POST", steps, story, "Content-Type: "+mark, auth), 415},
		{request("POST", steps, mark, asJSON, auth, "Content-Encoding: gzip"), 400},
		{request("POST", steps, story, asJSON, "Authorization: Bearer "+mark), 401},
		{request("GET", "http://"+d.HTTP+"/"+mark+"?"+mark, "", auth), 404},
		{request("GET", "http://"+d.HTTP+"/metrics", "", auth, "Host: "+mark, "Origin: http://"+mark), 403},
		{request("GET", "http://"+d.Admin+"/debug/pprof/"+mark, "", auth), 404},
		{request("GET", "http://"+d.Admin+"/debug/pprof/goroutine?debug="+mark, "", "Authorization: "+mark), 401},
	} {
		if c.got != c.want {
			t.Errorf("a request got %d, want %d", c.got, c.want)
		}
	}
	// What is no HTTP at all.
	raw, err := net.Dial("tcp", d.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(raw, "%s %s\r\n%s: %s\r\n\r\n", mark, mark, mark, mark)
	raw.Close()
	// NATS, where nobody looks at it first.
	if nc, err := nats.Connect(d.NATS, nats.Token(mark), nats.Name(mark)); err == nil {
		nc.Close()
		t.Error("the wrong token was taken")
	}
	if nc, err := nats.Connect(d.NATS, nats.UserInfo(mark, mark)); err == nil {
		nc.Close()
		t.Error("a user was taken")
	}
	nc, err := nats.Connect(d.NATS, nats.Token(token), nats.Name(mark))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, said := range []string{mark, "PUB " + mark + " 99999999", "SUB " + mark + "..> 1", "PUB " + strings.Repeat(mark, 1000)} {
		raw, err := net.Dial("tcp", strings.TrimPrefix(d.NATS, "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(raw, "CONNECT {\"auth_token\":%q,\"name\":%q,\"lang\":%q,\"pedantic\":true}\r\n%s\r\n", token, mark, mark, said)
		for r := bufio.NewReader(raw); ; {
			line, err := r.ReadString('\n')
			if strings.HasPrefix(line, "-ERR") {
				break
			}
			if err != nil {
				t.Fatalf("%.20s: no error, but %v", said, err)
			}
		}
		raw.Close()
	}
	letters, err := nc.SubscribeSync("agent.deadletter")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{mark, `{"` + mark + `":1}`, `[{"trajectory_id":"` + mark + `","kind":7}]`, "\xff" + mark} {
		if err := nc.Publish("agent.steps."+mark, []byte(body)); err != nil {
			t.Fatal(err)
		}
		next(t, letters)
	}
	for range 100 {
		if err := nc.Publish("agent.steps", []byte(mark)); err != nil {
			t.Fatal(err)
		}
		next(t, letters)
	}
	if n := len(d.results()); n < 100 {
		t.Errorf("%d results", n)
	}
	nc.Close()
	d.stop()
	log := d.log.String()
	for line := range strings.Lines(log) {
		if strings.Contains(line, mark) || strings.Contains(line, token) {
			t.Errorf("content is in the log: %s", line)
		}
	}
	for want, n := range map[string]int{
		fmt.Sprintf(`"trajectory_hash":"%016x"`, xxhash.Sum64String(mark+"-run")): 2,
		`"message":"dead letter: a step could not be read"`:                       20,
		`"class":"retry_loop"`: 1,
		`"message":"failure"`:  1,
	} {
		if got := strings.Count(log, want); got < n {
			t.Errorf("%s is %d times in the log, want %d at least", want, got, n)
		}
	}
	if got := strings.Count(log, `"message":"dead letter`); got != 20 {
		t.Errorf("%d dead letters were told, want 20", got)
	}
}
