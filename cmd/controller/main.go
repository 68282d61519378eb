// Command controller keeps configuration and serves it to agents.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/settings"
)

var version = "dev"

const long = `The controller keeps configuration: an operator changes it here, and agents, one on
each host, pull it from here. It keeps everything in one SQLite file and needs
nothing else; with --bus agents hear of a change at once instead of asking.

Every setting is a flag and an environment variable: --poll-interval is
HERALD_POLL_INTERVAL. Logs go to standard error. SIGTERM and SIGINT stop it cleanly.`

const example = `  # on http://127.0.0.1:8080, with its data in ./herald-data
  controller

  # change a config, and read it
  curl -X PUT http://127.0.0.1:8080/v1/namespaces/payments/configs/limits \
    -H 'Content-Type: application/json' -d '{"rps":50}'
  curl http://127.0.0.1:8080/v1/namespaces/payments/snapshot

  # over Redis Streams, with something for a worker to run on
  controller --bus redis://127.0.0.1:6379 --demo http://127.0.0.1:8080/healthz

  # for other hosts too: with tokens, which are handed out at the first start
  controller --listen 0.0.0.0:8080 --bootstrap-dir ./herald-data/tokens

  # is it ready? code 0 or 1
  controller health`

func main() {
	c := controller.Config{Version: version}
	service := settings.Service{
		Name: "controller", Short: "Keeps configuration and serves it to agents", Long: long, Example: example,
		Version: version, Listen: &c.Listen,
		Flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "where it serves; beyond loopback it needs tokens, or --allow-anonymous")
			flags.StringVar(&c.DB, "db", "./herald-data/controller.db", "the file of its SQLite database; made if it is not there")
			flags.StringVar(&c.Bus, "bus", "", "redis:// (streams), redis+pubsub:// or rediss:// URL, with ?prefix= for topics; none without")
			flags.DurationVar(&c.PollInterval, "poll-interval", 15*time.Second, "how often agents are told to ask")
			flags.DurationVar(&c.Spread, "spread", 0, "upper end of the random wait that a notification asks for, at most 10s")
			flags.StringVar(&c.Demo, "demo", "", "a URL: at first start demo/fetch is committed with it, for a worker to run on")
			flags.StringVar(&c.SigningKey, "signing-key", "", "the file of the ed25519 key that signs snapshots; made where it is not there (default: beside the database, as in ./herald-data/controller.key)")
			settings.SecretVar(flags, &c.AdminToken, "admin-token", "a token of the role admin, given from outside")
			flags.StringVar(&c.BootstrapDir, "bootstrap-dir", "", "a folder: at first start admin.token, publisher.token, agent.token and worker.token are written there")
			flags.BoolVar(&c.AllowAnonymous, "allow-anonymous", false, "listen beyond loopback without tokens, where anybody may read and write")
		},
		Run: func(ctx context.Context, logger *slog.Logger) error { return controller.Run(ctx, c, logger) },
	}
	os.Exit(settings.Main(service.Command(), nil))
}
