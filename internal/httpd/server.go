// Package httpd is the HTTP server of the detector: POST /v1/steps, /metrics,
// /healthz and /readyz, for callers on the same machine.
package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Options say what a server is made of. All are required, but for Degraded,
// Access and the limits.
type Options struct {
	Publisher Publisher
	// Keyed says that a message holds events of one trajectory, and has it for
	// its key.
	Keyed bool
	// Ready gives nil when steps that come in are judged at once, else why not.
	Ready func() error
	// Degraded says what is wrong that no restart mends; /healthz tells it.
	Degraded func() error
	Access   Access
	Gatherer prometheus.Gatherer   // what /metrics shows
	Register prometheus.Registerer // takes the server's own metrics
	Log      zerolog.Logger

	// MaxBody is the longest body of a request, in bytes, also after it was
	// unpacked; 0 means DefaultMaxBody.
	MaxBody int64
	// MaxHeld is how many bytes of bodies are held at a time; requests beyond
	// wait a while and then get 429. 0 means DefaultMaxHeld.
	MaxHeld int64
	// MaxWait is how long a request waits for that. 0 means DefaultMaxWait.
	MaxWait time.Duration
}

// The limits where Options name none.
const (
	DefaultMaxBody = 16 << 20
	DefaultMaxHeld = 128 << 20
	DefaultMaxWait = 5 * time.Second
)

const (
	maxHeader   = 32 << 10
	readHeader  = 5 * time.Second
	readAll     = time.Minute
	writeAll    = 2 * time.Minute // reading, waiting and publishing included
	idleConn    = 2 * time.Minute
	retryFull   = 5 // seconds to wait before a request is tried again
	retryBusy   = 1
	retryNoLog  = 1
	metricsPath = "/metrics"
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	stepsPath   = "/v1/steps"
)

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	opts     Options
	http     *http.Server
	metrics  http.Handler
	gate     gate
	probes   probes
	held     *room
	subjects *subjects
	requests *prometheus.CounterVec
	events   *prometheus.CounterVec
}

// New makes a server. It fails when the registry has its metrics already.
func New(o Options) (*Server, error) {
	switch {
	case o.Publisher == nil, o.Ready == nil, o.Gatherer == nil, o.Register == nil:
		return nil, errors.New("httpd: Publisher, Ready, Gatherer and Register are required")
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = DefaultMaxHeld
	}
	if o.MaxWait <= 0 {
		o.MaxWait = DefaultMaxWait
	}
	s := &Server{
		opts: o, held: newRoom(max(o.MaxHeld, o.MaxBody)), subjects: newSubjects(),
		gate: newGate(o.Access), probes: probes{o.Ready, o.Degraded}, metrics: metricsHandler(o.Gatherer),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "misstep_http_requests_total", Help: "HTTP requests answered, by endpoint and status code.",
		}, []string{"endpoint", "code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "misstep_http_events_total", Help: "Step events in the bodies of POST /v1/steps: accepted once they are durable, or refused.",
		}, []string{"result"}),
	}
	for _, c := range []prometheus.Collector{s.requests, s.events} {
		if err := o.Register.Register(c); err != nil {
			return nil, err
		}
	}
	for _, result := range []string{accepted, refused} {
		s.events.WithLabelValues(result)
	}
	s.http = newHTTP(s, o.Access, o.Log)
	return s, nil
}

// Serve answers on ln until Shutdown, then gives nil.
func (s *Server) Serve(ln net.Listener) error { return serve(s.http, ln) }

// Shutdown takes no new requests, lets those under way finish and returns; when
// ctx ends first it cuts them off and gives ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return shutdown(ctx, s.http) }

// ServeHTTP routes a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w, code: http.StatusOK}
	protect(rec.Header())
	endpoint := s.route(rec, r)
	s.requests.WithLabelValues(endpoint, strconv.Itoa(rec.code)).Inc()
}

// route answers, and gives the endpoint's name for metrics.
func (s *Server) route(w http.ResponseWriter, r *http.Request) string {
	endpoint := "other"
	var handle http.HandlerFunc
	method := http.MethodGet
	switch r.URL.Path {
	case stepsPath:
		endpoint, handle, method = "steps", s.steps, http.MethodPost
	case metricsPath:
		endpoint, handle = "metrics", s.metrics.ServeHTTP
	case healthPath:
		endpoint, handle = "healthz", s.probes.health
	case readyPath:
		endpoint, handle = "readyz", s.probes.ready
	}
	switch {
	case !s.gate.pass(w, r):
	case handle == nil:
		fail(w, http.StatusNotFound, "nothing is here; there are POST "+stepsPath+", "+metricsPath+", "+healthPath+" and "+readyPath)
	case r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead):
		w.Header().Set("Allow", method)
		fail(w, http.StatusMethodNotAllowed, "use "+method)
	default:
		handle(w, r)
	}
	return endpoint
}

type status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, message string) {
	reply(w, code, failure{message})
}

// retry is fail for what may go well in so many seconds.
func retry(w http.ResponseWriter, code, seconds int, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	fail(w, code, message)
}

func reply(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // who hung up does not read why
}

// recorder remembers the status code.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logWriter takes what net/http logs, such as a panic of a handler.
type logWriter struct{ log zerolog.Logger }

func (l logWriter) Write(b []byte) (int, error) {
	l.log.Warn().Str("from", "net/http").Msg(strings.TrimSpace(string(b)))
	return len(b), nil
}
