package sinks

// Clean makes foreign text safe to print on one line of a terminal: what is not
// printable is shown as an escape. It is cut to width columns, 0 for no limit.
func Clean(s string, width int) string { return clean(s, width) }
