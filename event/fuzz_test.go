package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// seedSteps are events of every kind, and some that are refused.
func seedSteps(t testing.TB) []string {
	t.Helper()
	b, err := os.ReadFile("../fixtures/steps.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func FuzzDecode(f *testing.F) {
	for _, s := range seedSteps(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkAgainstModel(t, b) })
}

// checkAgainstModel decodes b, which is taken as one event on one line.
func checkAgainstModel(t rapid.TB, b []byte) {
	t.Helper()
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("[")) {
		return // framing has a test of its own
	}
	b = bytes.Trim(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) == 0 {
		return
	}
	before := bytes.Clone(b)
	want, wantErr := modelStep(b)
	if errors.Is(wantErr, errTooBig) {
		return
	}
	var d Decoder
	var s Step
	d.Reset(b)
	err := d.Next(&s)
	if !bytes.Equal(b, before) {
		t.Fatalf("%q was changed to %q", before, b)
	}
	var refused *DecodeError
	switch {
	case err != nil && !errors.As(err, &refused):
		t.Fatalf("%s\n%v", b, err)
	case (err == nil) != (wantErr == nil):
		t.Fatalf("%s\ndecoder: %v\nmodel: %v", b, err, wantErr)
	case err != nil:
		checkRefused(t, b, refused)
		return
	}
	if !bytes.Equal(s.Raw, b) {
		t.Fatalf("%s\nRaw is %s", b, s.Raw)
	}
	for _, diff := range differences(want, &s) {
		t.Errorf("%s\n%s", b, diff)
	}
	if d.Next(&s) != io.EOF {
		t.Errorf("%s\nis followed by something", b)
	}
}

// checkRefused looks at whether the reason is the right one.
func checkRefused(t rapid.TB, b []byte, err *DecodeError) {
	t.Helper()
	if err.Offset < 0 || err.Offset > len(b) || err.Index != 0 || err.Reason == ReasonNone || err.Msg == "" {
		t.Errorf("%s\n%+v", b, err)
	}
	if !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Errorf("%q", err.Error())
	}
	switch err.Reason {
	case ReasonSyntax:
		if json.Valid(b) && utf8.Valid(b) && b[0] == '{' {
			t.Errorf("%s\nis JSON, but %v", b, err)
		}
	case ReasonUTF8:
		if utf8.Valid(b) {
			t.Errorf("%q\nis UTF-8, but %v", b, err)
		}
	case ReasonDepth:
		if nesting(b) <= DefaultMaxDepth {
			t.Errorf("%s\nis not deep, but %v", b, err)
		}
	case ReasonVersion, ReasonType, ReasonValue:
		if err.Field == "" && b[0] == '{' {
			t.Errorf("%s\nhas no field: %v", b, err)
		}
	}
}

