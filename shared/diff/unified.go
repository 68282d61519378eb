package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/heraldconf/herald/shared/config"
)

const (
	// context is how many lines that did not change stand around one that did.
	context = 3
	// maxLines is how many lines that differ are compared with each other; more are
	// shown as replaced, since comparing takes time by the square of their number.
	maxLines = 2000
)

// unified returns a unified diff, which patch(1) takes.
func unified(name config.Name, before, after *config.Document) string {
	old, fresh := bodyOf(before), bodyOf(after)
	if !isText(old) || !isText(fresh) {
		return fmt.Sprintf("%s is no text: %d bytes before, %d after\n", name, len(old), len(fresh))
	}
	header := "--- " + label(name, before) + "\n+++ " + label(name, after) + "\n"
	switch {
	case string(old) != string(fresh):
		return header + hunks(lines(string(old)), lines(string(fresh)))
	case before != nil && after != nil:
		return fmt.Sprintf("%s is %s, and was %s\n", name, after.MediaType, before.MediaType)
	}
	return header // an empty document that comes or goes
}

func bodyOf(d *config.Document) []byte {
	if d == nil {
		return nil
	}
	return d.Body
}

func isText(body []byte) bool {
	return utf8.Valid(body) && !strings.Contains(string(body), "\x00")
}

func label(name config.Name, d *config.Document) string {
	if d == nil {
		return "/dev/null"
	}
	return string(name)
}

// lines parts a text behind each of its line ends. A last line without one is
// marked as patch(1) reads it.
func lines(text string) []string {
	all := strings.SplitAfter(text, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	} else {
		all[last] += "\n\\ No newline at end of file\n"
	}
	return all
}

func hunks(old, fresh []string) string {
	same := commonPrefix(old, fresh)
	tail := commonSuffix(old[same:], fresh[same:])
	if max(len(old), len(fresh))-same-tail > maxLines {
		return replaced(old, fresh, same, tail)
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: old, B: fresh, Context: context})
	if err != nil {
		return replaced(old, fresh, same, tail)
	}
	return text
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// replaced is one hunk that takes all lines between the common beginning and the
// common end out, and puts the new ones in.
func replaced(old, fresh []string, same, tail int) string {
	from, behind := max(same-context, 0), min(tail, context)
	oldEnd, freshEnd := len(old)-tail, len(fresh)-tail
	var b strings.Builder
	fmt.Fprintf(&b, "@@ -%s +%s @@\n", span(from, oldEnd+behind), span(from, freshEnd+behind))
	for _, part := range []struct {
		mark  string
		lines []string
	}{{" ", old[from:same]}, {"-", old[same:oldEnd]}, {"+", fresh[same:freshEnd]}, {" ", old[oldEnd : oldEnd+behind]}} {
		for _, line := range part.lines {
			b.WriteString(part.mark + line)
		}
	}
	return b.String()
}

// span is a range of lines as a unified diff writes it: an empty one names the line
// before it.
func span(from, to int) string {
	if from == to {
		return fmt.Sprintf("%d,0", from)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}
