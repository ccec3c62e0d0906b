package replay

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := &Progress{W: &b}
		stop := p.watch(func() (int64, int64) { return 2000, 250 }, 1000)
		time.Sleep(25 * time.Second)
		synctest.Wait()
		stop()
		want := "2000 steps, 200 a second, 25 %, 30s left\n2000 steps, 100 a second, 25 %, 1m0s left\n"
		if b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	})
}

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := &Progress{W: &b, Terminal: true}
		n := int64(1000)
		stop := p.watch(func() (int64, int64) { n /= 100; return n, 0 }, 0)
		time.Sleep(450 * time.Millisecond)
		synctest.Wait()
		stop()
		want := "\r10 steps, 50 a second\r0 steps, 0 a second  \r                   \r"
		if b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	})
}

func TestNoProgress(t *testing.T) {
	var p *Progress
	p.watch(nil, 0)()
}

func TestState(t *testing.T) {
	for want, c := range map[string][3]int64{
		"6 steps, 2 a second":                 {6, 10, 0},
		"6 steps, 2 a second, 0 %":            {6, 0, 100},
		"6 steps, 2 a second, 50 %, 3s left":  {6, 50, 100},
		"6 steps, 2 a second, 99 %, 1s left":  {6, 99, 100},
		"6 steps, 2 a second, 100 %":          {6, 100, 100},
		"0 steps, 0 a second, 10 %, 27s left": {0, 10, 100},
	} {
		if got := state(c[0], c[1], c[2], 3*time.Second); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
