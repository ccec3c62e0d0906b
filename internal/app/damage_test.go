package app_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"misstep/internal/app"

	"github.com/nats-io/nats.go/jetstream"
)

// keptPart is a part of a checkpoint as a stream keeps it.
type keptPart struct {
	*jetstream.RawStreamMsg
	s jetstream.Stream
}

// newest gives the newest checkpoint's manifest, or its first chunk.
func newest(t *testing.T, js jetstream.JetStream, part int) keptPart {
	t.Helper()
	s, err := js.Stream(t.Context(), "AGENT_CHECKPOINTS")
	if err != nil {
		t.Fatal(err)
	}
	for seq := s.CachedInfo().State.LastSeq; seq > 0; seq-- {
		m, err := s.GetMsg(t.Context(), seq)
		if err == nil && strings.HasSuffix(m.Subject, "."+strconv.Itoa(part)) {
			return keptPart{m, s}
		}
	}
	t.Fatal("there is no checkpoint")
	return keptPart{}
}

func (p keptPart) remove(t *testing.T) {
	t.Helper()
	if err := p.s.DeleteMsg(t.Context(), p.Sequence); err != nil {
		t.Fatal(err)
	}
}

func (p keptPart) replace(t *testing.T, js jetstream.JetStream, data []byte) {
	t.Helper()
	p.remove(t)
	if _, err := js.Publish(t.Context(), p.Subject, data); err != nil {
		t.Fatal(err)
	}
}

// flipped changes one byte in the middle.
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func removeFence(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	s, err := js.Stream(t.Context(), "AGENT_RESULTS")
	if err == nil {
		err = s.Purge(t.Context(), jetstream.WithPurgeSubject("agent.fence.>"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamaged damages on a server what a restart begins with: it says so, and
// what comes out is the same.
func TestDamaged(t *testing.T) {
	const manifest, chunk = 0, 1
	for _, c := range []struct {
		name      string
		damage    func(t *testing.T, js jetstream.JetStream)
		fallbacks float64
		says      string // in the log
		removed   int    // trajectories whose failures the damage took away
	}{
		{"nothing", func(*testing.T, jetstream.JetStream) {}, 0, "state restored", 0},
		{"chunk missing", func(t *testing.T, js jetstream.JetStream) { newest(t, js, chunk).remove(t) }, 1, "part 1 of checkpoint", 0},
		{"chunk corrupted", func(t *testing.T, js jetstream.JetStream) {
			p := newest(t, js, chunk)
			p.replace(t, js, flipped(p.Data))
		}, 1, "damaged", 0},
		{"chunk truncated", func(t *testing.T, js jetstream.JetStream) {
			p := newest(t, js, chunk)
			p.replace(t, js, p.Data[:len(p.Data)/2])
		}, 1, "damaged", 0},
		{"manifest missing", func(t *testing.T, js jetstream.JetStream) { newest(t, js, manifest).remove(t) }, 1, "part 0 of checkpoint", 0},
		{"manifest corrupted", func(t *testing.T, js jetstream.JetStream) {
			p := newest(t, js, manifest)
			p.replace(t, js, flipped(p.Data))
		}, 1, "damaged", 0},
		{"manifest truncated", func(t *testing.T, js jetstream.JetStream) {
			p := newest(t, js, manifest)
			p.replace(t, js, p.Data[:len(p.Data)/2])
		}, 1, "damaged", 0},
		{"pointer missing", removeFence, 1, "current", 0},
		{"pointer and manifest missing", func(t *testing.T, js jetstream.JetStream) {
			removeFence(t, js)
			newest(t, js, manifest).remove(t)
		}, 1, "current", 0},
		{"bucket missing", func(t *testing.T, js jetstream.JetStream) {
			if err := js.DeleteKeyValue(t.Context(), "AGENT_OWNERS"); err != nil {
				t.Fatal(err)
			}
		}, 0, "state restored", 0},
		{"stream missing", func(t *testing.T, js jetstream.JetStream) {
			if err := js.DeleteStream(t.Context(), "AGENT_CHECKPOINTS"); err != nil {
				t.Fatal(err)
			}
		}, 2, "the log is applied from its beginning", 0},
		{"results missing", func(t *testing.T, js jetstream.JetStream) {
			if err := js.DeleteStream(t.Context(), "AGENT_RESULTS"); err != nil {
				t.Fatal(err)
			}
		}, 1, "current", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, js := userServer(t, "")
			d := start(t, external(url))
			d.post(catalogue)
			stored := d.stored()
			d.post(misstep("run-1"))
			stored()
			d.stop()
			d = start(t, external(url))
			stored = d.stored()
			d.post(misstep("run-2"))
			stored()
			d.stop()
			c.damage(t, js)
			d = start(t, external(url))
			stored = d.stored()
			d.post(teleport) // what it needs to know came before both checkpoints
			if m := stored(); !strings.Contains(m, `"invented_tool"`) || !strings.Contains(m, `"t1"`) {
				t.Errorf("published %s", m)
			}
			d.exactly(3 - c.removed)
			if got := d.metric("misstep_checkpoint_fallbacks_total"); got != c.fallbacks {
				t.Errorf("misstep_checkpoint_fallbacks_total is %v, want %v", got, c.fallbacks)
			}
			if !strings.Contains(d.log.String(), c.says) {
				t.Errorf("the log does not say %q:\n%s", c.says, d.log.String())
			}
		})
	}
}

// torn cuts off the files that hold the messages of a stream.
func torn(t *testing.T, data, name string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(filepath.Dir(path), filepath.Join(name, "msgs")) {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		n++
		return os.Truncate(path, info.Size()/2)
	})
	if err != nil || n == 0 {
		t.Fatalf("cut off %d files: %v", n, err)
	}
}

// TestTornOnDisk cuts off the files in which the embedded server keeps the
// checkpoints, as a disk does that lost its last writes.
func TestTornOnDisk(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	d.post(catalogue)
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	d.stop()
	torn(t, c.Data, "AGENT_CHECKPOINTS")
	d = start(t, c)
	stored = d.stored()
	d.post(teleport)
	stored()
	d.exactly(2)
	if d.metric("misstep_checkpoint_fallbacks_total") == 0 || !strings.Contains(d.log.String(), "checkpoint") {
		t.Errorf("it does not say so:\n%s", d.log.String())
	}
}

// TestTornResults cuts off the results: what they lost is put out again.
func TestTornResults(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	d.post(catalogue)
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	d.stop()
	torn(t, c.Data, "AGENT_RESULTS")
	d = start(t, c)
	d.until("the failure", func() bool { return d.shows("misstep_outputs_total 1") })
	stored = d.stored()
	d.post(teleport)
	stored()
	d.exactly(2)
}

// TestTornSteps cuts off the log of steps behind what was judged. Steps that
// come now would pass for those that are lost, so the detector does not start.
func TestTornSteps(t *testing.T) {
	c := settings(t.TempDir())
	d := start(t, c)
	d.post(catalogue)
	stored := d.stored()
	d.post(misstep("run-1"))
	stored()
	d.stop()
	torn(t, c.Data, "AGENT_STEPS")
	err := app.Run(t.Context(), app.Options{Config: c, Out: &buffer{}, Getenv: os.Getenv, Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "AGENT_STEPS ends at sequence 1; if its end was lost, ") ||
		!strings.Contains(err.Error(), "with an embedded server name another data folder") {
		t.Errorf("Run gave %v", err)
	}
}
