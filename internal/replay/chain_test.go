package replay

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"misstep/internal/intake"
	"misstep/stream"
)

// drain reads a chain to its end, a few records at a time.
func drain(t *testing.T, c *Chain, room int) []string {
	t.Helper()
	var out []string
	last := int64(-1)
	dst := make([]stream.Record, room)
	for {
		n, err := c.Read(t.Context(), dst)
		for _, r := range dst[:n] {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d", r.Offset, last)
			}
			last = r.Offset
			file, line := c.Locate(r.Offset)
			id, _, _ := strings.Cut(strings.TrimPrefix(string(r.Value), `{"trajectory_id":"`), `"`)
			out = append(out, fmt.Sprintf("%s:%d %s", filepath.Base(file), line, id))
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestChain(t *testing.T) {
	step := func(id string) string { return `{"trajectory_id":"` + id + `","kind":"user_message","text":""}` + "\n" }
	dir := tempFolder(t, map[string]string{
		"a.jsonl": step("a1") + "\n" + step("a3"), "b.jsonl": "", "c.jsonl": aChat + "oops\n" + aChat, "d.jsonl.gz": gz(t, step("d1")),
	})
	for _, room := range []int{1, 2, 100} {
		in, err := Find([]string{dir, "-"}, Auto, strings.NewReader(step("in1")+step("in2")))
		if err != nil {
			t.Fatal(err)
		}
		var refused []string
		c := NewChain(in, func(file string, r intake.Refusal) {
			refused = append(refused, fmt.Sprintf("%s:%d %s", filepath.Base(file), r.Line, r.Reason))
		})
		got := strings.Join(drain(t, c, room), ", ")
		want := "a.jsonl:1 a1, a.jsonl:3 a3, " +
			"c.jsonl:1 c, c.jsonl:1 c, c.jsonl:1 c, c.jsonl:3 c#2, c.jsonl:3 c#2, c.jsonl:3 c#2, " +
			"d.jsonl.gz:1 d1, -:1 in1, -:2 in2"
		if got != want {
			t.Errorf("room %d:\n got %s\nwant %s", room, got, want)
		}
		if g := strings.Join(refused, ", "); g != "c.jsonl:2 syntax" {
			t.Errorf("refused %s", g)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestChainDone(t *testing.T) {
	dir := tempFolder(t, map[string]string{"a.jsonl": aStep, "b.jsonl": aChat, "c.jsonl": aStep})
	in, err := Find([]string{dir}, Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := NewChain(in, nil)
	drain(t, c, 1)
	if c.Done() != in.Total() || c.Done() == 0 {
		t.Errorf("read %d of %d bytes", c.Done(), in.Total())
	}
}

func TestChainBrokenFile(t *testing.T) {
	whole := gz(t, strings.Repeat(aStep, 1000))
	dir := tempFolder(t, map[string]string{"a.jsonl.gz": whole[:len(whole)-4]})
	in, err := Find([]string{dir}, Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := NewChain(in, nil)
	defer func() { _ = c.Close() }() // read only
	dst := make([]stream.Record, 100)
	for {
		if _, err = c.Read(t.Context(), dst); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "a.jsonl.gz") {
		t.Errorf("an archive that is cut off ends with %v", err)
	}
}
