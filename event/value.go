package event

// Form says what a Value holds.
type Form uint8

// The forms of a value.
const (
	Absent  Form = iota
	Null         // JSON null
	Bool         // Raw is true or false
	Number       // Raw is the number's text
	String       // Raw is what stands between the quotes, free of escapes
	Escaped      // as String, but Raw holds escapes
	Object       // Raw is the object's text
	Array        // Raw is the array's text
	Hidden       // Raw is the object inside {"$hidden": ...}
)

// Value is one string or JSON value of a step, borrowed and unparsed, but
// already known to be valid JSON.
type Value struct {
	Raw  []byte
	Form Form
}

// IsString reports whether the value is a string.
func (v Value) IsString() bool { return v.Form == String || v.Form == Escaped }

// Present reports whether there is a value to look at: not absent, not null
// and not hidden.
func (v Value) Present() bool { return v.Form > Null && v.Form < Hidden }
