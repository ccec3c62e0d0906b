package app_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

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

// torn cuts off the files that hold the messages of a stream, and keeps a part.
func torn(t *testing.T, data, name string, keep float64) {
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
		return os.Truncate(path, int64(float64(info.Size())*keep))
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
	torn(t, c.Data, "AGENT_CHECKPOINTS", 0.5)
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
	torn(t, c.Data, "AGENT_RESULTS", 0.5)
	d = start(t, c)
	d.until("the failure", func() bool { return d.shows("misstep_outputs_total 1") })
	stored = d.stored()
	d.post(teleport)
	stored()
	d.exactly(2)
}

// TestTornSteps cuts off the log of steps behind what was judged, after a stop
// and as the power does, when the results know more than the newest checkpoint.
// It goes on behind that: nothing is repeated, nothing that comes is taken for
// what is lost, and what is left stays.
func TestTornSteps(t *testing.T) {
	const before, after = 20, 5
	for _, stopped := range []bool{true, false} {
		for _, keep := range []float64{0.999, 0.4} {
			t.Run(fmt.Sprint("stopped ", stopped, ", kept ", keep), func(t *testing.T) {
				c := settings(t.TempDir())
				d := start(t, c)
				d.post(catalogue)
				for i := range before {
					stored := d.stored()
					d.post(misstep(fmt.Sprint("run-", i)))
					stored()
				}
				if !stopped {
					dir := t.TempDir()
					if err := os.CopyFS(dir, os.DirFS(c.Data)); err != nil {
						t.Fatal(err)
					}
					d.stop()
					c.Data = dir
				} else {
					d.stop()
				}
				torn(t, c.Data, "AGENT_STEPS", keep)
				d = start(t, c)
				last := 0
				m := regexp.MustCompile(`"last":(\d+),"judged":21,`).FindStringSubmatch(d.log.String())
				if m != nil {
					last, _ = strconv.Atoi(m[1])
				}
				if last < 1 || last > 20 {
					t.Fatalf("the log does not name the offsets:\n%s", d.log.String())
				}
				if got := d.metric("misstep_gaps_total"); got != 1 {
					t.Errorf("misstep_gaps_total is %v", got)
				}
				gap, err := d.js(t, "AGENT_RESULTS").GetLastMsgForSubject(t.Context(), "agent.gaps")
				if err != nil || !strings.Contains(string(gap.Data), fmt.Sprintf(`"from":%d,"to":21}`, last+1)) {
					t.Errorf("the event of the gap is %v, %v", gap, err)
				}
				state := d.js(t, "AGENT_STEPS").CachedInfo().State
				if state.FirstSeq != 1 || state.Msgs != uint64(last) || state.LastSeq != 21 {
					t.Errorf("the log of steps is from %d to %d and holds %d messages, want the %d that are left", state.FirstSeq, state.LastSeq, state.Msgs, last)
				}
				for i := range after {
					stored := d.stored()
					d.post(misstep(fmt.Sprint("run-", before+i)))
					stored()
				}
				d.exactly(before + after)
				if got := d.metric("misstep_gaps_total"); got != 1 {
					t.Errorf("misstep_gaps_total is %v later", got)
				}
				d.stop()
				d = start(t, c)
				if strings.Contains(d.log.String(), "lost its end") {
					t.Error("it is mended again")
				}
				d.exactly(before + after)
			})
		}
	}
}

// js gives a stream of the detector's server.
func (d *detector) js(t *testing.T, name string) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
