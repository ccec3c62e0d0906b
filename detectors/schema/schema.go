// Package schema holds tool arguments against the JSON Schema that the tool
// declares for them, and finds the name that was meant by one that does not
// exist.
//
// It validates the raw arguments, without decoding them first and without
// allocating where nothing is wrong. It knows draft 2020-12 and what draft-07
// and OpenAPI write differently: all of the assertions, $ref within the
// schema, $defs, allOf, anyOf, oneOf, not, if, properties, patternProperties,
// additionalProperties, items, prefixItems. Numbers are compared as the
// decimals they are. The keywords contains, propertyNames, dependent... and
// unevaluated... are left to a library, which is slow: Fallback tells.
//
// Schemas and arguments come from others. No reference leaves the schema, and
// neither compiling nor validating takes more than a bounded time.
//
// Where it is more lenient than JSON Schema, because what agents and tool
// catalogues write is not to be held against them:
//   - A null member that is not required is absent.
//   - A parameter that the schema does not know is an Unknown, no Violation,
//     also where additionalProperties is false; and also where nothing is said
//     of additional properties but some properties are declared.
//   - A required parameter that is missing because its name is misspelt is
//     told once, as the Unknown.
//   - format is an annotation.
//   - In a schema, a keyword other than const whose value is null is absent,
//     names of types are taken in any case, and OpenAPI's nullable and the
//     boolean exclusiveMinimum and exclusiveMaximum of draft 4 are understood;
//     the boolean required of draft 3 is passed over.
//   - Of a pattern that is not in RE2's syntax nothing is asserted: see Unjudged.
package schema

import (
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/event"
)

// Schema is a compiled schema. It is immutable and safe for concurrent use.
type Schema struct {
	root     *node
	fallback bool
	unjudged []string
}

// Fallback reports whether the schema holds keywords that are left to a
// library, so that validating takes microseconds and allocates.
func (s *Schema) Fallback() bool { return s.fallback }

// Unjudged gives the places in the schema, as JSON Pointers, of the patterns of
// which nothing is asserted because they are not in RE2's syntax or too large.
func (s *Schema) Unjudged() []string { return s.unjudged }

// types is a set of JSON types. Integers are numbers without a fraction.
type types uint8

const (
	tNull types = 1 << iota
	tBool
	tInteger
	tFraction
	tString
	tObject
	tArray

	tNumber = tInteger | tFraction
	tAny    = tNull | tBool | tNumber | tString | tObject | tArray
)

// node is one subschema. A nil node takes everything.
type node struct {
	never    bool
	nullable bool
	inPlace  bool  // holds subschemas for the same place
	opens    bool  // says that an object may have members that are not declared
	shuts    bool  // says that it may not
	foreign  bool  // holds keywords that are left to the library
	types    types // that are taken
	plain    types // of which everything is taken
	direct   types // of object and array, those of which only obj or arr asserts something
	accepts  types // a superset of the types that it and its subschemas for the same place take
	want     string
	enum     *enum
	konst    *enum
	str      *stringCheck
	num      *numberCheck
	obj      *objectCheck
	arr      *arrayCheck

	ref             *node
	all, any, one   []*node
	not             *node
	cond, then, els *node

	names *names // of what may stand in an object at this place
	lib   *jsonschema.Schema

	where  string  // JSON Pointer
	others []*node // subschemas that only the library evaluates
}

type enum struct {
	keyword string
	want    string
	texts   []string            // strings, when few
	set     map[string]struct{} // strings, when many
	values  map[string]struct{} // others, as canonical JSON
}

type stringCheck struct {
	min, max         int // code points, max < 0: none
	wantMin, wantMax string
	pattern          *pattern
}

type pattern struct {
	re   *regexp.Regexp
	want string
	cost int // instructions
}

// bound is a limit for numbers. Most are small integers, as are most numbers.
type bound struct {
	keyword, want string
	exact         number
	small         int64
	isSmall       bool
	excluded      bool // the limit itself is not allowed
}

type numberCheck struct{ min, max, multiple *bound }

type objectCheck struct {
	props      []property
	index      map[string]int32 // of props
	required   []uint64         // bits of props
	patterns   []patternProperty
	additional *node // for members that neither props nor patterns know
	closed     bool  // none of those is allowed
	strict     bool  // they are Unknown, whether or not closed
	distinct   bool  // members are counted or judged by what their keys are not
	min, max   int   // members, max < 0: none
	wantMin    string
	wantMax    string
}

type property struct {
	name     string
	node     *node
	required bool
	declared bool // in properties, not only in required
}

type patternProperty struct {
	pattern
	node *node
}

type arrayCheck struct {
	prefix     []*node
	items      *node // for those after prefix
	unique     bool
	min, max   int // elements, max < 0: none
	wantMin    string
	wantMax    string
	wantUnique string
}

// names are the parameters that may stand in an object at one place, where
// others are Unknown.
type names struct {
	list     []string // sorted, each once
	set      map[string]struct{}
	patterns []patternProperty
	cost     int  // instructions of all patterns
	shut     bool // the schema itself refuses others
}

func (n *names) has(key []byte) bool {
	if _, ok := n.set[string(key)]; ok {
		return true
	}
	for i := range n.patterns {
		if n.patterns[i].re.Match(key) {
			return true
		}
	}
	return false
}

// formTypes are the types by form; a number, which may be an integer or not, is
// taken as such where fractions are.
var formTypes = [...]types{
	event.Absent: 0, event.Null: tNull, event.Bool: tBool, event.Number: tFraction, event.String: tString,
	event.Escaped: tString, event.Object: tObject, event.Array: tArray, event.Hidden: 0,
}

// form is the type of a value; for a number one bit that stands for it.
func form(x event.Value) types {
	switch x.Form {
	case event.Null:
		return tNull
	case event.Bool:
		return tBool
	case event.Number:
		if isInteger(x.Raw) {
			return tInteger
		}
		return tFraction
	case event.String, event.Escaped:
		return tString
	case event.Object:
		return tObject
	case event.Array:
		return tArray
	default:
		return tAny
	}
}
