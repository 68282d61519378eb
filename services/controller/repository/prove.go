package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// ErrDamaged means that a copy of a database is not whole, or not what was written.
var ErrDamaged = errors.New("the backup cannot be used")

// A Proof is what a copy was found to hold.
type Proof struct {
	Epoch      config.Epoch `json:"epoch"`
	Namespaces int          `json:"namespaces"`
	Commits    int64        `json:"commits"`
	Entries    int64        `json:"entries"` // of the audit
}

// proving opens a copy that nobody else has, and leaves no file beside it.
var proving = access{
	parameters:  "mode=ro&immutable=1&_query_only=on",
	connections: 1,
	pragmas:     map[string]string{"query_only": "1"},
}

// prove reads a whole copy: whether SQLite finds it in order, and whether the hashes
// of the audit and of every namespace's commits are those of what stands there. The
// error wraps ErrDamaged.
func prove(ctx context.Context, path string) (Proof, error) {
	db, err := connect(ctx, path, proving)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	copied := &Store{reader: db}
	proof, err := copied.prove(ctx)
	if err = errors.Join(err, closePool(db)); err != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return proof, err
}

func (s *Store) prove(ctx context.Context) (proof Proof, err error) {
	var found []string
	if err := s.read(ctx).Raw("PRAGMA integrity_check(3)").Scan(&found).Error; err != nil {
		return proof, err
	}
	if all := strings.Join(found, "; "); all != "ok" {
		return proof, errors.New(all)
	}
	var row storeRow
	if err := s.read(ctx).Where("key = ?", "epoch").First(&row).Error; err != nil {
		return proof, fmt.Errorf("it has no epoch: %w", err)
	}
	proof.Epoch = config.Epoch(row.Value)
	if proof.Entries, err = s.proveAudit(ctx); err != nil {
		return proof, err
	}
	var after config.Name
	for {
		page, err := s.Namespaces(ctx, after, provePage)
		if err != nil || len(page) == 0 {
			return proof, err
		}
		for _, summary := range page {
			if err := s.proveCommits(ctx, summary); err != nil {
				return proof, err
			}
			proof.Commits += int64(summary.Revision)
			after = summary.Namespace
		}
		proof.Namespaces += len(page)
	}
}

const provePage = 1_000

// proveAudit walks the audit from its end to its first entry.
func (s *Store) proveAudit(ctx context.Context) (int64, error) {
	_, head, err := s.Entries(ctx, 0, 1)
	if err != nil {
		return 0, err
	}
	next := head
	for next.Seq > 0 {
		page, _, err := s.Entries(ctx, next.Seq+1, provePage)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			return 0, fmt.Errorf("entry %d of the audit is missing", next.Seq)
		}
		for _, e := range page {
			if e.Seq != next.Seq || e.Hash != next.Hash || e.Sum() != e.Hash {
				return 0, fmt.Errorf("entry %d of the audit is not what was written", next.Seq)
			}
			next = domain.AuditHead{Seq: e.Seq - 1, Hash: e.Previous}
		}
	}
	return head.Seq, nil
}

// proveCommits walks the history of a namespace from its newest commit to its first.
func (s *Store) proveCommits(ctx context.Context, n domain.Summary) error {
	next := n.Hash
	for revision := n.Revision; revision > 0; revision-- {
		commit, err := s.Revision(ctx, n.Namespace, revision)
		if err != nil {
			return err
		}
		if commit.Hash != next || commit.Sum() != commit.Hash {
			return fmt.Errorf("revision %d of %s is not what was written", revision, n.Namespace)
		}
		next = commit.Previous
	}
	return nil
}

// closePool closes a database; what SQLite has to say then counts.
func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	return err
}
