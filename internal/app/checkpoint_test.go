package app_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/app"
	"misstep/internal/config"
)

var restoredLine = regexp.MustCompile(`"source":"AGENT_STEPS","partition":0,"checkpoint":"[^"]+","offset":(-?\d+),.*state restored`)

// restored gives the offset that a detector began after, as it logged it.
func (d *detector) restored() int64 {
	d.t.Helper()
	var m []string
	for deadline := time.Now().Add(patience); m == nil; { // it may be about to begin
		if time.Now().After(deadline) {
			d.t.Fatalf("no state was restored: %s", d.log.String())
		}
		m = restoredLine.FindStringSubmatch(d.log.String())
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// metric reads one without labels.
func (d *detector) metric(name string) float64 {
	d.t.Helper()
	_, body := d.get("/metrics")
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				d.t.Fatal(err)
			}
			return f
		}
	}
	d.t.Fatalf("no metric %s", name)
	return 0
}

const (
	catalogue = `[{"trajectory_id":"t1","kind":"task_start","task":{"workflow":"support","tools":[{"name":"search"}]}}]`
	teleport  = `[{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`
)

// TestStateOutlivesTheProcess: what was learned in one run is known in the
// next, which does not read the log again.
func TestStateOutlivesTheProcess(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	d.post(catalogue)
	d.stop()
	if !strings.Contains(d.log.String(), "no checkpoint yet") {
		t.Errorf("the first start logs %s", d.log.String())
	}

	d = start(t, c)
	stored := d.stored()
	d.post(teleport)
	if m := stored(); !strings.Contains(m, `"invented_tool"`) {
		t.Errorf("published %s", m)
	}
	if at := d.restored(); at != 1 {
		t.Errorf("began after offset %d, want 1", at)
	}
	for name, want := range map[string]float64{
		"misstep_records_total": 1, "misstep_trajectories": 1, "misstep_checkpoint_fallbacks_total": 0, "misstep_checkpoint_failures_total": 0,
		"misstep_checkpoint_position": 1, "misstep_suppressed_outputs_total": 0,
	} {
		if got := d.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := d.metric("misstep_checkpoint_bytes"); got < 100 || got > 10_000 {
		t.Errorf("misstep_checkpoint_bytes is %v", got)
	}
	d.exactly(1)
	d.stop()
	for _, secret := range []string{"teleport", "Oslo", "t1\"", "search"} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log tells content: %s", d.log.String())
		}
	}
}

// TestCheckpointsRemoved: somebody deletes the stream with the state. The log
// is applied from its beginning then, which is said, and nothing is published
// twice.
func TestCheckpointsRemoved(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	for _, id := range []string{"run-1", "run-2"} {
		stored := d.stored()
		d.post(misstep(id))
		stored()
	}
	d.post(catalogue)
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	defer func(nc *nats.Conn) { nc.Close() }(d.nc)
	if err := js.DeleteStream(t.Context(), "AGENT_CHECKPOINTS"); err != nil {
		t.Fatal(err)
	}
	d.cancel()
	if err := <-d.done; err != nil {
		t.Error(err)
	}
	d.nc = nil
	d = start(t, c)
	stored := d.stored()
	d.post(teleport)
	stored()
	d.exactly(3)
	if got := d.metric("misstep_checkpoint_fallbacks_total"); got != 2 {
		t.Errorf("misstep_checkpoint_fallbacks_total is %v", got)
	}
	if !strings.Contains(d.log.String(), "no checkpoint is intact; the log is applied from its beginning") {
		t.Errorf("the log says %s", d.log.String())
	}
}

// TestReloadWhileRunning changes the rules of a running detector, in the midst
// of a trajectory.
func TestReloadWhileRunning(t *testing.T) {
	c := settings(t.TempDir())
	other := *c
	other.Detect.Idle = 3 * time.Minute
	reload := make(chan os.Signal, 1)
	d := startWith(t, c, func(o *app.Options) {
		o.Reload, o.Load = reload, func() (*config.Config, error) { return &other, nil }
	})
	stored := d.stored()
	d.post(misstep("before"))
	if m := stored(); !strings.Contains(m, d.Ruleset) {
		t.Errorf("published %s, want the ruleset %s", m, d.Ruleset)
	}
	d.post(catalogue)
	reload <- syscall.SIGHUP
	rules, err := other.Ruleset()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		if _, body := d.get("/metrics"); strings.Contains(body, `ruleset="`+rules.Hash()+`"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in force: %s", d.log.String())
		}
	}
	stored = d.stored()
	d.post(teleport)
	if m := stored(); !strings.Contains(m, rules.Hash()) {
		t.Errorf("published %s, want the ruleset %s", m, rules.Hash())
	}
	if got := d.metric("misstep_records_total"); got != 3 {
		t.Errorf("misstep_records_total is %v", got)
	}
	d.exactly(2)
	d.stop()
	// The next start has the new rules, and begins where they are in force.
	d = start(t, &other)
	d.exactly(2)
	if at := d.restored(); at != 3 || strings.Contains(d.log.String(), `"old":`) {
		t.Errorf("began after offset %d: %s", at, d.log.String())
	}
	d.stop()
	// Back to the first: what is published stands.
	d = start(t, c)
	d.exactly(2)
	if at := d.restored(); at != 3 || !strings.Contains(d.log.String(), `"old":"`+rules.Hash()+`"`) {
		t.Errorf("began after offset %d: %s", at, d.log.String())
	}
}

// startWith starts a detector with further options.
func startWith(t *testing.T, c *config.Config, with func(*app.Options)) *detector {
	t.Helper()
	d := &detector{t: t, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	up := make(chan app.Running, 1)
	o := app.Options{
		Config: c, Out: &d.terminal, Banner: &d.banner, Getenv: os.Getenv, Log: zerolog.New(&d.log), Started: func(r app.Running) { up <- r },
	}
	with(&o)
	go func() { d.done <- app.Run(ctx, o) }()
	select {
	case d.Running = <-up:
	case err := <-d.done:
		cancel()
		t.Fatalf("did not start: %v", err)
	}
	var err error
	var opts []nats.Option
	if c.NATS.TokenFile != "" {
		b, err := os.ReadFile(c.NATS.TokenFile)
		if err != nil {
			t.Fatal(err)
		}
		opts = append(opts, nats.Token(strings.TrimSpace(string(b))))
	}
	if d.nc, err = nats.Connect(d.NATS, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	return d
}
