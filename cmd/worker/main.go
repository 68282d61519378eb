// Command worker is the reference application: a program that runs on a config.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/services/worker"
	"github.com/heraldconf/herald/shared/settings"
)

// version is set when a release is built.
var version = "dev"

func main() {
	c := worker.Config{Version: version}
	var token settings.Secret
	service := settings.Service{
		Name:    "worker",
		Short:   "The reference application: runs on the config fetch of its namespace",
		Long:    long,
		Example: example,
		Version: version,
		Listen:  &c.Listen,
		Flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&c.Listen, "listen", "127.0.0.1:8082", "address to listen on; beyond loopback it needs --allow-anonymous")
			flags.StringVar(&c.Agent, "agent", "http://127.0.0.1:8081", "the agent of this host")
			flags.StringVar(&c.Namespace, "namespace", "demo", "namespace whose config fetch it runs on")
			flags.StringVar(&c.ID, "id", "", "who it is in the fleet (default the host's name)")
			flags.StringVar(&c.StateDir, "state-dir", "./herald-data/worker", "folder for its last good config")
			flags.StringVar(&c.Bus, "bus", "", "where notifications come from: redis://HOST:PORT, redis+pubsub://HOST:PORT (default none: the agent holds requests)")
			settings.SecretVar(flags, &token, "token", "what the agent asks for")
			flags.DurationVar(&c.PollInterval, "poll-interval", 0, "how often to poll (default what the agent says)")
			flags.StringVar(&c.Trust, "trust", "none", "whose signatures count: a file with the answer of /v1/signing-keys, or none: then the agent's word is enough")
			flags.StringSliceVar(&c.AllowHosts, "allow-hosts", []string{"127.0.0.1", "localhost", "[::1]"},
				"hosts that its target may have, each with an optional :PORT; checked on the dialled address too")
			flags.BoolVar(&c.AllowAnonymous, "allow-anonymous", false, "listen beyond loopback, where anybody may ask")
		},
		Run: func(ctx context.Context, logger *slog.Logger) error {
			c.Token = token.Reveal()
			return worker.Run(ctx, c, logger)
		},
	}
	os.Exit(settings.Main(service.Command(), nil))
}

const long = `The reference application. It runs on the config "fetch" of its namespace, which it
has from the agent of its host:

  {"url":"http://127.0.0.1:8080/healthz","method":"GET","timeout_ms":2000,"headers":{}}

Only url is needed. GET /hit makes that request and passes the answer on, with the
revision in Herald-Revision. A config that does not decode, or names a host that is
not allowed, is rejected with a code, and the worker goes on with the last good one,
after a restart too, whether or not anybody else is alive.

GET /v1/status says what it runs on and what it rejected last.

Every flag is an environment variable too: --state-dir is HERALD_STATE_DIR.`

const example = `  worker
  worker --namespace payments --allow-hosts 127.0.0.1,api.example.com:443
  worker --bus redis://127.0.0.1:6379 --id w-1
  curl http://127.0.0.1:8082/hit`
