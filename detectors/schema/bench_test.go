package schema

import (
	"testing"

	"misstep/event"
)

const flatSchema = `{"type":"object","properties":{
	"order_id":{"type":"string","description":"as in #W1234567"},
	"item_ids":{"type":"array","items":{"type":"string"}},
	"new_item_ids":{"type":"array","items":{"type":"string"}},
	"payment_method_id":{"type":"string"},
	"reason":{"type":"string","enum":["no longer needed","ordered by mistake"]}},
	"required":["order_id","item_ids","new_item_ids","payment_method_id"]}`

const flatArgs = `{"order_id": "#W5744371", "item_ids": ["8124970213"], "new_item_ids": ["2407258246"], "payment_method_id": "gift_card_1234567", "reason": "ordered by mistake"}`

const scalarSchema = `{"type":"object","properties":{
	"city":{"type":"string"},"from":{"type":"string","minLength":3},"seats":{"type":"integer","minimum":1,"maximum":9},
	"cabin":{"type":"string","enum":["economy","business"]},"refundable":{"type":"boolean"}},
	"required":["city","from"],"additionalProperties":false}`

const scalarArgs = `{"city":"Oslo","from":"HAM","seats":2,"cabin":"economy","refundable":true}`

const nestedSchema = `{"type":"object","properties":{
	"user_id":{"type":"string"},"origin":{"type":"string"},"destination":{"type":"string"},
	"cabin":{"type":"string","enum":["basic_economy","economy","business"]},
	"flights":{"type":"array","items":{"type":"object","properties":{"flight_number":{"type":"string"},"date":{"type":"string"}},"required":["flight_number","date"]}},
	"passengers":{"type":"array","items":{"type":"object","properties":{"first_name":{"type":"string"},"last_name":{"type":"string"},"dob":{"type":"string"}},"required":["first_name","last_name","dob"]}},
	"payment_methods":{"type":"array","items":{"type":"object","properties":{"payment_id":{"type":"string"},"amount":{"type":"number"}},"required":["payment_id","amount"]}},
	"total_baggages":{"type":"integer"},"nonfree_baggages":{"type":"integer"},"insurance":{"type":"string","enum":["yes","no"]}},
	"required":["user_id","origin","destination","cabin","flights","passengers","payment_methods","total_baggages","nonfree_baggages","insurance"]}`

const nestedArgs = `{"user_id":"mia_li_3668","origin":"JFK","destination":"SEA","cabin":"economy","flights":[{"flight_number":"HAT136","date":"2024-05-20"},{"flight_number":"HAT039","date":"2024-05-20"}],"passengers":[{"first_name":"Mia","last_name":"Li","dob":"1990-04-05"}],"payment_methods":[{"payment_id":"certificate_7504069","amount":250},{"payment_id":"credit_card_4421486","amount":5.5}],"total_baggages":3,"nonfree_baggages":0,"insurance":"no"}`

const unionSchema = `{"type":"object","$defs":{"page":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}},"properties":{
	"q":{"anyOf":[{"type":"string"},{"type":"null"}]},"limit":{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}],"default":null},
	"page":{"$ref":"#/$defs/page"}},"required":["q"]}`

const unionArgs = `{"q":"status of order","limit":10,"page":{"n":3}}`

var benches = map[string][2]string{
	"scalars": {scalarSchema, scalarArgs},
	"flat":    {flatSchema, flatArgs},
	"nested":  {nestedSchema, nestedArgs},
	"unions":  {unionSchema, unionArgs},
}

func BenchmarkValidate(b *testing.B) {
	for name, c := range benches {
		b.Run(name, func(b *testing.B) {
			s, err := Compile(value(b, c[0]))
			if err != nil {
				b.Fatal(err)
			}
			args := value(b, c[1])
			var v Violations
			b.ReportAllocs()
			b.SetBytes(int64(len(c[1])))
			for b.Loop() {
				v.Reset()
				s.Validate(args, &v)
			}
			if !valid(&v) {
				b.Fatalf("%v %v", v.Found, v.Unknown)
			}
		})
	}
}

// BenchmarkWalk is the cursor alone over the same arguments.
func BenchmarkWalk(b *testing.B) {
	args := value(b, scalarArgs)
	for b.Loop() {
		c := event.NewCursor(args)
		c.Enter()
		for c.More() {
			c.Key()
			c.Value()
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	tools := []string{"book_reservation", "calculate", "cancel_reservation", "get_reservation_details", "get_user_details", "list_all_airports", "search_direct_flight", "search_onestop_flight", "send_certificate", "think", "transfer_to_human_agents", "update_reservation_baggages", "update_reservation_flights", "update_reservation_passengers"}
	for b.Loop() {
		Nearest("update_reservation_flight", tools)
	}
}
