package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/event"
)

const (
	libraryURL = "schema:///parameters"

	// maxLibraryValue is how large a value, in bytes, may be for the library,
	// which takes it apart first.
	maxLibraryValue = 64 << 10
)

// noLoader refuses to load anything.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s leaves the schema", quoted(url, maxWant))
}

// formats are those that the library knows; it is made to take everything as
// one of them.
var formats = []string{
	"date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4", "ipv6", "iri",
	"iri-reference", "json-pointer", "period", "relative-json-pointer", "semver", "time", "uri", "uri-reference",
	"uri-template", "uuid",
}

// useLibrary compiles the subschemas that hold keywords which are left to it.
func (c *compiler) useLibrary() error {
	if len(c.foreign) == 0 {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.root.AppendJSON(nil)))
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	lib := jsonschema.NewCompiler()
	lib.UseLoader(noLoader{})
	lib.DefaultDraft(jsonschema.Draft2020)
	if c.legacy || c.dependent {
		lib.DefaultDraft(jsonschema.Draft7)
	}
	for _, name := range formats {
		lib.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
	}
	if !sane(doc) {
		return errors.New(": a number is too large or too small for the keywords that are used beside it")
	}
	root, _ := doc.(map[string]any)
	delete(root, "$schema") // a draft is named by address, which may be any
	delete(root, "$id")
	if err := lib.AddResource(libraryURL, doc); err != nil {
		return fmt.Errorf(": %w", err)
	}
	for _, n := range c.foreign {
		if n.lib, err = libraryCompile(lib, libraryURL+n.where); err != nil {
			return fmt.Errorf(": %w", err)
		}
	}
	return nil
}

// libraryCompile and libraryTakes keep a panic of the library from stopping a
// process over somebody's schema.
func libraryCompile(lib *jsonschema.Compiler, where string) (s *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be compiled: %v", r)
		}
	}()
	return lib.Compile(where)
}

func libraryTakes(s *jsonschema.Schema, doc any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be judged: %v", r)
		}
	}()
	return s.Validate(doc)
}

// maxMagnitude is how many digits a number may have, zeros included. The library
// writes all of them out.
const maxMagnitude = 1000

// sane reports whether all numbers are of a magnitude that can be written out.
func sane(doc any) bool {
	switch d := doc.(type) {
	case map[string]any:
		for _, x := range d {
			if !sane(x) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(d, func(x any) bool { return !sane(x) })
	case json.Number:
		n := parseNumber([]byte(d))
		return len(d) <= maxMagnitude && n.point <= maxMagnitude && n.point >= -maxMagnitude
	}
	return true
}

// library judges by the keywords that are left to the library. All others are
// already known to take the value, so that what the library refuses it refuses
// for one of those. From first on are the Unknown of its place.
func (v *Violations) library(n *node, x event.Value, first int) bool {
	raw := x.AppendJSON(nil)
	if len(raw) > maxLibraryValue || bytes.Contains(raw, []byte("$hidden")) || !v.spend(len(raw)) {
		v.Unjudged = true
		return true
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil || !sane(doc) {
		v.Unjudged = true
		return true
	}
	err = libraryTakes(n.lib, doc)
	if err == nil || libraryTakes(n.lib, withoutNulls(doc)) == nil {
		return true
	}
	var refused *jsonschema.ValidationError
	if !errors.As(err, &refused) {
		v.Unjudged = true
		return true
	}
	if v.quiet {
		return false
	}
	keyword := keywordOf(refused)
	for keyword == "" && len(refused.Causes) > 0 {
		refused = refused.Causes[0]
		keyword = keywordOf(refused)
	}
	if keyword == "unevaluatedProperties" && len(v.Unknown) > first {
		for i := range v.Unknown[first:] { // it is these
			v.Unknown[first+i].Strict = true
		}
		return false
	}
	depth := len(v.path)
	for _, token := range refused.InstanceLocation {
		v.path = append(v.path, v.token(doc, token))
		doc = child(doc, token)
	}
	v.fail(keyword, "what "+keyword+" wants", formOf(doc))
	v.path = v.path[:depth]
	return false
}

// keywordOf gives the keyword that an error is about, empty for one that only
// holds others.
func keywordOf(e *jsonschema.ValidationError) string {
	path := e.ErrorKind.KeywordPath()
	switch {
	case len(path) > 0 && path[0] == "dependency":
		return "dependencies"
	case len(path) > 0 && path[0] != "$ref" && path[0] != "allOf":
		return path[0]
	case len(e.Causes) > 0:
		return ""
	default: // a schema that is false, below the keyword whose value it is
		return e.SchemaURL[strings.LastIndexByte(e.SchemaURL, '/')+1:]
	}
}

func (v *Violations) token(doc any, token string) segment {
	if _, ok := doc.([]any); ok {
		if i, err := strconv.Atoi(token); err == nil {
			return segment{index: i}
		}
	}
	return segment{key: event.Value{Raw: []byte(token), Form: event.String}}
}

func child(doc any, token string) any {
	switch d := doc.(type) {
	case map[string]any:
		return d[token]
	case []any:
		for i, x := range d {
			if strconv.Itoa(i) == token {
				return x
			}
		}
	}
	return nil
}

func formOf(doc any) event.Form {
	switch doc.(type) {
	case nil:
		return event.Null
	case bool:
		return event.Bool
	case string:
		return event.String
	case map[string]any:
		return event.Object
	case []any:
		return event.Array
	default:
		return event.Number
	}
}

// withoutNulls drops the null members of all objects.
func withoutNulls(doc any) any {
	switch d := doc.(type) {
	case map[string]any:
		m := make(map[string]any, len(d))
		for k, x := range d {
			if x != nil {
				m[k] = withoutNulls(x)
			}
		}
		return m
	case []any:
		s := slices.Clone(d)
		for i, x := range s {
			s[i] = withoutNulls(x)
		}
		return s
	default:
		return doc
	}
}
