//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// printed runs the commands of `detector topics` as the nats tool would.
func printed(t *testing.T, js jetstream.JetStream, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "\\\n", "")
	for _, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := regexp.MustCompile(`(?:[^\s']|'[^']*')+`).FindAllString(line, -1)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "'", "")
		}
		if len(words) < 4 || words[0] != "nats" || words[2] != "add" {
			t.Fatalf("not a command: %s", line)
		}
		c := jetstream.StreamConfig{Name: words[3]}
		for _, w := range words[4:] {
			flag, value, _ := strings.Cut(w, "=")
			n, _ := strconv.Atoi(value)
			switch flag {
			case "--description":
				c.Description = value
			case "--subjects":
				c.Subjects = append(c.Subjects, value)
			case "--replicas":
				c.Replicas = n
			case "--allow-rollup":
				c.AllowRollup = true
			case "--allow-msg-ttl":
				c.AllowMsgTTL = true
			case "--allow-batch":
				c.AllowAtomicPublish = true
			case "--discard":
				if value != "new" {
					t.Fatalf("unexpected %s", w)
				}
				c.Discard = jetstream.DiscardNew
			case "--history", "--storage", "--retention", "--defaults":
				if value != "" && value != "1" && value != "file" && value != "limits" {
					t.Fatalf("unexpected %s", w)
				}
			default:
				t.Fatalf("unknown flag %s", w)
			}
		}
		var err error
		if words[1] == "kv" {
			_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: c.Name, Description: c.Description, Replicas: c.Replicas})
		} else {
			_, err = js.CreateStream(t.Context(), c)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// rights gives the printed permissions of one role.
func rights(t *testing.T, text, role string) (publish, subscribe string) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^# ` + role + `: .*\n#   \{\n#     publish: \[(.*)\]\n#     subscribe: \[(.*)\]\n#   \}$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no role %s in\n%s", role, text)
	}
	return m[1], m[2]
}

// TestRights runs what `detector topics` prints against a real server whose
// users have the printed rights and no others: the commands, two detectors that
// follow one another, steps over HTTP and NATS.
func TestRights(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprint("create=", own), func(t *testing.T) {
			testRights(t, own)
		})
	}
}

func testRights(t *testing.T, create bool) {
	text := output(t, "topics", "--for", "nats")
	detect, inbox := rights(t, text, "detect")
	intake, _ := rights(t, text, "intake")
	producer, producerInbox := rights(t, text, "producer")
	reader, readerInbox := rights(t, text, "reader")
	if create {
		more, _ := rights(t, text, "create")
		intake += ", " + more
	}
	user := func(name, publish, subscribe string) string {
		return fmt.Sprintf("{ user: %s, password: %s-pw, permissions: { publish: [%s], subscribe: [%s] } }\n", name, name, publish, subscribe)
	}
	s := startNATS(t, "authorization { users: [\n{ user: admin, password: admin-pw }\n"+
		user("detector", detect+", "+intake, inbox)+user("producer", producer, producerInbox)+user("reader", reader, readerInbox)+"] }\n")
	if !create {
		s.connect(nats.UserInfo("admin", "admin-pw"))
		printed(t, s.js, text)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("detector-pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("nats: {url: %q, user: detector, password_file: %q, lease: 6s, create: %t}\n", s.url, password, create)
	a := startDetector(t, conf).up()
	a.logged("owns the log of steps")
	b := startDetector(t, conf).up()
	b.logged("standing by")

	// Over HTTP, where the one that stands by takes steps as well.
	for i, d := range []*detector{a, b} {
		body := fmt.Sprintf(`[{"trajectory_id":"http-%d","id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}},
{"trajectory_id":"http-%d","id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`, i, i)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		resp, err := client.Post("http://"+d.http+"/v1/steps", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%d for steps over HTTP", resp.StatusCode)
		}
	}
	s.connect(nats.UserInfo("producer", "producer-pw"))
	s.publish("agent.steps.support", "nats", 0)
	stopped := time.Now()
	a.signal(syscall.SIGTERM)
	b.logged("owns the log of steps")
	t.Logf("handed over after %v", time.Since(stopped))
	s.publish("agent.steps.support", "nats", 1)
	s.connect(nats.UserInfo("reader", "reader-pw"))
	s.results(3)
	b.signal(syscall.SIGTERM)
	for _, d := range []*detector{a, b} {
		if code := d.exit(); code != exitDone {
			t.Errorf("exit code %d:\n%s", code, d.log.String())
		}
		if log := d.log.String(); strings.Contains(log, `"level":"warn"`) || strings.Contains(log, `"level":"error"`) || strings.Contains(log, "-pw") {
			t.Errorf("the log warns or tells a secret:\n%s", log)
		}
	}
}

// TestMissing starts the detector against servers that lack something: it ends
// with 2 and says what, and how it comes to be.
func TestMissing(t *testing.T) {
	text := output(t, "topics", "--for", "nats")
	detect, inbox := rights(t, text, "detect")
	without := func(subject string) string {
		cut := strings.Replace(detect, `"`+subject+`", `, "", 1)
		if cut == detect {
			t.Fatalf("no %s in %s", subject, detect)
		}
		return fmt.Sprintf("authorization { users: [{ user: admin, password: admin-pw }, { user: d, password: d-pw, permissions: { publish: [%s], subscribe: [%s] } }] }\n", cut, inbox)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("d-pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, server, conf string
		make               string // of the streams, the first lines of what is printed up to this
		want               string
	}{
		{"steps", "", "", "", "detector: stream AGENT_STEPS: nats: API error: code=404 err_code=10059 description=stream not found; `detector topics --for nats` prints the commands that make it"},
		{"results", "", "", "# The results", "detector: stream AGENT_RESULTS: nats: API error: code=404 err_code=10059"},
		{"checkpoints", "", "", "# The state", "detector: stream AGENT_CHECKPOINTS: nats: API error: code=404 err_code=10059"},
		{"bucket", "", "", "# Which process", "detector: bucket AGENT_OWNERS: nats: bucket not found; `detector topics --for nats`"},
		{"stream of the user's", "", "stream: MINE", "# Rights", "detector: stream MINE: it does not exist; correct nats.stream"},
		{"right", without("$JS.API.STREAM.INFO.AGENT_RESULTS"), "user: d, password_file: " + password, "# Rights", `Permissions Violation for Publish to "$JS.API.STREAM.INFO.AGENT_RESULTS"`},
		{"right to the bucket", without("$JS.API.STREAM.INFO.KV_AGENT_OWNERS"), "user: d, password_file: " + password, "# Rights", `Permissions Violation for Publish to "$JS.API.STREAM.INFO.KV_AGENT_OWNERS"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startNATS(t, c.server)
			if c.make != "" {
				s.connect(nats.UserInfo("admin", "admin-pw"))
				before, _, ok := strings.Cut(text, c.make)
				if !ok {
					t.Fatalf("no %q in\n%s", c.make, text)
				}
				printed(t, s.js, before)
			}
			d := startDetector(t, strings.ReplaceAll(fmt.Sprintf("nats: {url: %q, %s}\n", s.url, c.conf), ", }", "}"))
			if code := d.exit(); code != exitFailed || !strings.Contains(d.log.String(), c.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, exitFailed, c.want, d.log.String())
			}
		})
	}
}
