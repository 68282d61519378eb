// Package settings is what Herald's programs have in common at the command line:
// every flag is also an environment variable, a secret may come from a file, an
// error is one line, and an interrupt stops cleanly. It knows no service.
package settings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes that every program shares.
const (
	ExitFailed = 1
	ExitUsage  = 2
)

// ErrUsage means that a program was called, or set, in a way that it refuses.
var ErrUsage = errors.New("usage")

// Usagef returns an error that wraps ErrUsage and reads as the message alone.
func Usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ err error }

func (e *usageError) Error() string        { return e.err.Error() }
func (e *usageError) Unwrap() error        { return e.err }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

// Main runs a program: the arguments of the process, stopped by SIGINT and
// SIGTERM. It prints an error as one line and returns the exit code, which code
// finds for errors that are not usage; nil means 1.
func Main(root *cobra.Command, code func(error) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := Execute(ctx, root)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
	}
	switch {
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case code != nil:
		return code(err)
	}
	return ExitFailed
}

// Execute runs the command. An error from before the command's own code is
// about its usage, and wraps ErrUsage.
func Execute(ctx context.Context, root *cobra.Command) error {
	started := false
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := FromEnvironment(cmd.Flags()); err != nil {
			return err
		}
		started = true
		return nil
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !started && !errors.Is(err, ErrUsage) {
		return Usagef("%w (see '%s --help')", err, cmd.CommandPath())
	}
	return blameVariable(cmd, err)
}

// blameVariable names the variable in an error that begins with a flag which was
// set from it: whoever set the one need not know the other.
func blameVariable(cmd *cobra.Command, err error) error {
	if !errors.Is(err, ErrUsage) {
		return err
	}
	text, dashed := strings.CutPrefix(err.Error(), "--")
	name, _, _ := strings.Cut(text, ":")
	name, _, _ = strings.Cut(name, " ")
	if flag := cmd.Flags().Lookup(name); dashed && flag != nil && len(flag.Annotations[setByVariable]) == 1 {
		return Usagef("%s: %w", flag.Annotations[setByVariable][0], err)
	}
	return err
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "HERALD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// What is noted of a flag: that it has no variable, and which one it was set from.
const (
	noVariable    = "herald_no_variable"
	setByVariable = "herald_set_by_variable"
)

// NoVariable exempts flags from FromEnvironment: those that say what one call is
// about, where the variable of that name means something else elsewhere.
func NoVariable(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		note(flags.Lookup(name), noVariable)
	}
}

func note(flag *pflag.Flag, what string, value ...string) {
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[what] = append([]string{}, value...)
}

// FromEnvironment sets the flags that were not given from their variables: flag
// before variable before default. A variable that is set but empty counts as not
// set. An error wraps ErrUsage and names the variable.
func FromEnvironment(flags *pflag.FlagSet) error {
	var first error
	flags.VisitAll(func(flag *pflag.Flag) {
		// --help and --version are no settings, and HERALD_VERSION may well be there.
		if first == nil && !flag.Changed && flag.Name != "help" && flag.Name != "version" && flag.Annotations[noVariable] == nil {
			first = fromVariable(flags, flag)
		}
	})
	return first
}

func fromVariable(flags *pflag.FlagSet, flag *pflag.Flag) error {
	name := variable(flag.Name)
	value := os.Getenv(name)
	if value == "" && flag.Value.Type() == "secret" {
		name += "_FILE"
		if file := os.Getenv(name); file != "" {
			content, err := os.ReadFile(file)
			if err != nil {
				return Usagef("%s: %w", name, err)
			}
			value = strings.TrimSpace(string(content))
			if value == "" {
				return Usagef("%s: %s is empty", name, file)
			}
		}
	}
	if value == "" {
		return nil
	}
	if err := flags.Set(flag.Name, value); err != nil {
		if flag.Value.Type() == "secret" {
			return Usagef("%s does not parse", name)
		}
		return Usagef("%s: %w", name, err)
	}
	note(flag, setByVariable, name)
	return nil
}
