package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// walk visits every command that people can call.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

func TestEveryCommandTeaches(t *testing.T) {
	walk(root(), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks Short, Long or Example", path)
		}
		if strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 72 {
			t.Errorf("%s: Short is a phrase of one line: %q", path, cmd.Short)
		}
		for line := range strings.SplitSeq(cmd.Long+"\n"+cmd.Example, "\n") {
			if len([]rune(line)) > 120 {
				t.Errorf("%s: the line is too wide: %s", path, line)
			}
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Usage == "" || (unicode.IsUpper([]rune(flag.Usage)[0])) {
				t.Errorf("%s --%s: %q", path, flag.Name, flag.Usage)
			}
		})
	})
}

// TestEveryCommandThatWritesCanBeTried: those that are not here have a --dry-run.
func TestEveryCommandThatWritesCanBeTried(t *testing.T) {
	const rest = `up get list watch export backup restore history diff check fleet agents proposals status version audit
		schema_get schema_list token_list keys_list namespace_show exec events_consume events_produce
		completion help`
	reads := strings.Fields(rest)
	walk(root(), func(cmd *cobra.Command) {
		name := strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "herald "), " ", "_")
		tried := cmd.Flags().Lookup("dry-run") != nil
		if cmd.Runnable() && !cmd.HasSubCommands() && tried == slices.Contains(reads, name) {
			t.Errorf("%s: --dry-run is %t", name, tried)
		}
	})
}

// Each example that calls herald has to parse: its commands, flags and arguments.
func TestExamplesParse(t *testing.T) {
	walk(root(), func(cmd *cobra.Command) {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			for _, call := range calls(line) {
				tool := root()
				found, rest, err := tool.Find(call)
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err == nil {
					err = found.ValidateArgs(found.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: %s: %v", cmd.CommandPath(), strings.Join(call, " "), err)
				}
			}
		}
	})
}

// calls finds what a shell would call herald with, quotes taken off.
func calls(line string) (calls [][]string) {
	for _, separator := range []string{"$(herald ", "<(herald "} {
		if _, inner, ok := strings.Cut(line, separator); ok {
			call, _, _ := strings.Cut(strings.Split(inner, ")")[0], "|")
			calls = append(calls, strings.Fields(call))
		}
	}
	for part := range strings.SplitSeq(line, "|") {
		part, _, _ = strings.Cut(strings.Split(part, "&&")[0], "#")
		for word, unquoted := range map[string]string{">/dev/null 2>&1; do sleep 1; done": "", "$(herald get payments/limits -o json": "etag"} {
			part = strings.ReplaceAll(part, word, unquoted)
		}
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(part), "until "))
		if len(fields) > 0 && fields[0] == "herald" {
			calls = append(calls, unquote(fields[1:]))
		}
	}
	return calls
}

// unquote joins the words of a quoted argument, and drops redirections.
func unquote(fields []string) (args []string) {
	quoted := false
	for _, field := range fields {
		if field == ">" || field == "<" {
			break
		}
		word := strings.ReplaceAll(field, `"`, "")
		if quoted {
			args[len(args)-1] += " " + word
		} else {
			args = append(args, word)
		}
		if strings.Count(field, `"`)%2 == 1 {
			quoted = !quoted
		}
	}
	return args
}

func TestPlainDoesNothingToATerminal(t *testing.T) {
	if got := plain("a\nb\tc\x1b[31md\u202ee é 漢"); got != "a b c\uFFFD[31md\uFFFDe é 漢" {
		t.Errorf("%q", got)
	}
}

func TestTableShowsHolesAndNoMischief(t *testing.T) {
	var out bytes.Buffer
	table := newTable(&out, "A", "B")
	table.row("x\ty", "")
	table.row("long cell", "z")
	if err := table.flush(); err != nil || out.String() != "A          B\nx y        -\nlong cell  z\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }

func TestAResultThatCannotBeWrittenIsAnError(t *testing.T) {
	cmd := quietCommand()
	cmd.SetOut(fullDisk{})
	table := newTable(fullDisk{}, "A")
	for name, err := range map[string]error{"line": writeLine(cmd, "x"), "json": writeJSON(fullDisk{}, 1), "table": table.flush()} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
