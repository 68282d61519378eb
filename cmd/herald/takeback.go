package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// onRejectRollback is what --on-reject can be told.
const onRejectRollback = "rollback"

// takeBack makes a new revision without what a write did, if workers refused it and
// nobody has written since. unmet is how the wait for it ended; what is returned
// ends the command as that would have, and says what became of the change.
func takeBack(cmd *cobra.Command, c *client.Client, done client.Written, unmet error) error {
	if !errors.Is(unmet, errRejected) {
		return unmet // it is met, or nobody has refused
	}
	if !done.Changed {
		return fmt.Errorf("%w; nothing is taken back: this command changed nothing", unmet)
	}
	// The guards ask whether a deletion is meant. What stood a moment ago was.
	request := struct {
		Revision config.Revision `json:"revision"`
		Base     config.Revision `json:"base_revision"`
		Message  string          `json:"message"`
	}{done.Revision, done.Revision, fmt.Sprintf("take back revision %d: workers refused it", done.Revision)}
	path := client.NamespacePath(done.Namespace, "/revert?force=true")
	answer, err := c.Send(cmd.Context(), http.MethodPost, path, request, new(json.RawMessage))
	if problem, ok := errors.AsType[*httpapi.Problem](err); ok && problem.Code == "stale_base" {
		return fmt.Errorf("%w; it is not taken back: somebody has written to %s since", unmet, done.Namespace)
	}
	if err != nil {
		return fmt.Errorf("%w; taking it back failed: %s", unmet, plain(err.Error()))
	}
	back, err := readWritten(answer, done.Namespace)
	switch {
	case err != nil:
		return fmt.Errorf("%w; taking it back failed: %s", unmet, plain(err.Error()))
	case back.Proposal > 0 && !back.Changed:
		return fmt.Errorf("%w; taking it back waits as proposal %d: herald approve %s %d", unmet, back.Proposal, done.Namespace, back.Proposal)
	}
	say(cmd, "revision %d is taken back: %s stands at revision %d, as before it", done.Revision, done.Namespace, back.Revision)
	return fmt.Errorf("%w; revision %d was taken back by revision %d", unmet, done.Revision, back.Revision)
}
