package facts

import (
	"strings"
	"testing"

	"misstep/event"
)

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		status          event.Status
		errorType, text string
		want            ErrorClass
	}{
		{event.StatusTimeout, "", "", TimedOut},
		{event.StatusDenied, "", "not found", Denied}, // the status says more than the text
		{event.StatusError, "", "", OtherError},
		{event.StatusError, "", "the moon is full", OtherError},
		{event.StatusError, "ratelimiterror", "", RateLimited},
		{event.StatusError, "notfounderror", "rate limit", NotFound}, // the type says more than the text
		{event.StatusError, "custom", "permission denied for x", Denied},
		{event.StatusError, "", "http 429", RateLimited},
		{event.StatusError, "", "status: 408", TimedOut},
		{event.StatusError, "", "504", TimedOut},
		{event.StatusError, "", "code=423", Locked},
		{event.StatusError, "", "error 502: upstream", Unavailable},
		{event.StatusError, "", "http 503", Unavailable},
		{event.StatusError, "", "http/1.1 401 no", Denied},
		{event.StatusError, "", "status code 403", Denied},
		{event.StatusError, "", "error (404)", NotFound},
		{event.StatusError, "", "http 410", NotFound},
		{event.StatusError, "", `{"status": 409}`, Conflict},
		{event.StatusError, "", "http 412", Conflict},
		{event.StatusError, "", "http 400", Invalid},
		{event.StatusError, "", "http 499", Invalid},
		{event.StatusError, "", "http 500", Internal},
		{event.StatusError, "", "http 599", Internal},
		{event.StatusError, "", "http 600", OtherError},
		{event.StatusError, "", "http 399", OtherError},
		{event.StatusError, "", "bought 404 pieces", OtherError}, // a number is no status code
		{event.StatusError, "", "http 4045", OtherError},
		{event.StatusError, "", "http x404", OtherError},
		{event.StatusError, "", "http 404x", OtherError},
		{event.StatusError, "", "http 4x4", OtherError},
		{event.StatusError, "", "http 44x", OtherError},
		{event.StatusError, "", "http 304", OtherError},
		{event.StatusError, "", "cost 12, status 503", Unavailable},
		{event.StatusError, "", strings.Repeat("z", 200) + " http 503", OtherError}, // a code leads
		{event.StatusError, "", "unlocked the door", OtherError},                    // a word begins where it begins
		{event.StatusError, "", "the row is locked", Locked},
		{event.StatusError, "", "unlocked, then locked", Locked},
		{event.StatusError, "", "connection reset by peer", Unavailable},
		{event.StatusError, "", "already exists", Conflict},
		{event.StatusError, "", "internal server error", Internal},
		{event.StatusError, "", "validation failed", Invalid},
	} {
		if got := classOf(c.status, []byte(c.errorType), []byte(c.text), []byte("get_order")); got != c.want {
			t.Errorf("classOf(%s, %q, %q) = %s, want %s", c.status, c.errorType, c.text, got, c.want)
		}
	}
}

func TestSaysUnknownTool(t *testing.T) {
	far := strings.Repeat("very ", 10)
	for text, want := range map[string]bool{
		"unknown tool: x":                        true,
		"no such tool available: get_order":      true,
		"tool get_order not found":               true,
		"function get_order is not defined":      true,
		"unknown function: get_order":            true,
		"the tool 'get_order' is not available":  true,
		"mcp error -32602: tool get_order":       true,
		"mcp error -32602: get_order arguments":  false, // the arguments are wrong
		"mcp error -32603: tool get_order broke": false,
		"get_order not found":                    false, // an order, not a tool
		"tool get_user not found":                false, // another tool
		"function json_table does not exist":     false, // of a database
		"tool get_order " + far + "not found":    false, // too far apart
		"not found " + far + "tool get_order":    false,
		"not found: tool get_order":              true,
		"the tool get_order ran out of memory":   false,
	} {
		if got := saysUnknownTool(nil, []byte(text), []byte("get_order")); got != want {
			t.Errorf("saysUnknownTool(%q) = %t, want %t", text, got, want)
		}
	}
	if !saysUnknownTool([]byte("toolnotfound"), nil, nil) {
		t.Error("an error type alone does")
	}
	if saysUnknownTool(nil, []byte("tool not available"), nil) {
		t.Error("without a name the phrase says nothing")
	}
}

