package facts

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// maxErrorText is how much of an error counts for its fingerprint: what tells
// one error from another stands at its beginning.
const maxErrorText = 512

// appendMaskedError appends an error text as its fingerprint sees it: lower
// case, without ANSI colours, a token with a digit as #, a quoted string of
// eight bytes or more as "", white space folded. Quotes of a JSON text are
// structure, not quotation: there the strings stay.
func appendMaskedError(dst, text []byte) []byte {
	text = text[:min(len(text), 4*maxErrorText)]
	limit := len(dst) + maxErrorText
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	structured := len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	space := true
	for i := 0; i < len(text) && len(dst) < limit; {
		c := text[i]
		switch {
		case c == 0x1b:
			i += ansiLen(text[i:])
		case c <= ' ' || c == 0x7f:
			if !space {
				dst, space = append(dst, ' '), true
			}
			i++
		case isQuote(c) && !structured && opensQuote(text, i):
			n := quotedLen(text[i:])
			if n < 10 { // two quotes and fewer than eight bytes
				dst, i, space = append(dst, c), i+1, false
				break
			}
			dst, i, space = append(dst, '"', '"'), i+n, false
		case isAlnum(c):
			n, digit := tokenLen(text[i:])
			if digit {
				dst = append(dst, '#')
			} else {
				dst = appendLower(dst, text[i:i+n])
			}
			i, space = i+n, false
		default:
			dst, i, space = append(dst, c), i+1, false
		}
	}
	return dst[:min(len(dst), limit)]
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// opensQuote tells a quotation from an apostrophe.
func opensQuote(text []byte, i int) bool { return i == 0 || !isAlnum(text[i-1]) }

// quotedLen is the length of the quotation that t begins with, quotes
// included, 0 when it does not end on its line.
func quotedLen(t []byte) int {
	for i := 1; i < len(t) && t[i] != '\n'; i++ {
		if t[i] == t[0] && (i+1 == len(t) || !isAlnum(t[i+1])) {
			return i + 1
		}
	}
	return 0
}

// tokenLen is the length of the word that t begins with, and whether there is
// a digit in it. Ids, versions, times and paths hold together.
func tokenLen(t []byte) (n int, digit bool) {
	for n < len(t) {
		c := t[n]
		if isDigit(c) {
			digit = true
		} else if !isAlnum(c) && (c != '-' && c != '_' && c != '.' && c != ':' && c != '/' || n+1 == len(t) || !isAlnum(t[n+1])) {
			break
		}
		n++
	}
	return n, digit
}

func appendLower(dst, t []byte) []byte {
	for _, c := range t {
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// ansiLen is the length of the escape sequence that t begins with.
func ansiLen(t []byte) int {
	if len(t) < 2 || t[1] != '[' {
		return 1
	}
	for i := 2; i < len(t); i++ {
		if t[i] >= 0x40 && t[i] <= 0x7e {
			return i + 1
		}
	}
	return len(t)
}

// maxMasked is the longest result that is masked; a longer one counts byte
// for byte, so that its fingerprint costs no more than a hash.
const maxMasked = 16 << 10

// resultFingerprint hashes a result without what differs in every delivery:
// time stamps, UUIDs, long hexadecimal ids, and the values of members such as
// "request_id" or "elapsed_ms". Ordinary numbers stay, since a number that
// moves is progress. raw may hold JSON escapes: what counts is whether two
// results are the same, not what they say. Never 0.
func resultFingerprint(raw []byte, scratch *[]byte) uint64 {
	if len(raw) > maxMasked {
		return nonZero(xxhash.Sum64(raw))
	}
	buf, from := (*scratch)[:0], 0
	for i := nextDigit(raw, 0); i < len(raw); {
		start, end := tokenAround(raw, i, from)
		mark := byte(0)
		switch {
		case end-start >= 8 && isVolatileToken(raw[start:end]):
			mark = '~'
		case volatileMember(raw, start):
			mark = '~'
		}
		if mark != 0 {
			buf = append(append(buf, raw[from:start]...), mark)
			from = end
		}
		i = nextDigit(raw, end)
	}
	if from == 0 {
		return nonZero(xxhash.Sum64(raw))
	}
	buf = append(buf, raw[from:]...)
	*scratch = buf
	return nonZero(xxhash.Sum64(buf))
}

func nonZero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// nextDigit finds the next ASCII digit at or after i, len(b) when there is
// none: eight bytes at a time, since most text has none.
func nextDigit(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A byte is a digit when its high nibble is 3 and its low one at most 9:
		// after the flip of 0x30 it is below 10, so that adding 0x76 stays
		// below 0x80; bytes of 0x80 and above are excluded by their own bit.
		x := w ^ 0x3030303030303030
		d := ((x & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676 | x) & 0x8080808080808080
		if d != 0x8080808080808080 {
			return i + bits.TrailingZeros64(^d&0x8080808080808080)>>3
		}
	}
	for ; i < len(b); i++ {
		if isDigit(b[i]) {
			return i
		}
	}
	return len(b)
}

// tokenAround widens position i to the token of letters, digits and - : . + _
// around it, no further left than from.
func tokenAround(b []byte, i, from int) (start, end int) {
	start, end = i, i+1
	for start > from && isTokenByte(b[start-1]) {
		start--
	}
	if start > from && start < i && b[start-1] == '\\' {
		start++ // the n of \n is an escape, not the token's beginning
	}
	if start < i && b[start] == ':' {
		start++ // it ends a key, as in {"took_ms":12}
	}
	for end < len(b) && isTokenByte(b[end]) {
		end++
	}
	return start, end
}

func isTokenByte(c byte) bool {
	return tokenBytes[c>>6]&(1<<(c&63)) != 0
}

// tokenBytes is the set of [0-9A-Za-z+-.:_].
var tokenBytes = [4]uint64{
	0x03ff<<48 | 1<<'+' | 1<<'-' | 1<<'.' | 1<<58,
	0x07fffffe<<0 | 0x07fffffe<<32 | 1<<('_'-64),
	0, 0,
}

// isVolatileToken recognises a time stamp with a time of day, a UUID, and a
// hexadecimal id of 16 digits or more that holds both letters and digits.
func isVolatileToken(t []byte) bool {
	if len(t) >= 16 && isDate(t) && (t[10] == 'T' || t[10] == ':' || t[10] == '-') {
		return true // 2024-05-15T10:00Z
	}
	if len(t) >= 8 && isDigit(t[0]) && isDigit(t[1]) && t[2] == ':' && isDigit(t[3]) && isDigit(t[4]) && t[5] == ':' && isDigit(t[6]) {
		return true // 10:00:00.123
	}
	for _, p := range volatilePrefixes {
		if bytes.HasPrefix(t, []byte(p)) {
			return true
		}
	}
	if len(t) < 16 {
		return false
	}
	hex, letters, dashes := 0, 0, 0
	for _, c := range t {
		switch {
		case isDigit(c):
			hex++
		case (c|0x20)-'a' < 6:
			hex++
			letters++
		case c == '-':
			dashes++
		default:
			return false
		}
	}
	return dashes == 0 && letters > 0 && letters < hex || dashes == 4 && hex == 32
}

// volatilePrefixes begin the ids of requests and deliveries.
var volatilePrefixes = []string{"req_", "req-", "trace-", "trace_", "msg_", "evt_", "rid-"}

func isDate(t []byte) bool {
	return isDigit(t[0]) && isDigit(t[1]) && isDigit(t[2]) && isDigit(t[3]) && t[4] == '-' && isDigit(t[5]) && isDigit(t[6]) && t[7] == '-' && isDigit(t[8]) && isDigit(t[9])
}

// volatileMember reports whether the token at start is the value of a JSON
// member that differs in every delivery.
func volatileMember(raw []byte, start int) bool {
	i := start
	if i > 0 && raw[i-1] == '"' {
		i--
		if i > 0 && raw[i-1] == '\\' {
			i--
		}
	}
	for i > 0 && raw[i-1] == ' ' {
		i--
	}
	if i < 3 || raw[i-1] != ':' || raw[i-2] != '"' {
		return false
	}
	i -= 2
	if raw[i-1] == '\\' {
		i--
	}
	const longest = 20
	end := i
	for i > 0 && end-i <= longest && raw[i-1] != '"' {
		i--
	}
	return isVolatileName(raw[i:end])
}

// isVolatileName is the list of members whose values mean nothing: the
// deny-list of openclaw and its report 89090, where fresh message ids defeat
// a no-progress check, and what HTTP and tracing add.
func isVolatileName(name []byte) bool {
	switch string(name) {
	case "request_id", "requestId", "message_id", "messageId", "trace_id", "traceId",
		"span_id", "spanId", "correlation_id", "correlationId", "nonce", "etag",
		"timestamp", "ts", "server_time", "serverTime", "fetched_at", "fetchedAt",
		"generated_at", "generatedAt", "duration", "duration_ms", "durationMs",
		"elapsed", "elapsed_ms", "elapsedMs", "latency", "latency_ms", "latencyMs",
		"took", "took_ms", "response_time", "responseTime",
		"as_of", "asOf", "checked_at", "checkedAt", "retrieved_at", "retrievedAt", "queried_at", "queriedAt",
		"served_at", "servedAt", "rendered_at", "renderedAt", "responded_at", "respondedAt", "requested_at", "requestedAt",
		"received_at", "receivedAt", "epoch", "now", "stamp", "req_id", "reqId", "rid", "reply_id", "replyId",
		"response_id", "responseId", "server_ts", "serverTs", "x_request_id", "delivery_id", "deliveryId", "event_id", "eventId":
		return true
	}
	return false
}
