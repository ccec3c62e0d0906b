package facts

import (
	"bytes"

	"misstep/event"
)

// ErrorClass is what kind of error a call ended with.
type ErrorClass uint8

// The classes of errors. Which are permanent, which transient and whose fault
// they are follows HTTP: what may pass by itself, what the caller must mend, and
// what the server must.
const (
	NoError ErrorClass = iota
	OtherError
	RateLimited
	Unavailable
	TimedOut
	Locked
	Invalid // 400, 422: the call itself is wrong
	NotFound
	Conflict
	Denied // 401, 403, guardrails
	Internal
	UnknownTool
	numErrorClasses
)

var errorClassNames = [numErrorClasses]string{
	"none", "other", "rate_limited", "unavailable", "timeout", "locked",
	"invalid", "not_found", "conflict", "denied", "internal", "unknown_tool",
}

// String names the class.
func (c ErrorClass) String() string {
	if c < numErrorClasses {
		return errorClassNames[c]
	}
	return errorClassNames[OtherError]
}

// Transient reports whether the same call may well succeed later.
func (c ErrorClass) Transient() bool { return c >= RateLimited && c <= Locked }

// Permanent reports whether the same call cannot succeed unless something
// else changes.
func (c ErrorClass) Permanent() bool {
	return c >= Invalid && c <= Denied || c == UnknownTool
}

// Fault says whose fault an error of the class is. A value that was not found
// counts as the agent's: only provenance can tell that the user gave it.
func (c ErrorClass) Fault() event.Fault {
	switch c {
	case NoError:
		return event.FaultUnknown
	case Invalid, NotFound, Conflict, UnknownTool:
		return event.FaultAgent
	case Denied:
		return event.FaultPolicy
	case RateLimited, Unavailable, TimedOut, Locked, Internal:
		return event.FaultTool
	}
	return event.FaultUnknown
}

// classOf classifies an error by the status, then the producer's error_type,
// then the message; both texts are in lower case.
func classOf(status event.Status, errorType, message, tool []byte) ErrorClass {
	switch status {
	case event.StatusTimeout:
		return TimedOut
	case event.StatusDenied:
		return Denied
	}
	if saysUnknownTool(errorType, message, tool) {
		return UnknownTool
	}
	for _, text := range [][]byte{errorType, message} {
		if len(text) == 0 {
			continue
		}
		if c := classOfCode(httpCode(text)); c != NoError {
			return c
		}
		for _, w := range errorWords {
			if containsWord(text, w.text) {
				return w.class
			}
		}
	}
	return OtherError
}

// errorWords are looked for in this order: the more specific first.
var errorWords = []struct {
	text  string
	class ErrorClass
}{
	{"rate limit", RateLimited},
	{"rate_limit", RateLimited},
	{"ratelimit", RateLimited},
	{"too many requests", RateLimited},
	{"quota exceeded", RateLimited},
	{"throttl", RateLimited},
	{"timeout", TimedOut},
	{"timed out", TimedOut},
	{"deadline exceeded", TimedOut},
	{"temporarily", Unavailable},
	{"service unavailable", Unavailable},
	{"unavailable", Unavailable},
	{"connection reset", Unavailable},
	{"connection refused", Unavailable},
	{"econnreset", Unavailable},
	{"econnrefused", Unavailable},
	{"overloaded", Unavailable},
	{"bad gateway", Unavailable},
	{"locked", Locked},
	{"lock wait", Locked},
	{"deadlock", Locked},
	{"resource busy", Locked},
	{"permission", Denied},
	{"forbidden", Denied},
	{"unauthorized", Denied},
	{"unauthorised", Denied},
	{"access denied", Denied},
	{"not allowed", Denied},
	{"not permitted", Denied},
	{"not found", NotFound},
	{"notfound", NotFound},
	{"not_found", NotFound},
	{"no such", NotFound},
	{"does not exist", NotFound},
	{"doesn't exist", NotFound},
	{"unknown column", NotFound},
	{"unknown table", NotFound},
	{"could not find", NotFound},
	{"already exists", Conflict},
	{"conflict", Conflict},
	{"duplicate", Conflict},
	{"precondition", Conflict},
	{"validation", Invalid},
	{"invalid", Invalid},
	{"bad request", Invalid},
	{"badrequest", Invalid},
	{"missing required", Invalid},
	{"required parameter", Invalid},
	{"syntax error", Invalid},
	{"error in your sql syntax", Invalid},
	{"syntaxerror", Invalid},
	{"typeerror", Invalid},
	{"valueerror", Invalid},
	{"malformed", Invalid},
	{"unprocessable", Invalid},
	{"internal server error", Internal},
	{"internal error", Internal},
	{"internalerror", Internal},
}

// containsWord reports whether text holds w where a word begins.
func containsWord(text []byte, w string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(w))
		if i < 0 {
			return false
		}
		i += from
		if i == 0 || !isAlnum(text[i-1]) {
			return true
		}
		from = i + 1
	}
}

