package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The codes of rejected verdicts on files.
const (
	CodeRender  = "render"       // the template fails on these configs
	CodeMissing = "missing"      // a namespace lacks a config that the file is made of
	CodeCheck   = "check_failed" // the check refused the new file; the old one was not touched
	CodeThen    = "then_failed"  // the command after the replacement failed; the old file is back
	CodeWrite   = "write"        // the file cannot be read or written; it is tried again
)

// A Refusal is why a file was not made: a code for programs, a message for people.
type Refusal struct {
	Code    string
	Message string
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Refused returns the Refusal of that code and of those words.
func Refused(code, message string) *Refusal { return &Refusal{Code: code, Message: Words(message)} }

// The bounds of what a verdict quotes.
const (
	maxLines   = 10
	maxMessage = 1024
)

// Words makes a message of what a command or a template said: the first line, which
// says how it ended, and the last ones, without what a terminal would obey.
func Words(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(plain(line)); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > maxLines {
		lines = append([]string{lines[0], "…"}, lines[len(lines)-maxLines+1:]...)
	}
	text := strings.Join(lines, " | ")
	if len(text) > maxMessage {
		const head = maxMessage / 4
		text = strings.ToValidUTF8(text[:head], "") + " … " + strings.ToValidUTF8(text[len(text)-maxMessage+head:], "")
	}
	return text
}

// plain drops what is no text: control characters, and bytes that are not UTF-8.
func plain(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, line)
}
