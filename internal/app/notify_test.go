package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"misstep/internal/config"
)

// hook is an HTTP destination that answers as it is told.
type hook struct {
	*httptest.Server
	status int
	hang   chan struct{} // nil: it does not
	mu     sync.Mutex
	keys   []string
	bodies []string
	came   chan struct{}
}

func newHook(t *testing.T, status int, hangs bool) *hook {
	h := &hook{status: status, came: make(chan struct{}, 1000)}
	if hangs {
		h.hang = make(chan struct{})
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		if hangs {
			close(h.hang)
		}
		h.Close()
	})
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.keys, h.bodies = append(h.keys, r.Header.Get("Idempotency-Key")), append(h.bodies, string(b))
	h.mu.Unlock()
	h.came <- struct{}{}
	if h.hang != nil {
		<-h.hang
	}
	w.WriteHeader(h.status)
}

func (h *hook) wait(t *testing.T, n int) []string {
	t.Helper()
	for range n {
		select {
		case <-h.came:
		case <-time.After(patience):
			t.Fatal("nothing came")
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.keys)
}

func sinkTo(name, kind, url string) config.Sink {
	return config.Sink{
		Name: name, Type: kind, URL: url, Template: "json", Timeout: time.Minute, Resend: time.Minute,
		FirstRetry: 10 * time.Millisecond, LastRetry: 50 * time.Millisecond, MaxAge: time.Hour,
	}
}

// TestSinksFollow: each sink gets each failure, whatever the others do; what is
// refused goes to the dead letter; and a restart goes on where each was.
func TestSinksFollow(t *testing.T) {
	good, down, hangs, refuses, am := newHook(t, 200, false), newHook(t, 500, false), newHook(t, 200, true), newHook(t, 400, false), newHook(t, 200, false)
	c := settings(t.TempDir())
	c.Sinks = []config.Sink{
		sinkTo("good", "webhook", good.URL), sinkTo("down", "webhook", down.URL), sinkTo("hangs", "webhook", hangs.URL),
		sinkTo("refuses", "webhook", refuses.URL), sinkTo("am", "alertmanager", am.URL),
	}
	d := start(t, c)
	refused := d.subscribe("agent.deadletter")
	stored := d.stored()
	const runs = 5
	var want []string
	for i := range runs {
		d.post(misstep(fmt.Sprint("run-", i)))
		var f struct {
			ID  string
			Rev int
		}
		if err := json.Unmarshal([]byte(stored()), &f); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%s/%d", f.ID, f.Rev))
	}
	if got := good.wait(t, runs); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for range runs {
		if m := next(t, refused); !strings.Contains(string(m.Data), `"reason":"refused"`) || !strings.Contains(string(m.Data), `"field":"sinks.refuses"`) || strings.Contains(string(m.Data), "teleport") {
			t.Errorf("dead letter %s", m.Data)
		}
	}
	am.wait(t, 1)
	if code, body := d.get("/readyz"); code != 200 {
		t.Errorf("readyz gave %d %s", code, body)
	}
	_, metrics := d.get("/metrics")
	for _, w := range []string{
		`misstep_sink_sent_total{sink="good"} 5`, `misstep_sink_dead_letters_total{reason="refused",sink="refuses"} 5`,
		`misstep_sink_failing{sink="down"} 1`, `misstep_sink_lag_records{sink="good"} 0`, `misstep_applied_lag_records 0`,
	} {
		if !strings.Contains(metrics, "\n"+w+"\n") {
			t.Errorf("the metrics lack %s", w)
		}
	}
	d.stop()

	down.status = 200
	d = start(t, c)
	d.post(misstep("run-9"))
	if got := good.wait(t, 1); len(got) != runs+1 || slices.Index(got, got[runs]) != runs {
		t.Errorf("after the restart %q", got)
	}
	seen := map[string]bool{}
	for len(seen) < runs+1 {
		for _, k := range down.wait(t, 1) {
			seen[k] = true
		}
	}
	for _, secret := range []string{"teleport", "run-9"} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log tells %s:\n%s", secret, d.log.String())
		}
	}
}
