package handler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestHistoryIsPaged turns the pages of a namespace's history, and of one config's,
// to the end, at each size: every commit is there once, newest first.
func TestHistoryIsPaged(t *testing.T) {
	s := newReviewed(t) // c0 to c3 are the first four
	admin := as(adminToken)
	of := map[string][]int{"": {1, 2, 3, 4}, "c0": {1}, "c1": {2}, "nobody": nil}
	wrote := func(names ...string) {
		revision := len(of[""]) + 1
		for _, name := range append(names, "") {
			of[name] = append(of[name], revision)
		}
	}
	for i := range 12 {
		name := []string{"c0", "c1", "c0"}[i%3]
		s.ask("PUT", payments+"/configs/"+name, fmt.Sprintf(`{"rps":%d}`, 100+i), admin).expect(200)
		wrote(name)
	}
	s.ask("PUT", payments+"/schemas/c0", `{"type":"object"}`, admin).expect(201)
	wrote("c0")
	s.ask("POST", payments+"/commits", `{"changes":[{"op":"put","name":"c1","value":1},{"op":"delete","name":"c0"}]}`, admin).expect(201)
	wrote("c0", "c1")
	s.ask("PUT", payments+"/configs/c0", `{"rps":1}`, s.alice).expect(202)
	s.decide(1, "approve", s.bob).expect(201)
	wrote("c0")
	s.ask("DELETE", payments+"/schemas/c0", ``, admin).expect(200)
	wrote("c0")
	for name, want := range of {
		want := slices.Clone(want)
		slices.Reverse(want)
		for limit := 1; limit <= len(want)+1; limit++ {
			path := fmt.Sprintf("%s/revisions?limit=%d", payments, limit)
			if name != "" {
				path += "&name=" + name
			}
			var got []int
			for path != "" && len(got) <= len(want) {
				page := decode[struct {
					Revisions []struct {
						Revision   int
						ApprovedBy string `json:"approved_by"`
						Changes    []struct{ Name string }
					}
					Next string
				}](s.ask("GET", path, "", s.bob).expect(200))
				for _, r := range page.Revisions {
					got = append(got, r.Revision)
					if touched := fmt.Sprint(r.Changes); !strings.Contains(touched, name) || (r.ApprovedBy == "bob") != (r.Revision == 19) {
						t.Errorf("%s: %d changed %s, approved by %q", name, r.Revision, touched, r.ApprovedBy)
					}
				}
				if path = page.Next; len(page.Revisions) > limit || (path != "" && len(page.Revisions) < limit) {
					t.Errorf("%s: a page of %d with %d", name, limit, len(page.Revisions))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q by %d: %v, want %v", name, limit, got, want)
			}
		}
	}
	s.ask("GET", payments+"/revisions?name=c0&limit=2&before=19", "", s.bob).expect(200, `"revision":18`, `"revision":17`, `"next":"/v1/namespaces/payments/revisions?before=17&limit=2&name=c0"`)
	s.ask("GET", payments+"/revisions?name=nobody", "", s.bob).expect(200, `{"revisions":[]}`)
	s.ask("GET", payments+"/revisions?name=C0", "", s.bob).problem(400, "invalid_name")
}
