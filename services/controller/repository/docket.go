package repository

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// proposalOf reads one proposal.
func proposalOf(tx *gorm.DB, namespace config.Name, id int64, columns string) (domain.Proposed, error) {
	var rows []proposalRow
	if err := tx.Where("namespace = ? AND id = ?", string(namespace), id).Find(&rows).Error; err != nil {
		return domain.Proposed{}, fmt.Errorf("read proposal %d: %w", id, err)
	}
	if len(rows) == 0 {
		return domain.Proposed{}, fmt.Errorf("%w: proposal %d of %s", domain.ErrNotFound, id, namespace)
	}
	found, err := withChanges(tx, rows, columns)
	if err != nil {
		return domain.Proposed{}, err
	}
	return found[0], nil
}

// withChanges gives proposals of one namespace what they would change.
func withChanges(tx *gorm.DB, rows []proposalRow, columns string) ([]domain.Proposed, error) {
	ids, at := make([]int64, 0, len(rows)), make(map[int64]int, len(rows))
	found := make([]domain.Proposed, 0, len(rows))
	for i, row := range rows {
		ids, at[row.ID] = append(ids, row.ID), i
		found = append(found, row.proposal())
	}
	var changes []proposedRow
	err := tx.Select(columns).Where("namespace = ? AND proposal IN ?", rows[0].Namespace, ids).Order("id").Find(&changes).Error
	if err != nil {
		return nil, fmt.Errorf("read what is proposed: %w", err)
	}
	for _, change := range changes {
		change.fill(&found[at[change.Proposal]])
	}
	return found, nil
}

// Proposal reads one proposal with its documents.
func (s *Store) Proposal(ctx context.Context, namespace config.Name, id int64) (domain.Proposed, error) {
	var found domain.Proposed
	err := s.read(ctx).Transaction(func(tx *gorm.DB) (err error) { // one state of the store for both reads
		found, err = proposalOf(tx, namespace, id, "*")
		return err
	})
	return found, failure(err)
}

// Proposals reads a page of a namespace's proposals, without the documents.
func (s *Store) Proposals(ctx context.Context, namespace config.Name, state domain.ProposalState, before int64, limit int) ([]domain.Proposed, error) {
	var found []domain.Proposed
	err := s.read(ctx).Transaction(func(tx *gorm.DB) error {
		query := tx.Where("namespace = ?", string(namespace)).Order("id DESC").Limit(limit)
		if before > 0 {
			query = query.Where("id < ?", before)
		}
		switch cutoff := time.Now().Add(-domain.ProposalsFor).UnixMilli(); state {
		case "":
		case domain.ProposalOpen:
			query = query.Where("state = 'open' AND at > ?", cutoff)
		case domain.ProposalExpired:
			query = query.Where("state = 'open' AND at <= ?", cutoff)
		default:
			query = query.Where("state = ?", string(state))
		}
		var rows []proposalRow
		if err := query.Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		var err error
		found, err = withChanges(tx, rows, proposedWithoutBody)
		return err
	})
	return found, failure(err)
}

// addApprovals gives commits, newest first, the approvals that some of them had.
func addApprovals(tx *gorm.DB, commits []domain.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	var rows []proposalRow
	err := tx.Where("namespace = ? AND state = 'approved' AND revision IN ?", string(commits[0].Namespace), revisionsOf(commits)).Find(&rows).Error
	if err != nil {
		return fmt.Errorf("read approvals: %w", err)
	}
	for _, row := range rows {
		made := row.proposal()
		at := slices.IndexFunc(commits, func(c domain.Commit) bool { return c.Revision == made.Made })
		if commits[at].Epoch == made.Base.Epoch {
			commits[at].Approval = &domain.Approval{Proposal: made.ID, By: made.By}
		}
	}
	return nil
}
