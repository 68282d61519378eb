package diff_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/diff"
)

func of(mediaType, body string) *config.Document {
	return &config.Document{MediaType: mediaType, Body: []byte(body)}
}

func text(body string) *config.Document   { return of("text/plain", body) }
func jsonOf(body string) *config.Document { return of("application/json", body) }

func TestChange(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after *config.Document
		op            diff.Op // "" for none
		patch, text   string
	}{
		{"nothing there", nil, nil, "", "", ""},
		{"the same", text("a\n"), text("a\n"), "", "", ""},
		{"added", nil, jsonOf("{\"a\":1}\n"), diff.Added, "", "--- /dev/null\n+++ limits\n@@ -0,0 +1 @@\n+{\"a\":1}\n"},
		{"removed", text("a\nb\n"), nil, diff.Removed, "", "--- limits\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{"added empty", nil, text(""), diff.Added, "", "--- /dev/null\n+++ limits\n"},
		{"JSON", jsonOf("{\"rps\":50}\n"), jsonOf("{\"rps\":51}\n"), diff.Changed, `[{"value":51,"op":"replace","path":"/rps"}]`,
			"--- limits\n+++ limits\n@@ -1 +1 @@\n-{\"rps\":50}\n+{\"rps\":51}\n"},
		{"no end of line", text("a\nb"), text("a\nc"), diff.Changed, "", "--- limits\n+++ limits\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"},
		{"white space alone", jsonOf(`{"a":1}`), jsonOf(`{"a": 1}`), diff.Changed, `[]`, "--- limits\n+++ limits\n@@ -1 +1 @@\n-{\"a\":1}\n\\ No newline at end of file\n+{\"a\": 1}\n\\ No newline at end of file\n"},
		{"a digit of a large number", jsonOf(`[9007199254740993]`), jsonOf(`[9007199254740992]`), diff.Changed, `[{"value":9007199254740992,"op":"replace","path":"/0"}]`, ""},
		{"an escaped key", jsonOf(`{"a/b":1}`), jsonOf(`{"a/b":null}`), diff.Changed, `[{"value":null,"op":"replace","path":"/a~1b"}]`, ""},
		{"JSON that becomes text", jsonOf(`1`), text(`1`), diff.Changed, "", "limits is text/plain, and was application/json\n"},
		{"bytes", of("application/octet-stream", "\xff"), of("application/octet-stream", "\xff\xfe"), diff.Changed, "", "limits is no text: 1 bytes before, 2 after\n"},
	} {
		got, changed := diff.Of("limits", c.before, c.after)
		if changed != (c.op != "") || (changed && got.Op != c.op) {
			t.Errorf("%s: %t %s", c.name, changed, got.Op)
		}
		if string(got.Patch) != c.patch || (c.text != "" && got.Text != c.text) {
			t.Errorf("%s: patch %s, text\n%s", c.name, got.Patch, got.Text)
		}
	}
}

// TestPatchTakesIt: what is shown makes of the one document the other, to the
// byte, however long they are.
func TestPatchTakesIt(t *testing.T) {
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	long := numbered(9000, "line %d\n")
	for name, pair := range map[string][2]string{
		"short":           {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nB\nc\nd\ne\nf\ng\nh\nI\nj\n"},
		"no end of line":  {"a\nb", "a\nb\n"},
		"all new":         {long, numbered(8000, "other %d\n")},
		"all new between": {"begin\n\n\n\n\n" + long + "end\n", "begin\n\n\n\n\n" + numbered(8000, "other %d\n") + "end\n"},
		"a part goes":     {"a\n" + long + "z\n", "a\nz\n"},
		"a part comes":    {"z\n", "a\n" + long + "z\n"},
		"little in much":  {long, strings.Replace(long, "line 4500\n", "changed\n", 1)},
		"from nothing":    {"", long},
	} {
		change, _ := diff.Of("limits", text(pair[0]), text(pair[1]))
		if got := apply(t, pair[0], change.Text); got != pair[1] {
			t.Errorf("%s: it makes something else:\n%.500s", name, change.Text)
		}
	}
}

// apply does what patch(1) does with a unified diff, and takes no liberties.
func apply(t *testing.T, old, unified string) string {
	t.Helper()
	before := strings.SplitAfter(old, "\n")
	var after strings.Builder
	at := 0
	unified = strings.ReplaceAll(unified, "\n\\ No newline at end of file\n", "\x00") // parts lines as a line end does
	for _, line := range strings.FieldsFunc(strings.ReplaceAll(unified, "\x00", "\x00\n"), func(r rune) bool { return r == '\n' })[2:] {
		text, cut := strings.CutSuffix(line[1:], "\x00")
		if !cut {
			text += "\n"
		}
		switch line[0] {
		case '@':
			var from int
			if _, err := fmt.Sscanf(line, "@@ -%d", &from); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Fields(line)[1], ",0") {
				from--
			}
			for ; at < from; at++ {
				after.WriteString(before[at])
			}
		case '+':
			after.WriteString(text)
		default:
			if before[at] != text {
				t.Fatalf("line %d is %q, not %q", at+1, before[at], text)
			}
			if at++; line[0] == ' ' {
				after.WriteString(text)
			}
		}
	}
	return after.String() + strings.Join(before[at:], "")
}

// TestHardDocumentsTakeNoTime: the worst that a namespace may hold.
func TestHardDocumentsTakeNoTime(t *testing.T) {
	var a, b bytes.Buffer
	for i := 0; a.Len() < config.MaxDocument-16; i++ {
		fmt.Fprintf(&a, "%d,\n", i%7)
		fmt.Fprintf(&b, "%d,\n", i%5)
	}
	begun := time.Now()
	diff.Of("limits", text(a.String()), text(b.String()))
	change, _ := diff.Of("limits", jsonOf("["+a.String()+"0]"), jsonOf("["+b.String()+"0]"))
	var operations []json.RawMessage
	if err := json.Unmarshal(change.Patch, &operations); err != nil || len(operations) == 0 {
		t.Errorf("%v, %d operations", err, len(operations))
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	} else {
		t.Logf("took %s", took)
	}
}
