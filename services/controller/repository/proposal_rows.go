package repository

import (
	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

type proposalRow struct {
	Namespace    string `gorm:"primaryKey"`
	ID           int64  `gorm:"primaryKey;autoIncrement:false"`
	Epoch        string
	Base         int64
	Strict       bool
	Forced       bool
	At           int64
	Author       string
	AuthorToken  string
	AuthorRole   string
	Message      string
	Bytes        int
	State        string
	DecidedAt    int64
	Decider      string
	DeciderToken string
	DeciderRole  string
	Reason       string
	Revision     int64
}

func (proposalRow) TableName() string { return "proposals" }

type proposedRow struct {
	ID        int64 `gorm:"primaryKey"`
	Namespace string
	Proposal  int64
	Name      string
	Op        string
	Creates   bool
	MediaType string
	Etag      string
	Size      int
	Body      []byte
}

func (proposedRow) TableName() string { return "proposed_changes" }

const proposedWithoutBody = "id, namespace, proposal, name, op, creates, media_type, etag, size"

func rowOfProposal(p domain.Proposed) *proposalRow {
	row := &proposalRow{
		Namespace: string(p.Namespace), ID: p.ID, Epoch: string(p.Base.Epoch), Base: int64(p.Base.Revision), Strict: p.Strict, Forced: p.Force,
		At: p.At.UnixMilli(), Author: p.Author.Name, AuthorToken: p.Author.TokenID, AuthorRole: string(p.Author.Role), Message: p.Message,
		Bytes: p.Bytes(), State: string(p.State), Decider: p.By.Name, DeciderToken: p.By.TokenID, DeciderRole: string(p.By.Role),
		Reason: p.Decision.Message, Revision: int64(p.Made),
	}
	if !p.Decision.At.IsZero() {
		row.DecidedAt = p.Decision.At.UnixMilli()
	}
	return row
}

func (row proposalRow) proposal() domain.Proposed {
	p := domain.Proposed{
		ID: row.ID, Namespace: config.Name(row.Namespace), Strict: row.Strict, Force: row.Forced,
		Base: config.Position{Epoch: config.Epoch(row.Epoch), Revision: config.Revision(row.Base)},
		At:   instant(row.At), Message: row.Message, State: domain.ProposalState(row.State),
		Author: domain.Actor{TokenID: row.AuthorToken, Name: row.Author, Role: domain.Role(row.AuthorRole)},
	}
	if row.DecidedAt != 0 {
		p.Decision = domain.Decision{
			At: instant(row.DecidedAt), By: domain.Actor{TokenID: row.DeciderToken, Name: row.Decider, Role: domain.Role(row.DeciderRole)},
			Message: row.Reason, Made: config.Revision(row.Revision),
		}
	}
	return p
}

func rowOfProposed(p domain.Proposed, change domain.Change) *proposedRow {
	row := &proposedRow{
		Namespace: string(p.Namespace), Proposal: p.ID, Name: string(change.Name), Op: string(change.Op), Creates: change.Creates,
		MediaType: change.MediaType, Etag: string(change.ETag), Size: len(change.Body), Body: change.Body,
	}
	if row.Body == nil {
		row.Body = []byte{}
	}
	return row
}

// fill gives a proposal its changes.
func (row proposedRow) fill(p *domain.Proposed) {
	change := domain.Change{
		Op: domain.Op(row.Op), Name: config.Name(row.Name), ETag: config.ETag(row.Etag), Creates: row.Creates,
		Document: config.Document{MediaType: row.MediaType, Body: row.Body},
	}
	if change.Op == domain.PutSchema || change.Op == domain.DeleteSchema {
		p.Schemas = append(p.Schemas, change)
		return
	}
	p.Changes = append(p.Changes, change)
}
