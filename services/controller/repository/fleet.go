package repository

import (
	"context"
	"maps"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

type agentRow struct {
	ID         string `gorm:"primaryKey"`
	Hostname   string
	Labels     map[string]string `gorm:"serializer:json"`
	Version    string
	Namespaces []config.Name                  `gorm:"serializer:json"`
	Assigned   []config.Name                  `gorm:"serializer:json"`
	Fetched    map[config.Name]domain.Mark    `gorm:"serializer:json"`
	Refused    map[config.Name]domain.Refusal `gorm:"serializer:json"`
	IntervalMs int64
	LastSeen   int64
	Owner      string
	Via        string
	StoppedAt  int64
}

func (agentRow) TableName() string { return "agents" }

type standingRow struct {
	Namespace        string `gorm:"primaryKey"`
	Worker           string `gorm:"primaryKey"`
	Agent            string
	RunningEpoch     string
	RunningRevision  int64
	RunningAt        int64
	RejectedEpoch    string
	RejectedRevision int64
	RejectedAt       int64
	Code             string
	Message          string
	LastSeen         int64
	StoppedAt        int64
	Said             int64
}

func (standingRow) TableName() string { return "standings" }

// fleetBatch is how many rows one statement saves.
const fleetBatch = 100

// Load reads all agents and workers.
func (s *Store) Load(ctx context.Context) ([]domain.Agent, []domain.Standing, error) {
	var agentRows []agentRow
	if err := s.read(ctx).Find(&agentRows).Error; err != nil {
		return nil, nil, failure(err)
	}
	var standingRows []standingRow
	if err := s.read(ctx).Find(&standingRows).Error; err != nil {
		return nil, nil, failure(err)
	}
	agents := make([]domain.Agent, 0, len(agentRows))
	for _, row := range agentRows {
		agents = append(agents, row.agent())
	}
	standings := make([]domain.Standing, 0, len(standingRows))
	for _, row := range standingRows {
		standings = append(standings, row.standing())
	}
	return agents, standings, nil
}

// Save keeps agents and workers, and what the audit tells of them, in one
// transaction.
func (s *Store) Save(ctx context.Context, agents []domain.Agent, standings []domain.Standing, told ...domain.Entry) error {
	agentRows := make([]agentRow, 0, len(agents))
	for _, a := range agents {
		agentRows = append(agentRows, rowOfAgent(a))
	}
	standingRows := make([]standingRow, 0, len(standings))
	for _, standing := range standings {
		standingRows = append(standingRows, rowOfStanding(standing))
	}
	return s.write(ctx, func(tx *gorm.DB) error {
		if err := appendEntries(tx, told); err != nil {
			return err
		}
		tx = tx.Clauses(clause.OnConflict{UpdateAll: true}).Session(&gorm.Session{})
		if len(agentRows) > 0 {
			if err := tx.CreateInBatches(&agentRows, fleetBatch).Error; err != nil {
				return err
			}
		}
		if len(standingRows) > 0 {
			return tx.CreateInBatches(&standingRows, fleetBatch).Error
		}
		return nil
	})
}

// Forget removes whoever was not seen since.
func (s *Store) Forget(ctx context.Context, since time.Time) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		if err := tx.Where("last_seen < ?", since.UnixMilli()).Delete(&agentRow{}).Error; err != nil {
			return err
		}
		return tx.Where("last_seen < ?", since.UnixMilli()).Delete(&standingRow{}).Error
	})
}

func rowOfAgent(a domain.Agent) agentRow {
	row := agentRow{ // an empty list or map is kept as such: nil would be NULL
		ID: a.ID, Hostname: a.Hostname, Labels: map[string]string{}, Version: a.Version,
		Namespaces: append([]config.Name{}, a.Namespaces...), Assigned: append([]config.Name{}, a.Assigned...),
		Fetched: map[config.Name]domain.Mark{}, IntervalMs: a.Interval.Milliseconds(), LastSeen: a.LastSeen.UnixMilli(), Owner: a.Owner, Via: a.Via,
		StoppedAt: milliseconds(a.StoppedAt), Refused: map[config.Name]domain.Refusal{},
	}
	maps.Copy(row.Refused, a.Refused)
	maps.Copy(row.Labels, a.Labels)
	maps.Copy(row.Fetched, a.Fetched)
	return row
}

func (row agentRow) agent() domain.Agent {
	return domain.Agent{
		Registration: domain.Registration{
			ID: row.ID, Hostname: row.Hostname, Labels: row.Labels, Version: row.Version, Namespaces: row.Namespaces, Owner: row.Owner, Via: row.Via,
		},
		Assigned: row.Assigned, Fetched: row.Fetched, Refused: row.Refused,
		Interval: time.Duration(row.IntervalMs) * time.Millisecond, LastSeen: instant(row.LastSeen),
		StoppedAt: timeOf(row.StoppedAt),
	}
}

func rowOfStanding(s domain.Standing) standingRow {
	row := standingRow{
		Namespace: string(s.Namespace), Worker: s.Worker, Agent: s.Agent, LastSeen: s.LastSeen.UnixMilli(),
		StoppedAt: milliseconds(s.StoppedAt), Said: milliseconds(s.Said),
	}
	if m := s.Running; m != nil {
		row.RunningEpoch, row.RunningRevision, row.RunningAt = string(m.Epoch), int64(m.Revision), m.At.UnixMilli()
	}
	if r := s.LastRejected; r != nil {
		row.RejectedEpoch, row.RejectedRevision, row.RejectedAt = string(r.Epoch), int64(r.Revision), r.At.UnixMilli()
		row.Code, row.Message = r.Code, r.Message
	}
	return row
}

func (row standingRow) standing() domain.Standing {
	s := domain.Standing{
		Namespace: config.Name(row.Namespace), Worker: row.Worker, Agent: row.Agent, LastSeen: instant(row.LastSeen),
		Running:   mark(row.RunningEpoch, row.RunningRevision, row.RunningAt),
		StoppedAt: timeOf(row.StoppedAt), Said: timeOf(row.Said),
	}
	if m := mark(row.RejectedEpoch, row.RejectedRevision, row.RejectedAt); m != nil {
		s.LastRejected = &domain.Rejection{Mark: *m, Code: row.Code, Message: row.Message}
	}
	return s
}

func mark(epoch string, revision, at int64) *domain.Mark {
	if epoch == "" {
		return nil
	}
	return &domain.Mark{
		Position: config.Position{Epoch: config.Epoch(epoch), Revision: config.Revision(revision)}, At: instant(at),
	}
}
