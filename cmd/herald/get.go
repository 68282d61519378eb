package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) get() *cobra.Command {
	var revision int64
	cmd := &cobra.Command{
		Use:   "get NAMESPACE/NAME | get NAMESPACE",
		Short: "Print a config as it was written, or a namespace's snapshot",
		Long: `Prints the very bytes of a config, with nothing added, or with -o json an object of
its namespace, name, revision (of the namespace, when it was read), etag, mediaType
and value (JSON), text or base64. --revision prints it as it stood earlier.

Of a namespace it prints the snapshot: the body that agents and workers get.`,
		Example: `  herald get payments/limits
  herald get payments/limits --revision 40 > limits.json
  herald get payments/limits -o json | jq -r .etag
  herald get payments | jq '.configs | keys'`,
		Args: arguments(1, 1, "herald get payments/limits"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runGet(cmd, c, args[0], revision)
		}),
		ValidArgsFunction: t.completeConfig,
	}
	cmd.Flags().Int64Var(&revision, "revision", 0, "as it stood at that revision (default: the newest)")
	return cmd
}

func (t *tool) runGet(cmd *cobra.Command, c *client.Client, arg string, revision int64) error {
	namespace, name, err := parseEither(arg)
	switch {
	case err != nil:
		return err
	case revision < 0:
		return settings.Usagef("--revision: revisions are numbered from 1")
	case name == "" && revision != 0:
		return settings.Usagef("--revision is for one config, as in: herald get %s/NAME --revision %d", namespace, revision)
	}
	path := client.NamespacePath(namespace, "/snapshot")
	if name != "" {
		path = client.ConfigPath(namespace, name)
	}
	if revision > 0 {
		path += "?revision=" + strconv.FormatInt(revision, 10)
	}
	answer, err := c.Do(cmd.Context(), client.Request{Path: path})
	if err != nil {
		return err
	}
	if name != "" && t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), describe(namespace, name, answer))
	}
	return written(cmd.OutOrStdout().Write(answer.Body))
}

// describe says in JSON what is known of a config. Its document stands there as
// in a snapshot.
func describe(namespace, name config.Name, answer *client.Answer) json.RawMessage {
	revision, _ := strconv.ParseInt(answer.Header.Get("Herald-Revision"), 10, 64)
	etag, _ := config.ParseETag(answer.Header.Get("ETag"))
	document := config.Document{MediaType: mediaTypeIn(answer.Header), Body: answer.Body}
	mediaType, _ := json.Marshal(document.MediaType) // always encodes
	object := fmt.Appendf(nil, `{"namespace":%q,"name":%q,"revision":%d,"etag":%q,"mediaType":%s,`,
		namespace, name, revision, etag, mediaType)
	return append(document.AppendMember(object), '}')
}

func mediaTypeIn(header http.Header) string {
	mediaType, err := config.NormalMediaType(header.Get("Content-Type"))
	if err != nil {
		return octetStream
	}
	return mediaType
}
