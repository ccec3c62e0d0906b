package kafka

import (
	"testing"

	"misstep/internal/kafkatest"
)

// secured is the broker of this package's tests: all listeners, and ACLs for
// everybody but those on the plain one.
var secured = &kafkatest.Shared{Options: kafkatest.Options{
	Secured: true, Authorize: true, Users: map[string]string{"alice": "alice-secret", "bob": "bob-secret", "carol": "first"},
}}

func TestMain(m *testing.M) { kafkatest.Main(m, secured) }
