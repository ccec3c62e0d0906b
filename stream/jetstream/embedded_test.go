package jetstream

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

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
		_, _, err := loopback(listen)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", listen, err, want)
		}
	}
	if _, err := StartEmbedded(EmbeddedOptions{Dir: t.TempDir(), Listen: "0.0.0.0:0"}); err == nil {
		t.Error("listens to all the world")
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
