package jetstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// natsServer runs a server as the user's own: with a configuration file, and on
// a port that others can connect to. DIR in conf is a folder of its own.
func natsServer(t testing.TB, conf string) *server.Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	if opts.Host == "" {
		opts.Host = "127.0.0.1"
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return s
}

const withJetStream = "jetstream { store_dir: \"DIR/js\" }\n"

func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificate makes an authority and a certificate of it for localhost, and
// gives the files of the first and of the second with its key.
func certificate(t *testing.T, until time.Time) (ca, cert, key string) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(of, by *x509.Certificate, k, byKey *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, of, by, &k.PublicKey, byKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	begin := time.Now().Add(-48 * time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: begin, NotAfter: begin.Add(96 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, leafKey := newKey(), newKey()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: begin, NotAfter: until, DNSNames: []string{"localhost"}}
	keyDER, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	ca = write(t, "ca.pem", text("CERTIFICATE", sign(root, root, rootKey, rootKey)))
	cert = write(t, "cert.pem", text("CERTIFICATE", sign(leaf, root, leafKey, rootKey)))
	return ca, cert, write(t, "key.pem", text("EC PRIVATE KEY", keyDER))
}

func TestConnect(t *testing.T) {
	const secret = "s3cr3t-of-alice"
	day := 24 * time.Hour
	ca, cert, key := certificate(t, time.Now().Add(day))
	otherCA, oldCert, oldKey := certificate(t, time.Now().Add(-day))
	tlsConf := func(cert, key string) string {
		return fmt.Sprintf("%stls { cert_file: %q, key_file: %q }\n", withJetStream, cert, key)
	}
	servers := map[string]*server.Server{
		"open":     natsServer(t, withJetStream),
		"no js":    natsServer(t, ""),
		"user":     natsServer(t, withJetStream+`authorization { users: [{ user: alice, password: "`+secret+`" }] }`),
		"token":    natsServer(t, withJetStream+`authorization { token: "`+secret+`" }`),
		"tls":      natsServer(t, tlsConf(cert, key)),
		"expired":  natsServer(t, tlsConf(oldCert, oldKey)),
		"accounts": natsServer(t, withJetStream+`accounts { A: { jetstream: enabled, users: [{ user: alice, password: "`+secret+`" }] }, B: { users: [{ user: bob, password: "`+secret+`" }] } }`),
		"denied":   natsServer(t, withJetStream+`authorization { users: [{ user: alice, password: "`+secret+`", permissions: { publish: "x", subscribe: ">" } }] }`),
	}
	password, wrong := write(t, "password", secret+"\n"), write(t, "wrong", "another-s3cr3t")
	alice := func(o ConnectOptions) ConnectOptions { o.User, o.PasswordFile = "alice", password; return o }
	for _, c := range []struct {
		name, server, host string
		opts               ConnectOptions
		want               string // in the error; empty for none
	}{
		{"open", "open", "", ConnectOptions{}, ""},
		{"password", "user", "", alice(ConnectOptions{}), ""},
		{"token", "token", "", ConnectOptions{TokenFile: password}, ""},
		{"account", "accounts", "", alice(ConnectOptions{}), ""},
		{"TLS", "tls", "localhost", ConnectOptions{TLS: TLSOptions{CAFile: ca}}, ""},
		{"TLS by another name", "tls", "", ConnectOptions{TLS: TLSOptions{CAFile: ca, ServerName: "localhost"}}, ""},
		{"TLS unchecked", "tls", "", ConnectOptions{TLS: TLSOptions{InsecureSkipVerify: true}}, ""},

		{"none", "user", "", ConnectOptions{}, "the server asks for credentials; name a user and a password file, a token file, an NKey file or a credentials file"},
		{"wrong password", "user", "", ConnectOptions{User: "alice", PasswordFile: wrong}, `the server refuses user "alice" with this password`},
		{"wrong user", "user", "", ConnectOptions{User: "eve", PasswordFile: password}, `the server refuses user "eve" with this password`},
		{"wrong token", "token", "", ConnectOptions{TokenFile: wrong}, "the server refuses the token; correct it in " + wrong},
		{"no JetStream", "no js", "", ConnectOptions{}, "the server runs without JetStream; start it with -js"},
		{"none in the account", "accounts", "", ConnectOptions{User: "bob", PasswordFile: password}, "enable it in the server's configuration"},
		{"no rights", "denied", "", alice(ConnectOptions{}), `Permissions Violation for Publish to "$JS.API.INFO"`},
		{"unknown authority", "tls", "localhost", ConnectOptions{}, "name the file with the certificate of its authority"},
		{"other authority", "tls", "localhost", ConnectOptions{TLS: TLSOptions{CAFile: otherCA}}, "name the file with the certificate of its authority"},
		{"not in the certificate", "tls", "", ConnectOptions{TLS: TLSOptions{CAFile: ca}}, "connect by a name that is in the certificate"},
		{"expired", "expired", "localhost", ConnectOptions{TLS: TLSOptions{CAFile: otherCA}}, "renew the server's certificate"},
		{"TLS wanted", "open", "localhost", ConnectOptions{TLS: TLSOptions{CAFile: ca}}, "the server has no TLS, and TLS is set here"},
		{"no CA file", "tls", "", ConnectOptions{TLS: TLSOptions{CAFile: "no/such.pem"}}, "TLS authorities: open no/such.pem"},
		{"CA file without one", "tls", "", ConnectOptions{TLS: TLSOptions{CAFile: key}}, "holds no certificate in PEM form"},
		{"no password file", "user", "", ConnectOptions{User: "alice", PasswordFile: "no/such"}, "password file: open no/such"},
		{"empty password file", "user", "", ConnectOptions{User: "alice", PasswordFile: write(t, "empty", "\n")}, "is empty; write the password into it"},
		{"long token file", "token", "", ConnectOptions{TokenFile: write(t, "long", secret+"\n"+secret)}, "holds more than one line; write the token alone into it"},
		{"user and token", "user", "", ConnectOptions{User: "alice", PasswordFile: password, TokenFile: password}, "there are several of a user, a token, an NKey and a credentials file"},
		{"user alone", "user", "", ConnectOptions{User: "alice"}, "there is a user without a password file"},
		{"password alone", "user", "", ConnectOptions{PasswordFile: password}, "there is a password file without a user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.host == "" {
				c.host = "127.0.0.1"
			}
			c.opts.URLs = []string{fmt.Sprintf("nats://%s:%d", c.host, servers[c.server].Addr().(*net.TCPAddr).Port)}
			nc, err := Connect(t.Context(), c.opts)
			if err == nil {
				nc.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "connect to NATS at "+c.opts.URLs[0]+": ")):
				t.Errorf("got %v\nwant %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), "s3cr3t"):
				t.Errorf("there is a secret in %v", err)
			}
		})
	}
}

func TestConnectToNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + ln.Addr().String()
	ln.Close()
	_, err = Connect(t.Context(), ConnectOptions{URLs: []string{url}})
	if want := "connect to NATS at " + url + ": nothing listens there (connection refused); start the server, or correct the URL"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Connect(ctx, ConnectOptions{URLs: []string{url}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestConnectToAnOldServer plays a server that says it is older.
func TestConnectToAnOldServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var played sync.WaitGroup
	played.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, `INFO {"server_id":"x","version":"2.11.9","headers":true,"max_payload":1048576,"jetstream":true}`+"\r\n")
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			if lines.Text() == "PING" {
				fmt.Fprint(c, "PONG\r\n")
			}
		}
	})
	_, err = Connect(t.Context(), ConnectOptions{URLs: []string{"nats://" + ln.Addr().String()}})
	if err == nil || !strings.HasSuffix(err.Error(), "the server is NATS 2.11.9, which has no atomic batches; use NATS 2.12 or later") {
		t.Errorf("got %v", err)
	}
	ln.Close()
	played.Wait()
	for v, want := range map[string]bool{"2.12.0": true, "v2.12.0-beta.1": true, "2.12": true, "3.0.0": true, "2.11.99": false, "1.99": false, "": false, "x": false} {
		if atLeast(v, MinServerVersion) != want {
			t.Errorf("version %q: want %t", v, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, ok := range []string{"nats://h", "nats://h:4222", "tls://h.example:4222/", "nats://[::1]:4222"} {
		if err := CheckURL(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for bad, want := range map[string]string{
		"": "no URL", "h:4222": "no URL", "nats:h": "no URL", "nats://a:s3cr3t@h": "secrets are read from files", "nats://s3cr3t@h:1": "secrets are read from files",
		"http://h": `scheme "http"`, "nats://": "host is missing", "nats://:4222": "host is missing", "nats://h:0": `port "0"`, "nats://h:70000": `port "70000"`,
		"nats://h/x": "more than a host", "nats://h?x=s3cr3t": "more than a host", "nats://h:s3cr3t": "no URL",
	} {
		if err := CheckURL(bad); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got %v, want %s", bad, err, want)
		}
	}
}

// TestReconnect: a server that comes back after a while, with another password,
// is used again, and the log says so without secrets.
func TestReconnect(t *testing.T) {
	conf := func(listen, password string) string {
		return fmt.Sprintf("listen: %q\n%sauthorization { users: [{ user: alice, password: %q }] }", listen, withJetStream, password)
	}
	s := natsServer(t, conf("127.0.0.1:-1", "s3cr3t-1"))
	file := write(t, "password", "s3cr3t-1")
	var log syncBuffer
	nc, err := Connect(t.Context(), ConnectOptions{URLs: []string{s.ClientURL()}, Name: "test", User: "alice", PasswordFile: file, Logger: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	status := nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING)
	addr := s.Addr().String()
	s.Shutdown()
	s.WaitForShutdown()
	if got := <-status; got != nats.RECONNECTING {
		t.Errorf("status is %v", got)
	}
	// First the server alone has the new password, so the client is refused more
	// often than clients put up with of themselves.
	natsServer(t, conf(addr, "s3cr3t-2"))
	for refused := 0; refused < 3; {
		if got := <-status; got == nats.RECONNECTING {
			refused++
		}
	}
	if err := os.WriteFile(file, []byte("s3cr3t-2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for got := range status {
		if got == nats.CONNECTED {
			break
		}
	}
	nc.Close() // so that all is logged
	for _, want := range []string{"NATS connection is lost", `"connection":"test"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("the log tells a secret:\n%s", log.String())
	}
}

// syncBuffer may be written while it is read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestReconnectDelay(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 50 * time.Millisecond, 1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 6: 1600 * time.Millisecond, 7: 2 * time.Second, 1 << 40: 2 * time.Second} {
		if got := reconnectDelay(n); got != want {
			t.Errorf("round %d: %v, want %v", n, got, want)
		}
	}
	var l lately
	now := time.Now()
	for i, c := range []struct {
		text  string
		after time.Duration
		want  bool
	}{{"a", 0, false}, {"a", 9 * time.Second, true}, {"b", 9 * time.Second, false}, {"b", 20 * time.Second, false}} {
		if got := l.before(c.text, now.Add(c.after)); got != c.want {
			t.Errorf("%d: %t", i, got)
		}
	}
}
