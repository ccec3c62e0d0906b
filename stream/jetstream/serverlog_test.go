package jetstream

import "testing"

func TestWithoutContent(t *testing.T) {
	for text, want := range map[string]string{
		"Server is ready": "Server is ready",
		"Filestore [AGENT_STEPS] Critical write error: write /d/1.blk: no space left on device": "Filestore [AGENT_STEPS] Critical write error: write /d/1.blk: no space left on device",
		`127.0.0.1:4 - cid:18 - authentication error - User "secret"`:                           "127.0.0.1:4 - cid:18 - authentication error",
		`[::1]:4 - cid:18 - "v1:go:secret" - Client parser ERROR, state=43: proto='secret'`:     "[::1]:4 - cid:18 - parser error",
		`pipe - cid:3 - "secret" - something new with secret`:                                   "pipe - cid:3 - error of a client",
		`10.0.0.1:1 - mid_ws:7 - Slow Consumer Detected: secret`:                                "10.0.0.1:1 - mid_ws:7 - slow consumer",
	} {
		if got := withoutContent(text); got != want {
			t.Errorf("%s gave %s, want %s", text, got, want)
		}
	}
}
