//go:build unix

package supervise_test

import (
	"testing"

	"github.com/heraldconf/herald/shared/supervise"
)

func TestReactions(t *testing.T) {
	for written, want := range map[string]string{
		"restart": "restart", "none": "none", "signal:HUP": "signal:HUP", "signal:sigusr1": "signal:USR1",
		"": "", "signal:": "", "signal:KILL": "", "HUP": "", "reload": "",
	} {
		var r supervise.Reaction
		err := r.Set(written)
		if (err != nil) != (want == "") || err == nil && r.String() != want {
			t.Errorf("%q: %v, %v", written, r, err)
		}
	}
}
