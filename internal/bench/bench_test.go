package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"misstep/internal/gen"
)

// BenchmarkLines gives the time of one line. The program in this package gives
// ratios, which mean more.
func BenchmarkLines(b *testing.B) {
	for _, name := range names(b) {
		b.Run(name, func(b *testing.B) {
			cs, err := contestants(1000, true)
			if err != nil {
				b.Fatal(err)
			}
			defer closeAll(b, cs)
			c := cs[slices.IndexFunc(cs, func(c contestant) bool { return c.name() == name })]
			g := newGenerated(1000)
			var blk block
			blk.fill(g, g.warm(), nil)
			if err := c.run(&blk); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= 10_000 {
				b.StopTimer()
				blk.fill(g, min(left, 10_000), nil)
				b.SetBytes(int64(len(blk.data) / len(blk.ends)))
				b.StartTimer()
				if err := c.run(&blk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Setenv(tauEnv, "")
	small := []string{"-each", "-live", "50", "-lines", "2000", "-rounds", "3"}
	out := table(t, small...)
	for _, c := range names(t) {
		if !regexp.MustCompile(`(?m)^` + c + ` +\d+ +\d+\.\d\d +\d+\.\d\d\.\.\d+\.\d\d .*\d\.\d{3} +\d\.\d{3}`).MatchString(out) {
			t.Errorf("no row for %s in\n%s", c, out)
		}
	}
	if !strings.Contains(out, "SKIPPED: the recorded mix. Set "+tauEnv) {
		t.Errorf("the recorded mix is left out in silence:\n%s", out)
	}
	if out := table(t, append(small, "-only", "decode")...); strings.Contains(out, "ObjectEach ") || !strings.Contains(out, "decode ") {
		t.Errorf("-only decode gives\n%s", out)
	}
}

func TestTableOfARecording(t *testing.T) {
	var lines bytes.Buffer
	gen.New(gen.Options{Trajectories: 3, Steps: 300}).WriteTo(&lines)
	file := filepath.Join(t.TempDir(), "steps.jsonl.gz")
	writeGzip(t, file, lines.Bytes())
	t.Setenv(tauEnv, file)
	if out := table(t, "-live", "20", "-lines", "1000", "-rounds", "2"); strings.Count(out, "ObjectEach ") != 2 || strings.Contains(out, "SKIPPED") {
		t.Errorf("got\n%s", out)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		env  string
		args []string
		says string
	}{
		{"", []string{"stray"}, `found arguments ["stray"]`},
		{"", []string{"-rounds", "0"}, "-rounds 0"},
		{"", []string{"-only", "nobody"}, `no contestant is called "nobody"`},
		{"/nowhere", []string{"-live", "5", "-lines", "10", "-rounds", "1"}, "recorded mix: open /nowhere"},
	} {
		t.Setenv(tauEnv, c.env)
		if err := run(c.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("run(%q) = %v, want %q", c.args, err, c.says)
		}
	}
}

func TestRecordedRunsNeverRepeat(t *testing.T) {
	var lines bytes.Buffer
	gen.New(gen.Options{Trajectories: 3, Steps: 300}).WriteTo(&lines)
	file := filepath.Join(t.TempDir(), "steps.jsonl.gz")
	writeGzip(t, file, lines.Bytes())
	r, err := newRecorded(file, 10)
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	for range 5000 {
		var s struct {
			TID string `json:"trajectory_id"`
			Seq int
		}
		if err := json.Unmarshal(r.next(), &s); err != nil {
			t.Fatal(err)
		}
		if s.Seq != next[s.TID] {
			t.Fatalf("%s: step %d comes where %d should", s.TID, s.Seq, next[s.TID])
		}
		next[s.TID]++
	}
	if len(next) < 50 {
		t.Errorf("%d trajectories in 5000 steps", len(next))
	}
}

func TestMidLife(t *testing.T) {
	line := func(id, kind string) []byte {
		return fmt.Appendf(nil, `{"trajectory_id":"%s","kind":"%s"}`, id, kind)
	}
	keep := midLife()
	for _, c := range []struct {
		id, kind string
		want     bool
	}{
		{"old", "tool_call", true},
		{"old", "task_end", false},
		{"new", "task_start", false},
		{"new", "tool_call", false},
		{"old", "tool_result", true},
	} {
		if got := keep(line(c.id, c.kind)); got != c.want {
			t.Errorf("%s of %s: kept %v, want %v", c.kind, c.id, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	if a, b := median([]float64{9, 1, 5}), median([]float64{4, 1, 2, 9}); a != 5 || b != 3 {
		t.Errorf("medians %v and %v, want 5 and 3", a, b)
	}
}

func table(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func names(t testing.TB) []string {
	t.Helper()
	cs, err := contestants(1000, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, cs)
	var out []string
	for _, c := range cs {
		out = append(out, c.name())
	}
	return out
}

func closeAll(t testing.TB, cs []contestant) {
	t.Helper()
	for _, c := range cs {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

func writeGzip(t *testing.T, name string, data []byte) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
