// Package build says which build of misstep is running.
package build

import "runtime/debug"

// Info is what a binary knows of itself; unknown parts read "unknown".
type Info struct {
	Version string // of the module, (devel) for one that was built from a work tree
	Commit  string // with + at the end when the work tree had changes
	Go      string
}

// Read gives the info of the running binary.
func Read() Info {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return of(&debug.BuildInfo{})
	}
	return of(b)
}

func of(b *debug.BuildInfo) Info {
	i := Info{Version: b.Main.Version, Go: b.GoVersion}
	modified := false
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified && i.Commit != "" {
		i.Commit += "+"
	}
	for _, s := range []*string{&i.Version, &i.Commit, &i.Go} {
		if *s == "" {
			*s = "unknown"
		}
	}
	return i
}
