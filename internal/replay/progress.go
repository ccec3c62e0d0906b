package replay

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"misstep/sinks"
)

// Progress tells how far a replay is: one line that is renewed on a terminal,
// a line every ten seconds elsewhere.
type Progress struct {
	W        io.Writer
	Terminal bool
	Interval time.Duration // 0: what suits W
}

// ProgressFor fits the progress to what w is.
func ProgressFor(w io.Writer, getenv func(string) string) *Progress {
	return &Progress{W: w, Terminal: sinks.TerminalOptionsFor(w, getenv).Width > 0}
}

// watch begins to tell, and gives the function that ends it. position gives
// the steps and bytes read so far, total the bytes there are, 0 when not known.
func (p *Progress) watch(position func() (records, bytes int64), total int64) (stop func()) {
	if p == nil {
		return func() {}
	}
	every := p.Interval
	if every == 0 {
		every = 10 * time.Second
		if p.Terminal {
			every = 200 * time.Millisecond
		}
	}
	start := time.Now()
	ended := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		width := 0
		for {
			select {
			case <-tick.C:
				records, bytes := position()
				width = p.tell(state(records, bytes, total, time.Since(start)), width)
			case <-ended:
				if p.Terminal && width > 0 {
					_, _ = fmt.Fprintf(p.W, "\r%s\r", strings.Repeat(" ", width)) // nobody to tell
				}
				return
			}
		}
	})
	return func() {
		close(ended)
		done.Wait()
	}
}

func (p *Progress) tell(s string, width int) int {
	if !p.Terminal {
		_, _ = fmt.Fprintln(p.W, s) // nobody to tell
		return 0
	}
	pad := max(0, width-len(s))
	_, _ = fmt.Fprintf(p.W, "\r%s%s", s, strings.Repeat(" ", pad)) // nobody to tell
	return len(s)
}

// state is one line of progress.
func state(records, bytes, total int64, since time.Duration) string {
	s := fmt.Sprintf("%d steps", records)
	if sec := since.Seconds(); sec > 0 {
		s += fmt.Sprintf(", %.0f a second", float64(records)/sec)
	}
	if total <= 0 {
		return s
	}
	s += fmt.Sprintf(", %d %%", min(100, bytes*100/total))
	if bytes > 0 && bytes < total {
		left := time.Duration(float64(since) / float64(bytes) * float64(total-bytes))
		s += fmt.Sprintf(", %s left", max(left.Round(time.Second), time.Second))
	}
	return s
}
