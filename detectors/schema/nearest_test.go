package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	tools := []string{
		"get_user_details", "get_order_details", "cancel_order", "book_flight", "search", "transfer_to_human_agents",
		"mcp__github__create_issue", "functions.run_sql", "HTTPServerStart", "ls",
	}
	for _, c := range []struct {
		name string
		best string
		kind Kind
	}{
		// Aliases.
		{"Get_User_Details", "get_user_details", Alias},
		{"getUserDetails", "get_user_details", Alias},
		{"get-user-details", "get_user_details", Alias},
		{"get.user.details", "get_user_details", Alias},
		{"get user details", "get_user_details", Alias},
		{"GetUserDetails", "get_user_details", Alias},
		{"GET_USER_DETAILS", "get_user_details", Alias},
		{"functions.get_user_details", "get_user_details", Alias},
		{"functions.getUserDetails", "get_user_details", Alias},
		{"mcp__crm__get_user_details", "get_user_details", Alias},
		{"MCP__crm__Get-User-Details", "get_user_details", Alias},
		{"create_issue", "mcp__github__create_issue", Alias},
		{"run_sql", "functions.run_sql", Alias},
		{"http_server_start", "HTTPServerStart", Alias},
		{"__search__", "search", Alias},
		// Near misses: H1b.
		{"get_user_detail", "get_user_details", NearMiss},
		{"get_users_details", "get_user_details", NearMiss},
		{"gte_user_details", "get_user_details", NearMiss},
		{"details_get_user", "get_user_details", NearMiss}, // the same words
		{"cancel_orders", "cancel_order", NearMiss},
		{"serach", "search", NearMiss},
		{"la", "ls", NearMiss},
		{"mcp__gitlab__create_issue", "mcp__github__create_issue", NearMiss}, // the same tool of another server
		{"book_flights_now", "book_flight", NearMiss},
		// Invented: H1c.
		{"send_email", "", None},
		{"sea", "", None}, // half of search, three letters away
		{"issue_refund", "", None},
		{"rm", "", None}, // within two letters of ls, and shares none with it
		{"", "", None},
		{"___", "", None},
		{strings.Repeat("get_user_details", 20), "", None},
	} {
		if best, kind := Nearest(c.name, tools); best != c.best || kind != c.kind {
			t.Errorf("%q: %q %d, want %q %d", c.name, best, kind, c.best, c.kind)
		}
	}
}

func TestNearestTies(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates []string
		best       string
	}{
		{"get_usr", []string{"get_user", "get_usb", "get_us"}, "get_user"}, // 7 of 8 letters before 6 of 7
		{"abcd", []string{"abcx", "abcw"}, "abcw"},
		{"getUser", []string{"get-user", "get_user"}, "get-user"},
		// Score 1000 by words, distance 2 against more.
		{"b_a", []string{"a_b", "b__a_"}, "b__a_"},
	} {
		for range 2 {
			if best, _ := Nearest(c.name, c.candidates); best != c.best {
				t.Errorf("%q among %q: %q, want %q", c.name, c.candidates, best, c.best)
			}
			slices.Reverse(c.candidates)
		}
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"getUserID": "get user id", "get-user.id": "get user id", "GETUser": "get user", "HTTPServer2Go": "http server2 go",
		"": "", "__a__": "a", "mcp__srv__do": "mcp srv do", "größeÄndern": "größe ändern", "x": "x", "ABC": "abc", "查询天气": "查询天气",
	} {
		if got := strings.Join(Words(name), " "); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// plainOSA is the textbook form of optimal string alignment.
func plainOSA(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

func TestDistanceAgainstTextbook(t *testing.T) {
	var all [][]rune
	for n := range 4 * 4 * 4 * 4 { // of up to four letters
		var word []rune
		for ; n > 0; n /= 4 {
			word = append(word, []rune("_abc")[n%4])
		}
		all = append(all, word)
	}
	for _, a := range all {
		for _, b := range all {
			for far := range 5 {
				var s search
				if got, want := s.osa(a, b, far), min(plainOSA(a, b), far+1); got != want {
					t.Fatalf("%q to %q within %d: %d, want %d", string(a), string(b), far, got, want)
				}
			}
		}
	}
	letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abcé_")), 0, 20)
	rapid.Check(t, func(t *rapid.T) {
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		far := rapid.IntRange(0, 25).Draw(t, "far")
		want := plainOSA(a, b)
		var s search
		s.osa([]rune("leaves something"), []rune("in the rows"), 20)
		if got := s.osa(a, b, far); got != min(want, far+1) {
			t.Fatalf("%q to %q within %d: %d, want %d", string(a), string(b), far, got, want)
		}
		if differ(a, b, far) && want <= far {
			t.Fatalf("%q and %q differ by %d, not by more than %d", string(a), string(b), want, far)
		}
	})
}

// TestNearestAgainstDefinition holds Nearest against its definition read
// literally, for names without namespaces.
func TestNearestAgainstDefinition(t *testing.T) {
	name := rapid.StringMatching(`[a-c]{1,4}(_[a-c]{1,3}){0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		n := name.Draw(t, "name")
		candidates := rapid.SliceOfN(name, 0, 6).Draw(t, "candidates")
		best, kind, bestScore, bestDistance := "", None, 0, 0
		for _, c := range candidates {
			if c == n {
				best, kind = c, Alias
				break
			}
			a, b := []rune(n), []rune(c)
			longest, d := max(len(a), len(b)), plainOSA(a, b)
			union, common := map[string]bool{}, 0
			for _, w := range append(strings.Split(n, "_"), strings.Split(c, "_")...) {
				union[w] = true
			}
			for w := range union {
				if slices.Contains(strings.Split(n, "_"), w) && slices.Contains(strings.Split(c, "_"), w) {
					common++
				}
			}
			score := max(1000*(longest-d)/longest, 1000*common/len(union))
			if score < 600 && d > max(2, (len(a)+3)/4) || score == 0 {
				continue
			}
			if kind == None || score > bestScore || score == bestScore && (d < bestDistance || d == bestDistance && c < best) {
				best, kind, bestScore, bestDistance = c, NearMiss, score, d
			}
		}
		got, gotKind := Nearest(n, candidates)
		if got == best && gotKind == kind {
			return
		}
		// Distances beyond what makes a near miss are not told apart.
		if kind == NearMiss && gotKind == NearMiss && bestDistance > max(2, (len(n)+3)/4) {
			return
		}
		t.Fatalf("%q among %q: %q %d, want %q %d", n, candidates, got, gotKind, best, kind)
	})
}

// TestNearestIsBounded searches for a hostile name in a hostile catalogue.
func TestNearestIsBounded(t *testing.T) {
	name := strings.Repeat("ab", maxName/2)
	candidates := make([]string, 100_000)
	for i := range candidates {
		candidates[i] = strings.Repeat("ba", maxName/2-8) + fmt.Sprintf("%016d", i)
	}
	check := func(name string, candidates []string) {
		var s search
		s.run(name, candidates)
		if one := (2*maxName + 1) * (2*maxName + 1); s.cells > maxCells+one {
			t.Errorf("%d cells computed", s.cells)
		}
	}
	check(name, candidates)
	for i := range candidates {
		candidates[i] = strings.Repeat("a_", maxName/2-8) + fmt.Sprintf("%08d", i)
	}
	check(strings.Repeat("b_", maxName/2), candidates)
	last := candidates[len(candidates)-1]
	if best, _ := Nearest(last, candidates); best == last {
		t.Error("more candidates are looked at than the limit says")
	}
}
