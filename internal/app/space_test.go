package app_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// eventually waits for what comes of itself.
func (d *detector) eventually(what string, is func() bool) {
	d.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			d.t.Fatalf("it did not come to pass that %s:\n%s", what, d.log.String())
		}
	}
}

// refuses checks that steps are refused for want of space, and that all who ask
// are told.
func (d *detector) refuses() {
	d.t.Helper()
	resp, err := client.Post("http://"+d.HTTP+"/v1/steps", "application/json", strings.NewReader(misstep("refused")))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := bufio.NewReader(resp.Body).ReadString('\n')
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "5" ||
		body != `{"accepted":0,"error":"the log of steps is full; free disk space, then send all events again"}`+"\n" {
		d.t.Errorf("got %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	if code, body := d.get("/readyz"); code != 503 || !strings.Contains(body, `"reason":"steps are refused: JetStream has no room: `) {
		d.t.Errorf("/readyz gave %d %s", code, body)
	}
	if code, body := d.get("/healthz"); code != 200 || !strings.Contains(body, `{"status":"degraded","reason":"JetStream has no room: `) {
		d.t.Errorf("/healthz gave %d %s", code, body)
	}
	if _, text := d.get("/metrics"); !strings.Contains(text, "\nmisstep_steps_refused_for_space 1\n") || !strings.Contains(text, "\nmisstep_disk_free_bytes ") {
		d.t.Error("the metrics do not tell")
	}
}

// TestNoRoom: more is to be kept free than any disk has.
func TestNoRoom(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	d.post(misstep("before"))
	d.stop()
	c.NATS.MinFree = 1 << 50
	d = start(t, c)
	d.eventually("it is not ready for that", func() bool { _, body := d.get("/readyz"); return strings.Contains(body, "steps are refused") })
	d.refuses()
	d.stop()
	c.NATS.MinFree = 1
	d = start(t, c)
	d.eventually("it is ready", func() bool { code, _ := d.get("/readyz"); return code == 200 })
	d.post(misstep("after"))
	d.eventually("it is found", func() bool { return strings.Contains(d.terminal.String(), "trajectory after") })
	if _, text := d.get("/metrics"); !strings.Contains(text, "\nmisstep_steps_refused_for_space 0\n") {
		t.Error("the metrics do not tell")
	}
	d.exactly(2)
}
