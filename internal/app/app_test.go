package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/internal/kafkatest"
)

const childFolder = "MISSTEP_APP_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		os.Exit(child(dir))
	}
	kafkatest.Main(m, kafkaBroker)
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func settings(dir string) *config.Config {
	c := config.Default()
	c.Data, c.HTTP.Listen, c.NATS.Listen, c.Shards = dir, "127.0.0.1:0", "127.0.0.1:0", 2
	return c
}

// buffer may be written while it is read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// detector is a running one.
type detector struct {
	t *testing.T
	app.Running
	terminal, banner, log buffer
	cancel                context.CancelFunc
	done                  chan error
	nc                    *nats.Conn
}

func start(t *testing.T, c *config.Config) *detector {
	t.Helper()
	return startWith(t, c, func(*app.Options) {})
}

// stop may be called twice.
func (d *detector) stop() {
	if d.nc == nil {
		return
	}
	d.nc.Close()
	d.nc = nil
	d.cancel()
	select {
	case err := <-d.done:
		if err != nil {
			d.t.Errorf("stopped with %v", err)
		}
	case <-time.After(patience):
		d.t.Error("does not stop")
	}
}

func (d *detector) subscribe(subject string) *nats.Subscription {
	d.t.Helper()
	s, err := d.nc.SubscribeSync(subject)
	if err == nil {
		err = d.nc.Flush()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// stored waits for the next failures in the results log. A plain subscription
// hears of a batch before it is committed.
func (d *detector) stored() func() string {
	d.t.Helper()
	js, err := jetstream.New(d.nc)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	d.t.Cleanup(cancel)
	c, err := js.CreateConsumer(ctx, "AGENT_RESULTS", jetstream.ConsumerConfig{
		FilterSubjects: []string{"agent.failures.>"}, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckNonePolicy,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return func() string {
		d.t.Helper()
		m, err := c.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			d.t.Fatal(err)
		}
		return string(m.Data())
	}
}

func next(t *testing.T, s *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := s.NextMsg(patience)
	if err != nil {
		t.Fatalf("%s: %v", s.Subject, err)
	}
	return m
}

func (d *detector) post(body string) {
	d.t.Helper()
	if got, want := post(d.t, d.HTTP, body), fmt.Sprintf("{\"accepted\":%d}\n", strings.Count(body, "trajectory_id")); got != want {
		d.t.Fatalf("got %s, want %s", got, want)
	}
}

// client keeps no connections, which would be leaks.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func post(t *testing.T, addr, body string) string {
	t.Helper()
	resp, err := client.Post("http://"+addr+"/v1/steps", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (d *detector) get(path string) (int, string) {
	d.t.Helper()
	resp, err := client.Get("http://" + d.HTTP + path)
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

// misstep is the story of one trajectory with one failure.
func misstep(trajectory string) string {
	return fmt.Sprintf(`[{"trajectory_id":%q,"id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}},
{"trajectory_id":%q,"id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`, trajectory, trajectory)
}

func TestFromStepToFailure(t *testing.T) {
	d := start(t, settings(t.TempDir()))
	failures, refused := d.subscribe("agent.failures.>"), d.subscribe("agent.deadletter")

	d.post(misstep("run-1"))
	m := next(t, failures)
	if m.Subject != "agent.failures.hallucinated_tool.support" {
		t.Errorf("subject is %s", m.Subject)
	}
	var failure struct {
		ID, Class, Rule, Severity, State, Ruleset string
		Trajectory                                string `json:"trajectory_id"`
	}
	if err := json.Unmarshal(m.Data, &failure); err != nil {
		t.Fatal(err)
	}
	if failure.Class != "hallucinated_tool" || failure.Rule != "invented_tool" || failure.State != "open" || failure.Trajectory != "run-1" || failure.Ruleset != d.Ruleset {
		t.Errorf("got %s", m.Data)
	}

	// Steps may come over NATS as well, where nobody checks them first.
	if err := d.nc.Publish("agent.steps.support", []byte(`{"trajectory_id":"run-2","kind":"tool_call","call":{}}`)); err != nil {
		t.Fatal(err)
	}
	if m := next(t, refused); !strings.Contains(string(m.Data), `"reason":"missing"`) || !strings.Contains(string(m.Data), `"field":"call.tool"`) {
		t.Errorf("dead letter is %s", m.Data)
	}

	// A task that ends becomes a record.
	tasks := d.subscribe("agent.tasks")
	d.post(`{"trajectory_id":"run-1","id":"3","kind":"task_end","outcome":{"status":"failure","scored_by":"check"}}`)
	next(t, tasks)

	if code, body := d.get("/readyz"); code != 200 || body != `{"status":"ready"}`+"\n" {
		t.Errorf("readyz gave %d %s", code, body)
	}
	d.stop() // so that all is written
	for _, want := range []string{"ERROR", "hallucinated_tool/invented_tool teleport", "trajectory run-1", failure.ID, "REFUSED  missing call.tool"} {
		if !strings.Contains(d.terminal.String(), want) {
			t.Errorf("the terminal lacks %q:\n%s", want, d.terminal.String())
		}
	}
	for _, want := range []string{d.HTTP, d.NATS, d.Data, d.Ruleset, "curl -sS http://" + d.HTTP + "/v1/steps"} {
		if !strings.Contains(d.banner.String(), want) {
			t.Errorf("the banner lacks %q:\n%s", want, d.banner.String())
		}
	}
	if strings.Count(d.banner.String(), "\n") > 4 {
		t.Errorf("the banner is long:\n%s", d.banner.String())
	}
	for _, secret := range []string{"run-1", "teleport", "Oslo", "level\":\"error", "level\":\"warn"} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log tells %s:\n%s", secret, d.log.String())
		}
	}
}

func TestMetrics(t *testing.T) {
	d := start(t, settings(t.TempDir()))
	tasks := d.subscribe("agent.tasks")
	d.post(misstep("run-1"))
	d.post(`{"trajectory_id":"run-1","id":"3","kind":"task_end","outcome":{"status":"failure","scored_by":"check"}}`)
	d.post(`{"trajectory_id":"run-1","id":"3","kind":"task_end","outcome":{"status":"failure","scored_by":"check"}}`)
	if err := d.nc.Publish("agent.steps", []byte("{")); err != nil {
		t.Fatal(err)
	}
	refused := d.subscribe("agent.deadletter")
	if err := d.nc.Publish("agent.steps", []byte("\xff")); err != nil {
		t.Fatal(err)
	}
	next(t, tasks)
	next(t, refused)
	want := []string{
		`misstep_failures_total{class="hallucinated_tool",rule="invented_tool",severity="error",workflow="support"} 1`,
		`misstep_tasks_total{outcome="failure",workflow="support"} 1`,
		`misstep_task_steps_count{workflow="support"} 1`,
		`misstep_coverage_ratio{detector="retry_loop",workflow="support"} 1`,
		`misstep_steps_total{kind="task_start"} 1`,
		`misstep_steps_total{kind="tool_call"} 1`,
		`misstep_duplicates_total 1`,
		`misstep_suppressed_outputs_total 0`,
		`misstep_applied_lag_records 0`,
		`misstep_http_events_total{result="accepted"} 4`,
		`misstep_trajectories 1`,
		`misstep_build_info{`,
		`go_goroutines `,
		`process_start_time_seconds `,
	}
	// The sinks follow the results log, so they may be a moment behind it.
	deadline := time.Now().Add(patience)
	for {
		code, body := d.get("/metrics")
		var missing []string
		for _, w := range want {
			if !strings.Contains(body, "\n"+w) {
				missing = append(missing, w)
			}
		}
		if code == 200 && len(missing) == 0 && strings.Contains(body, "misstep_refused_total{") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d lacks %q in\n%s", code, missing, body)
		}
	}
}

func TestFolderInUse(t *testing.T) {
	c := settings(t.TempDir())
	start(t, c)
	err := app.Run(t.Context(), app.Options{Config: c, Out: io.Discard, Getenv: os.Getenv, Log: zerolog.Nop()})
	want := fmt.Sprintf("data folder %s is in use by process %d; stop it or name another folder with --data, or data in the configuration", c.Data, os.Getpid())
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, edit := range map[string]func(*config.Config){
		"HTTP server: address ADDR is in use by ": func(c *config.Config) { c.HTTP.Listen = ln.Addr().String() },
		"NATS server: address ADDR is in use by ": func(c *config.Config) { c.NATS.Listen = ln.Addr().String() },
	} {
		c := settings(t.TempDir())
		edit(c)
		flag := "--" + strings.ToLower(name[:4])
		err := app.Run(t.Context(), app.Options{Config: c, Out: io.Discard, Getenv: os.Getenv, Log: zerolog.Nop()})
		if err == nil || !strings.HasPrefix(err.Error(), strings.Replace(name, "ADDR", ln.Addr().String(), 1)) ||
			!strings.Contains(err.Error(), "; choose another address with "+flag+", or ") {
			t.Errorf("got %v", err)
		}
		if holder := fmt.Sprintf("process %d", os.Getpid()); runtime.GOOS == "linux" && !strings.Contains(err.Error(), holder) {
			t.Errorf("%s is not named in %v", holder, err)
		}
	}
}

// TestStopWhileStarting: a stop that comes before all is up is a stop.
func TestStopWhileStarting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var terminal buffer
	if err := app.Run(ctx, app.Options{Config: settings(t.TempDir()), Out: &terminal, Getenv: os.Getenv, Log: zerolog.Nop()}); err != nil {
		t.Errorf("got %v", err)
	}
}

// stuck is a terminal that takes nothing until it is released.
type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

// TestSlowTerminal: a terminal that hangs holds up neither detection nor the
// stop.
func TestSlowTerminal(t *testing.T) {
	out := stuck{make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	up, done := make(chan app.Running, 1), make(chan error, 1)
	go func() {
		done <- app.Run(ctx, app.Options{
			Config: settings(t.TempDir()), Out: out, Getenv: os.Getenv, Log: zerolog.Nop(), Started: func(r app.Running) { up <- r },
		})
	}()
	r := <-up
	nc, err := nats.Connect(r.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	d := &detector{t: t, Running: r, nc: nc}
	failures := d.subscribe("agent.failures.>")
	for i := range 3 {
		d.post(misstep(fmt.Sprint("run-", i)))
		next(t, failures)
	}
	begin := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
	close(out.release)
}
