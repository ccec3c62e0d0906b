package replay

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"misstep/internal/intake"
)

// maxHead is how much of an input is looked at to tell its format.
const maxHead = 1 << 20

// recognise tells the format of what r gives, and gives a reader that begins
// where r did. It reads no more than it needs, so that a pipe is not waited for.
// An empty input holds step events: none.
func recognise(r io.Reader) (intake.Format, io.Reader, error) {
	var head []byte
	buf := make([]byte, 32<<10)
	found, next := "", 0
	for {
		n, err := r.Read(buf)
		head = append(head, buf[:n]...)
		ended := err != nil
		// Looking again costs what was read so far, so wait for twice as much.
		if ended || len(head) >= next {
			next = 2 * len(head)
			var ok bool
			var f intake.Format
			plain := plainHead(head)
			if f, found, ok = intake.Recognise(plain); ok {
				return f, io.MultiReader(bytes.NewReader(head), r), nil
			}
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(plain)) == 0 {
				return intake.Steps, bytes.NewReader(head), nil
			}
		}
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return "", nil, err
		case ended, len(head) >= maxHead:
			return "", nil, &intake.UnknownFormat{Found: found}
		}
	}
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds what a hostile archive has its reader allocate.
const maxWindow = 64 << 20

// plain gives what r holds, decompressed when it is gzip or zstd. done gives
// back what that takes.
func plain(r io.Reader) (p io.Reader, done func(), err error) {
	head := make([]byte, len(zstdMagic))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	head = head[:n]
	r = io.MultiReader(bytes.NewReader(head), r)
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return z, func() {}, nil
	case bytes.Equal(head, zstdMagic):
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

// plainHead is the beginning of an input, decompressed as far as it goes.
func plainHead(head []byte) []byte {
	r, done, err := plain(bytes.NewReader(head))
	if err != nil {
		return nil
	}
	defer done()
	// The archive is cut off where the head ends: what comes before counts.
	b, _ := io.ReadAll(io.LimitReader(r, maxHead))
	return b
}
