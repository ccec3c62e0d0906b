package sinks_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"misstep/event"
	"misstep/sinks"
	"misstep/sinks/sinktest"
)

// destination is an HTTP server that keeps what it is sent.
type destination struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	heads  []http.Header
	paths  []string
	faults []sinktest.Fault
	seen   map[string]bool // idempotency keys
}

func newDestination(t *testing.T) *destination {
	d := &destination{seen: map[string]bool{}}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *destination) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	forgets := false
	if len(d.faults) > 0 {
		f := d.faults[0]
		d.faults = d.faults[1:]
		switch f {
		case sinktest.Busy:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case sinktest.Refuses:
			w.WriteHeader(http.StatusBadRequest)
			return
		case sinktest.Forgets:
			forgets = true
		}
	}
	if key := r.Header.Get("Idempotency-Key"); key == "" || !d.seen[key] {
		d.seen[key] = true
		d.bodies, d.heads, d.paths = append(d.bodies, body), append(d.heads, r.Header), append(d.paths, r.URL.String())
	}
	if forgets {
		w.WriteHeader(http.StatusBadGateway)
	}
}

func (d *destination) fail(f sinktest.Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
}

func (d *destination) url() (string, error) { return d.URL, nil }

func (d *destination) got() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.bodies)
}

func TestWebhookIsASink(t *testing.T) {
	sinktest.Test(t, func(t *testing.T) sinktest.Subject {
		d := newDestination(t)
		w, err := sinks.NewWebhook(sinks.WebhookOptions{Name: "hook", Endpoint: sinks.Endpoint{URL: d.url}, Template: "json"})
		if err != nil {
			t.Fatal(err)
		}
		return sinktest.Subject{Sink: w, Fail: d.fail, IDs: func() (ids []string) {
			for _, b := range d.got() {
				var f struct{ ID string }
				if err := json.Unmarshal(b, &f); err != nil {
					t.Errorf("%s: %v", b, err)
				}
				ids = append(ids, f.ID)
			}
			return ids
		}}
	})
}

func TestAlertmanagerIsASink(t *testing.T) {
	sinktest.Test(t, func(t *testing.T) sinktest.Subject {
		d := newDestination(t)
		return sinktest.Subject{Sink: sinks.NewAlertmanager(sinks.AlertmanagerOptions{Name: "am", Endpoint: sinks.Endpoint{URL: d.url}, Hold: 100 * 365 * 24 * time.Hour}), Fail: d.fail}
	})
}

// hostile is what a model may say.
var hostile = []string{
	"\x1b[31mred\x00", "<script>alert(1)</script>", "<!channel> <http://evil|click> *b* _i_ `c`", "{{.Key}} ${x} %s", "\"}]}\n\r", strings.Repeat("é", 1<<19),
	"[click](http://evil) ![x](http://evil)", "\u202eevil", "\xff\xfe",
}

// TestTemplates: what models say reaches nobody as markup, control character or
// template, and each body is valid JSON of a size that a destination takes.
func TestTemplates(t *testing.T) {
	for _, name := range sinks.WebhookTemplates() {
		t.Run(name, func(t *testing.T) {
			d := newDestination(t)
			w, err := sinks.NewWebhook(sinks.WebhookOptions{
				Name: "hook", Endpoint: sinks.Endpoint{URL: d.url}, Template: name,
				Key: func() (string, error) { return "the-key", nil }, Sign: func() (string, error) { return "sign", nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range hostile {
				f := sinktest.Failure(i)
				f.Message, f.Subject, f.Rule, f.Workflow, f.Agent, f.TrajectoryID = text, text, text, text, text, text
				if err := w.Write(t.Context(), follow(t, f)); err != nil {
					t.Fatalf("%.40q: %v", text, err)
				}
			}
			got := d.got()
			if len(got) != len(hostile) {
				t.Fatalf("%d bodies", len(got))
			}
			for i, body := range got {
				if !json.Valid(body) {
					t.Errorf("no JSON: %.200s", body)
				}
				mac := hmac.New(sha256.New, []byte("sign"))
				mac.Write(body)
				if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); d.heads[i].Get("Misstep-Signature") != want {
					t.Errorf("signature %q, want %q", d.heads[i].Get("Misstep-Signature"), want)
				}
				if name == "json" || name == "cloudevents" {
					continue // the record itself, for programs
				}
				if len(body) > 64<<10 {
					t.Errorf("%d bytes for a person", len(body))
				}
				var tree any
				_ = json.Unmarshal(body, &tree) // valid, as above
				for _, s := range texts(tree) {
					if strings.ContainsAny(s, "\x00\x1b\r\u202e") {
						t.Errorf("control character in %.100q", s)
					}
					if name != "pagerduty" && strings.Contains(s, "the-key") {
						t.Errorf("the key is in %.100q", s)
					}
					if name == "slack" && strings.ContainsAny(s, "<>`") || name == "teams" && strings.ContainsAny(s, "<>[`") {
						t.Errorf("markup in %.100q", s)
					}
				}
			}
		})
	}
}

// texts gives all strings in a tree.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	case map[string]any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	}
	return out
}

func follow(t *testing.T, failures ...*event.Failure) (out []sinks.Record) {
	t.Helper()
	for i, f := range failures {
		encoded := event.AppendFailure(nil, f)
		n, err := sinks.NewNote(sinks.KindFailure, encoded)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sinks.Record{Note: n, Encoded: encoded, Log: "R", Offset: int64(i)})
	}
	return out
}

