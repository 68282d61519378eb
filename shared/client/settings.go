package client

import (
	"encoding/json"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Settings are what is set for a namespace.
type Settings struct {
	DryRun    bool        `json:"dry_run"`
	Namespace config.Name `json:"namespace"`
	Guards    struct {
		Empty          bool `json:"empty"`
		Configs        int  `json:"configs"`
		DeletedPercent int  `json:"deleted_percent"`
		KeptPercent    int  `json:"kept_percent"`
	} `json:"guards"`
	Retention   Retention `json:"retention"`
	FrozenUntil time.Time `json:"frozen_until"`
	Reason      string    `json:"reason"`
	Protected   bool      `json:"protected"`
}

// A Retention is how much of a history keeps its documents: the one of the two
// counts that keeps more holds, 0 says nothing, and both 0 keep everything.
type Retention struct {
	Revisions int `json:"keep_revisions"`
	Days      int `json:"keep_days"`
}

// A SettingsPatch changes settings: what is nil or empty stays.
type SettingsPatch struct {
	Guards      *GuardsPatch    `json:"guards,omitempty"`
	Retention   *RetentionPatch `json:"retention,omitempty"`
	FrozenUntil json.RawMessage `json:"frozen_until,omitempty"` // null ends a freeze
	Reason      string          `json:"reason,omitempty"`
	Protected   *bool           `json:"protected,omitempty"`
}

// A GuardsPatch changes guards: what is nil stays.
type GuardsPatch struct {
	Empty          *bool `json:"empty,omitempty"`
	Configs        *int  `json:"configs,omitempty"`
	DeletedPercent *int  `json:"deleted_percent,omitempty"`
	KeptPercent    *int  `json:"kept_percent,omitempty"`
}

// A RetentionPatch changes a retention: what is nil stays.
type RetentionPatch struct {
	Revisions *int `json:"keep_revisions,omitempty"`
	Days      *int `json:"keep_days,omitempty"`
}
