package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// maxMessage is how long a commit message may be, in bytes.
const maxMessage = 1 << 10

// maxKey is how long an Idempotency-Key may be, in bytes.
const maxKey = 255

// A writing is what every command that writes can be told.
type writing struct {
	message string
	wait    share
	timeout time.Duration
	reject  string // what to do where workers refuse the change: "" for nothing, or rollback
	force   bool
	dryRun  bool
	key     string // of an Idempotency-Key, "" for none
}

func (w *writing) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&w.message, "message", "m", "", "why: one line for the history")
	flags.Var(&w.wait, "wait", "return once that share of the live workers runs on the change, as in 99%")
	flags.DurationVar(&w.timeout, "timeout", time.Minute, "how long --wait waits")
	flags.StringVar(&w.reject, "on-reject", "", "with --wait: rollback takes the change back if it is not met and a worker has refused it")
	flags.BoolVar(&w.dryRun, "dry-run", false, "only say what would change, or be refused, and which workers run on it")
	flags.StringVar(&w.key, "idempotency-key", "", "a name for this write: said again within a day, it is answered as the first time and done once")
	flags.BoolVar(&w.force, "force", false, "pass the guards: what is emptied or deleted is meant to be")
}

func (w *writing) check() error {
	switch {
	case len(w.message) > maxMessage:
		return settings.Usagef("--message is %d bytes long; %d are allowed", len(w.message), maxMessage)
	case strings.ContainsFunc(w.message, unicode.IsControl):
		return settings.Usagef("--message has to be one line")
	case w.dryRun && w.wait.set():
		return settings.Usagef("--dry-run changes nothing that --wait could wait for")
	case w.reject != "" && w.reject != onRejectRollback:
		return settings.Usagef("--on-reject: %q is nothing that can be done: use %s", w.reject, onRejectRollback)
	case w.reject != "" && !w.wait.set():
		return settings.Usagef("--on-reject needs --wait, as in --wait 99%%")
	case len(w.key) > maxKey || strings.ContainsFunc(w.key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return settings.Usagef("--idempotency-key has to be %d printable ASCII characters at most, without a space", maxKey)
	case w.timeout <= 0:
		return settings.Usagef("--timeout has to be more than 0s")
	}
	return nil
}

// triable adds --dry-run to a command that writes no revision.
func triable(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool("dry-run", false, "only say what would change, or be refused")
	return cmd
}

// tried reports whether a triable command is only tried.
func tried(cmd *cobra.Command) bool {
	dry, _ := cmd.Flags().GetBool("dry-run") // the flag is there
	return dry
}

// maybe is the path of a write that is only tried, if it is to be.
func maybe(dry bool, path string) string { return (&writing{dryRun: dry}).path(path) }

// path adds to a path what the flags say of every write.
func (w *writing) path(path string) string {
	query := url.Values{}
	if w.dryRun {
		query.Set("dry_run", "true")
	}
	if w.force {
		query.Set("force", "true")
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// fields are the ones of every write.
func (w *writing) fields() http.Header {
	header := http.Header{}
	if w.key != "" {
		header.Set("Idempotency-Key", w.key)
	}
	return header
}

// post sends what is to be written as JSON, and returns what is answered.
func (w *writing) post(cmd *cobra.Command, c *client.Client, path string, request any) (json.RawMessage, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	header := w.fields()
	header.Set("Content-Type", "application/json")
	answer, err := c.Do(cmd.Context(), client.Request{Method: http.MethodPost, Path: w.path(path), Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// header returns the fields of a write of one config. ifMatch is the ETag that the
// config must have, "" for none.
func (w *writing) header(ifMatch string) (http.Header, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	header := w.fields()
	if w.message != "" {
		header.Set("Herald-Message", w.message)
	}
	if ifMatch != "" {
		condition, err := entityTag(ifMatch)
		if err != nil {
			return nil, err
		}
		header.Set("If-Match", condition)
	}
	return header, nil
}

// entityTag quotes an ETag that may come with its quotes or without.
func entityTag(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if s[0] != '"' {
		s = `"` + s + `"`
	}
	tag, ok := config.ParseETag(s)
	if !ok {
		return "", settings.Usagef("--if-match: %s is no ETag; herald get NAMESPACE/NAME -o json shows it", s)
	}
	return tag.Quoted(""), nil
}

// readWritten reads the answer to a write of that namespace.
func readWritten(body []byte, namespace config.Name) (client.Written, error) {
	var done client.Written
	if err := json.Unmarshal(body, &done); err != nil {
		return done, fmt.Errorf("%w (%w)", errStranger, err)
	}
	if done.Namespace != namespace || (done.Revision < 1 && done.Proposal < 1) {
		return done, errStranger
	}
	return done, nil
}

// report writes the result of a write as it was answered: of a dry run what would
// change, otherwise the line, and then it waits if told to.
func (t *tool) report(cmd *cobra.Command, c *client.Client, w *writing, namespace config.Name, answer []byte, line func(client.Written) string) error {
	if w.dryRun {
		return t.preview(cmd, namespace, answer)
	}
	done, err := readWritten(answer, namespace)
	if err != nil {
		return err
	}
	if done.Proposal > 0 && !done.Changed {
		return t.waits(cmd, w, done)
	}
	return t.finish(cmd, c, w, done, line(done))
}

// waits tells of a change that was not made, and of who can make it. It is no
// failure, and there is no revision yet that --wait could wait for.
func (t *tool) waits(cmd *cobra.Command, w *writing, done client.Written) error {
	what := string(done.Namespace)
	if done.Name != "" {
		what += "/" + string(done.Name)
	}
	say(cmd, "nothing is written yet: it waits as proposal %d until another token approves it, with: herald approve %s %d", done.Proposal, done.Namespace, done.Proposal)
	if w.wait.set() {
		say(cmd, "there is no revision yet that --wait could wait for: say it to herald approve")
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), done)
	}
	return writeLine(cmd, "%s waits as proposal %d, at revision %d", what, done.Proposal, done.Revision)
}

// finish writes the result of a write, and then waits for the fleet if told to.
func (t *tool) finish(cmd *cobra.Command, c *client.Client, w *writing, done client.Written, line string) error {
	var err error
	if t.output == asJSON {
		err = writeJSON(cmd.OutOrStdout(), done)
	} else {
		err = writeLine(cmd, "%s", line)
	}
	if err != nil || !w.wait.set() || done.Revision == 0 {
		return err
	}
	err = await(cmd, c, done.Namespace, done.Revision, w.wait, w.timeout)
	if w.reject == onRejectRollback {
		return takeBack(cmd, c, done, err)
	}
	return err
}

// sentence says in words what a write did.
func sentence(done client.Written, verb string) string {
	if !done.Changed {
		return fmt.Sprintf("%s/%s unchanged, at revision %d", done.Namespace, done.Name, done.Revision)
	}
	return fmt.Sprintf("%s/%s %s, revision %d", done.Namespace, done.Name, verb, done.Revision)
}
