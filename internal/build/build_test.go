package build

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	setting := func(kv ...string) (out []debug.BuildSetting) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return out
	}
	for _, c := range []struct {
		name string
		in   debug.BuildInfo
		want Info
	}{
		{"nothing", debug.BuildInfo{}, Info{"unknown", "unknown", "unknown"}},
		{
			"release",
			debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"}, Settings: setting("vcs.modified", "false", "vcs.revision", "abc")},
			Info{"v1.2.3", "abc", "go1.26.0"},
		},
		{"changed", debug.BuildInfo{Settings: setting("vcs.modified", "true", "vcs.revision", "abc")}, Info{"unknown", "abc+", "unknown"}},
		{"no repository", debug.BuildInfo{Settings: setting("vcs.modified", "true")}, Info{"unknown", "unknown", "unknown"}},
	} {
		if got := of(&c.in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if Read().Go == "unknown" {
		t.Error("a test binary does not know its Go version")
	}
}
