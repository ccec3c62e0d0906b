package secret

import (
	"bytes"
	"fmt"
)

// Text reads a secret of one line from a file, such as a URL or a key that is
// given to others. White space around it does not belong to it. An error never
// quotes the file.
func Text(file string) (string, error) {
	b, err := read(file)
	if err != nil {
		return "", err
	}
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return "", fmt.Errorf("%s: is empty; write the secret into it", file)
	case len(b) > maxToken:
		return "", fmt.Errorf("%s: holds more than %d characters; write one secret into it and nothing else", file, maxToken)
	case bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r >= 0x7f }):
		return "", fmt.Errorf("%s: holds control characters or characters beyond ASCII; write one secret into it and nothing else", file)
	}
	return string(b), nil
}
