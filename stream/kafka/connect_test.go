package kafka

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/kafkatest"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConnect(t *testing.T) {
	b := secured.Start(t)
	other, err := kafkatest.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := b.Authority.Issue("alice")
	if err != nil {
		t.Fatal(err)
	}
	strange, strangeKey, err := other.Issue("mallory")
	if err != nil {
		t.Fatal(err)
	}
	password, wrong := write(t, "password", "alice-secret\n"), write(t, "wrong", "another-secret")
	alice := func(mechanism string) SASLOptions { return SASLOptions{mechanism, "alice", password} }
	ca := TLSOptions{CAFile: b.Authority.CAFile()}
	with := func(o TLSOptions, f func(*TLSOptions)) TLSOptions { f(&o); return o }
	for _, c := range []struct {
		name string
		at   kafkatest.Listener
		tls  TLSOptions
		sasl SASLOptions
		want string // in the error; empty for none
	}{
		{"plain", kafkatest.Plain, TLSOptions{}, SASLOptions{}, ""},
		{"TLS", kafkatest.TLS, ca, SASLOptions{}, ""},
		{"TLS by another name", kafkatest.TLS, with(ca, func(o *TLSOptions) { o.ServerName = "localhost" }), SASLOptions{}, ""},
		{"TLS unchecked", kafkatest.TLS, TLSOptions{InsecureSkipVerify: true}, SASLOptions{}, ""},
		{"mutual TLS", kafkatest.MutualTLS, with(ca, func(o *TLSOptions) { o.CertFile, o.KeyFile = cert, key }), SASLOptions{}, ""},
		{"PLAIN", kafkatest.SASL, TLSOptions{}, alice("PLAIN"), ""},
		{"SCRAM-SHA-256", kafkatest.SASL, TLSOptions{}, alice("SCRAM-SHA-256"), ""},
		{"SCRAM-SHA-512", kafkatest.SASL, TLSOptions{}, alice("SCRAM-SHA-512"), ""},
		{"PLAIN over TLS", kafkatest.SASLTLS, ca, alice("PLAIN"), ""},
		{"SCRAM-SHA-256 over TLS", kafkatest.SASLTLS, ca, alice("SCRAM-SHA-256"), ""},
		{"SCRAM-SHA-512 over TLS", kafkatest.SASLTLS, ca, alice("SCRAM-SHA-512"), ""},

		{"no TLS where there is", kafkatest.TLS, TLSOptions{}, SASLOptions{}, "add the TLS or SASL settings"},
		{"TLS where there is none", kafkatest.Plain, ca, SASLOptions{}, "this may be a listener without TLS"},
		{"unknown authority", kafkatest.TLS, TLSOptions{Enabled: true}, SASLOptions{}, "name the file with the certificate of its authority as the TLS CA file"},
		{"other authority", kafkatest.TLS, TLSOptions{CAFile: other.CAFile()}, SASLOptions{}, "name the file with the certificate of its authority as the TLS CA file"},
		{"not in the certificate", kafkatest.TLS, with(ca, func(o *TLSOptions) { o.ServerName = "elsewhere" }), SASLOptions{}, "connect by a name that is in the certificate"},
		{"no client certificate", kafkatest.MutualTLS, ca, SASLOptions{}, "it may ask for a client certificate: name its file and that of its key"},
		{"strange client certificate", kafkatest.MutualTLS, with(ca, func(o *TLSOptions) { o.CertFile, o.KeyFile = strange, strangeKey }), SASLOptions{}, "the broker refuses the certificate in " + strange},
		{"no credentials", kafkatest.SASL, TLSOptions{}, SASLOptions{}, "add the TLS or SASL settings"},
		{"credentials where none are taken", kafkatest.Plain, TLSOptions{}, alice("PLAIN"), "this listener takes no credentials"},
		{"wrong password, PLAIN", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "alice", wrong}, `the broker refuses user "alice" with this password for PLAIN`},
		{"wrong password, SCRAM", kafkatest.SASL, TLSOptions{}, SASLOptions{"SCRAM-SHA-512", "alice", wrong}, `the broker refuses user "alice" with this password for SCRAM-SHA-512`},
		{"wrong user", kafkatest.SASL, TLSOptions{}, SASLOptions{"SCRAM-SHA-256", "eve", password}, `the broker refuses user "eve"`},
		{"credentials without TLS", kafkatest.SASLTLS, TLSOptions{}, alice("PLAIN"), "this may be a listener that wants TLS: add the TLS settings"},

		{"no CA file", kafkatest.TLS, TLSOptions{CAFile: "no/such.pem"}, SASLOptions{}, "TLS authorities: open no/such.pem"},
		{"CA file without one", kafkatest.TLS, TLSOptions{CAFile: key}, SASLOptions{}, "holds no certificate in PEM form"},
		{"certificate without key", kafkatest.TLS, TLSOptions{CertFile: cert}, SASLOptions{}, "name both files"},
		{"key of another", kafkatest.TLS, TLSOptions{CertFile: cert, KeyFile: strangeKey}, SASLOptions{}, "and the key the certificate's"},
		{"no password file", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "alice", "no/such"}, "password file: open no/such"},
		{"empty password file", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "alice", write(t, "empty", "\n")}, "is empty; write the password into it"},
		{"long password file", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "alice", write(t, "long", "alice-secret\nx")}, "holds more than one line"},
		{"no mechanism", kafkatest.SASL, TLSOptions{}, SASLOptions{"", "alice", password}, "no SASL mechanism; give one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		{"strange mechanism", kafkatest.SASL, TLSOptions{}, alice("GSSAPI"), `SASL mechanism "GSSAPI" is not known`},
		{"user alone", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "alice", ""}, "there is a user without a password file"},
		{"password alone", kafkatest.SASL, TLSOptions{}, SASLOptions{"PLAIN", "", password}, "there is no user for SASL"},
		{"bad characters", kafkatest.SASL, TLSOptions{}, SASLOptions{"SCRAM-SHA-256", "alice", write(t, "odd", "\x07-secret")}, "holds characters that SCRAM does not allow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := b.Listener(c.at)
			cl, err := Connect(t.Context(), ConnectOptions{Brokers: []string{at}, ClientID: "test", TLS: c.tls, SASL: c.sasl})
			if err == nil {
				cl.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "connect to Kafka at "+at+": ")):
				t.Errorf("got %v\nwant %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), "-secret"):
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
	at := ln.Addr().String()
	ln.Close()
	_, err = Connect(t.Context(), ConnectOptions{Brokers: []string{at}})
	if want := "connect to Kafka at " + at + ": nothing listens there (connection refused); start the broker, or correct its address"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Connect(ctx, ConnectOptions{Brokers: []string{at}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for addr, want := range map[string]string{
		"": "no broker is given", "kafka://u:p@h:1": "found a URL", "h": `found "h"; give a broker as host:port`,
		"h:0": `found port "0"`, "h:70000": "found port", ":9092": "give a broker", "a:1,b:2": "give a broker",
	} {
		brokers := []string{addr}
		if addr == "" {
			brokers = nil
		}
		if _, err := Connect(t.Context(), ConnectOptions{Brokers: brokers}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", addr, err, want)
		}
	}
}

// TestAnyBroker: one broker of a list that is down does not keep from the rest.
func TestAnyBroker(t *testing.T) {
	b := secured.Start(t)
	for range 4 { // their order is of chance
		c, err := Connect(t.Context(), ConnectOptions{Brokers: []string{"127.0.0.1:1", b.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// TestDialer: what joins groups comes in the same way.
func TestDialer(t *testing.T) {
	b := secured.Start(t)
	c, err := Connect(t.Context(), ConnectOptions{
		Brokers: []string{b.Listener(kafkatest.SASLTLS)}, TLS: TLSOptions{CAFile: b.Authority.CAFile()},
		SASL: SASLOptions{"SCRAM-SHA-256", "bob", write(t, "p", "bob-secret")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := c.Dialer.DialContext(t.Context(), "tcp", c.Brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Brokers(); err != nil {
		t.Error(err)
	}
}

// TestRotation: a password, a certificate and an authority that change on disk
// count for the next connection, and one that cannot be read changes nothing.
func TestRotation(t *testing.T) {
	b := secured.Start(t)
	password := write(t, "password", "first")
	ca, err := os.ReadFile(b.Authority.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	caFile := write(t, "ca.pem", string(ca))
	cert, key, err := b.Authority.Issue("carol")
	if err != nil {
		t.Fatal(err)
	}
	sasl, err := Connect(t.Context(), ConnectOptions{
		Brokers: []string{b.Listener(kafkatest.SASLTLS)}, TLS: TLSOptions{CAFile: caFile}, SASL: SASLOptions{"SCRAM-SHA-512", "carol", password},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sasl.Close()
	mutual, err := Connect(t.Context(), ConnectOptions{
		Brokers: []string{b.Listener(kafkatest.MutualTLS)}, TLS: TLSOptions{CAFile: caFile, CertFile: cert, KeyFile: key},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer mutual.Close()
	reconnects := func(c *Cluster, want error) {
		t.Helper()
		c.pool.CloseIdleConnections()
		err := c.Do(t.Context(), "look", func(ctx context.Context) error {
			_, err := c.Client.Metadata(ctx, &kafka.MetadataRequest{})
			return err
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	replace := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reconnects(sasl, nil)
	replace(password, "second")
	reconnects(sasl, ErrCredentials)
	client, done := b.Client()
	defer done()
	set, err := client.AlterUserScramCredentials(t.Context(), &kafka.AlterUserScramCredentialsRequest{
		Upsertions: []kafka.UserScramCredentialsUpsertion{scramOf("carol", "second")},
	})
	if err != nil || set.Results[0].Error != nil {
		t.Fatal(err, set)
	}
	reconnects(sasl, nil)
	replace(password, "")
	reconnects(sasl, nil)

	reconnects(mutual, nil)
	other, err := kafkatest.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	strange, strangeKey, err := other.Issue("alice")
	if err != nil {
		t.Fatal(err)
	}
	copyFile := func(to, from string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		replace(to, string(text))
	}
	good, goodKey := write(t, "good", ""), write(t, "good.key", "")
	copyFile(good, cert)
	copyFile(goodKey, key)
	copyFile(cert, strange)
	reconnects(mutual, nil) // half done: not the key's certificate
	copyFile(key, strangeKey)
	reconnects(mutual, ErrCredentials)
	copyFile(cert, good)
	copyFile(key, goodKey)
	reconnects(mutual, nil)
	copyFile(caFile, other.CAFile())
	reconnects(mutual, ErrCredentials)
}

// scramOf makes what the broker keeps of a password.
func scramOf(user, password string) kafka.UserScramCredentialsUpsertion {
	salt := []byte("of no importance")
	salted, err := pbkdf2.Key(sha512.New, password, salt, 4096, sha512.Size)
	if err != nil {
		panic(err) // its arguments are constants
	}
	return kafka.UserScramCredentialsUpsertion{Name: user, Mechanism: kafka.ScramMechanismSha512, Iterations: 4096, Salt: salt, SaltedPassword: salted}
}

// TestBrokerKilled: calls go on where they were when the broker comes back.
func TestBrokerKilled(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.CreateTopic(ctx, "t", 1, nil); err != nil {
		t.Fatal(err)
	}
	c, err := Connect(ctx, ConnectOptions{Brokers: []string{b.Addr()}, Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	produce := func() error {
		return c.Do(ctx, "produce", func(ctx context.Context) error {
			r, err := c.Client.Produce(ctx, &kafka.ProduceRequest{
				Topic: "t", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
			})
			if err != nil {
				return err
			}
			return r.Error
		})
	}
	if err := produce(); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	back := make(chan error, 1)
	go func() { back <- b.Restart(ctx) }()
	if err := produce(); err != nil {
		t.Error(err)
	}
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	c.opts.Patience = time.Nanosecond
	b.Kill()
	if err := produce(); !errors.Is(err, ErrUnavailable) || !strings.HasPrefix(err.Error(), "produce: ") {
		t.Errorf("got %v", err)
	}
}

// TestNewTopic: what a pool has not heard of yet is asked for at once, not when
// it next looks.
func TestNewTopic(t *testing.T) {
	b, c := cluster(t)
	for range 6 {
		topic := create(t, b, unique("new"), 1, nil)
		began := time.Now()
		err := c.Do(t.Context(), "fetch", func(ctx context.Context) error {
			r, err := c.Client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, MaxBytes: 1000, MaxWait: time.Millisecond})
			if err != nil {
				return err
			}
			return r.Error
		})
		if err != nil {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	}
}
