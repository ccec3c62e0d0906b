package gen_test

import (
	"errors"
	"strconv"
)

var errFull = errors.New("full")

// full is a writer that takes some lines and then no more.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room--; f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func itoa(n int) string { return strconv.Itoa(n) }
