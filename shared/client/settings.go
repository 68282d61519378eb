package client

import (
	"encoding/json"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Settings are what is set for a namespace.
type Settings struct {
	Namespace config.Name `json:"namespace"`
	Guards    struct {
		Empty          bool `json:"empty"`
		Configs        int  `json:"configs"`
		DeletedPercent int  `json:"deleted_percent"`
		KeptPercent    int  `json:"kept_percent"`
	} `json:"guards"`
	FrozenUntil time.Time `json:"frozen_until"`
	Reason      string    `json:"reason"`
}

// A SettingsPatch changes settings: what is nil or empty stays.
type SettingsPatch struct {
	Guards      *GuardsPatch    `json:"guards,omitempty"`
	FrozenUntil json.RawMessage `json:"frozen_until,omitempty"` // null ends a freeze
	Reason      string          `json:"reason,omitempty"`
}

// A GuardsPatch changes guards: what is nil stays.
type GuardsPatch struct {
	Empty          *bool `json:"empty,omitempty"`
	Configs        *int  `json:"configs,omitempty"`
	DeletedPercent *int  `json:"deleted_percent,omitempty"`
	KeptPercent    *int  `json:"kept_percent,omitempty"`
}
