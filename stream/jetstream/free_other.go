//go:build !linux && !darwin && !windows

package jetstream

import "errors"

// freeSpace cannot tell here how much can still be written.
func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
