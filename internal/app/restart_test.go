package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/app"
)

// results reads the whole results log, by origin.
func (d *detector) results() map[string][]*nats.Msg {
	d.t.Helper()
	js, err := jetstream.New(d.nc)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	s, err := js.Stream(ctx, "AGENT_RESULTS")
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string][]*nats.Msg{}
	state := s.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if err != nil {
			continue // a fence that a later one replaced
		}
		if origin := m.Header.Get("misstep-origin"); origin != "" {
			out[origin] = append(out[origin], &nats.Msg{Subject: m.Subject, Data: m.Data, Header: m.Header})
		}
	}
	return out
}

// exactly checks that the results log holds one failure for each trajectory,
// and nothing twice.
func (d *detector) exactly(trajectories int) {
	d.t.Helper()
	seen := map[string]int{}
	for origin, msgs := range d.results() {
		if len(msgs) != 1 {
			d.t.Errorf("%d records have the origin %s", len(msgs), origin)
		}
		for _, m := range msgs {
			if strings.HasPrefix(m.Subject, "agent.failures.") {
				seen[m.Header.Get("trajectory_id")]++
			}
		}
	}
	if len(seen) != trajectories {
		d.t.Errorf("failures of %d trajectories, want %d: %v", len(seen), trajectories, seen)
	}
	for id, n := range seen {
		if n != 1 {
			d.t.Errorf("%d failures of trajectory %s", n, id)
		}
	}
}

func TestRestart(t *testing.T) {
	c := settings(t.TempDir())
	for run := range 3 {
		d := start(t, c)
		stored := d.stored()
		d.post(misstep(fmt.Sprint("run-", run)))
		// What was found before comes in the log before it.
		if m := stored(); !strings.Contains(m, fmt.Sprintf("%q", fmt.Sprint("run-", run))) {
			t.Errorf("run %d published %s", run, m)
		}
		d.exactly(run + 1)
		if at := int64(run); run > 0 && d.restored() != at {
			t.Errorf("run %d began after offset %d, want %d", run, d.restored(), at)
		}
		d.stop()
		if n := strings.Count(d.terminal.String(), "teleport  trajectory"); n != 1 {
			t.Errorf("run %d showed %d failures, want its own:\n%s", run, n, d.terminal.String())
		}
	}
}

// TestStopFinishes: what was accepted before the stop is found and shown before
// the process ends.
func TestStopFinishes(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	const n = 200
	for i := range n {
		d.post(misstep(fmt.Sprint("run-", i)))
	}
	d.stop()
	if got := strings.Count(d.terminal.String(), "teleport  trajectory"); got != n {
		t.Errorf("%d failures were shown, want %d", got, n)
	}
	d = start(t, c)
	d.exactly(n)
	d.stop()
	if got := d.terminal.String(); got != "" {
		t.Errorf("after the restart it showed\n%s", got)
	}
}

// TestPurged: a log that is empty, but was not, is caught up with.
func TestPurged(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "AGENT_STEPS")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.stop()
	d = start(t, c)
	deadline := time.Now().Add(patience)
	for {
		code, body := d.get("/readyz")
		if code == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz gave %d %s", code, body)
		}
	}
	stored = d.stored()
	d.post(misstep("run-2"))
	stored()
	d.exactly(2)
}

// TestLogReplaced: when somebody makes the log of steps anew, the detector ends
// and says so rather than mix two logs.
func TestLogReplaced(t *testing.T) {
	d := start(t, settings(t.TempDir()))
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "AGENT_STEPS"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "AGENT_STEPS", Subjects: []string{"agent.steps"}}); err != nil {
		t.Fatal(err)
	}
	d.nc.Close()
	d.nc = nil
	select {
	case err := <-d.done:
		if err == nil || !strings.HasPrefix(err.Error(), "engine: ") || !strings.Contains(err.Error(), "stream is not the one that was read before") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("goes on")
	}
	d.cancel()
}

// child is a detector in another process, until it is killed.
func child(dir string) int {
	err := app.Run(context.Background(), app.Options{
		Config: settings(dir), Out: io.Discard, Getenv: os.Getenv, Log: zerolog.Nop(),
		Started: func(r app.Running) { _ = json.NewEncoder(os.Stdout).Encode(r) },
	})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestKilled kills a detector at once after it accepted steps, several times on
// the same folder: what was accepted is found, once.
func TestKilled(t *testing.T) {
	c := settings(t.TempDir())
	// A run that is stopped leaves a checkpoint at its end; those that are killed
	// begin there.
	d := start(t, c)
	d.post(misstep("first"))
	d.stop()
	const kills = 4
	for run := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+c.Data)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var r app.Running
		if err := json.NewDecoder(stdout).Decode(&r); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		for i := range 3 {
			if got := post(t, r.HTTP, misstep(fmt.Sprintf("run-%d-%d", run, i))); got != "{\"accepted\":2}\n" {
				t.Errorf("got %s", got)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	d = start(t, c)
	stored := d.stored()
	d.post(misstep("last"))
	for !strings.Contains(stored(), `"last"`) {
	}
	d.exactly(3*kills + 2)
	if at := d.restored(); at != 1 {
		t.Errorf("began after offset %d, want 1", at)
	}
}
