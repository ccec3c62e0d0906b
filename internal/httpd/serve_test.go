package httpd_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"misstep/internal/httpd"
)

// TestBusy: bodies that there is no room for wait, and are turned away when it
// takes too long; with room again they are taken. A body of unknown length
// counts as the longest.
func TestBusy(t *testing.T) {
	body := `{"trajectory_id":"t1","kind":"user_message","text":"x"}`
	for name, c := range map[string]struct {
		fit    int
		body   string
		length int64
		header []string
	}{
		"known":   {4, body, int64(len(body)), nil},
		"unknown": {2, body, -1, nil},
		"packed":  {2, zip(t, body), int64(len(zip(t, body))), []string{"Content-Encoding", "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wait := make(chan struct{})
				s := newServer(t, func(o *httpd.Options) { o.MaxBody, o.MaxHeld, o.MaxWait = 128<<10, 256<<10, 5*time.Second })
				s.log.wait = wait
				call := func() *httptest.ResponseRecorder {
					r := httptest.NewRequest("POST", "/v1/steps", strings.NewReader(c.body))
					r.Host, r.ContentLength = "localhost", c.length
					r.Header.Set("Content-Type", "application/json")
					if c.header != nil {
						r.Header.Set(c.header[0], c.header[1])
					}
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					return w
				}
				var group sync.WaitGroup
				codes := make(chan int, 10)
				post := func() { group.Go(func() { codes <- call().Code }) }
				for range c.fit {
					post()
				}
				synctest.Wait()
				begin := time.Now()
				w := call()
				if w.Code != 429 || w.Header().Get("Retry-After") != "1" || time.Since(begin) != 5*time.Second {
					t.Errorf("got %d, Retry-After %q after %s, want 429, 1 after 5s", w.Code, w.Header().Get("Retry-After"), time.Since(begin))
				}
				post()
				synctest.Wait()
				close(wait)
				group.Wait()
				close(codes)
				for code := range codes {
					if code != 200 {
						t.Errorf("a request that had room got %d", code)
					}
				}
				if n := len(s.log.messages); n != c.fit+1 {
					t.Errorf("%d messages, want %d", n, c.fit+1)
				}
			})
		})
	}
}

// TestServe stops a real server while a request is under way: with time it is
// answered, without it is cut off, and nothing is left.
func TestServe(t *testing.T) {
	for _, patient := range []bool{true, false} {
		s := newServer(t, nil)
		entered, wait := make(chan struct{}), make(chan struct{})
		s.log.entered, s.log.wait = entered, wait
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer := make(chan string, 1)
		go func() {
			resp, err := client.Post("http://"+ln.Addr().String()+"/v1/steps", "application/json",
				strings.NewReader(`{"trajectory_id":"t1","kind":"user_message","text":"x"}`))
			if err != nil {
				answer <- "cut off"
				return
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			answer <- string(b)
		}()
		<-entered
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- s.Shutdown(ctx) }()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		want := "cut off"
		if patient {
			want = `{"accepted":1}` + "\n"
			close(wait)
		} else {
			cancel()
		}
		if got := <-answer; got != want {
			t.Errorf("the request under way got %q, want %q", got, want)
		}
		if err := <-stopped; patient && err != nil || !patient && !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown gave %v", err)
		}
		cancel()
	}
}
