package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/shared/telemetry"
)

// A Service describes the program of one service.
type Service struct {
	Name    string
	Short   string
	Long    string
	Example string
	Version string
	Listen  *string // where it listens, for the command health
	Flags   func(*pflag.FlagSet)
	Run     func(context.Context, *slog.Logger) error
}

// Command returns the service's command line: the service itself and its
// command health.
func (s Service) Command() *cobra.Command {
	var format, level string
	cmd := &cobra.Command{
		Use: s.Name, Short: s.Short, Long: s.Long, Example: s.Example, Version: s.Version,
		Args:              cobra.NoArgs,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := telemetry.NewLogger(cmd.ErrOrStderr(), format, level)
			if err != nil {
				return Usagef("%w", err)
			}
			slog.SetDefault(logger)
			return s.Run(cmd.Context(), logger)
		},
	}
	flags := cmd.PersistentFlags()
	flags.SortFlags = false
	s.Flags(flags)
	flags.StringVar(&format, "log-format", "text", "how the log is written: text or json")
	flags.StringVar(&level, "log-level", "info", "what is logged: debug, info, warn or error")
	cmd.AddCommand(s.health())
	cmd.SetHelpCommand(&cobra.Command{Hidden: true})
	cmd.SetOut(os.Stdout)
	cmd.SetErr(os.Stderr)
	return cmd
}

func (s Service) health() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the " + s.Name + " that runs here whether it is ready: code 0 or 1",
		Long: "Asks /readyz at the address of --listen. The exit code is 0 if the " + s.Name +
			" is ready, 1 if it is not:\na health check for an image without a shell.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askReady(cmd.Context(), cmd.OutOrStdout(), *s.Listen)
		},
	}
}

// ErrNotReady means that a service answered that it is not ready, or not at all.
var ErrNotReady = errors.New("not ready")

func askReady(ctx context.Context, out io.Writer, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Usagef("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return Usagef("--listen: %w", err)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request) // never through a proxy
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %s", ErrNotReady, answer.Status, bytes.TrimSpace(body))
	}
	fmt.Fprintln(out, "ready")
	return nil
}
