package app_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"misstep/internal/require"
)

// TestDiskFull fills a real disk to the last byte below a running detector.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		require.Cannot(t, "only root can mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		require.Cannot(t, "mount a small disk: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c := settings(filepath.Join(dir, "data"))
	c.NATS.MinFree = 4 << 20
	d := start(t, c)
	d.post(misstep("before"))
	other := filepath.Join(dir, "other")
	fill(t, other)
	d.eventually("it is not ready for that", func() bool { _, body := d.get("/readyz"); return strings.Contains(body, "steps are refused") })
	d.refuses()
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	// A small one would find room in a page that is written already.
	large := `{"trajectory_id":"refused","kind":"user_message","text":"` + strings.Repeat("x", 1<<18) + `"}`
	if _, err := js.Publish(t.Context(), "agent.steps", []byte(large), jetstream.WithRetryAttempts(0)); err == nil {
		t.Error("NATS took a step where there is no room")
	} else if took := time.Since(began); took > 2*time.Second || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a publisher over NATS got after %v: %v; want to hear it at once", took, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	d.eventually("it is ready again", func() bool { code, _ := d.get("/readyz"); return code == 200 })
	d.post(misstep("after"))
	d.eventually("both are found", func() bool { return strings.Count(d.terminal.String(), "teleport  trajectory") == 2 })
	d.stop()
	d = start(t, c)
	d.eventually("it is ready", func() bool { code, _ := d.get("/readyz"); return code == 200 })
	d.exactly(2)
}

// fill writes until there is no room.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
}
