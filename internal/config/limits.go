package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Limits bound what a stream keeps, the newest. 0 bounds nothing.
type Limits struct {
	MaxBytes int64
	MaxAge   time.Duration
}

const none = "none"

func (d *decoder) limits(n node, c *Limits) {
	d.mapping(
		n,
		field{"max_bytes", func(n node) { d.size(n, &c.MaxBytes, 1<<20, 1<<50, ", or none") }},
		field{"max_age", func(n node) {
			if v, ok := n.ast.(*ast.StringNode); ok && v.Value == none {
				c.MaxAge = 0
				return
			}
			d.duration(n, &c.MaxAge, time.Minute, 87600*time.Hour, ", or none")
		}},
	)
}

func (c *Limits) yaml(name string, p func(format string, args ...any)) {
	age, bytes := none, none
	if c.MaxAge > 0 {
		age = short(c.MaxAge)
	}
	if c.MaxBytes > 0 {
		bytes = FormatSize(c.MaxBytes)
	}
	p("  %s: {max_bytes: %s, max_age: %s}", name, bytes, age)
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// size sets p to a number of bytes from lo to hi, or to 0 for none where or
// allows that.
func (d *decoder) size(n node, p *int64, lo, hi int64, or string) {
	if v, ok := n.ast.(*ast.StringNode); ok {
		if or != "" && v.Value == none {
			*p = 0
			return
		}
		if b, ok := parseSize(v.Value); ok && b >= lo && b <= hi {
			*p = b
			return
		}
	}
	d.fail(n, "found %s; give a size with its unit, such as 512MiB or 10GiB, from %s to %s%s", n.found(), FormatSize(lo), FormatSize(hi), or)
}

func parseSize(s string) (int64, bool) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes || digits != strconv.FormatInt(n, 10) {
			return 0, false
		}
		return n * u.bytes, true
	}
	return 0, false
}

// FormatSize is the shortest text that says exactly so many bytes: 10GiB.
func FormatSize(b int64) string {
	for _, u := range sizeUnits {
		if b >= u.bytes && b%u.bytes == 0 {
			return strconv.FormatInt(b/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(b, 10) + "B"
}
