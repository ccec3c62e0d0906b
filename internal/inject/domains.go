package inject

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// family is a bundle of a domain with its tools and of a way to speak. Nothing
// is tuned on the last one.
type family struct {
	name   string
	domain domain
}

// heldOut is the family that is reported by itself.
const heldOut = 3

// domain is a small world of one kind of thing that agents look after.
type domain struct {
	noun                                                     string
	look, act, cancel, update, search, poll, list            string // tools
	create, notify, verify                                   string
	idParam, amountParam, reasonParam, valueParam            string
	queryParam, jobParam, cursorParam, newParam, verifyParam string
	reasons                                                  []string
	field                                                    string // what update changes, in words
	values                                                   []string
	actWord, actDone, cancelWord, cancelDone                 string
	policy, proof                                            string
	newID, subID, jobID                                      func(r *rand.Rand) string
	items                                                    []string
	live, dead                                               string // statuses
	style                                                    string // how results are written: text, object or lines
	notFound, invalid, busy, denied                          failure
	queries                                                  []string // near one another
}

// failure is how a tool fails: the {x} of its text is the value it is about.
type failure struct{ text, kind string }

func (f failure) of(x string) failure { return failure{strings.ReplaceAll(f.text, "{x}", x), f.kind} }

// entity is one thing with its facts.
type entity struct {
	id, other, sub, user, name, email, city, date, amount, item, value, value2 string
}

var (
	firstNames = []string{"Mia", "Omar", "Lena", "Kofi", "Ana", "Ravi", "Ivan", "Noor", "Tom", "Yuki"}
	lastNames  = []string{"Keller", "Haddad", "Okafor", "Silva", "Novak", "Patel", "Larsen", "Moreau"}
	cities     = []string{"Lisbon", "Denver", "Austin", "Leeds", "Krakow", "Osaka", "Bergen", "Tampa"}
)

func (d *domain) entity(r *rand.Rand) entity {
	first, last := firstNames[r.IntN(len(firstNames))], lastNames[r.IntN(len(lastNames))]
	e := entity{
		id: d.newID(r), other: d.newID(r), sub: d.subID(r), name: first + " " + last,
		user:  fmt.Sprintf("%s_%s_%04d", strings.ToLower(first), strings.ToLower(last), r.IntN(10000)),
		email: fmt.Sprintf("%s.%s%03d@example.com", strings.ToLower(first), strings.ToLower(last), r.IntN(1000)),
		city:  cities[r.IntN(len(cities))], date: fmt.Sprintf("2026-%02d-%02d", 1+r.IntN(12), 1+r.IntN(28)),
		amount: fmt.Sprintf("%d.%d%d", 40+r.IntN(900), 1+r.IntN(9), 1+r.IntN(9)), item: d.items[r.IntN(len(d.items))],
	}
	k := r.IntN(len(d.values))
	e.value, e.value2 = d.values[k], d.values[(k+1)%len(d.values)]
	return e
}

// record is what the domain's look-up shows of an entity.
func (e *entity) record(d *domain) map[string]any {
	return map[string]any{
		d.idParam: e.id, "status": d.live, "customer": e.name, "user": e.user, "email": e.email, "item": e.item,
		"item_ref": e.sub, "total": json.Number(e.amount), "date": e.date, "city": e.city,
	}
}

// write gives content as the tools of the domain write it.
func (d *domain) write(content map[string]any) json.RawMessage {
	switch d.style {
	case "object":
		return encode(content)
	case "lines":
		var b strings.Builder
		for _, k := range sortedKeys(content) {
			fmt.Fprintf(&b, "%s: %v\n", k, content[k])
		}
		return encode(strings.TrimSpace(b.String()))
	}
	return encode(string(encode(content)))
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	b[0] = byte('1' + r.IntN(9))
	return string(b)
}

const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"

