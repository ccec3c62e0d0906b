package httpd_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"misstep/internal/httpd"
)

const token = "0123456789abcdef"

func isToken(given string) bool { return given == token }

func TestGate(t *testing.T) {
	const auth = "Authorization: Bearer " + token
	const step = `{"trajectory_id":"t1","kind":"user_message","text":"x"}`
	named := httpd.Access{Hosts: []string{"detector.example"}}
	closed := httpd.Access{Token: isToken}
	open := httpd.Access{Token: isToken, AnyHost: true}
	both := httpd.Access{Token: isToken, Hosts: []string{"detector.example"}}
	for _, c := range []struct {
		name   string
		access httpd.Access
		method string
		path   string
		header []string
		code   int
	}{
		{"a name of its own", named, "GET", "/metrics", []string{"Host: Detector.Example:4318"}, 200},
		{"another name", named, "GET", "/metrics", []string{"Host: evil.example"}, 403},
		{"a name below it", named, "GET", "/metrics", []string{"Host: a.detector.example"}, 403},
		{"IPv4 in IPv6", named, "GET", "/metrics", []string{"Host: [::ffff:127.0.0.1]:1"}, 200},
		{"no token", closed, "POST", "/v1/steps", []string{asJSON}, 401},
		{"token", closed, "POST", "/v1/steps", []string{asJSON, auth}, 200},
		{"token, bearer", closed, "POST", "/v1/steps", []string{asJSON, "Authorization: bearer  " + token}, 200},
		{"no scheme", closed, "POST", "/v1/steps", []string{asJSON, "Authorization: " + token}, 401},
		{"Basic", closed, "POST", "/v1/steps", []string{asJSON, "Authorization: Basic " + token}, 401},
		{"two", closed, "POST", "/v1/steps", []string{asJSON, auth, auth}, 401},
		{"wrong", closed, "POST", "/v1/steps", []string{asJSON, auth + "x"}, 401},
		{"in the query", closed, "GET", "/metrics?token=" + token, nil, 401},
		{"metrics", closed, "GET", "/metrics", nil, 401},
		{"elsewhere", closed, "GET", "/", nil, 401},
		{"health", closed, "GET", "/healthz", nil, 200},
		{"ready", closed, "GET", "/readyz", nil, 200},
		{"a token and another name", closed, "GET", "/metrics", []string{auth, "Host: evil.example"}, 403},
		{"probe by address", closed, "GET", "/healthz", []string{"Host: 10.0.0.7:4318"}, 200},
		{"any name", open, "GET", "/metrics", []string{auth, "Host: 192.0.2.1:4318"}, 200},
		{"no name", open, "GET", "/metrics", []string{auth, "Host: "}, 200},
		{"any name without a token", open, "GET", "/metrics", []string{"Host: 192.0.2.1:4318"}, 401},
		{"another page", open, "POST", "/v1/steps", []string{asJSON, auth, "Origin: https://evil.example"}, 403},
		{"some names", both, "GET", "/metrics", []string{auth, "Host: 192.0.2.1:4318"}, 403},
		{"some names, probe", both, "GET", "/readyz", []string{"Host: 192.0.2.1:4318"}, 200},
	} {
		s := newServer(t, func(o *httpd.Options) { o.Access = c.access })
		body := ""
		if c.method == "POST" {
			body = step
		}
		w := s.call(c.method, c.path, body, c.header...)
		if w.Code != c.code {
			t.Errorf("%s: got %d, want %d: %s", c.name, w.Code, c.code, w.Body)
		}
		if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, w.Header().Get("WWW-Authenticate"))
		}
		if w.Code != 200 && len(s.log.messages) > 0 {
			t.Errorf("%s: steps were taken all the same", c.name)
		}
	}
}

