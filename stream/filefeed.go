package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	blockSize   = 512 << 10
	blocksAhead = 2 // that may be full before they are wanted
	// zstdWindow bounds what a hostile archive has its reader allocate.
	zstdWindow = 64 << 20
)

// block is a piece of a file.
type block struct {
	buf   []byte // for the next block
	data  []byte // in buf
	name  string
	first bool // of its file
	last  bool // of its file; may be empty
	err   error
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// feed reads the inputs one after the other into blocks, until the last ends,
// one fails, or the log is closed.
func (l *FileLog) feed() {
	defer close(l.blocks)
	for _, in := range l.inputs {
		if err := l.feedInput(in); err != nil {
			if !errors.Is(err, ErrClosed) {
				_ = l.send(block{err: fmt.Errorf("read %s: %w", in.name, err)})
			}
			return
		}
	}
}

func (l *FileLog) send(b block) error {
	select {
	case l.blocks <- b:
		return nil
	case <-l.closed:
		return ErrClosed
	}
}

func (l *FileLog) feedInput(in input) error {
	if in.path != "" {
		f, err := os.Open(in.path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // read only
		in.reader = f
	}
	raw := &countingReader{r: in.reader, log: l}
	// Four bytes tell how the file is compressed. Fewer are no archive.
	head := make([]byte, len(zstdMagic))
	n, err := io.ReadFull(raw, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	r := io.MultiReader(bytes.NewReader(head), raw)
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		r = z
	case bytes.Equal(head, zstdMagic):
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	}
	return l.feedBlocks(in, r)
}

func (l *FileLog) feedBlocks(in input, r io.Reader) error {
	first := true
	for {
		var buf []byte
		select {
		case buf = <-l.free:
		case <-l.closed:
			return ErrClosed
		}
		if buf == nil {
			buf = make([]byte, blockSize)
		}
		// A pipe's records are wanted when they come, a file's in whole blocks.
		want := 1
		if in.fills {
			want = len(buf)
		}
		n, err := readAtLeast(r, buf, want)
		last := errors.Is(err, io.EOF)
		if err := l.send(block{buf: buf, data: buf[:n], name: in.name, first: first, last: last}); err != nil {
			return err
		}
		if last {
			return nil
		}
		if err != nil {
			return err
		}
		first = false
	}
}

// readAtLeast is io.ReadAtLeast, but for an end after some bytes, which is
// io.EOF: io.ErrUnexpectedEOF is left to archives that are cut short.
func readAtLeast(r io.Reader, buf []byte, want int) (n int, err error) {
	for empty := 0; n < want && err == nil; {
		var m int
		m, err = r.Read(buf[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// countingReader counts what is read for FileLog.Progress.
type countingReader struct {
	r   io.Reader
	log *FileLog
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.log.done.Add(int64(n))
	return n, err
}
