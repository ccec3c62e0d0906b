package httpd

import (
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

// Access says who may call a server. The zero value lets everybody call who
// names this machine by a name of loopback.
type Access struct {
	// Hosts are further names that the Host header may have.
	Hosts []string
	// AnyHost takes every Host header: for a server that other machines reach by
	// whatever name, and that asks for a token.
	AnyHost bool
	// Token reports whether a caller gave the right one; nil asks for none.
	Token func(given string) bool
	// TLS is what the server proves itself with; nil: it speaks plain HTTP.
	TLS *tls.Config
}

// gate lets callers in, or not.
type gate struct {
	Access
	origin *http.CrossOriginProtection
}

func newGate(a Access) gate { return gate{a, http.NewCrossOriginProtection()} }

// pass reports whether a request may go on, and answers it otherwise. Probes
// are asked for no token, and where there is one for no name: who starts and
// stops processes has none, and calls them by their address.
func (g *gate) pass(w http.ResponseWriter, r *http.Request) bool {
	probe := r.URL.Path == healthPath || r.URL.Path == readyPath
	switch {
	case !g.host(r.Host) && (g.Token == nil || !probe):
		// A page in a browser can have its name resolve to this machine.
		fail(w, http.StatusForbidden, "the Host header does not name this machine; call localhost or 127.0.0.1, or add the name to hosts in the configuration")
	case g.origin.Check(r) != nil:
		fail(w, http.StatusForbidden, "a page of another origin sent this; send it from a program")
	case g.Token != nil && !probe && !g.Token(bearer(r.Header)):
		w.Header().Set("WWW-Authenticate", `Bearer realm="misstep"`)
		fail(w, http.StatusUnauthorized, "the token is missing or wrong; send the header Authorization: Bearer TOKEN")
	default:
		return true
	}
	return false
}

// host reports whether a Host header is one of those that are taken.
func (g *gate) host(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return g.AnyHost || loopbackName(name) || slices.ContainsFunc(g.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// loopbackName reports whether a name is one of this machine that no DNS server
// decides about.
func loopbackName(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// bearer gives the token of a request, empty when there is none, or several.
func bearer(h http.Header) string {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// newHTTP makes a server with the limits that keep a slow or greedy caller from
// holding it up.
func newHTTP(h http.Handler, a Access, l zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         a.TLS,
		ReadHeaderTimeout: readHeader,
		ReadTimeout:       readAll,
		WriteTimeout:      writeAll,
		IdleTimeout:       idleConn,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(logWriter{l}, "", 0),
	}
}

// serve answers on ln until the server is shut down, then gives nil.
func serve(s *http.Server, ln net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(ln, "", "")
	} else {
		err = s.Serve(ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// protect sets the headers that keep a browser from making more of an answer
// than it is.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