// families are four; each speaks its own way.
var families = []family{
	{"shop", domain{
		noun: "order", look: "get_order", act: "refund_order", cancel: "cancel_order", update: "update_delivery_address",
		search: "search_products", poll: "get_refund_status", list: "list_orders", create: "create_return", notify: "send_email", verify: "verify_customer",
		idParam: "order_id", amountParam: "amount", reasonParam: "reason", valueParam: "address", queryParam: "query", jobParam: "refund_id",
		cursorParam: "cursor", newParam: "return_id", verifyParam: "email",
		reasons: []string{"damaged", "late", "not_as_described"}, field: "delivery address",
		values:  []string{"14 Birch Lane", "220 Canal Street", "7 Old Mill Road", "91 Harbour View"},
		actWord: "refund", actDone: "refunded", cancelWord: "cancel", cancelDone: "cancelled",
		policy: "it was delivered more than 30 days ago, which is outside of our refund window", proof: "receipt R-",
		newID: func(r *rand.Rand) string { return "#W" + digits(r, 7) },
		subID: func(r *rand.Rand) string { return "SKU-" + digits(r, 5) },
		jobID: func(r *rand.Rand) string { return "rf_" + digits(r, 6) },
		items: []string{"desk lamp", "espresso machine", "hiking boots", "noise-cancelling headphones"}, live: "delivered", dead: "cancelled",
		style:    "text",
		notFound: failure{"Error: order {x} not found", "not_found"}, invalid: failure{"Error: invalid value for order_id: {x}", "validation"},
		busy: failure{"503 Service Unavailable: upstream connect timeout, please retry later", "unavailable"}, denied: failure{"Error: order {x} is already cancelled", "conflict"},
		queries: []string{"waterproof hiking boots size 42", "hiking boots waterproof 42", "size 42 waterproof boots for hiking", "boots hiking waterproof size 42 eu", "waterproof boots hiking, size 42"},
	}},
	{"travel", domain{
		noun: "booking", look: "find_booking", act: "waive_change_fee", cancel: "cancel_booking", update: "change_seat",
		search: "search_flights", poll: "check_upgrade", list: "list_bookings", create: "hold_fare", notify: "send_sms", verify: "check_identity",
		idParam: "booking_code", amountParam: "fee", reasonParam: "waiver_code", valueParam: "seat", queryParam: "route", jobParam: "upgrade_id",
		cursorParam: "page", newParam: "hold_id", verifyParam: "last_name",
		reasons: []string{"MEDICAL", "WEATHER", "SCHEDULE"}, field: "seat",
		values:  []string{"12A", "23F", "4C", "31D"},
		actWord: "waive the change fee for", actDone: "waived the change fee for", cancelWord: "cancel", cancelDone: "cancelled",
		policy: "the fare is non-flexible and no waiver applies to it", proof: "medical certificate MC-",
		newID: func(r *rand.Rand) string {
			return string(letters[r.IntN(24)]) + digits(r, 2) + string(letters[r.IntN(24)]) + string(letters[r.IntN(24)]) + digits(r, 1)
		},
		subID: func(r *rand.Rand) string { return "FL" + digits(r, 4) },
		jobID: func(r *rand.Rand) string { return "upg-" + digits(r, 6) },
		items: []string{"flight to Lisbon", "flight to Osaka", "flight to Denver", "return trip to Bergen"}, live: "confirmed", dead: "void",
		style:    "object",
		notFound: failure{"No booking under code {x}.", "NotFound"}, invalid: failure{"booking_code must match the airline's format, got {x}", "ValidationError"},
		busy: failure{"Rate limit exceeded (429). Retry-After: 2", "rate_limited"}, denied: failure{"Booking {x} is void and cannot be changed.", "Conflict"},
		queries: []string{"LIS to DEN morning", "morning flights LIS DEN", "DEN from LIS in the morning", "LIS-DEN, morning departure", "flights LIS to DEN before noon"},
	}},
	{"desk", domain{
		noun: "account", look: "crm.lookup_account", act: "billing.apply_credit", cancel: "crm.close_account", update: "crm.change_plan",
		search: "kb.search", poll: "billing.job_status", list: "crm.list_invoices", create: "crm.open_case", notify: "notify.email", verify: "crm.verify_email",
		idParam: "account", amountParam: "credit_usd", reasonParam: "cause", valueParam: "plan", queryParam: "q", jobParam: "job",
		cursorParam: "after", newParam: "case_no", verifyParam: "email",
		reasons: []string{"outage", "goodwill", "billing_error"}, field: "plan",
		values:  []string{"Starter", "Team", "Business", "Scale"},
		actWord: "credit", actDone: "credited", cancelWord: "close", cancelDone: "closed",
		policy: "credits are only for outages longer than four hours, and there was none", proof: "outage report OUT-",
		newID: func(r *rand.Rand) string { return "ACC-" + digits(r, 6) },
		subID: func(r *rand.Rand) string { return "INV-" + digits(r, 5) },
		jobID: func(r *rand.Rand) string { return "job/" + digits(r, 5) },
		items: []string{"annual seat licence", "storage add-on", "support package", "API quota"}, live: "active", dead: "closed",
		style:    "text",
		notFound: failure{`{"error":"account_not_found","detail":"{x}"}`, ""}, invalid: failure{`{"error":"bad_request","detail":"account {x} is malformed"}`, ""},
		busy: failure{`{"error":"timeout","detail":"backend did not answer in 5000 ms"}`, "timeout"}, denied: failure{`{"error":"account_closed","detail":"{x}"}`, ""},
		queries: []string{"reset sso certificate", "sso certificate reset", "how to reset certificate for sso", "sso cert reset steps", "certificate reset (sso)"},
	}},
	{"freight", domain{
		noun: "shipment", look: "fetchShipment", act: "releaseDeposit", cancel: "abortShipment", update: "rerouteShipment",
		search: "findDepot", poll: "trackingState", list: "pageManifests", create: "bookPickup", notify: "pingContact", verify: "confirmConsignee",
		idParam: "shipmentId", amountParam: "sum", reasonParam: "ground", valueParam: "depot", queryParam: "text", jobParam: "trackRef",
		cursorParam: "pageToken", newParam: "pickupRef", verifyParam: "consignee",
		reasons: []string{"CUSTOMS_CLEARED", "RETURNED", "LOST"}, field: "destination depot",
		values:  []string{"Rotterdam-4", "Gdansk-2", "Trieste-1", "Bilbao-3"},
		actWord: "release the deposit on", actDone: "released the deposit on", cancelWord: "abort", cancelDone: "aborted",
		policy: "customs has not cleared the goods yet", proof: "clearance note CN-",
		newID: func(r *rand.Rand) string { return "SHP-" + digits(r, 5) + "-" + string(letters[r.IntN(24)]) },
		subID: func(r *rand.Rand) string { return "PLT" + digits(r, 6) },
		jobID: func(r *rand.Rand) string { return "TRK" + digits(r, 8) },
		items: []string{"two pallets of tiles", "a crate of valves", "one reefer container", "forty drums of resin"}, live: "IN_TRANSIT", dead: "SEIZED",
		style:    "lines",
		notFound: failure{"java.util.NoSuchElementException: shipment {x}", "NoSuchElementException"}, invalid: failure{"java.lang.IllegalArgumentException: shipmentId '{x}'", "IllegalArgumentException"},
		busy: failure{"java.net.SocketTimeoutException: Read timed out", "SocketTimeoutException"}, denied: failure{"java.lang.IllegalStateException: shipment {x} is SEIZED", "IllegalStateException"},
		queries: []string{"bonded depot near Rotterdam", "depot bonded Rotterdam area", "Rotterdam bonded depot nearby", "near Rotterdam: bonded depot", "a bonded depot close to Rotterdam"},
	}},
}

