// Package replay takes recorded traffic through the detect program: the inputs
// of the replayer, what it puts out, and what stands behind one failure.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"misstep/internal/intake"
)

// Auto is the format that recognises what an input holds.
const Auto intake.Format = "auto"

// ParseFormat reads the value of --format.
func ParseFormat(s string) (intake.Format, error) {
	if s == string(Auto) {
		return Auto, nil
	}
	for _, f := range intake.Formats() {
		if s == string(f) {
			return f, nil
		}
	}
	return "", fmt.Errorf("format %q is not known; there are auto, steps, chat and otlp", s)
}

// Input is one file to read, or the standard input.
type Input struct {
	Name   string // as it was named; "-" is the standard input
	Format intake.Format
	path   string     // the file, empty while the standard input is read as it comes
	size   int64      // of the file in bytes
	stdin  io.Reader  // what the standard input gives, from its beginning
	nats   *natsInput // nil: not on a NATS server
	kafka  *kafkaInput
}

// Inputs are what a replay reads, in order.
type Inputs struct {
	Files   []Input
	Skipped []string // files of folders that are in no format that is known, with the reason

	missing missing
}

// Gaps gives how many runs of records, and records, the inputs turned out not
// to hold any more.
func (in *Inputs) Gaps() (gaps, records int64) {
	return in.missing.gaps.Load(), in.missing.records.Load()
}

// Find tells what the arguments of a command name: files, "-" once, and
// folders, of which every file with a known ending is read, in the order of
// their paths. format is Auto or insists. A file that is named and is in no
// known format is an error; one that a folder holds is skipped.
func Find(args []string, format intake.Format, stdin io.Reader) (*Inputs, error) {
	return FindOn(context.Background(), Access{}, args, format, stdin)
}

// FindOn is Find with parts of streams among the arguments, whose servers it
// asks.
func FindOn(ctx context.Context, access Access, args []string, format intake.Format, stdin io.Reader) (*Inputs, error) {
	if len(args) == 0 {
		return nil, errors.New("no input is named; give a file, a folder or - for the standard input")
	}
	in := &Inputs{}
	piped := false
	for _, arg := range args {
		var err error
		switch {
		case arg == "-" && piped:
			err = errors.New("-: the standard input can be read once")
		case arg == "-":
			piped = true
			err = in.addStdin(format, stdin)
		case isNATS(arg):
			err = in.addNATS(ctx, arg, format, access.NATS)
		case isKafka(arg):
			err = in.addKafka(ctx, arg, format, access.Kafka)
		case strings.Contains(arg, "://"):
			err = fmt.Errorf("%s: no such input is known; there are files, folders, the standard input, %s, and %s", redacted(arg), kafkaForm, natsForm)
		default:
			err = in.addPath(arg, format)
		}
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (in *Inputs) addPath(path string, format intake.Format) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such file or folder", path)
	case err != nil:
		return err
	case !info.IsDir():
		return in.addFile(path, format, info.Size())
	}
	before := len(in.Files)
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != path && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || !knownEnding(p) {
			return nil
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return nil // a link to a folder is not followed
		}
		err = in.addFile(p, format, info.Size())
		var unknown *intake.UnknownFormat
		if errors.As(err, &unknown) {
			in.Skipped = append(in.Skipped, p+": found "+unknown.Found)
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(in.Files) == before {
		why := "no file ends in " + strings.Join(endings, ", ") + " (or these and .gz or .zst)"
		if len(in.Skipped) > 0 {
			why = in.Skipped[len(in.Skipped)-1]
		}
		return fmt.Errorf("%s: no file in this folder can be read: %s", path, why)
	}
	return nil
}

var endings = []string{".jsonl", ".ndjson", ".json"}

func knownEnding(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	for _, e := range endings {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

func (in *Inputs) addFile(path string, format intake.Format, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	if format == Auto {
		if format, _, err = recognise(f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	in.Files = append(in.Files, Input{Name: path, Format: format, path: path, size: size})
	return nil
}

func (in *Inputs) addStdin(format intake.Format, stdin io.Reader) error {
	var err error
	if format == Auto {
		if format, stdin, err = recognise(stdin); err != nil {
			return fmt.Errorf("-: %w", err)
		}
	}
	in.Files = append(in.Files, Input{Name: "-", Format: format, stdin: stdin})
	return nil
}

// Total is how many bytes there are to read, 0 when that is not known.
func (in *Inputs) Total() int64 {
	var n int64
	for _, f := range in.Files {
		if f.stdin != nil || f.kafka != nil {
			return 0
		}
		n += f.size
	}
	return n
}

// streams is how many of the inputs are on a broker.
func (in *Inputs) streams() int {
	n := 0
	for _, f := range in.Files {
		if f.nats != nil || f.kafka != nil {
			n++
		}
	}
	return n
}
