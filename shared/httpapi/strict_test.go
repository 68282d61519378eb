package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// refusalOf is what is said against a body of a T, "" where it is read.
func refusalOf[T any](t *testing.T, body []byte) string {
	t.Helper()
	var into T
	err := httpapi.ReadJSON(httptest.NewRecorder(), put(t, bytes.NewReader(body)), 4<<20, &into)
	if err != nil {
		return err.Error()
	}
	return ""
}

// Two types of one name.
func inSmallLetters(t *testing.T, body string) string {
	type who struct {
		Name string `json:"name"`
	}
	return refusalOf[struct {
		Of *who `json:"of"`
	}](t, []byte(body))
}

func inCapitals(t *testing.T, body string) string {
	type who struct {
		Name string `json:"NAME"`
	}
	return refusalOf[struct {
		Of *who `json:"of"`
	}](t, []byte(body))
}

// TestMembersAreOfTheirType: what is remembered of one type says nothing of another
// that looks like it, and is the same however often and by however many it is asked.
func TestMembersAreOfTheirType(t *testing.T) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				for body, refused := range map[string][2]bool{
					`{"of":{"name":"a"}}`:             {false, true},
					`{"of":{"NAME":"a"}}`:             {true, false},
					`{"of":{"name":"a","what":true}}`: {true, true},
					`{"of":null}`:                     {false, false},
				} {
					if says := inSmallLetters(t, body); (says != "") != refused[0] {
						t.Errorf("%s in small letters: %q", body, says)
					}
					if says := inCapitals(t, body); (says != "") != refused[1] {
						t.Errorf("%s in capital letters: %q", body, says)
					}
				}
			}
		})
	}
	group.Wait()
}

// verdicts is the body of a report of that many.
func verdicts(n int, last string) []byte {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"worker":"w-%d","namespace":"payments","revision":1,"status":"applied"}`, i))
	}
	return []byte(`{"applied":[` + strings.Join(append(all, last), ",") + `]}`)
}

// TestTheLastOfThousandIsCheckedAsTheFirst, and its place is said.
func TestTheLastOfThousandIsCheckedAsTheFirst(t *testing.T) {
	if says := refusalOf[config.Reports](t, verdicts(999, `{"worker":"w","namespace":"payments","revision":1,"status":"applied"}`)); says != "" {
		t.Error(says)
	}
	var reports config.Reports
	recorder := httptest.NewRecorder()
	httpapi.Handle(nil, func(w http.ResponseWriter, r *http.Request) error {
		return httpapi.ReadJSON(w, r, 4<<20, &reports)
	}).ServeHTTP(recorder, put(t, bytes.NewReader(verdicts(999, `{"Worker":"w"}`))))
	if recorder.Code != http.StatusBadRequest || !strings.Contains(recorder.Body.String(), `"path":"/applied/999/Worker"`) {
		t.Errorf("%d: %s", recorder.Code, recorder.Body)
	}
}

// TestReportsAreReadWithoutReadingTypesAnew holds what the caches are for: what a
// verdict of a report costs does not grow with what its type has.
func TestReportsAreReadWithoutReadingTypesAnew(t *testing.T) {
	allocations := func(n int) float64 {
		body := verdicts(n-1, `{"worker":"w","namespace":"payments","revision":1,"status":"applied"}`)
		return testing.AllocsPerRun(5, func() {
			if says := refusalOf[config.Reports](t, body); says != "" {
				t.Fatal(says)
			}
		})
	}
	each := (allocations(1000) - allocations(100)) / 900
	t.Logf("%.1f allocations a verdict", each)
	if each > 100 { // 113 if the type is read each time
		t.Errorf("%.1f allocations a verdict", each)
	}
}

// TestHalvesOfPairs: encoding/json would take them for another character.
func TestHalvesOfPairs(t *testing.T) {
	type texts struct {
		Text  string            `json:"text"`
		Maybe *string           `json:"maybe"`
		List  []string          `json:"list"`
		By    map[string]string `json:"by"`
		Raw   json.RawMessage   `json:"raw"`
	}
	for text, whole := range map[string]bool{
		`a`: true, `\ud83d\ude00`: true, `\\ud800`: true, `\\\\\ud83d\ude00\n`: true, `\ufffd`: true, `\u00e9\ud83d\ude00\u0000`: true,
		`\ud800`: false, `\udc00`: false, `\udc00\ud800`: false, `\ud83d\ud83d\ude00`: false, `\ud83d\\ude00`: false, `\ud83dx\ude00`: false, `\n\uD83D`: false,
	} {
		for _, body := range []string{`{"text":"%s"}`, `{"maybe":"%s"}`, `{"list":["a","%s"]}`, `{"by":{"a":"%s"}}`, `{"by":{"%s":"a"}}`} {
			body = fmt.Sprintf(body, text)
			if says := refusalOf[texts](t, []byte(body)); (says == "") != whole {
				t.Errorf("%s: %q", body, says)
			}
		}
		if says := refusalOf[texts](t, []byte(`{"raw":"`+text+`"}`)); says != "" { // whoever reads it decides
			t.Errorf("%s as it is: %s", text, says)
		}
	}
}
