package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
)

// FileResults writes outputs to files, one value a line. It begins with empty
// files and remembers origins in memory alone, so it is for runs that begin at
// the log's beginning, not for going on with an earlier one.
type FileResults struct {
	mu    sync.Mutex
	files map[string]*outFile
	byTop map[Topic]*outFile
	last  map[partition]Origin
}

// outFile is one file, and what an Append is about to write to it.
type outFile struct {
	f       *os.File
	regular bool // can be cut back and synced
	size    int64
	buf     []byte
	broken  error // holds a part of an Append, for good
}

// CreateFiles makes results that write the topics named to the files at the
// paths given; outputs of other topics are dropped. Several topics may share a
// file. "-" is the standard output. Existing files are emptied.
func CreateFiles(paths map[Topic]string) (*FileResults, error) {
	r := &FileResults{files: map[string]*outFile{}, byTop: map[Topic]*outFile{}, last: map[partition]Origin{}}
	for _, topic := range slices.Sorted(maps.Keys(paths)) {
		path := paths[topic]
		if r.files[path] == nil {
			o := &outFile{f: os.Stdout}
			if path != "-" {
				f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
				if err != nil {
					_ = r.Close() // the first error is the one to tell
					return nil, fmt.Errorf("create results: %w", err)
				}
				info, err := f.Stat()
				if err != nil {
					_ = f.Close()
					_ = r.Close()
					return nil, fmt.Errorf("create results: %w", err)
				}
				o.f, o.regular = f, info.Mode().IsRegular()
			}
			r.files[path] = o
		}
		r.byTop[topic] = r.files[path]
	}
	return r, nil
}

// Append writes outs and syncs the files. After an error nothing of them is in
// a regular file; a pipe that took a part takes no more.
func (r *FileResults) Append(ctx context.Context, outs []Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.files {
		o.buf = o.buf[:0]
		if o.broken != nil {
			return o.broken
		}
	}
	for i := range outs {
		if o := r.byTop[outs[i].Topic]; o != nil {
			o.buf = append(append(o.buf, outs[i].Value...), '\n')
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.files)) {
		if err := r.files[path].write(); err != nil {
			err = fmt.Errorf("append results: %w", err)
			for _, o := range r.files {
				err = errors.Join(err, o.cutBack())
			}
			return err
		}
	}
	for _, o := range r.files {
		o.size += int64(len(o.buf))
	}
	noteLast(r.last, outs)
	return nil
}

func (o *outFile) write() error {
	if len(o.buf) == 0 {
		return nil
	}
	n, err := o.f.Write(o.buf)
	if err == nil && o.regular {
		err = o.f.Sync()
	}
	if err != nil && n > 0 && !o.regular {
		o.broken = fmt.Errorf("append results: %s broke within an earlier append: %w", o.f.Name(), err)
	}
	return err
}

// cutBack removes what the Append that failed has written.
func (o *outFile) cutBack() error {
	if !o.regular {
		return nil
	}
	err := o.f.Truncate(o.size)
	if err == nil {
		_, err = o.f.Seek(o.size, io.SeekStart)
	}
	if err != nil {
		o.broken = fmt.Errorf("append results: cut back %s: %w", o.f.Name(), err)
	}
	return err
}

// Last gives the highest origin of a partition that was appended since
// CreateFiles.
func (r *FileResults) Last(_ context.Context, source string, number int32) (Origin, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, ok := r.last[partition{source, number}]
	return o, ok, nil
}

// Close closes the files.
func (r *FileResults) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, o := range r.files {
		if o.f != os.Stdout {
			err = errors.Join(err, o.f.Close())
		}
	}
	return err
}
