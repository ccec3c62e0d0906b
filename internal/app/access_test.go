package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"misstep/internal/app"
	"misstep/internal/config"
)

// pair writes the certificate that net/http/httptest has, and its key.
func pair(t *testing.T, dir string) config.ServerTLS {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	s.Close()
	c := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	out := config.ServerTLS{CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	for file, b := range map[string]*pem.Block{
		out.CertFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, out.KeyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestBeyondLoopback: other hosts reach all servers, with the token and TLS.
func TestBeyondLoopback(t *testing.T) {
	dir := t.TempDir()
	const token = "0123456789abcdef"
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(token), 0o644); err != nil {
		t.Fatal(err)
	}
	c := settings(filepath.Join(dir, "data"))
	c.HTTP.Listen, c.HTTP.TokenFile, c.HTTP.TLS = "0.0.0.0:0", file, pair(t, dir)
	c.NATS.Listen, c.NATS.TokenFile = "0.0.0.0:0", file
	c.Admin.Listen, c.Admin.TokenFile = "0.0.0.0:0", file
	d := start(t, c)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	get := func(url, token string) int {
		t.Helper()
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Host = "detector.example"
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	port := func(addr string) string {
		_, p, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for url, want := range map[string]int{
		"https://127.0.0.1:" + port(d.HTTP) + "/metrics":      200,
		"https://127.0.0.1:" + port(d.HTTP) + "/debug/pprof/": 404,
		"http://127.0.0.1:" + port(d.Admin) + "/debug/pprof/": 200,
		"http://127.0.0.1:" + port(d.Admin) + "/metrics":      200,
	} {
		if got := get(url, token); got != want {
			t.Errorf("%s gave %d, want %d", url, got, want)
		}
		if got := get(url, "x"); got != 401 {
			t.Errorf("%s gave %d without the token, want 401", url, got)
		}
	}
	if nc, err := nats.Connect(d.NATS); err == nil {
		nc.Close()
		t.Error("NATS asks for no token")
	}
	for _, want := range []string{
		"HTTP  https://127.0.0.1:" + port(d.HTTP), "admin http://127.0.0.1:" + port(d.Admin), "NATS  nats://127.0.0.1:",
		`-H "authorization: Bearer $(cat '` + file + `')"`,
	} {
		if !strings.Contains(d.banner.String(), want) {
			t.Errorf("there is no %s in\n%s", want, d.banner.String())
		}
	}
	d.stop()
	log := d.log.String()
	for want, n := range map[string]int{
		`"setting":"nats","message":"token and steps cross the network in clear text`:  1,
		`"setting":"admin","message":"token and steps cross the network in clear text`: 1,
		`"setting":"http","message":"token and steps cross the network in clear text`:  0,
		`can be read by every user of this machine (mode 0644); chmod 0600 it`:         3,
	} {
		if runtime.GOOS == "windows" && n == 3 {
			n = 0
		}
		if got := strings.Count(log, want); got != n {
			t.Errorf("%s is %d times in the log, want %d", want, got, n)
		}
	}
}

// TestRefusesToListen: what would be open to all does not start, nor what names
// files that are no good.
func TestRefusesToListen(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*config.Config){
		`http.listen: found "0.0.0.0:0", which other hosts reach, and no token_file`: func(c *config.Config) { c.HTTP.Listen = "0.0.0.0:0" },
		`nats.listen: found "[::]:0", which other hosts reach`:                       func(c *config.Config) { c.NATS.Listen = "[::]:0" },
		`admin.listen: found "192.0.2.1:0", which other hosts reach`:                 func(c *config.Config) { c.Admin.Listen = "192.0.2.1:0" },
		"token file " + empty + ": is empty":                                         func(c *config.Config) { c.HTTP.TokenFile = empty },
		"/none: there is no such file":                                               func(c *config.Config) { c.NATS.TokenFile = filepath.Join(dir, "none") },
		"both must be PEM": func(c *config.Config) {
			c.Admin.Listen, c.Admin.TLS = "127.0.0.1:0", config.ServerTLS{CertFile: empty, KeyFile: empty}
		},
	} {
		c := settings(filepath.Join(dir, "data"))
		edit(c)
		err := app.Run(t.Context(), app.Options{Config: c, Out: io.Discard, Getenv: os.Getenv, Log: zerolog.Nop()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("it began all the same")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := settings(filepath.Join(dir, "data"))
	c.Admin.Listen = taken.Addr().String()
	err = app.Run(t.Context(), app.Options{Config: c, Out: io.Discard, Getenv: os.Getenv, Log: zerolog.Nop()})
	if want := "choose another address with admin.listen in the configuration"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
