package client

import "github.com/heraldconf/herald/shared/config"

// A Compact asks for old documents to be dropped from the history.
type Compact struct {
	KeepRevisions int  `json:"keep_revisions"`
	KeepDays      int  `json:"keep_days"`
	DryRun        bool `json:"dry_run"`
}

// A Compaction is what was dropped, or would be.
type Compaction struct {
	DryRun    bool            `json:"dry_run"`
	Namespace config.Name     `json:"namespace"`
	KeptFrom  config.Revision `json:"kept_from"`
	Documents int             `json:"documents"`
	Bytes     int64           `json:"bytes"`
	Dropped   []struct {      // the first of them
		Revision config.Revision `json:"revision"`
		Op       string          `json:"op"`
		Name     config.Name     `json:"name"`
		Size     int             `json:"size"`
	} `json:"dropped"`
}
