package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/app"
	"misstep/internal/config"
)

// userServer is a NATS server of the user's, and a client of it.
func userServer(t *testing.T, conf string) (string, jetstream.JetStream) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "listen: 127.0.0.1:-1\njetstream { store_dir: %q }\n%s", dir, conf), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoLog, opts.NoSigs = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("admin", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return s.ClientURL(), js
}

func external(url string) *config.Config {
	c := settings("unused")
	c.NATS.URLs, c.NATS.Create, c.NATS.Lease = []string{url}, true, 5*time.Second
	return c
}

func (d *detector) until(what string, ok func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s does not come; the log is\n%s", what, d.log.String())
		}
	}
}

func (d *detector) shows(line string) bool {
	_, body := d.get("/metrics")
	return strings.Contains(body, "\n"+line+"\n")
}

// TestUsersStream reads a stream of the user's by one of its subjects. Its
// beginning is gone, which is said once, however often the detector starts.
func TestUsersStream(t *testing.T) {
	url, js := userServer(t, "")
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, err := js.Publish(t.Context(), []string{"my.steps", "my.other"}[i%2], []byte(misstep(fmt.Sprint("run-", i)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(3)); err != nil {
		t.Fatal(err)
	}
	before := s.CachedInfo().Config
	c := external(url)
	c.NATS.Stream, c.NATS.Subject, c.NATS.PublishSubject = "MINE", "my.steps", "my.steps"
	for run := range 2 {
		d := start(t, c)
		if run == 1 { // it begins after the gap
			d.until("the state", func() bool { return strings.Contains(d.log.String(), "state restored") })
			if !d.shows("misstep_gaps_total 0") {
				t.Error("the gap is counted again")
			}
		}
		if run == 0 {
			d.until("the gap", func() bool { return d.shows("misstep_gaps_total 1") && d.shows("misstep_gap_records_total 2") })
			if !strings.Contains(d.log.String(), `"source":"MINE","partition":0,"from":1,"to":2,`) {
				t.Errorf("the log does not tell of the gap:\n%s", d.log.String())
			}
			stored := d.stored()
			d.post(strings.ReplaceAll(misstep("http"), `"workflow":"support",`, ""))
			for !strings.Contains(stored(), `"http"`) {
			}
		}
		d.exactly(3) // runs 2 and 4, and http
		results, err := js.Stream(t.Context(), "AGENT_RESULTS")
		if err != nil {
			t.Fatal(err)
		}
		info, err := results.Info(t.Context(), jetstream.WithSubjectFilter("agent.gaps"))
		if err != nil {
			t.Fatal(err)
		}
		if n := info.State.Subjects["agent.gaps"]; n != 1 {
			t.Errorf("run %d: %d events of the gap, want 1", run, n)
		}
		d.stop()
	}
	if s, err = js.Stream(t.Context(), "MINE"); err != nil {
		t.Fatal(err)
	}
	if after := s.CachedInfo().Config; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the user's stream was %v, is %v", before, after)
	}
}

// TestUsersStreamMadeAnew: results of a stream that was made anew would pass
// for those of the one before, so the detector does not start.
func TestUsersStreamMadeAnew(t *testing.T) {
	url, js := userServer(t, "")
	d := start(t, external(url))
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	d.stop()
	if err := js.DeleteStream(t.Context(), "AGENT_STEPS"); err != nil {
		t.Fatal(err)
	}
	err := app.Run(t.Context(), app.Options{Config: external(url), Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "stream is not the one that was read before: AGENT_STEPS is the one made at ") ||
		!strings.Contains(err.Error(), "give the stream another name, or delete the stream AGENT_RESULTS and the key AGENT_STEPS.0 of the bucket AGENT_OWNERS") {
		t.Fatalf("got %v", err)
	}
	// The mend that it names is one.
	if err := js.DeleteStream(t.Context(), "AGENT_RESULTS"); err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "AGENT_OWNERS")
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "AGENT_STEPS.0"); err != nil {
		t.Fatal(err)
	}
	d = start(t, external(url))
	stored = d.stored()
	d.post(misstep("run-2"))
	stored()
	d.exactly(1)
}

// TestOwnerAgain: a detector whose lease was taken away stands by, and when it
// has the lease again it goes on with a state of its own making. Its counters
// do not go back.
func TestOwnerAgain(t *testing.T) {
	url, js := userServer(t, "")
	d := start(t, external(url))
	stored := d.stored()
	const half = `{"trajectory_id":"cut","id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}}`
	d.post(misstep("run-1"))
	d.post(half)
	stored()
	d.until("the steps", func() bool { return d.shows(`misstep_steps_total{kind="task_start"} 2`) })
	kv, err := js.KeyValue(t.Context(), "AGENT_OWNERS")
	if err != nil {
		t.Fatal(err)
	}
	thief, err := json.Marshal(map[string]any{"v": 1, "owner": "thief", "name": "the thief", "lease_ms": 1500})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "AGENT_STEPS.0", thief); err != nil {
		t.Fatal(err)
	}
	d.until("standing by", func() bool {
		code, body := d.get("/readyz")
		return code == 503 && strings.Contains(body, "standing by: owned by the thief")
	})
	d.until("the lease again", func() bool { code, _ := d.get("/readyz"); return code == 200 })
	d.post(`{"trajectory_id":"cut","id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}`)
	stored()
	d.exactly(2)
	d.until("the sum", func() bool {
		return d.shows(`misstep_steps_total{kind="task_start"} 4`) && d.shows(`misstep_suppressed_outputs_total 1`) && d.shows(`misstep_outputs_total 2`)
	})
}

// TestRightIsMissing: when results cannot be written, the detector says why, is
// not ready, loses nothing, and goes on when the right is there.
func TestRightIsMissing(t *testing.T) {
	url, js := userServer(t, `authorization { users: [{ user: admin, password: pw }, { user: d, password: pw, permissions: { publish: { deny: "agent.failures.>" } } }] }`)
	c := external(url)
	c.NATS.User, c.NATS.PasswordFile = "d", filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(c.NATS.PasswordFile, []byte("pw"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log buffer
	ctx, cancel := context.WithCancel(t.Context())
	up, done := make(chan app.Running, 1), make(chan error, 1)
	go func() {
		done <- app.Run(ctx, app.Options{Config: c, Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.New(&log), Started: func(r app.Running) { up <- r }})
	}()
	d := &detector{t: t, Running: <-up}
	d.post(misstep("run-1"))
	d.until("the reason", func() bool {
		return strings.Contains(log.String(), `Permissions Violation for Publish to \"agent.failures.hallucinated_tool.support\"`)
	})
	// A server answers nothing to what it denies, so this takes until the answer is
	// overdue.
	d.until("not ready", func() bool { code, _ := d.get("/readyz"); return code == 503 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	c.NATS.User = "admin"
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		done <- app.Run(ctx, app.Options{Config: c, Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.New(&log), Started: func(r app.Running) { up <- r }})
	}()
	d = &detector{t: t, Running: <-up, nc: js.Conn()}
	d.until("the failure", func() bool { return d.shows("misstep_outputs_total 1") })
	d.exactly(1)
	d.nc = nil
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}
