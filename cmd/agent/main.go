// Command agent keeps the configuration of a host: it fetches namespaces from a
// controller, keeps them on disk, and serves them to the workers beside it.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/settings"
)

var version = "dev" // set by the linker

func main() {
	config := agent.Config{Version: version}
	var token settings.Secret
	var accept settings.Secrets
	service := settings.Service{
		Name:  "agent",
		Short: "Fetch configuration, keep it, and serve it to the workers of this host",
		Long: `The agent fetches namespaces from a controller (or from another agent), keeps
each on disk, and serves them to workers at http://127.0.0.1:8081.

It starts from its cache when nothing else is alive, and goes on serving what it
has through any outage; it says so with the fields Age and Herald-Stale. A
namespace that a worker asks for is followed from then on.

With --templates it keeps files made from configs, for programs that cannot be
changed: rendered, checked, put in place, and followed by a command. Each file is
a worker in the fleet. docs/files.md says how.

Every flag is also an environment variable: --cache-dir is HERALD_CACHE_DIR.`,
		Example: `  agent                                               # controller at 127.0.0.1:8080, no Redis
  agent --upstream https://herald.example:8080 --namespaces payments,search
  agent --templates /etc/herald/files.yaml --template-roots /etc/nginx
  agent --bus redis://127.0.0.1:6379                  # hear of changes at once
  curl -i http://127.0.0.1:8081/v1/namespaces/payments/snapshot`,
		Version: version,
		Listen:  &config.Listen,
		Flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&config.Listen, "listen", "127.0.0.1:8081", "address to serve at")
			flags.StringSliceVar(&config.Upstream, "upstream", []string{"http://127.0.0.1:8080"}, "a controller or agents, comma-separated, tried in order")
			flags.StringSliceVar(&config.Namespaces, "namespaces", nil, "followed from the start; others once a worker asks or the controller assigns them")
			flags.StringVar(&config.ID, "id", "", "the agent's name in the fleet (default: the host's name)")
			flags.StringSliceVar(&config.Labels, "labels", nil, "what the fleet shows of this host, as in zone=a,role=web")
			flags.StringVar(&config.CacheDir, "cache-dir", "./herald-data/agent", "folder of the last good snapshots")
			flags.StringVar(&config.Bus, "bus", "", "where changes are told: redis://HOST:PORT or redis+pubsub://HOST:PORT, with ?prefix= for topics (default: none, requests are held instead)")
			flags.DurationVar(&config.PollInterval, "poll-interval", 0, "how often to ask, whatever happens (default: what upstream says)")
			settings.SecretVar(flags, &token, "token", "sent upstream")
			flags.StringVar(&config.Trust, "trust", "first-use", "whose signatures count: first-use (those seen first, pinned in the cache folder), a file with the answer of /v1/signing-keys, or none")
			settings.SecretsVar(flags, &accept, "accept-token", "what callers beyond loopback must bring; several may be given")
			flags.StringVar(&config.Templates, "templates", "", "a YAML file: files made from configs (default: none)")
			flags.StringSliceVar(&config.TemplateRoots, "template-roots", nil, "the folders that these files may be made in, comma-separated absolute paths")
			flags.BoolVar(&config.AllowAnonymous, "allow-anonymous", false, "serve beyond loopback to anybody")
		},
		Run: func(ctx context.Context, logger *slog.Logger) error {
			config.Token, config.AcceptTokens = token.Reveal(), accept.Reveal()
			return agent.Run(ctx, config, logger)
		},
	}
	os.Exit(settings.Main(service.Command(), nil))
}
