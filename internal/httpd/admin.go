package httpd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// AdminOptions say what an admin server is made of. Ready and Gatherer are
// required.
type AdminOptions struct {
	Ready    func() error
	Degraded func() error
	Gatherer prometheus.Gatherer
	Log      zerolog.Logger
	Access   Access
}

const (
	pprofPath = "/debug/pprof/"
	// profiles take as long as their caller asks for.
	writeProfile = 10 * time.Minute
)

// Admin answers those who look after the process: profiles, metrics, probes. It
// is safe for concurrent use.
type Admin struct {
	http    *http.Server
	gate    gate
	probes  probes
	metrics http.Handler
}

// NewAdmin makes an admin server.
func NewAdmin(o AdminOptions) (*Admin, error) {
	if o.Ready == nil || o.Gatherer == nil {
		return nil, errors.New("httpd: Ready and Gatherer are required")
	}
	a := &Admin{gate: newGate(o.Access), probes: probes{o.Ready, o.Degraded}, metrics: metricsHandler(o.Gatherer)}
	a.http = newHTTP(a, o.Access, o.Log)
	a.http.WriteTimeout = writeProfile
	return a, nil
}

// Serve answers on ln until Shutdown, then gives nil.
func (a *Admin) Serve(ln net.Listener) error { return serve(a.http, ln) }

// Shutdown lets requests under way finish until ctx ends.
func (a *Admin) Shutdown(ctx context.Context) error { return shutdown(ctx, a.http) }

// ServeHTTP routes a request.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	if !a.gate.pass(w, r) {
		return
	}
	var handle http.HandlerFunc
	switch path := r.URL.Path; path {
	case metricsPath:
		handle = a.metrics.ServeHTTP
	case healthPath:
		handle = a.probes.health
	case readyPath:
		handle = a.probes.ready
	case pprofPath + "cmdline":
		handle = pprof.Cmdline
	case pprofPath + "profile":
		handle = pprof.Profile
	case pprofPath + "symbol":
		handle = pprof.Symbol
	case pprofPath + "trace":
		handle = pprof.Trace
	default:
		if strings.HasPrefix(path, pprofPath) {
			handle = pprof.Index
		}
	}
	switch {
	case handle == nil:
		fail(w, http.StatusNotFound, "nothing is here; there are "+pprofPath+", "+metricsPath+", "+healthPath+" and "+readyPath)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.URL.Path != pprofPath+"symbol":
		w.Header().Set("Allow", http.MethodGet)
		fail(w, http.StatusMethodNotAllowed, "use GET")
	default:
		handle(w, r)
	}
}

func metricsHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 30 * time.Second})
}

// probes answer whether the process lives, and whether it is of use.
type probes struct {
	isReady  func() error
	degraded func() error // nil: it never is
}

// health answers that the process lives. What it cannot mend by a restart is
// said, but is no reason for one.
func (p probes) health(w http.ResponseWriter, _ *http.Request) {
	if p.degraded != nil {
		if err := p.degraded(); err != nil {
			reply(w, http.StatusOK, status{Status: "degraded", Reason: err.Error()})
			return
		}
	}
	reply(w, http.StatusOK, status{Status: "ok"})
}

func (p probes) ready(w http.ResponseWriter, _ *http.Request) {
	if err := p.isReady(); err != nil {
		reply(w, http.StatusServiceUnavailable, status{Status: "not ready", Reason: err.Error()})
		return
	}
	reply(w, http.StatusOK, status{Status: "ready"})
}

func shutdown(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if err != nil {
		_ = s.Close() // there is nobody to tell
	}
	return err
}
