package sdk

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// wholeFolder is where the last good of a namespace is kept, beside the folders of
// its configs; no config can have that name.
const wholeFolder = "_namespace"

// NamespaceOptions say how to watch all configs of a namespace. The zero value is
// complete for a struct with tags; see WatchNamespace.
type NamespaceOptions[T any] struct {
	// Build makes the value of one snapshot; nil fills the fields of T by their
	// tags. It is called when a config was added, changed or deleted, and may be
	// called again for a snapshot that was refused before. It must not change what
	// it returned earlier.
	Build func(Configs) (T, error)
	// Decode reads a document for Configs.Decode and for tagged fields; nil is
	// encoding/json for JSON, while text can be read into a string or []byte.
	Decode func(document []byte, mediaType string, into any) error
	// Default is the value before the first snapshot, and what the fields of
	// optional configs have that are not there.
	Default T
	// Validate refuses a value; nil asks the value's own Validate() error, if it
	// has one.
	Validate func(T) error
	// OnChange is called before the value is replaced, one call at a time; with an
	// error it stays.
	OnChange func(old, next T) error

	// Patience is how long the agent may take, at a start from the last good of
	// StateDir, to bring something newer that is taken over in its place: OnChange is
	// then called once, with the last good as old, which the application goes on with
	// if it returns an error. 0 takes the last good over at once.
	Patience time.Duration

	// What follows is as in Options.
	Agent    string
	Token    string
	Worker   string
	StateDir string
	Interval time.Duration
	Trust    config.Keys
	Link     Link
	HTTP     *http.Client
	Logger   *slog.Logger
}

func (o *NamespaceOptions[T]) connection() connection {
	return connection{o.Agent, o.Token, o.Worker, o.StateDir, o.Interval, o.Link, o.HTTP, o.Logger, o.Trust}
}

// WatchNamespace follows all configs of a namespace as one value, until ctx ends or
// Close is called. The value is made of one snapshot, so that configs which were
// changed by one commit change together; it is replaced whole or not at all, and
// the verdict is about the whole namespace. Else it is as Watch.
//
// Where Options.Build is nil, T is a struct whose exported fields name their
// configs in tags, and only these configs count:
//
//	type settings struct {
//		Limits Limits `herald:"limits"`         // rejected where it is missing
//		Motd   string `herald:"motd,optional"`  // else as in Default
//	}
//
// A config replaces its field whole. Two Values of one namespace in one program,
// of this kind or of Watch's, need two names as Worker, or one's verdict hides the
// other's.
func WatchNamespace[T any](ctx context.Context, namespace string, options NamespaceOptions[T]) (*Value[T], error) {
	whole := &whole[T]{steps: steps[T]{options.Validate, options.OnChange}, build: options.Build, decode: options.Decode}
	about, err := options.connection().complete()
	if err == nil {
		about.namespace, err = config.ParseName(namespace)
	}
	if err == nil && whole.build == nil {
		err = whole.byTags(options.Default)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOptions, namespace, err)
	}
	about.logger, about.patience = about.logger.With("namespace", namespace), options.Patience
	return begin(ctx, about, wholeFolder, options.Default, whole)
}

// A whole is the view of all configs of a namespace.
type whole[T any] struct {
	steps[T]
	build  func(Configs) (T, error)
	decode func(document []byte, mediaType string, into any) error
	only   map[config.Name]bool // the configs that count; nil for all
}

// source identifies the configs that count by their names and ETags.
func (w *whole[T]) source(s *config.Snapshot) (config.ETag, error) {
	h := sha256.New()
	for _, entry := range s.Configs {
		if w.only == nil || w.only[entry.Name] {
			fmt.Fprintf(h, "%s %s\n", entry.Name, entry.ETag)
		}
	}
	return config.Digest(h.Sum(nil)).ETag(), nil
}

func (w *whole[T]) value(s *config.Snapshot) (T, error) {
	return w.steps.build(func() (T, error) { return w.build(Configs{s, w.decode}) })
}

func (w *whole[T]) judge(old T, s *config.Snapshot) (T, error) {
	value, err := w.value(s)
	return w.take(old, value, err)
}