// specs are the tools of a domain as its catalogue has them.
func (d *domain) specs() []map[string]any {
	text := func(what string) map[string]any { return map[string]any{"type": "string", "description": what} }
	tool := func(name, what, effect string, required []string, props map[string]any) map[string]any {
		return map[string]any{
			"name": name, "description": what, "effect": effect,
			"parameters": map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false},
		}
	}
	id := text("The id of the " + d.noun + ".")
	return []map[string]any{
		tool(d.look, "Show one "+d.noun+".", "read", []string{d.idParam}, map[string]any{d.idParam: id}),
		tool(d.act, "Money leaves us: "+d.actWord+" one "+d.noun+". Ask the user to confirm first.", "irreversible", []string{d.idParam, d.amountParam, d.reasonParam}, map[string]any{
			d.idParam: id, d.amountParam: map[string]any{"type": "number", "minimum": 0}, d.reasonParam: map[string]any{"type": "string", "enum": d.reasons},
		}),
		tool(d.cancel, strings.ToUpper(d.cancelWord[:1])+d.cancelWord[1:]+" one "+d.noun+" for good.", "irreversible", []string{d.idParam}, map[string]any{d.idParam: id}),
		tool(d.update, "Change the "+d.field+".", "write", []string{d.idParam, d.valueParam}, map[string]any{d.idParam: id, d.valueParam: text("The new " + d.field + ".")}),
		tool(d.search, "Search.", "read", []string{d.queryParam}, map[string]any{d.queryParam: text("What to look for."), "limit": map[string]any{"type": "integer", "minimum": 1, "maximum": 50}}),
		tool(d.poll, "How far it is.", "read", []string{d.jobParam}, map[string]any{d.jobParam: text("What to ask for.")}),
		tool(d.list, "One page of a list.", "read", []string{}, map[string]any{d.cursorParam: text("Where to go on.")}),
		tool(d.create, "Begin something for one "+d.noun+".", "write", []string{d.idParam}, map[string]any{d.idParam: id, "item_ref": text("What it is about.")}),
		tool(d.notify, "Send a message to a customer.", "write", []string{"to", "body"}, map[string]any{"to": text("Whom."), "body": text("What.")}),
		tool(d.verify, "Verify who the customer is. Must come before any "+d.act+".", "read", []string{d.idParam, d.verifyParam}, map[string]any{d.idParam: id, d.verifyParam: text("What they said.")}),
	}
}
