package facts

// ending is a word that tells that something is over for good.
type ending struct {
	text  string
	what  string
	whole bool // for whatever is done with it, not only for what was tried
}

var endings = []ending{
	{"out of stock", "out of stock", true},
	{"out_of_stock", "out of stock", true},
	{"sold out", "sold out", true},
	{"sold_out", "sold out", true},
	{"no longer", "no longer there", true},
	{"discontinued", "discontinued", true},
	{"has been deleted", "deleted", true},
	{"was deleted", "deleted", true},
	{"been removed", "removed", true},
	{"gone", "gone", true},
	{"cancelled", "cancelled", true},
	{"canceled", "cancelled", true},
	{"expired", "expired", true},
	{"archived", "archived", true},
	{"terminated", "terminated", true},
	{"deactivated", "deactivated", true},
	{"void", "void", true},
	{"revoked", "revoked", true},
	{"frozen", "frozen", true},
	{"retired", "retired", true},
	{"destroyed", "destroyed", true},
	{"recalled", "recalled", true},
	{"been lost", "lost", true},
	{"decommissioned", "decommissioned", true},
	{"scrapped", "scrapped", true},
	{"seized", "seized", true},
	{"impounded", "impounded", true},
	{"dissolved", "dissolved", true},
	{"delisted", "delisted", true},
	{"lapsed", "lapsed", true},
	{"forfeited", "forfeited", true},
	{"sunset", "gone", true},
	{"disabled", "disabled", true},
	{"storniert", "cancelled", true},
	{"abgelaufen", "expired", true},
	{"geschlossen", "closed", true},
	{"ausverkauft", "sold out", true},
	{"nicht mehr", "no longer there", true},
	{"withdrawn", "withdrawn", true},
	{"inactive", "inactive", true},
	{"suspended", "suspended", true},
	{"cannot be changed", "not to be changed", true},
	{"can't be changed", "not to be changed", true},
	{"cannot be modified", "not to be changed", true},
	{"closed", "closed", true},
	{"already", "already done", false},
	{"insufficient", "insufficient funds", false},
	{"not enough", "not enough", false},
	{"not eligible", "not eligible", false},
	{"ineligible", "not eligible", false},
	{"not_eligible", "not eligible", false},
	{"not refundable", "not eligible", false},
	{"non-refundable", "not eligible", false},
	{"precondition", "precondition failed", false},
}

// endStems begin the words for states in which a thing is over.
var endStems = []string{
	"cancel", "closed", "expired", "deleted", "removed", "gone", "archived", "discontinued", "sold", "out of stock", "out_of_stock",
	"unavailable", "inactive", "terminated", "revoked", "withdrawn", "deactivated", "suspended", "void", "decommissioned", "grounded",
	"lost", "destroyed", "scrapped", "recalled", "retired", "disabled", "blocked", "frozen", "dissolved", "ended", "defunct", "obsolete",
	"lapsed", "forfeited", "seized", "impounded", "delisted", "purged", "rejected", "refused", "exhausted", "depleted", "dead", "stolen",
	"not available", "not_available", "not found", "not_found", "no longer", "no_longer",
	"storniert", "geschlossen", "abgelaufen", "ausverkauft", "gelöscht",
}

// statusStems are in the words for how far an item is; the first that is there
// counts.
var statusStems = []struct {
	stem   string
	status ItemStatus
}{
	{"progress", ItemInProgress},
	{"doing", ItemInProgress},
	{"active", ItemInProgress},
	{"running", ItemInProgress},
	{"started", ItemInProgress},
	{"current", ItemInProgress},
	{"ongoing", ItemInProgress},
	{"working", ItemInProgress},
	{"underway", ItemInProgress},
	{"wip", ItemInProgress},
	{"drop", ItemDropped},
	{"cancel", ItemDropped},
	{"skip", ItemDropped},
	{"remov", ItemDropped},
	{"delet", ItemDropped},
	{"abandon", ItemDropped},
	{"obsolet", ItemDropped},
	{"void", ItemDropped},
	{"blocked", ItemDropped},
	{"failed", ItemDropped},
	{"done", ItemDone},
	{"complet", ItemDone},
	{"finish", ItemDone},
	{"closed", ItemDone},
	{"succe", ItemDone},
	{"resolved", ItemDone},
	{"checked", ItemDone},
	{"ticked", ItemDone},
	{"erledigt", ItemDone},
	{"fertig", ItemDone},
}
