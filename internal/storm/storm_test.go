//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"misstep/detectors"
	"misstep/event"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(playRole(role))
	}
	goleak.VerifyTestMain(m)
}

// TestCompare: what is lost, wrong or there twice is found, and so is what
// nobody expected.
func TestCompare(t *testing.T) {
	want := &expected{records: map[string]string{"a/0": "1", "a/1": "2", "b/0": "3", "c/0": "4"}, steps: 10}
	var r report
	r.compare(want, []result{
		{key: "a/0", value: []byte("1")},
		{key: "a/1", value: []byte("other")},
		{key: "b/0", value: []byte("3")},
		{key: "b/0", value: []byte("3")},
		{key: "d/0", value: []byte("5")},
	})
	if !slices.Equal(r.lost, []string{"c/0"}) || len(r.wrong) != 2 || !slices.Equal(r.repeated, []string{"b/0"}) || r.clean() {
		t.Errorf("lost %q, wrong %q, repeated %q, clean %t", r.lost, r.wrong, r.repeated, r.clean())
	}
	text := r.String()
	if !strings.Contains(text, "4 outputs expected, 4 found: lost 1, wrong 2, repeated 1") {
		t.Errorf("the report says\n%s", text)
	}
	r = report{}
	r.compare(want, []result{{key: "a/0", value: []byte("1")}, {key: "a/1", value: []byte("2")}, {key: "b/0", value: []byte("3")}, {key: "c/0", value: []byte("4")}})
	if !r.clean() {
		t.Errorf("what is as it must be is called\n%s", r.String())
	}
	r = report{}
	if r.compare(&expected{}, nil); r.clean() {
		t.Error("a storm that expects nothing is called clean")
	}
}

func TestFlat(t *testing.T) {
	of := func(rss func(i int) int64, goroutines func(i int) int) []sample {
		var s []sample
		for i := range 30 {
			s = append(s, sample{rss(i), goroutines(i)})
		}
		return s
	}
	still := func(int) int64 { return 100 << 20 }
	few := func(i int) int { return 40 + i%5 }
	for _, c := range []struct {
		name    string
		samples []sample
		want    bool
	}{
		{"still", of(still, few), true},
		{"memory grows", of(func(i int) int64 { return int64(100+i) << 20 }, few), false},
		{"goroutines grow", of(still, func(i int) int { return 40 + i%5 + i/5 }), false},
		{"few samples", of(still, few)[:3], false},
	} {
		if text, got := flat(c.samples); got != c.want {
			t.Errorf("%s: flat %t, %s", c.name, got, text)
		}
	}
}

func TestReplayed(t *testing.T) {
	want := &expected{records: map[string]string{"a/0": "1", "b/0": "2", "c/0": "3"}, steps: 3}
	var r report
	r.compare(want, []result{{key: "a/0", value: []byte("1")}, {key: "b/0", value: []byte("2")}, {key: "c/0", value: []byte("3")}})
	r.replayed(want, []result{{key: "a/0", value: []byte("1")}, {key: "b/0", value: []byte("other")}, {key: "a/0", value: []byte("1")}})
	if !slices.Equal(r.differ, []string{"a/0", "b/0", "c/0"}) || r.clean() {
		t.Errorf("replayed otherwise %q, clean %t", r.differ, r.clean())
	}
}

func TestRecoveries(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	got := recoveries([]time.Time{at(10), at(20), at(90)}, []result{{stored: at(9)}, {stored: at(13)}, {stored: at(21)}})
	if !slices.Equal(got, []time.Duration{time.Second, 3 * time.Second}) {
		t.Errorf("got %v", got)
	}
}

// TestExpected: the file of what must come out is what the program puts out, and
// one that was cut short is refused.
func TestExpected(t *testing.T) {
	file := filepath.Join(t.TempDir(), "expected")
	p, err := newProducer(file, 3, 20, 0)
	if err != nil {
		t.Fatal(err)
	}
	outputs := 0
	for range 4000 {
		l, _ := p.gen.Next()
		p.dec.Reset(l)
		steps := make([]event.Step, 1)
		if err := p.dec.Next(&steps[0]); err != nil {
			t.Fatal(err)
		}
		p.shard.Step(&detectors.Batch{Steps: steps, At: []int32{0}, Hash: []uint64{detectors.Key(&steps[0])}, Clock: []int64{event.None}}, []int32{0}, p)
		p.steps++
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	if err := p.buf.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := readExpected(file); err == nil || !strings.Contains(err.Error(), "did not come to its end") {
		t.Errorf("a file without its end gives %v", err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	e, err := readExpected(file)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range e.records {
		outputs++
		if k, err := keyOf([]byte(value)); err != nil || k != key {
			t.Errorf("%s holds %s", key, value)
		}
	}
	if outputs < 100 || e.steps != 4000 {
		t.Errorf("%d outputs of %d steps, want many of 4000", outputs, e.steps)
	}
}

// TestProcess: a process that is killed is known to have ended, and can be
// started again.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{dir: dir}
	conf := w.file("nats.conf", "listen: 127.0.0.1:"+strconv.Itoa(ports[0])+"\njetstream: {store_dir: "+dir+"}\n")
	p := w.role("nats", "server", conf)
	for range 2 {
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		if err := wait(context.Background(), 20*time.Second, "the server is ready", func() bool {
			b, _ := os.ReadFile(p.log)
			return strings.Contains(string(b[min(int(p.from), len(b)):]), "Server is ready")
		}); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGKILL)
		<-p.ended
		if p.running() {
			t.Fatal("it runs on")
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-mode", "nobody"}, {"-soak"}, {"-rolling"}, {"-mode", "kafka", "-rolling", "-failover"}, {"-nonsense"}} {
		if code, err := run(context.Background(), args, io.Discard); code != 2 || err == nil {
			t.Errorf("run(%q) = %d, %v", args, code, err)
		}
	}
}