func classOfCode(code int) ErrorClass {
	switch {
	case code == 0:
		return NoError
	case code == 429:
		return RateLimited
	case code == 408 || code == 504:
		return TimedOut
	case code == 423:
		return Locked
	case code == 502 || code == 503:
		return Unavailable
	case code == 401 || code == 403:
		return Denied
	case code == 404 || code == 410:
		return NotFound
	case code == 409 || code == 412:
		return Conflict
	case code >= 400 && code < 500:
		return Invalid
	case code >= 500 && code < 600:
		return Internal
	}
	return NoError
}

// httpCode finds a status code in an error text: three digits from 400 to 599
// that stand alone, at the beginning or just after a word such as "HTTP" or
// "status". A number elsewhere in a text is most likely no status code.
func httpCode(text []byte) int {
	const window = 128 // a code stands near the beginning
	t := text[:min(len(text), window)]
	for i := 0; i+3 <= len(t); i++ {
		if t[i] != '4' && t[i] != '5' || !isDigit(t[i+1]) || !isDigit(t[i+2]) {
			continue
		}
		if i > 0 && isAlnum(t[i-1]) || i+3 < len(t) && isAlnum(t[i+3]) {
			continue
		}
		before := bytes.TrimRight(t[:i], " :=\"'(#-")
		if len(before) == 0 || hasCodeWord(before) {
			return int(t[i]-'0')*100 + int(t[i+1]-'0')*10 + int(t[i+2]-'0')
		}
	}
	return 0
}

func hasCodeWord(before []byte) bool {
	for _, w := range []string{"http", "http/1.1", "http/2", "status", "code", "error", "statuscode", "status_code"} {
		if bytes.HasSuffix(before, []byte(w)) {
			return true
		}
	}
	return false
}

// saysUnknownTool recognises the runtime's word that the called tool does not
// exist. A phrase that could also speak of a database's
// function or a missing file counts only where it names the called tool.
func saysUnknownTool(errorType, message, tool []byte) bool {
	for _, t := range [][]byte{errorType, message} {
		for _, p := range []string{
			"unknown tool", "unknown_tool", "unknowntool", "no such tool", "tool_not_found", "toolnotfound",
			"tool not found", "invalid tool name", "not a valid tool", "unknown function call", "is not a registered tool",
		} {
			if bytes.Contains(t, []byte(p)) {
				return true
			}
		}
	}
	if len(tool) == 0 || !bytes.Contains(message, tool) {
		return false
	}
	if bytes.Contains(message, []byte("-32602")) && bytes.Contains(message, []byte("tool")) {
		return true
	}
	if !bytes.Contains(message, []byte("tool")) && !bytes.Contains(message, []byte("function")) {
		return false
	}
	for _, p := range []string{
		"not found", "not available", "not registered", "not recognized", "not recognised",
		"does not exist", "doesn't exist", "unknown function", "is not defined", "not supported",
	} {
		if bytes.Contains(message, []byte(p)) && nearName(message, tool, p) {
			return true
		}
	}
	return false
}

// nearName reports whether the phrase stands at most 24 bytes from the name:
// "tool get_x is not available", "unknown function: get_x".
func nearName(message, tool []byte, phrase string) bool {
	const near = 24
	i, j := bytes.Index(message, tool), bytes.Index(message, []byte(phrase))
	if j > i {
		return j-(i+len(tool)) <= near
	}
	return i-(j+len(phrase)) <= near
}

func isDigit(c byte) bool { return c-'0' < 10 }

func isAlnum(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 26 || c >= 0x80 }

// retryAfter reads for how long an error asks to wait, in nanoseconds; 0 when
// it does not say, or asks for more than a day. A number without a unit is in
// seconds, as in HTTP's Retry-After.
func retryAfter(text []byte) int64 {
	for _, p := range []string{"retry-after", "retry_after", "retry after", "retryafter", "retry in", "try again in", "try again after", "wait "} {
		i := bytes.Index(text, []byte(p))
		if i < 0 {
			continue
		}
		t := bytes.TrimLeft(text[i+len(p):], " :=\"'")
		n, digits := int64(0), 0
		for digits < len(t) && digits < 9 && isDigit(t[digits]) {
			n = n*10 + int64(t[digits]-'0')
			digits++
		}
		if digits == 0 {
			continue
		}
		const second = 1_000_000_000
		unit := int64(second)
		switch u := bytes.TrimLeft(t[digits:], " "); {
		case bytes.HasPrefix(u, []byte("ms")), bytes.HasPrefix(u, []byte("milli")):
			unit = second / 1000
		case bytes.HasPrefix(u, []byte("m")):
			unit = 60 * second
		case bytes.HasPrefix(u, []byte("h")):
			unit = 3600 * second
		}
		if n <= 24*3600*second/unit {
			return n * unit
		}
	}
	return 0
}
