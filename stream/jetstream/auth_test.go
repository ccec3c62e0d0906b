package jetstream

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"
)

// seed makes an NKey, and gives its public key and its seed.
func seed(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, string) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return pair, public, string(s)
}

// operated is a server that knows its clients by JWTs, and what makes their
// credentials.
func operated(t *testing.T) (_ *server.Server, credentials func(expires time.Time) string) {
	t.Helper()
	operator, operatorKey, _ := seed(t, nkeys.CreateOperator)
	account, accountKey, _ := seed(t, nkeys.CreateAccount)
	encode := func(c jwt.Claims, by nkeys.KeyPair) string {
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	_, systemKey, _ := seed(t, nkeys.CreateAccount)
	o := jwt.NewOperatorClaims(operatorKey)
	o.SystemAccount = systemKey
	a := jwt.NewAccountClaims(accountKey)
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	conf := fmt.Sprintf("%soperator: %q\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }\n", withJetStream,
		encode(o, operator), systemKey, accountKey, encode(a, operator), systemKey, encode(jwt.NewAccountClaims(systemKey), operator))
	return natsServer(t, conf), func(expires time.Time) string {
		_, userKey, userSeed := seed(t, nkeys.CreateUser)
		u := jwt.NewUserClaims(userKey)
		u.Expires = expires.Unix()
		text, err := jwt.FormatUserConfig(encode(u, account), []byte(userSeed))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestCredentials(t *testing.T) {
	day := 24 * time.Hour
	_, userKey, userSeed := seed(t, nkeys.CreateUser)
	_, _, otherSeed := seed(t, nkeys.CreateUser)
	_, _, accountSeed := seed(t, nkeys.CreateAccount)
	ca, cert, key := certificate(t, time.Now().Add(day))
	otherCA, otherCert, otherKey := certificate(t, time.Now().Add(day))
	withJWT, credentials := operated(t)
	_, foreign := operated(t)
	servers := map[string]*server.Server{
		"nkey": natsServer(t, withJetStream+"authorization { users: [{ nkey: "+userKey+" }] }"),
		"jwt":  withJWT,
		"tls":  natsServer(t, fmt.Sprintf("%stls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", withJetStream, cert, key, ca)),
	}
	seedFile, good := write(t, "seed", userSeed+"\n"), write(t, "creds", credentials(time.Now().Add(day)))
	for _, c := range []struct {
		name, server string
		opts         ConnectOptions
		want         string // in the error; empty for none
	}{
		{"NKey", "nkey", ConnectOptions{NKeyFile: seedFile}, ""},
		{"JWT", "jwt", ConnectOptions{CredentialsFile: good}, ""},
		{"mutual TLS", "tls", ConnectOptions{TLS: TLSOptions{CAFile: ca, CertFile: cert, KeyFile: key}}, ""},

		{"other NKey", "nkey", ConnectOptions{NKeyFile: write(t, "other", otherSeed)}, "add its public key to the server's users"},
		{"no user's NKey", "nkey", ConnectOptions{NKeyFile: write(t, "account", accountSeed)}, "holds a seed that is no user's; give one that begins with SU"},
		{"no seed", "nkey", ConnectOptions{NKeyFile: write(t, "public", userKey)}, "holds no seed of a user"},
		{"no NKey file", "nkey", ConnectOptions{NKeyFile: "no/such"}, "NKey file: open no/such"},
		{"foreign JWT", "jwt", ConnectOptions{CredentialsFile: write(t, "foreign", foreign(time.Now().Add(day)))}, "they may be of another operator, revoked or expired"},
		{"expired JWT", "jwt", ConnectOptions{CredentialsFile: write(t, "expired", credentials(time.Now().Add(-day)))}, "they may be of another operator, revoked or expired"},
		{"half credentials", "jwt", ConnectOptions{CredentialsFile: seedFile}, "lacks the JWT or the seed"},
		{"no credentials file", "jwt", ConnectOptions{CredentialsFile: "no/such"}, "credentials file: open no/such"},
		{"NKey and JWT", "jwt", ConnectOptions{CredentialsFile: good, NKeyFile: seedFile}, "give one of them"},
		{"no certificate", "tls", ConnectOptions{TLS: TLSOptions{CAFile: ca}}, "name its file and that of its key"},
		{"strange certificate", "tls", ConnectOptions{TLS: TLSOptions{CAFile: ca, CertFile: otherCert, KeyFile: otherKey}}, "the server refuses the certificate in " + otherCert},
		{"certificate without key", "tls", ConnectOptions{TLS: TLSOptions{CertFile: cert}}, "name both files"},
		{"key of another", "tls", ConnectOptions{TLS: TLSOptions{CAFile: otherCA, CertFile: cert, KeyFile: otherKey}}, "and the key the certificate's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.URLs = []string{strings.Replace(servers[c.server].ClientURL(), "127.0.0.1", "localhost", 1)}
			nc, err := Connect(t.Context(), c.opts)
			if err == nil {
				nc.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v\nwant %s", err, c.want)
			case err != nil && (strings.Contains(err.Error(), userSeed) || strings.Contains(err.Error(), "eyJ")):
				t.Errorf("there is a secret in %v", err)
			}
		})
	}
}

// TestCredentialsRotate: a credentials file and a certificate that change on
// disk count when the connection is made anew.
func TestCredentialsRotate(t *testing.T) {
	s, credentials := operated(t)
	file := write(t, "creds", credentials(time.Now().Add(2*time.Second)))
	nc, err := Connect(t.Context(), ConnectOptions{URLs: []string{s.ClientURL()}, CredentialsFile: file, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	status := nc.StatusChanged(nats.CONNECTED)
	if err := os.WriteFile(file, []byte(credentials(time.Now().Add(time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	<-status // the first have expired, so the server hung up
	if err := nc.FlushTimeout(patience); err != nil {
		t.Error(err)
	}

	ca, cert, key := certificate(t, time.Now().Add(time.Hour))
	_, strange, strangeKey := certificate(t, time.Now().Add(time.Hour))
	dir := t.TempDir()
	mine, mineKey := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	put := func(from, fromKey string) {
		t.Helper()
		for to, from := range map[string]string{mine: from, mineKey: fromKey} {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	put(strange, strangeKey)
	opts := ConnectOptions{TLS: TLSOptions{CAFile: ca, CertFile: mine, KeyFile: mineKey}}
	conf, err := opts.tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		t.Helper()
		c, err := conf.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Certificate[0])
	}
	first := shown()
	put(cert, key)
	second := shown()
	if second == first {
		t.Error("the certificate from before is shown")
	}
	if err := os.Remove(mineKey); err != nil {
		t.Fatal(err)
	}
	if shown() != second {
		t.Error("another certificate is shown when the key is gone")
	}
}
