package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/heraldconf/herald/services/agent/command"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/repository"
	"github.com/heraldconf/herald/services/agent/template"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/lastgood"
)

// templates reads what --templates names; without one there is nothing to make.
func (c Config) templates(profile domain.Profile) (*template.Set, error) {
	if c.Templates == "" {
		if len(c.TemplateRoots) > 0 {
			return nil, errors.New("--template-roots: there is no --templates whose files it could allow")
		}
		return &template.Set{}, nil
	}
	if len(c.TemplateRoots) == 0 {
		return nil, errors.New("--template-roots: --templates needs it: the folders that files may be made in, as in /etc/nginx,/etc/haproxy")
	}
	roots := make([]string, 0, len(c.TemplateRoots))
	for _, root := range c.TemplateRoots {
		if !filepath.IsAbs(root) {
			return nil, fmt.Errorf("--template-roots: %q: write absolute paths", root)
		}
		if info, err := os.Stat(root); err != nil {
			return nil, fmt.Errorf("--template-roots: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("--template-roots: %s is no folder", root)
		}
		roots = append(roots, filepath.Clean(root))
	}
	set, err := template.Load(c.Templates, template.Options{Agent: profile.ID, Labels: profile.Labels, Roots: roots})
	if err != nil {
		return nil, fmt.Errorf("--templates: %w", err)
	}
	return set, nil
}

// files are what keeps the files of a set current.
func (c Config) files(
	set *template.Set, profile domain.Profile, syncer *usecase.Syncer, reporter *usecase.Reporter, folder *lastgood.Folder, logger *slog.Logger,
) *usecase.Files {
	return &usecase.Files{
		Files: set.Files(), Agent: profile.ID, Syncer: syncer, Renderer: set,
		Disk: repository.Files{}, Ledger: repository.NewLedger(folder, logger),
		Commands: command.Runner{Dir: filepath.Dir(c.Templates)},
		Report:   reporter.Add, Interval: c.PollInterval, Logger: logger,
	}
}
