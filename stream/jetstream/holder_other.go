//go:build !linux && !windows

package jetstream

import "syscall"

const errAddrInUse = syscall.EADDRINUSE

// portHolder cannot tell here who listens at a port.
func portHolder(int) string { return "" }
