package repository

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Propose keeps a proposal in one transaction: it reads what waits, asks join, and
// saves what that returns, its receipt and its audit.
func (s *Store) Propose(ctx context.Context, namespace config.Name, join func(domain.Queue) (domain.Proposed, error)) (domain.Proposed, error) {
	var proposed domain.Proposed
	err := s.write(ctx, func(tx *gorm.DB) error {
		waiting, err := queueOf(tx, namespace, time.Now())
		if err != nil {
			return err
		}
		if proposed, err = join(waiting); err != nil {
			return err
		}
		if err := tx.Create(rowOfProposal(proposed)).Error; err != nil {
			return fmt.Errorf("save proposal %d: %w", proposed.ID, err)
		}
		for _, change := range proposed.All() {
			if err := tx.Create(rowOfProposed(proposed, change)).Error; err != nil {
				return fmt.Errorf("save what is proposed for %s: %w", change.Name, err)
			}
		}
		if err := forget(tx, namespace, proposed.At); err != nil {
			return err
		}
		return keepProposal(tx, proposed)
	})
	if err != nil {
		return domain.Proposed{}, err
	}
	return proposed, nil
}

// keepProposal keeps what goes with a state of a proposal.
func keepProposal(tx *gorm.DB, p domain.Proposed) error {
	if err := saveReceipt(tx, p.Receipt); err != nil {
		return err
	}
	return appendEntries(tx, []domain.Entry{p.Entry()})
}

// waits are the proposals of a namespace that are open at a time.
func waits(tx *gorm.DB, namespace config.Name, at time.Time) *gorm.DB {
	return tx.Model(&proposalRow{}).Where("namespace = ? AND state = 'open' AND at > ?", string(namespace), at.Add(-domain.ProposalsFor).UnixMilli())
}

// queueOf reads how much waits in a namespace.
func queueOf(tx *gorm.DB, namespace config.Name, at time.Time) (domain.Queue, error) {
	var queue domain.Queue
	if err := waits(tx, namespace, at).Select("COUNT(*) AS open, COALESCE(SUM(bytes), 0) AS bytes").Scan(&queue).Error; err != nil {
		return queue, fmt.Errorf("read what waits: %w", err)
	}
	err := tx.Model(&proposalRow{}).Select("COALESCE(MAX(id), 0)").Where("namespace = ?", string(namespace)).Scan(&queue.Last).Error
	if err != nil {
		return queue, fmt.Errorf("read the last proposal: %w", err)
	}
	return queue, nil
}

// Bounds of what is kept of the proposals of a namespace that came to nothing.
const (
	maxPast      = 200
	maxPastBytes = domain.MaxProposalBytes
)

// forget drops the oldest of a namespace's proposals that came to nothing, beyond
// the bounds. The audit still tells of them, and the newest proposal is always
// there, so that no number is used again. What was approved stays, as history does.
func forget(tx *gorm.DB, namespace config.Name, at time.Time) error {
	var rows []proposalRow
	err := tx.Select("id, bytes").Where("namespace = ? AND state <> 'approved' AND (state <> 'open' OR at <= ?)",
		string(namespace), at.Add(-domain.ProposalsFor).UnixMilli()).Order("id DESC").Find(&rows).Error
	if err != nil {
		return fmt.Errorf("read past proposals: %w", err)
	}
	bytes := 0
	for i, row := range rows {
		if bytes += row.Bytes; i < maxPast && bytes <= maxPastBytes {
			continue
		}
		if err := tx.Where("namespace = ? AND id = ?", string(namespace), row.ID).Delete(&proposalRow{}).Error; err != nil {
			return fmt.Errorf("forget proposal %d: %w", row.ID, err)
		}
	}
	return nil
}

// Decide ends a proposal in one transaction with the commit that it becomes, if it
// becomes one.
func (s *Store) Decide(ctx context.Context, namespace config.Name, id int64, decide func(domain.Namespace, domain.Proposed) (domain.Commit, domain.Proposed, error)) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		now, err := s.standing(tx, namespace)
		if err != nil {
			return err
		}
		before, err := proposalOf(tx, namespace, id, proposedWithoutBody)
		if err != nil {
			return err
		}
		commit, after, err := decide(now, before)
		if err != nil || after.State == before.State {
			return err
		}
		if commit.Changed() {
			if err := save(tx, commit); err != nil {
				return err
			}
		}
		if err := saveDecision(tx, after); err != nil {
			return err
		}
		return keepProposal(tx, after)
	})
}

func saveDecision(tx *gorm.DB, p domain.Proposed) error {
	row := rowOfProposal(p)
	columns := map[string]any{
		"state": row.State, "decided_at": row.DecidedAt, "decider": row.Decider, "decider_token": row.DeciderToken,
		"decider_role": row.DeciderRole, "reason": row.Reason, "revision": row.Revision,
	}
	if p.State == domain.ProposalApproved {
		columns["bytes"] = 0
		err := tx.Model(&proposedRow{}).Where("namespace = ? AND proposal = ?", row.Namespace, row.ID).Updates(map[string]any{"media_type": "", "body": []byte{}}).Error
		if err != nil {
			return fmt.Errorf("drop the documents of proposal %d: %w", p.ID, err)
		}
	}
	saved := tx.Model(&proposalRow{}).Where("namespace = ? AND id = ? AND state = 'open'", row.Namespace, row.ID).Updates(columns)
	if saved.Error == nil && saved.RowsAffected != 1 {
		return fmt.Errorf("proposal %d was decided meanwhile", p.ID)
	}
	if saved.Error != nil {
		return fmt.Errorf("save what was decided of proposal %d: %w", p.ID, saved.Error)
	}
	return nil
}