// FuzzFraming checks that any payload comes to an end, with each event of it
// given or refused once and in order.
func FuzzFraming(f *testing.F) {
	steps := seedSteps(f)
	f.Add([]byte(strings.Join(steps[:5], "\n")))
	f.Add([]byte("[" + strings.Join(steps[:5], ",") + "]"))
	f.Add([]byte("\xef\xbb\xbf\n\n" + steps[0] + "\r\n{\"trajectory_id\":\n" + steps[1] + "\nx\n"))
	f.Add([]byte("[" + steps[0] + ",{\"a\":1}," + steps[1] + "]x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := Decoder{MaxEvent: 4096}
		var s Step
		d.Reset(b)
		last := -1
		for n := 0; ; n++ {
			if n > len(b)+1 {
				t.Fatalf("%q does not end", b)
			}
			err := d.Next(&s)
			if err == io.EOF {
				break
			}
			if d.Index() != n {
				t.Fatalf("%q: index %d, want %d", b, d.Index(), n)
			}
			var refused *DecodeError
			if errors.As(err, &refused) {
				if refused.Index != n || refused.Offset < 0 || refused.Offset > len(b) {
					t.Fatalf("%q: %+v", b, refused)
				}
				continue
			}
			if s.Offset <= last || !bytes.Equal(s.Raw, b[s.Offset:s.Offset+len(s.Raw)]) || !json.Valid(s.Raw) || len(s.Raw) > d.MaxEvent {
				t.Fatalf("%q: %d %q", b, s.Offset, s.Raw)
			}
			last = s.Offset
		}
		if err := d.Next(&s); err != io.EOF {
			t.Fatalf("%q: %v after the end", b, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	_, vectors := canonicalVectors(f)
	for _, v := range vectors {
		f.Add([]byte(v.Input))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := JSONValue(b)
		if err != nil {
			return
		}
		got := AppendCanonical(nil, v, nil)
		again, err := JSONValue(got)
		if err != nil {
			t.Fatalf("%s\ngives %s: %v", b, got, err)
		}
		if twice := AppendCanonical(nil, again, nil); !bytes.Equal(got, twice) {
			t.Fatalf("%s\ngives %s\nand that %s", b, got, twice)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var tree any
		if err := dec.Decode(&tree); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		want, err := modelCanonical(nil, tree)
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%s\n got %s\nwant %s", b, got, want)
		}
	})
}

// modelCanonical writes canonical JSON out of maps, with math/big.
func modelCanonical(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case string:
		return modelString(dst, v), nil
	case json.Number:
		return modelNumber(dst, string(v))
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = modelCanonical(dst, e); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		dst = append(dst, '{')
		first := true
		for _, k := range sortedKeys(v) {
			if v[k] == nil {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(modelString(dst, k), ':')
			var err error
			if dst, err = modelCanonical(dst, v[k]); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	}
	return nil, errModel
}

func modelString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			enc, _ := json.Marshal(string(r))
			dst = append(dst, enc[1:len(enc)-1]...)
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

func modelNumber(dst []byte, s string) ([]byte, error) {
	mantissa, exp, _ := strings.Cut(strings.ToLower(s), "e")
	if len(strings.TrimLeft(exp, "+-0")) > 4 {
		return nil, errTooBig
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, errModel
	}
	if n.Sign() == 0 {
		return append(dst, '0'), nil
	}
	if n.Sign() < 0 {
		dst = append(dst, '-')
		n.Neg(n)
	}
	// Digits as an integer that does not end in 0, and a power of ten.
	e, _ := new(big.Int).SetString("0"+strings.TrimLeft(exp, "+-"), 10)
	power := int(e.Int64())
	if strings.HasPrefix(exp, "-") {
		power = -power
	}
	power -= len(fraction)
	digits, ok := new(big.Int).SetString(strings.TrimPrefix(strings.Replace(mantissa, ".", "", 1), "-"), 10)
	if !ok {
		return nil, errModel
	}
	text := digits.String()
	for strings.HasSuffix(text, "0") {
		text, power = text[:len(text)-1], power+1
	}
	point := len(text) + power
	switch {
	case power > maxZeros || point < -maxZeros:
		return append(dst, text+"e"+big.NewInt(int64(power)).String()...), nil
	case power >= 0:
		return append(dst, text+strings.Repeat("0", power)...), nil
	case point <= 0:
		return append(dst, "0."+strings.Repeat("0", -point)+text...), nil
	default:
		return append(dst, text[:point]+"."+text[point:]...), nil
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-03-01T00:00:00Z", "2026-03-01T00:00:00.123456789+02:00", "2024-02-29T23:59:59-23:59",
		"1678-01-01T00:00:00Z", "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775808Z",
		"1677-12-31T23:59:59.999999999Z", "2023-02-29T00:00:00Z", "2026-03-01 00:00:00Z", "2026-03-01T00:00:00",
		"2026-03-01T24:00:00Z", "2026-03-01T00:00:60Z", "2026-03-01T00:00:00,5Z", "2026-03-01T00:00:00.Z",
		"2026-3-1T0:0:0Z", "2026-03-01t00:00:00z", "2026-03-01T00:00:00.1234567891Z", "0000-01-01T00:00:00+24:00",
		"1969-12-31T23:59:59.999999999Z", "2100-02-29T00:00:00Z", "2000-02-29T00:00:00Z",
		"2026-03-01T00:00:00Zx", "2026-03-01T00:00:00+02:00x", "2262-04-12T00:00:00Zx", "2026-03-01T00:00:00.5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ns, fault := parseTime([]byte(s))
		want, err := fieldRule{is: aTime}.readString(s)
		if (fault == timeOK) != (err == nil) {
			t.Fatalf("%q: fault %d, want %v", s, fault, err)
		}
		if fault != timeOK {
			return
		}
		if got := big.NewInt(ns).String(); got != want {
			t.Fatalf("%q: %s, want %s", s, got, want)
		}
		text := string(appendTime(nil, ns))
		if model := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); text != model {
			t.Fatalf("%d: %s, want %s", ns, text, model)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{
		"0", "-0", "5", "5.0", "5.5", "-5", "5e0", "50e-1", "0.0000005", "0.00000049999", "-0.0005", "-0.00050001",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"9223372036854.775807", "9223372036854.7758075", "1e18", "1e19", "1e-400", "0e999", "123456789012345678",
		"1234567890123456789", "0.1e1", "100000000000000000000e-20", "12.34E+5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end, plain, ok := scanNumber([]byte(s), 0)
		valid := json.Valid([]byte(s)) && s != "" && (s[0] == '-' || s[0]-'0' <= 9) && s == strings.TrimSpace(s)
		if whole := ok && end == len(s); whole != valid {
			t.Fatalf("%q: scanned to %d, %v", s, end, ok)
		}
		if !valid {
			return
		}
		if plain == strings.ContainsAny(s, ".eE") {
			t.Fatalf("%q: plain is %v", s, plain)
		}
		for _, rule := range []fieldRule{{is: aFixed, signed: true}, {is: aFixed, scale: 3, signed: true}, {is: aFixed, scale: 6, signed: true}} {
			want, err := rule.readNumber(json.RawMessage(s))
			if errors.Is(err, errTooBig) {
				return
			}
			n, exact, ok := scaled([]byte(s), int64(rule.scale))
			if ok = ok && n != None; ok != (err == nil) {
				t.Fatalf("%q at %d: %d, %v, want %v", s, rule.scale, n, ok, err)
			}
			if !ok {
				continue
			}
			if got := big.NewInt(n).String(); got != want {
				t.Fatalf("%q at %d: %s, want %s", s, rule.scale, got, want)
			}
			r, _ := new(big.Rat).SetString(s)
			r.Mul(r, new(big.Rat).SetInt64(powers[rule.scale]))
			if exact != r.IsInt() {
				t.Fatalf("%q at %d: exact is %v", s, rule.scale, exact)
			}
		}
		n, ok := parseInt([]byte(s))
		r, _ := new(big.Rat).SetString(s)
		if isInt := r.IsInt() && r.Num().IsInt64(); isInt != ok || ok && n != r.Num().Int64() {
			t.Fatalf("%q: %d, %v", s, n, ok)
		}
	})
}
