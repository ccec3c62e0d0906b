package event

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestKeptLists decodes lists of tools with a decoder that has seen them before,
// elsewhere, under other limits or with other ends: it finds what a new one does.
func TestKeptLists(t *testing.T) {
	var lists []string
	for i := range maxLists - 2 {
		lists = append(lists, fmt.Sprintf(`[{"name":"tool_%d","description":"%s","parameters":%s{}%s}]`,
			i, strings.Repeat("x", i*7), strings.Repeat(`{"a":`, i%5), strings.Repeat("}", i%5)))
	}
	for i := range lists { // later ones push out earlier ones
		lists = append(lists, lists[i], strings.ToUpper(lists[i]))
	}
	lists = append(lists, "["+strings.Repeat(`"long",`, maxList/7)+"1]", `[]`, `["a"]`)
	warm := Decoder{}
	kept := 0
	for most := 9; most >= 3; most-- {
		for _, list := range lists {
			for _, form := range []string{
				`{"trajectory_id":"t","kind":"task_start","task":{"tools":%s}}`,
				`{"trajectory_id":"t","kind":"model_call","tools":%s}`,
				`{"trajectory_id":"t","kind":"model_call","tools":%s]}`,
				`{"trajectory_id":"t","kind":"model_call","tools":%s `,
				`{"trajectory_id":"t","kind":"tools_changed","tools":%s}`,
			} {
				payload := []byte(fmt.Sprintf(form, list))
				fresh := Decoder{MaxDepth: most}
				warm.MaxDepth = most
				var a, b Step
				fresh.Reset(payload)
				warm.Reset(payload)
				want, got := fresh.Next(&a), warm.Next(&b)
				if !reflect.DeepEqual(got, want) || want == nil && !reflect.DeepEqual(a, b) {
					t.Fatalf("%.200s with depth %d:\n got %v %+v\nwant %v %+v", payload, most, got, b, want, a)
				}
				if len(b.ModelCall.Tools.Raw) > 0 && warm.lists.find(payload, strings.Index(string(payload), "["), DefaultMaxDepth) != nil {
					kept++
				}
			}
		}
	}
	if kept == 0 || len(warm.lists.kept) != maxLists {
		t.Errorf("%d lists were found again, %d are kept", kept, len(warm.lists.kept))
	}
}
