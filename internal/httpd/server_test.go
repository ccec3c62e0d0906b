package httpd_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"misstep/internal/httpd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Publisher that remembers.
type fakeLog struct {
	mu       sync.Mutex
	messages []httpd.Message
	take     int // how many calls it takes before err
	err      error
	entered  chan<- struct{} // nil: tell nobody
	wait     <-chan struct{} // nil: do not wait
}

func (f *fakeLog) Publish(ctx context.Context, m []httpd.Message) error {
	if f.entered != nil {
		f.entered <- struct{}{}
	}
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil && f.take == 0 {
		return f.err
	}
	f.take--
	f.messages = append(f.messages, m...)
	return nil
}

type server struct {
	*httpd.Server
	log      *fakeLog
	registry *prometheus.Registry
	ready    error
}

func newServer(t testing.TB, edit func(*httpd.Options)) *server {
	t.Helper()
	s := &server{log: &fakeLog{}, registry: prometheus.NewPedanticRegistry()}
	o := httpd.Options{
		Publisher: s.log, Ready: func() error { return s.ready }, Gatherer: s.registry, Register: s.registry, Log: zerolog.Nop(),
	}
	if edit != nil {
		edit(&o)
	}
	var err error
	if s.Server, err = httpd.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

// call sends one request; header is "Name: value" lines.
func (s *server) call(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:4318"
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const (
	asJSON   = "Content-Type: application/json"
	asNDJSON = "Content-Type: application/x-ndjson"
)

func TestAnswers(t *testing.T) {
	const (
		good   = `{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"search","arguments":{"q":"x"}}}`
		noTool = `{"trajectory_id":"t1","kind":"tool_call","call":{}}`
		noID   = `{"kind":"user_message","text":"secret"}`
	)
	for _, c := range []struct {
		name, method, target, body string
		header                     []string
		code                       int
		want                       string // the body, or its beginning when it ends with ...
	}{
		{"one", "POST", "/v1/steps", good, []string{asJSON}, 200, `{"accepted":1}`},
		{"array", "POST", "/v1/steps", "[" + good + ",\n" + good + "]", []string{asJSON}, 200, `{"accepted":2}`},
		{"lines", "POST", "/v1/steps", good + "\n\n" + good + "\n", []string{asNDJSON}, 200, `{"accepted":2}`},
		{"charset", "POST", "/v1/steps", good, []string{"Content-Type: application/json; charset=UTF-8"}, 200, `{"accepted":1}`},
		{"empty array", "POST", "/v1/steps", "[]", []string{asJSON}, 200, `{"accepted":0}`},
		{"empty", "POST", "/v1/steps", " \n", []string{asJSON}, 400, `{"error":"the body is empty; ...`},
		{"unknown kind", "POST", "/v1/steps", `{"trajectory_id":"t1","kind":"dream"}`, []string{asJSON}, 200, `{"accepted":1}`},
		{"one is bad", "POST", "/v1/steps", good + "\n" + noID, []string{asNDJSON}, 400, `{"accepted":0,"total":1,"errors":[{"index":1,"offset":...`},
		{"one is bad, partial", "POST", "/v1/steps?partial=true", good + "\n" + noID + "\n" + noTool + "\n" + good, []string{asNDJSON}, 200, `{"accepted":2,"total":2,"errors":[{"index":1,...`},
		{"all are bad, partial", "POST", "/v1/steps?partial=true", noID, []string{asNDJSON}, 400, `{"accepted":0,"total":1,...`},
		{"partial is odd", "POST", "/v1/steps?partial=1", good, []string{asJSON}, 400, `{"error":"partial is neither true nor false"}`},
		{"no JSON", "POST", "/v1/steps", "a=b", []string{asJSON}, 400, `{"accepted":0,"total":1,"errors":[{"index":0,"offset":0,...`},
		{"no type", "POST", "/v1/steps", good, nil, 415, `{"error":"there is no Content-Type; send application/json or application/x-ndjson"}`},
		{"form", "POST", "/v1/steps", good, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, `{"error":"the Content-Type is \"application/x-www-form-urlencoded\"; send application/json ...`},
		{"text", "POST", "/v1/steps", good, []string{"Content-Type: text/plain"}, 415, `{"error":"the Content-Type is \"text/plain\"; ...`},
		{"latin", "POST", "/v1/steps", good, []string{"Content-Type: application/json; charset=latin1"}, 415, `{"error":"the charset is another; send UTF-8"}`},
		{"brotli", "POST", "/v1/steps", good, []string{asJSON, "Content-Encoding: br"}, 415, `{"error":"the Content-Encoding is another; send gzip or none"}`},
		{"twice packed", "POST", "/v1/steps", good, []string{asJSON, "Content-Encoding: gzip", "Content-Encoding: gzip"}, 415, `{"error":"the Content-Encoding...`},
		{"identity", "POST", "/v1/steps", good, []string{asJSON, "Content-Encoding: identity"}, 200, `{"accepted":1}`},
		{"no gzip", "POST", "/v1/steps", good, []string{asJSON, "Content-Encoding: gzip"}, 400, `{"error":"the body is no gzip, though Content-Encoding says so"}`},
		{"get steps", "GET", "/v1/steps", "", nil, 405, `{"error":"use POST"}`},
		{"options", "OPTIONS", "/v1/steps", "", nil, 405, `{"error":"use POST"}`},
		{"health", "GET", "/healthz", "", nil, 200, `{"status":"ok"}`},
		{"ready", "GET", "/readyz", "", nil, 200, `{"status":"ready"}`},
		{"post health", "POST", "/healthz", "", nil, 405, `{"error":"use GET"}`},
		{"metrics", "GET", "/metrics", "", nil, 200, "# HELP misstep_http_..."},
		{"elsewhere", "GET", "/", "", nil, 404, `{"error":"nothing is here; there are POST /v1/steps, /metrics, /healthz and /readyz"}`},
		{"debug", "GET", "/debug/pprof/", "", nil, 404, `{"error":"nothing is here; ...`},
		{"localhost", "GET", "/healthz", "", []string{"Host: localhost"}, 200, `{"status":"ok"}`},
		{"IPv6", "GET", "/healthz", "", []string{"Host: [::1]:4318"}, 200, `{"status":"ok"}`},
		{"rebound", "GET", "/metrics", "", []string{"Host: evil.example:4318"}, 403, `{"error":"the Host header does not name this machine; ...`},
		{"rebound to a name like ours", "GET", "/metrics", "", []string{"Host: 127.0.0.1.evil.example"}, 403, `{"error":"the Host header...`},
		{"another address", "GET", "/metrics", "", []string{"Host: 192.0.2.1"}, 403, `{"error":"the Host header...`},
		{"no host", "GET", "/healthz", "", []string{"Host: "}, 403, `{"error":"the Host header...`},
		{"another page", "POST", "/v1/steps", good, []string{asJSON, "Origin: https://evil.example"}, 403, `{"error":"a page of another origin sent this; ...`},
		{"another site", "POST", "/v1/steps", good, []string{asJSON, "Sec-Fetch-Site: cross-site"}, 403, `{"error":"a page of another origin...`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.call(c.method, c.target, c.body, c.header...)
			got := strings.TrimSuffix(w.Body.String(), "\n")
			begin, open := strings.CutSuffix(c.want, "...")
			if w.Code != c.code || open && !strings.HasPrefix(got, begin) || !open && got != c.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, c.code, c.want)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("the answer tells content: %s", got)
			}
			if c.target != "/metrics" || c.code != 200 {
				if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("the answer is no JSON: %s %s", w.Header().Get("Content-Type"), got)
				}
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if taken := len(s.log.messages) > 0; taken != strings.HasPrefix(got, `{"accepted":1`) && taken != strings.HasPrefix(got, `{"accepted":2`) {
				t.Errorf("published is %t after %s", taken, got)
			}
		})
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	s := newServer(t, nil)
	first := `{"trajectory_id":"t1","kind":"user_message","text":"x"}` + "\n"
	w := s.call("POST", "/v1/steps", first+`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":7}}`, asNDJSON)
	var answer struct {
		Accepted int
		Total    int
		Errors   []struct {
			Index, Offset  int
			Field, Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Total != 1 || len(answer.Errors) != 1 {
		t.Fatalf("got %s", w.Body)
	}
	e := answer.Errors[0]
	at := strings.Index(`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":7}}`, "7")
	if e.Index != 1 || e.Offset != len(first)+at || e.Field != "call.tool" || !strings.Contains(e.Message, "a number") {
		t.Errorf("got %+v, want index 1, offset %d, field call.tool", e, len(first)+at)
	}
	// What is to be done stands behind what was found.
	w = s.call("POST", "/v1/steps", "{\"trajectory_id\":\"\xff\"}", asJSON)
	if !strings.Contains(w.Body.String(), "found a byte that is none; encode the event as UTF-8") {
		t.Errorf("got %s", w.Body)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	s := newServer(t, nil)
	w := s.call("POST", "/v1/steps", strings.Repeat("{}\n", 5000), asNDJSON)
	var answer struct {
		Total  int
		Errors []any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if w.Code != 400 || answer.Total != 5000 || len(answer.Errors) != 100 {
		t.Errorf("got %d with %d errors of %d, want 400 with 100 of 5000", w.Code, len(answer.Errors), answer.Total)
	}
}

func zip(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBodyLimits(t *testing.T) {
	event := `{"trajectory_id":"t1","kind":"user_message","text":"x"}`
	fits := event + strings.Repeat(" ", 1000-len(event))
	for _, c := range []struct {
		name, body string
		header     []string
		code       int
	}{
		{"fits", fits, nil, 200},
		{"one more", fits + " ", nil, 413},
		{"packed fits", zip(t, fits), []string{"Content-Encoding: gzip"}, 200},
		{"packed, one more", zip(t, fits+" "), []string{"Content-Encoding: gzip"}, 413},
		{"bomb", zip(t, strings.Repeat(" ", 64<<20)), []string{"Content-Encoding: gzip"}, 413},
		{"packed and broken off", zip(t, fits)[:40], []string{"Content-Encoding: gzip"}, 400},
		{"packed and damaged", zip(t, fits)[:len(zip(t, fits))-5] + "xxxxx", []string{"Content-Encoding: gzip"}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, func(o *httpd.Options) { o.MaxBody = 1000 })
			w := s.call("POST", "/v1/steps", c.body, append(c.header, asJSON)...)
			if w.Code != c.code {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.code)
			}
			if c.code != 200 && len(s.log.messages) > 0 {
				t.Error("something was published")
			}
		})
	}
	t.Run("unknown length", func(t *testing.T) {
		s := newServer(t, func(o *httpd.Options) { o.MaxBody = 1000 })
		r := httptest.NewRequest("POST", "/v1/steps", io.MultiReader(strings.NewReader(fits), strings.NewReader(" ")))
		r.Host = "localhost"
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 413 {
			t.Errorf("got %d %s, want 413", w.Code, w.Body)
		}
	})
}

func TestLogOutOfReach(t *testing.T) {
	// Two workflows, of which one needs two messages: two waves.
	text := strings.Repeat("x", 30<<10)
	body := `{"trajectory_id":"b","workflow":"b","kind":"user_message","text":"x"}` + "\n" +
		strings.Repeat(`{"trajectory_id":"a","workflow":"a","kind":"user_message","text":"`+text+`"}`+"\n", 40)
	perMessage := 900 << 10 / (len(text) + 67)
	for _, c := range []struct {
		name        string
		take        int
		err         error
		want, retry string
	}{
		{"down", 0, errors.New("nats: no responders"), `{"accepted":0,"error":"the log of steps is out of reach; ...`, "1"},
		{"goes down", 1, errors.New("nats: timeout"), fmt.Sprintf(`{"accepted":%d,"error":"the log of steps is out of reach; ...`, 1+perMessage), "1"},
		{"full", 0, fmt.Errorf("publish: %w", httpd.ErrFull), `{"accepted":0,"error":"the log of steps is full; ...`, "5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, nil)
			s.log.err, s.log.take = c.err, c.take
			w := s.call("POST", "/v1/steps", body, asNDJSON)
			if w.Code != 503 || w.Header().Get("Retry-After") != c.retry || !strings.HasPrefix(w.Body.String(), strings.TrimSuffix(c.want, "...")) {
				t.Errorf("got %d, Retry-After %s, %s\nwant 503, %s, %s", w.Code, w.Header().Get("Retry-After"), w.Body, c.retry, c.want)
			}
			if strings.Contains(w.Body.String(), "nats") {
				t.Error("the answer tells of the inside")
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	s := newServer(t, nil)
	s.ready = errors.New("catching up: 1200 records behind")
	w := s.call("GET", "/readyz", "")
	want := `{"status":"not ready","reason":"catching up: 1200 records behind"}` + "\n"
	if w.Code != 503 || w.Body.String() != want {
		t.Errorf("got %d %s, want 503 %s", w.Code, w.Body, want)
	}
	if w := s.call("HEAD", "/readyz", ""); w.Code != 503 {
		t.Errorf("HEAD got %d, want 503", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(t, nil)
	s.call("POST", "/v1/steps?partial=true", `{"trajectory_id":"t","kind":"user_message","text":"x"}`+"\n{}", asNDJSON)
	s.call("GET", "/nowhere/"+strings.Repeat("x", 100), "")
	s.call("BREW", "/healthz", "")
	want := `
# HELP misstep_http_events_total Step events in the bodies of POST /v1/steps: accepted once they are durable, or refused.
# TYPE misstep_http_events_total counter
misstep_http_events_total{result="accepted"} 1
misstep_http_events_total{result="refused"} 1
# HELP misstep_http_requests_total HTTP requests answered, by endpoint and status code.
# TYPE misstep_http_requests_total counter
misstep_http_requests_total{code="200",endpoint="steps"} 1
misstep_http_requests_total{code="404",endpoint="other"} 1
misstep_http_requests_total{code="405",endpoint="healthz"} 1
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(s.registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestNewRequires(t *testing.T) {
	if _, err := httpd.New(httpd.Options{}); err == nil {
		t.Error("nothing is required")
	}
	r := prometheus.NewRegistry()
	o := httpd.Options{Publisher: &fakeLog{}, Ready: func() error { return nil }, Gatherer: r, Register: r}
	if _, err := httpd.New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := httpd.New(o); err == nil {
		t.Error("metrics were registered twice")
	}
}
