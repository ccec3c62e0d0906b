package replay

import (
	"context"
	"io"
	"os"
	"sort"
	"sync"
	"sync/atomic"

	"misstep/event"
	"misstep/internal/intake"
	"misstep/stream"
)

// readerLog is the log of an input that is not step events: each step that its
// reader makes is a record. It holds the steps of one unit of the input.
type readerLog struct {
	name   string
	reader intake.Reader
	bytes  *countingReader
	total  int64
	close  func() error

	buf   []byte // encoded steps, one after the other
	ends  []int  // where each ends
	given int    // how many of them were given out
	next  int64  // offset of the next record

	mu    sync.Mutex
	units []unit
}

// unit says at which offset the steps of a unit begin, and where it stands.
type unit struct{ offset, line int64 }

func openReader(in *Input, reader func(io.Reader) intake.Reader) (part, error) {
	r, closeFile := in.stdin, func() error { return nil }
	if r == nil {
		f, err := os.Open(in.path)
		if err != nil {
			return nil, err
		}
		r, closeFile = f, f.Close
	}
	l := &readerLog{name: in.Name, bytes: &countingReader{r: r}, total: in.size}
	text, done, err := plain(l.bytes)
	if err != nil {
		_ = closeFile() // the first error counts
		return nil, err
	}
	l.close = func() error { done(); return closeFile() }
	l.reader = reader(text)
	return l, nil
}

// Read implements part.
func (l *readerLog) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if l.given == len(l.ends) {
		l.buf, l.ends, l.given = l.buf[:0], l.ends[:0], 0
	}
	for len(l.ends) == 0 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := l.reader.Next(func(s *event.Step) error {
			l.buf = event.AppendStep(l.buf, s)
			l.ends = append(l.ends, len(l.buf))
			return nil
		})
		if err != nil {
			return 0, err
		}
		l.mu.Lock()
		l.units = append(l.units, unit{l.next, l.reader.Line()})
		l.mu.Unlock()
	}
	n := min(len(dst), len(l.ends)-l.given)
	for i := range n {
		begin := 0
		if l.given > 0 {
			begin = l.ends[l.given-1]
		}
		dst[i] = stream.Record{Offset: l.next, Time: stream.NoTime, Value: l.buf[begin:l.ends[l.given]]}
		l.given++
		l.next++
	}
	return n, nil
}

// Locate gives the line of the unit that a record was made of.
func (l *readerLog) Locate(offset int64) (file string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.units), func(i int) bool { return l.units[i].offset > offset })
	if i == 0 {
		return l.name, 1
	}
	return l.name, l.units[i-1].line
}

// Progress implements part.
func (l *readerLog) Progress() (done, total int64) { return l.bytes.n.Load(), l.total }

// Close implements part.
func (l *readerLog) Close() error { return l.close() }

// countingReader counts what it reads.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
