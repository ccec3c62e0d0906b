package jetstream

// PortHolder names the process that listens at a TCP port of this machine, as
// an AddrInUseError does; empty when that cannot be told.
func PortHolder(port int) string { return portHolder(port) }
