package jetstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"misstep/stream"
)

func TestListenAddress(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:4222":     "can be reached from other machines",
		":4222":            "can be reached from other machines",
		"192.168.1.4:1":    "can be reached from other machines",
		"[::]:4222":        "can be reached from other machines",
		"example.com:4222": "can be reached from other machines",
		"127.0.0.1":        "want host:port",
		"127.0.0.1:x":      `"x" is no port`,
		"127.0.0.1:65536":  `"65536" is no port`,
		"localhost:0":      "",
		"127.0.0.9:1":      "",
		"[::1]:4222":       "",
	} {
		_, _, err := listenAddr(listen, false)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", listen, err, want)
		}
	}
	if _, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "0.0.0.0:0"}); err == nil {
		t.Error("listens to all the world")
	}
}

// TestToken: beyond loopback everybody gives the token, and it may change; what
// is within the process needs none. TLS is for those outside alone.
func TestToken(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var token atomic.Value
		token.Store("first")
		var config *tls.Config
		if secure {
			s := httptest.NewUnstartedServer(nil)
			s.StartTLS()
			s.Close()
			config = &tls.Config{Certificates: s.TLS.Certificates}
		}
		e, err := StartEmbedded(EmbeddedOptions{
			Dir: t.TempDir(), Listen: "0.0.0.0:0", Auth: func(given string) bool { return given == token.Load() }, TLS: config,
		})
		if err != nil {
			t.Fatal(err)
		}
		nc := connect(t, e)
		if err := EnsureSteps(t.Context(), nc, Limits{}); err != nil {
			t.Error(err)
		}
		if want := map[bool]string{false: "nats://127.0.0.1:", true: "tls://127.0.0.1:"}[secure]; !strings.HasPrefix(e.URL(), want) {
			t.Errorf("the URL is %s, want %s", e.URL(), want)
		}
		try := func(opts ...nats.Option) error {
			if secure {
				opts = append(opts, nats.Secure(&tls.Config{InsecureSkipVerify: true}))
			}
			c, err := nats.Connect(e.URL(), opts...)
			if err == nil {
				err = c.Publish("x", nil)
				c.Close()
			}
			return err
		}
		if err := try(nats.Token("first")); err != nil {
			t.Error(err)
		}
		for name, opt := range map[string]nats.Option{
			"none": nats.Name(""), "wrong": nats.Token("firs"), "user": nats.UserInfo("first", "first"), "empty": nats.Token(""),
		} {
			if err := try(opt); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("%s: got %v, want a refusal", name, err)
			}
		}
		if secure {
			if c, err := nats.Connect(strings.Replace(e.URL(), "tls:", "nats:", 1), nats.Token("first")); err == nil {
				c.Close()
				t.Error("a client that trusts nobody was let in")
			}
		}
		token.Store("second")
		if try(nats.Token("first")) == nil || try(nats.Token("second")) != nil {
			t.Error("the new token is not in force")
		}
		nc.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dir := t.TempDir()
	_, err = StartEmbedded(EmbeddedOptions{Dir: dir, Listen: other.Addr().String()})
	var inUse *AddrInUseError
	if !errors.As(err, &inUse) || inUse.Addr != other.Addr().String() {
		t.Fatalf("StartEmbedded gave %v", err)
	}
	if want := fmt.Sprintf("(process %d)", os.Getpid()); inUse.Holder != "" && !strings.HasSuffix(inUse.Holder, want) {
		t.Errorf("the holder is %q, want one that ends with %s", inUse.Holder, want)
	} else if inUse.Holder == "" && portHolderKnown {
		t.Error("the holder is not known")
	}
	// Nothing is left of the attempt.
	e := embedded(t, dir)
	var folder *stream.FolderInUseError
	if _, err := StartEmbedded(EmbeddedOptions{Dir: dir, Listen: e.Addr()}); !errors.As(err, &folder) || folder.PID != os.Getpid() {
		t.Errorf("StartEmbedded gave %v", err)
	}
}

// portHolderKnown says that this system tells who listens at a port.
var portHolderKnown = func() bool { _, err := os.Stat("/proc/self/fd"); return err == nil }()