func TestRetryAfter(t *testing.T) {
	const second = int64(1_000_000_000)
	for text, want := range map[string]int64{
		"retry after 30":              30 * second,
		"retry-after: 5":              5 * second,
		`{"retry_after":2}`:           2 * second,
		"try again in 250ms":          second / 4,
		"try again in 250 millis":     second / 4,
		"retry in 2 minutes":          120 * second,
		"retry in 1h":                 3600 * second,
		"retry in 24h":                86400 * second,
		"retry in 25h":                0, // no such policy
		"retry after a while":         0,
		"wait 3 s":                    3 * second,
		"retry after a while, wait 3": 3 * second,
		"retry after 1234567890123":   0,
		"":                            0,
	} {
		if got := retryAfter([]byte(text)); got != want {
			t.Errorf("retryAfter(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestErrorClasses(t *testing.T) {
	for c := NoError; c < numErrorClasses; c++ {
		if c.String() == "" || c != OtherError && c.String() == "other" {
			t.Errorf("class %d has no name", c)
		}
		if c.Transient() && c.Permanent() {
			t.Errorf("%s is transient and permanent", c)
		}
	}
	if numErrorClasses.String() != "other" {
		t.Error("a class of a later version is other")
	}
	for c, want := range map[ErrorClass][3]any{ // transient, permanent, fault
		NoError:     {false, false, event.FaultUnknown},
		OtherError:  {false, false, event.FaultUnknown},
		RateLimited: {true, false, event.FaultTool},
		Locked:      {true, false, event.FaultTool},
		Invalid:     {false, true, event.FaultAgent},
		NotFound:    {false, true, event.FaultAgent},
		Denied:      {false, true, event.FaultPolicy},
		Internal:    {false, false, event.FaultTool},
		UnknownTool: {false, true, event.FaultAgent},
	} {
		if got := [3]any{c.Transient(), c.Permanent(), c.Fault()}; got != want {
			t.Errorf("%s: %v, want %v", c, got, want)
		}
	}
}

func TestSaysError(t *testing.T) {
	for text, want := range map[string]bool{
		`{"error":"x"}`:                              true,
		`{"error": null, "data": 1}`:                 false,
		`{"errors":[]}`:                              false,
		`{"error":{}}`:                               false,
		`{"error":{"code":1}}`:                       true,
		`{"success":false}`:                          true,
		`{"success":true}`:                           false,
		`{"ok" : false}`:                             true,
		`{"isError":true}`:                           true,
		`{"isError":false}`:                          false,
		`{"status":"error"}`:                         true,
		`{"status":"shipped"}`:                       false,
		`{"status":503}`:                             true,
		`{"status":200}`:                             false,
		`{"statusCode":404}`:                         true,
		`{"code":404}`:                               false,
		`{"state":503}`:                              false,
		`{"data":{"error":"x"}}`:                     false, // not a leading member
		`{"data":[1,{"a":"}"}],"error":"x"}`:         true,
		`{"a":1,"b":2,"c":3,"d":4,"error":"x"}`:      false, // too far in
		`{"a":1,"b":2,"c":3,"error":"x"}`:            true,
		`{"a":"` + strings.Repeat("x", 300) + `"}`:   false,
		`{"error"`:                                   false,
		`{"error":`:                                  false,
		`{"a":1}`:                                    false,
		`{"a":[1,2],"ok":false}`:                     true,
		`{"a":{"b":1},"ok":false}`:                   true,
		`{}`:                                         false,
		"{\n  \"error\": \"x\"}":                     true,
		"Error: no":                                  true,
		"  error: no":                                true,
		"Errors are listed below":                    false,
		"Traceback (most recent call last):\n  File": true,
		"HTTP 500":                                   true,
		"HTTP 200":                                   false,
		"fatal: not a git repository":                true,
		"the error: none":                            false,
		"":                                           false,
		"   ":                                        false,
	} {
		var scratch []byte
		v := event.StringValue(text)
		if got := saysError(v, &scratch); got != want {
			t.Errorf("saysError(%q) = %t, want %t", text, got, want)
		}
		if strings.HasPrefix(text, "{") && v.Form == event.Escaped {
			if obj, err := event.JSONValue([]byte(text)); err == nil && saysError(obj, &scratch) != want {
				t.Errorf("saysError(%s as JSON) = %t, want %t", text, !want, want)
			}
		}
	}
	var scratch []byte
	if saysError(event.Value{Form: event.Number, Raw: []byte("500")}, &scratch) {
		t.Error("a number is no error")
	}
}