func TestDegraded(t *testing.T) {
	full := errors.New("the disk is full")
	s := newServer(t, func(o *httpd.Options) { o.Degraded = func() error { return full } })
	if w := s.call("GET", "/healthz", ""); w.Code != 200 || w.Body.String() != `{"status":"degraded","reason":"the disk is full"}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	full = nil
	if w := s.call("GET", "/healthz", ""); w.Body.String() != `{"status":"ok"}`+"\n" {
		t.Errorf("got %s", w.Body)
	}
}

func TestAdmin(t *testing.T) {
	a, err := httpd.NewAdmin(httpd.AdminOptions{
		Ready: func() error { return nil }, Gatherer: prometheus.NewPedanticRegistry(), Log: zerolog.Nop(), Access: httpd.Access{Token: isToken},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, target string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		r.Host = "localhost"
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	const auth = "Authorization: Bearer " + token
	for _, c := range []struct {
		method, target string
		auth           bool
		code           int
		want           string
	}{
		{"GET", "/debug/pprof/", true, 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", true, 200, "goroutine profile"},
		{"GET", "/debug/pprof/heap", true, 200, ""},
		{"GET", "/debug/pprof/cmdline", true, 200, ""},
		{"GET", "/debug/pprof/goroutine?debug=1", false, 401, "token"},
		{"GET", "/metrics", true, 200, ""},
		{"GET", "/metrics", false, 401, ""},
		{"GET", "/healthz", false, 200, "ok"},
		{"GET", "/readyz", false, 200, "ready"},
		{"POST", "/debug/pprof/heap", true, 405, "use GET"},
		{"GET", "/v1/steps", true, 404, "nothing is here"},
		{"GET", "/debug/pprofx", true, 404, "nothing is here"},
	} {
		var header []string
		if c.auth {
			header = []string{auth}
		}
		if w := call(c.method, c.target, header...); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: got %d %.200s, want %d %s", c.method, c.target, w.Code, w.Body, c.code, c.want)
		}
	}
	if _, err := httpd.NewAdmin(httpd.AdminOptions{}); err == nil {
		t.Error("an admin server of nothing was made")
	}
}

// TestOnTheWire says what no library would: a real server answers or hangs up,
// and does not wait for long.
func TestOnTheWire(t *testing.T) {
	for _, secure := range []bool{false, true} {
		access := httpd.Access{}
		if secure {
			access.TLS = certificate(t)
		}
		s := newServer(t, func(o *httpd.Options) { o.Access = access })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(ln) }()
		say := func(what string) string {
			var c net.Conn
			var err error
			if secure {
				c, err = tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			} else {
				c, err = net.Dial("tcp", ln.Addr().String())
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, what); err != nil {
				return err.Error()
			}
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				return err.Error()
			}
			return strings.TrimSpace(line)
		}
		step := `{"trajectory_id":"t1","kind":"user_message","text":"x"}`
		for name, c := range map[string]struct{ what, want string }{
			"no Host":        {"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 403 Forbidden"},
			"HTTP/1.0":       {"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", "HTTP/1.0 200 OK"},
			"HTTP/1.1 alone": {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request: missing required Host header"},
			"two Hosts":      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400 Bad Request"},
			"absolute":       {"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 403 Forbidden"},
			"long header":    {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "HTTP/1.1 431 Request Header Fields Too Large"},
			"chunked":        {fmt.Sprintf("POST /v1/steps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(step), step), "HTTP/1.1 200 OK"},
			"smuggled":       {"POST /v1/steps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", "HTTP/1.1 501 Not Implemented"},
		} {
			if got := say(c.what); got != c.want {
				t.Errorf("secure %t: %s: got %q, want %q", secure, name, got, c.want)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func certificate(t *testing.T) *tls.Config {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// oneConn is a listener to which one caller comes.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l oneConn) Close() error   { close(l.closed); return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowCaller: who sends a byte now and then is hung up on.
func TestSlowCaller(t *testing.T) {
	for name, c := range map[string]struct {
		first string
		want  time.Duration
	}{
		"header": {"GET /healthz HTTP/1.1\r\n", 5 * time.Second},
		"body":   {"POST /v1/steps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n", time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			ln := oneConn{make(chan net.Conn, 1), make(chan struct{})}
			done := make(chan error, 1)
			go func() { done <- s.Serve(ln) }()
			client, server := net.Pipe()
			ln.conn <- server
			began := time.Now()
			if _, err := io.WriteString(client, c.first); err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _ = io.Copy(io.Discard, client) // ends with the connection
			}()
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(client, " "); err != nil {
					break
				}
			}
			if took := time.Since(began); took < c.want || took > c.want+2*time.Second {
				t.Errorf("%s: hung up after %v, want %v", name, took, c.want)
			}
			client.Close()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
