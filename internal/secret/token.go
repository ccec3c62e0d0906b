// Package secret reads what must not be in a configuration file, from files of
// its own: tokens, and certificates with their keys. Both can be read again
// while they are used.
package secret

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
)

const (
	minToken = 16
	maxToken = 4096
)

// Token is the secret of those who may call. It is safe for concurrent use.
type Token struct {
	file string
	// hash is compared, not the token: it has one length, and what is not kept
	// cannot be told.
	hash atomic.Pointer[[sha256.Size]byte]
}

// OpenToken reads a token from a file. White space around it does not belong
// to it. An error never quotes the file.
func OpenToken(file string) (*Token, error) {
	t := &Token{file: file}
	if _, err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

// Reload reads the file again and reports whether the token is another now.
// After an error the one before is in force.
func (t *Token) Reload() (changed bool, err error) {
	b, err := read(t.file)
	if err != nil {
		return false, fmt.Errorf("token file: %w", err)
	}
	token := bytes.TrimSpace(b)
	switch {
	case len(token) == 0:
		return false, fmt.Errorf("token file %s: is empty; write a token into it, such as one of openssl rand -hex 32", t.file)
	case len(token) < minToken:
		return false, fmt.Errorf("token file %s: holds %d characters, too few to be hard to guess; write %d at least, such as those of openssl rand -hex 32", t.file, len(token), minToken)
	case len(token) > maxToken:
		return false, fmt.Errorf("token file %s: holds more than %d characters; write one token into it and nothing else", t.file, maxToken)
	case bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return false, fmt.Errorf("token file %s: holds white space or characters beyond ASCII within the token, which no header carries; write one token into it and nothing else", t.file)
	}
	hash := sha256.Sum256(token)
	old := t.hash.Swap(&hash)
	return old == nil || *old != hash, nil
}

// Is reports whether somebody who calls gave the token, in a time that does not
// depend on how much of it was right.
func (t *Token) Is(given string) bool {
	hash := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(hash[:], t.hash.Load()[:]) == 1
}

// read gives a small file.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file", file)
		}
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Exposed says what is wrong with the rights of a file that holds a secret,
// empty when nothing is.
func Exposed(file string) string {
	if runtime.GOOS == "windows" {
		return "" // its rights are not in the mode
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o007 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read by every user of this machine (mode %04o); chmod 0600 it", file, info.Mode().Perm())
}
