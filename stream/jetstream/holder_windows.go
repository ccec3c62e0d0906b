package jetstream

import "syscall"

// errAddrInUse is WSAEADDRINUSE.
const errAddrInUse = syscall.Errno(10048)

// portHolder cannot tell here who listens at a port.
func portHolder(int) string { return "" }
