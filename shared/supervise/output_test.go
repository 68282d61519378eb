//go:build unix

package supervise_test

import (
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/supervise"
)

func TestLastLines(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"both outputs in order": {`i=10; while [ $i -lt 60 ]; do echo $i; echo . >&2; i=$((i+1)); done; exit 1`, "57\n.\n58\n.\n59\n."},
		"no line at all":        {`exit 1`, ""},
		"nothing for terminals": {`printf '\033[31mred\033[0m\a\tx\r\n\n\n'; exit 1`, "[31mred[0m x"},
		"no end of line":        {`printf 'a\nb'; exit 1`, "a\nb"},
		"bad UTF-8":             {`printf 'a\377b\n'; exit 1`, "ab"},
		"too many lines":        {`i=0; while [ $i -lt 2000 ]; do echo "line $i of a very long story"; i=$((i+1)); done; exit 1`, "line 1999 of a very long story"},
		"a long line":           {`printf '%03000d\n' 1; exit 1`, "000…"},
	} {
		r := supervised(t, c.script, func(p *supervise.Program) { p.Settle = patience })
		err := r.Change(supervise.Configuration{})
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		_, last, _ := strings.Cut(err.Error(), ": ")
		if !strings.HasSuffix(last, c.want) || c.want == "" && last != "" || len(err.Error()) > 900 {
			t.Errorf("%s: %q", name, err)
		}
	}
}