func TestWebhookGroups(t *testing.T) {
	d := newDestination(t)
	w, err := sinks.NewWebhook(sinks.WebhookOptions{Name: "hook", Endpoint: sinks.Endpoint{URL: d.url}, Template: "json"})
	if err != nil {
		t.Fatal(err)
	}
	all := follow(t, sinktest.Failure(1), sinktest.Failure(2), sinktest.Failure(3))
	for range 2 {
		if err := w.WriteGroup(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	var list []map[string]any
	if got := d.got(); len(got) != 1 || json.Unmarshal(got[0], &list) != nil || len(list) != 3 {
		t.Errorf("got %q", got)
	}
}

func TestWebhookRefusesBadTemplates(t *testing.T) {
	for body, want := range map[string]string{
		"{{.Nothing}}": "Nothing", "{{": "unclosed", `{"text": "{{.ID}"}`: "bad character", "plain": "no valid JSON", `{"a": {{.Message}}}`: "no valid JSON",
	} {
		if _, err := sinks.NewWebhook(sinks.WebhookOptions{Name: "hook", Body: body}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// TestErrorsTellNoSecret: the URL of a webhook can be a secret.
func TestErrorsTellNoSecret(t *testing.T) {
	d := newDestination(t)
	base := d.URL
	d.Close()
	w, err := sinks.NewWebhook(sinks.WebhookOptions{Name: "hook", Template: "json", Endpoint: sinks.Endpoint{
		URL: func() (string, error) { return base + "/s3cret", nil }, Auth: func() (string, error) { return "Bearer t0ken", nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Write(t.Context(), follow(t, sinktest.Failure(1)))
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("got %v", err)
	}
}

type sentAlert struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

func (d *destination) alerts(t *testing.T) (out []sentAlert) {
	t.Helper()
	for _, b := range d.got() {
		var list []sentAlert
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(&list); err != nil {
			t.Fatal(err)
		}
		out = append(out, list...)
	}
	return out
}

// TestAlertmanagerCounts: one alert for all open episodes of a set of labels,
// resolved with the last; a higher severity is another alert.
func TestAlertmanagerCounts(t *testing.T) {
	d := newDestination(t)
	a := sinks.NewAlertmanager(sinks.AlertmanagerOptions{Name: "am", Endpoint: sinks.Endpoint{URL: d.url}, Labels: map[string]string{"team": "agents"}})
	at := func(n, rev int, s event.State, sev event.Severity) *event.Failure {
		f := sinktest.Failure(n)
		f.Rev, f.State, f.Severity, f.Time = rev, s, sev, time.Now().UnixNano()
		return f
	}
	write := func(again bool, f ...*event.Failure) {
		t.Helper()
		records := follow(t, f...)
		for i := range records {
			records[i].Again = again
		}
		if err := a.Write(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	write(false, at(1, 0, event.StateOpen, event.Warning))
	write(false, at(2, 0, event.StateOpen, event.Warning))
	write(false, at(1, 1, event.StateResolved, event.Warning))
	now := time.Now()
	got := d.alerts(t)
	if len(got) != 2 || got[1].Annotations["open"] != "2" || !got[1].EndsAt.After(now) {
		t.Fatalf("got %+v", got)
	}
	want := map[string]string{"alertname": "AgentFailure", "class": "retry_loop", "rule": "same_error", "severity": "warning", "workflow": "support", "team": "agents"}
	if !maps.Equal(got[0].Labels, want) {
		t.Errorf("labels %v, want %v", got[0].Labels, want)
	}
	write(false, at(2, 1, event.StateEscalated, event.Error))
	got = d.alerts(t)[2:]
	if len(got) != 2 || got[0].Labels["severity"] != "error" || !got[0].EndsAt.After(time.Now()) || got[1].Labels["severity"] != "warning" || got[1].EndsAt.After(time.Now()) {
		t.Fatalf("after the escalation %+v", got)
	}
	write(false, at(2, 2, event.StateResolved, event.Error))
	if got = d.alerts(t)[4:]; len(got) != 1 || got[0].EndsAt.After(time.Now()) || !got[0].EndsAt.After(got[0].StartsAt) {
		t.Fatalf("after the end %+v", got)
	}
	n := 0
	a.Needs(func(string, int32, int64) { n++ })
	if n > 0 {
		t.Errorf("%d records are needed still", n)
	}
}

// TestAlertmanagerStartsAgain: a start with what is open tells nothing that was
// told, resolves nothing, and goes on where it was.
func TestAlertmanagerStartsAgain(t *testing.T) {
	d := newDestination(t)
	a := sinks.NewAlertmanager(sinks.AlertmanagerOptions{Name: "am", Endpoint: sinks.Endpoint{URL: d.url}})
	f := func(n, rev int, s event.State) *event.Failure {
		f := sinktest.Failure(n)
		f.Rev, f.State, f.Time = rev, s, time.Now().UnixNano()
		return f
	}
	old := follow(t, f(1, 0, event.StateOpen), f(2, 0, event.StateOpen), f(1, 1, event.StateResolved), f(3, 0, event.StateOpen), f(3, 1, event.StateResolved), f(2, 1, event.StateResolved), f(4, 0, event.StateOpen))
	for i := range old {
		old[i].Again = true
		if err := a.Write(t.Context(), old[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.alerts(t); len(got) > 0 {
		t.Errorf("told again: %+v", got)
	}
	if err := a.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.alerts(t); len(got) != 1 || !got[0].EndsAt.After(time.Now()) || got[0].Annotations["open"] != "1" {
		t.Errorf("the tick sends %+v", got)
	}
	var needs []int64
	a.Needs(func(_ string, _ int32, offset int64) { needs = append(needs, offset) })
	if !slices.Equal(needs, []int64{6}) {
		t.Errorf("needs %v", needs)
	}
}
