package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// DefaultMaxRecord is the length in bytes up to which a log in files holds a
// record in memory: the largest message, and room for white space around it.
const DefaultMaxRecord = 1<<20 + 64<<10

// FileOptions say how files are read. The zero value is good.
type FileOptions struct {
	// Source names the log in origins. Empty means the name of the first file
	// as it was given, with the number of further ones (" +2").
	Source string
	// From is the first offset that is given; those before are passed over.
	From int64
	// MaxRecord is the length in bytes up to which a record is held in memory;
	// of a longer one only the length is given. 0 means DefaultMaxRecord.
	MaxRecord int
}

// FileLog is a finite log in files of JSON, read one after the other as one
// partition. gzip and zstd are recognised by content, as is a byte order mark.
//
// A file of lines (JSONL) has a record in each line; an offset counts lines
// from 0 through all files, empty lines included, though they are no records.
// A file that is one JSON array over one or several lines, or objects over
// several lines each, is recognised by its first line; then each element of an
// array and each other value is a record, and an offset counts those. A line
// break outside of strings becomes a space there.
//
// A last line without a line break counts. The log assigns no log time. It is
// read with constant memory, ahead of Read, by a goroutine that Close ends.
type FileLog struct {
	source string
	from   int64
	inputs []input
	total  int64
	done   atomic.Int64 // bytes read from the inputs, before decompression

	start  sync.Once
	close  sync.Once
	closed chan struct{}
	blocks chan block  // from the feeder
	free   chan []byte // to the feeder

	cur   block
	split splitter
	ended error // io.EOF or what the feeder failed with

	mu    sync.Mutex
	files []place // the files begun so far
}

// input is one file or reader.
type input struct {
	name   string
	path   string    // opened when its turn comes; empty for a reader
	reader io.Reader // for a path, set by the feeder
	fills  bool      // a regular file: reads need not return early
}

// place says which offset a file begins at.
type place struct {
	name  string
	first int64
}

// OpenFiles gives a log over files, which must exist; they are opened one at a
// time, as they are read. "-" is the standard input.
func OpenFiles(opts FileOptions, paths ...string) (*FileLog, error) {
	if len(paths) == 0 {
		return nil, errors.New("open files: none is named")
	}
	var inputs []input
	var total int64
	known := true
	for _, path := range paths {
		if path == "-" {
			inputs = append(inputs, input{name: "-", reader: os.Stdin})
			known = false
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("open files: %w", err)
		}
		if info.IsDir() {
			return nil, fmt.Errorf("open files: %s is a folder, want a file", path)
		}
		inputs = append(inputs, input{name: path, path: path, fills: info.Mode().IsRegular()})
		known = known && info.Mode().IsRegular()
		total += info.Size()
	}
	if !known {
		total = 0
	}
	if opts.Source == "" {
		opts.Source = paths[0]
		if len(paths) > 1 {
			opts.Source = fmt.Sprintf("%s +%d", paths[0], len(paths)-1)
		}
	}
	return newFileLog(opts, total, inputs), nil
}

// OpenReader gives a log over what r gives, for a pipe or the like. Close
// closes r if it is an io.Closer; else a Read of r that blocks keeps a
// goroutine until it returns.
func OpenReader(opts FileOptions, r io.Reader) *FileLog {
	if opts.Source == "" {
		opts.Source = "-"
	}
	return newFileLog(opts, 0, []input{{name: opts.Source, reader: r}})
}

func newFileLog(opts FileOptions, total int64, inputs []input) *FileLog {
	if opts.MaxRecord <= 0 {
		opts.MaxRecord = DefaultMaxRecord
	}
	l := &FileLog{
		source: opts.Source,
		from:   opts.From,
		inputs: inputs,
		total:  total,
		closed: make(chan struct{}),
		blocks: make(chan block),
		free:   make(chan []byte, blocksAhead+2),
		split:  splitter{limit: opts.MaxRecord},
	}
	for range cap(l.free) {
		l.free <- nil // allocated when needed
	}
	return l
}

// Source names the log in origins.
func (l *FileLog) Source() string { return l.source }

// Partition is 0: files are one partition.
func (l *FileLog) Partition() int32 { return 0 }

// Read fills dst with the next records.
func (l *FileLog) Read(ctx context.Context, dst []Record) (int, error) {
	if len(dst) == 0 {
		return 0, errors.New("read: no room for a record")
	}
	l.start.Do(func() { go l.feed() })
	select {
	case <-l.closed:
		return 0, ErrClosed
	default:
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if n := l.skipTo(dst[:l.split.next(dst)]); n > 0 {
			return n, nil
		}
		if !l.split.exhausted() {
			continue // everything was before l.from
		}
		if l.ended != nil {
			return 0, l.ended
		}
		if err := l.fetch(ctx); err != nil {
			return 0, err
		}
	}
}

// skipTo drops the records before l.from and gives the number of those left.
func (l *FileLog) skipTo(recs []Record) int {
	skip := 0
	for skip < len(recs) && recs[skip].Offset < l.from {
		skip++
	}
	return copy(recs, recs[skip:])
}

// fetch waits for the next block and gives the splitter its content.
func (l *FileLog) fetch(ctx context.Context) error {
	if l.cur.buf != nil {
		l.free <- l.cur.buf // has room for all there are
		l.cur = block{}
	}
	select {
	case b, ok := <-l.blocks:
		switch {
		case !ok:
			l.ended = io.EOF
			return nil
		case b.err != nil:
			l.ended = b.err
			return nil
		}
		l.cur = b
		if b.first {
			l.mu.Lock()
			l.files = append(l.files, place{name: b.name, first: l.split.offset})
			l.mu.Unlock()
		}
		l.split.feed(b)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed:
		return ErrClosed
	}
}

// Close ends the reading. It may be called while Read blocks.
func (l *FileLog) Close() error {
	l.close.Do(func() {
		close(l.closed)
		for _, in := range l.inputs {
			if c, ok := in.reader.(io.Closer); ok && in.path == "" {
				_ = c.Close() // wakes the feeder; what it had is not wanted
			}
		}
	})
	return nil
}

// Locate says which file an offset that was read is in, and which of its lines
// or values it is, counted from 1. It may be called by any goroutine.
func (l *FileLog) Locate(offset int64) (file string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.files) - 1; i >= 0; i-- {
		if f := l.files[i]; offset >= f.first {
			return f.name, offset - f.first + 1
		}
	}
	return l.source, offset + 1
}

// Progress gives how many bytes of the files have been read, and how many there
// are; 0 when that is not known. It may be called by any goroutine.
func (l *FileLog) Progress() (done, total int64) { return l.done.Load(), l.total }
