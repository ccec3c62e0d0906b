package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"misstep/internal/replay"
)

// output is a file that takes its name when it is complete, so that a run that
// fails leaves nothing half done. "-" is the standard output.
type output struct {
	*bufio.Writer
	name  string
	file  *os.File  // nil for the standard output
	inner io.Closer // a compressor between the two, nil for none
}

// create begins an output; nil for an empty name. It must not be one of the
// inputs.
func create(name string, stdout io.Writer, in *replay.Inputs) (*output, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return &output{Writer: bufio.NewWriter(stdout), name: name}, nil
	}
	if have, err := os.Stat(name); err == nil {
		for _, f := range in.Files {
			if input, err := os.Stat(f.Name); err == nil && f.Name != "-" && os.SameFile(have, input) {
				return nil, fmt.Errorf("%s is one of the inputs; name another file to write to", name)
			}
		}
		if have.IsDir() {
			return nil, fmt.Errorf("%s is a folder; name a file to write to", name)
		}
		if !have.Mode().IsRegular() { // a pipe or a device cannot be renamed over
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return nil, err
			}
			return wrap(name, f)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	return wrap(name, f)
}

func wrap(name string, f *os.File) (*output, error) {
	o := &output{name: name, file: f}
	var w io.Writer = f
	switch {
	case strings.HasSuffix(name, ".gz"):
		z := gzip.NewWriter(f)
		w, o.inner = z, z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewWriter(f)
		if err != nil {
			return nil, err
		}
		w, o.inner = z, z
	}
	o.Writer = bufio.NewWriterSize(w, 256<<10)
	return o, nil
}

// writer gives the output as a writer, a plain nil for no output.
func (o *output) writer() io.Writer {
	if o == nil {
		return nil
	}
	return o
}

// finish writes what is buffered and gives the file its name.
func (o *output) finish() error {
	if o == nil {
		return nil
	}
	err := o.Flush()
	if o.inner != nil {
		err = errors.Join(err, o.inner.Close())
	}
	if o.file == nil {
		return err
	}
	err = errors.Join(err, o.file.Close())
	if err == nil && o.file.Name() != o.name {
		if err = os.Chmod(o.file.Name(), 0o644); err == nil {
			err = os.Rename(o.file.Name(), o.name)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", o.name, err)
	}
	o.file = nil
	return nil
}

// discard drops an output that was not finished.
func (o *output) discard() {
	if o == nil || o.file == nil {
		return
	}
	_ = o.file.Close() // it goes anyway
	if o.file.Name() != o.name {
		_ = os.Remove(o.file.Name()) // a hidden file at worst
	}
}
