package environ_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/environ"
)

func of(configs map[config.Name]config.Document) ([]string, error) {
	return environ.Of(func(yield func(config.Name, config.Document) bool) {
		for _, name := range slices.Sorted(maps.Keys(configs)) {
			if !yield(name, configs[name]) {
				return
			}
		}
	})
}

func document(kind, body string) config.Document {
	return config.Document{MediaType: kind, Body: []byte(body)}
}

func doc(body string) config.Document  { return document("application/json", body) }
func text(body string) config.Document { return document("text/plain", body) }

func TestVariables(t *testing.T) {
	for name, c := range map[string]struct {
		name     config.Name
		document config.Document
		want     []string
	}{
		"an object":              {"limits", doc(`{"rps":50,"burst":5}`), []string{"LIMITS_BURST=5", "LIMITS_RPS=50"}},
		"objects in objects":     {"db", doc(`{"main":{"host":"a","port":1},"":2}`), []string{"DB_=2", "DB_MAIN_HOST=a", "DB_MAIN_PORT=1"}},
		"numbers as written":     {"n", doc(`{"a":1.50,"b":1e3,"c":-0,"d":12345678901234567890}`), []string{"N_A=1.50", "N_B=1e3", "N_C=-0", "N_D=12345678901234567890"}},
		"what else there is":     {"x", doc(`{"t":true,"f":false,"n":null,"s":"a\nb=\"ü\""}`), []string{"X_F=false", "X_N=null", "X_S=a\nb=\"ü\"", "X_T=true"}},
		"lists as JSON":          {"l", doc(`{"hosts":[ "a<b>&", 1.50, {"z":1,"a":null} ],"none":[]}`), []string{`L_HOSTS=["a<b>&",1.50,{"a":null,"z":1}]`, "L_NONE=[]"}},
		"no object":              {"rps", doc(` 50 `), []string{"RPS=50"}},
		"an empty object":        {"nothing", doc(`{"a":{}}`), []string{}},
		"names":                  {"a.b-c_d9", doc(`{"maxConns":1,"ü":2,"x y":3}`), []string{"A_B_C_D9_MAXCONNS=1", "A_B_C_D9_X_Y=3", "A_B_C_D9__=2"}},
		"text":                   {"motd", text("hello\nyou\n\n"), []string{"MOTD=hello\nyou\n"}},
		"text of another system": {"motd", text("hello\r\n"), []string{"MOTD=hello"}},
		"no text":                {"motd", text(""), []string{"MOTD="}},
		"YAML":                   {"y", document("application/yaml", "a: 1.50\nb: [1, x]\nc: {d: true}\n"), []string{"Y_A=1.50", `Y_B=[1,"x"]`, "Y_C_D=true"}},
		"TOML":                   {"t", document("application/toml", "a = 5\n[b]\nc = 'x'\n"), []string{"T_A=5", "T_B_C=x"}},
		"bytes":                  {"key", document("application/octet-stream", "\x00\x01"), []string{}},
	} {
		got, err := of(map[config.Name]config.Document{c.name: c.document})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestUnfit(t *testing.T) {
	deep := strings.Repeat(`{"`+strings.Repeat("k", 20_000)+`":`, 8) + "1" + strings.Repeat("}", 8)
	var many strings.Builder
	for i := range 20 {
		fmt.Fprintf(&many, `%s"k%d":"%s"`, map[bool]string{true: "{", false: ","}[i == 0], i, strings.Repeat("x", 60_000))
	}
	many.WriteString("}")
	type all = map[config.Name]config.Document
	for name, c := range map[string]struct {
		configs all
		says    string
	}{
		"two configs":         {all{"a-b": doc(`1`), "a.b": doc(`2`)}, "a-b and a.b both make A_B;"},
		"a config and a key":  {all{"limits": doc(`{"rps":1}`), "limits.rps": text("2")}, "limits/rps and limits.rps both make LIMITS_RPS;"},
		"two keys":            {all{"limits": doc(`{"rps":1,"RPS":2}`)}, "limits/RPS and limits/rps both make LIMITS_RPS;"},
		"a NUL in a string":   {all{"a": doc(`{"b":"x\u0000y"}`)}, "a/b holds a NUL"},
		"a NUL in text":       {all{"a": text("x\x00")}, "a holds a NUL"},
		"which programs run":  {all{"path": text("/tmp")}, "makes PATH, which"},
		"which libraries":     {all{"ld": doc(`{"preload":"/tmp/x.so"}`)}, "makes LD_PRELOAD, which"},
		"Herald's own":        {all{"herald": doc(`{"token":"x"}`)}, "makes HERALD_TOKEN, which"},
		"a long variable":     {all{"a": text(strings.Repeat("x", environ.MaxVariable))}, "of 131071 bytes"},
		"a long name":         {all{"a": doc(deep)}, "more than 131070 bytes"},
		"all together":        {all{"a": doc(many.String())}, "more than 1048576 bytes"},
		"YAML of two meaning": {all{"a": document("application/yaml", "1: a\n'1': b\n")}, "a: "},
	} {
		got, err := of(c.configs)
		unfit, ok := errors.AsType[*environ.Unfit](err)
		if !ok || unfit.Code() != "environment" || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 1000 {
			t.Errorf("%s: %.200q, %v", name, got, err)
		}
	}
}

func TestLargestVariable(t *testing.T) {
	got, err := of(map[config.Name]config.Document{"a": text(strings.Repeat("x", environ.MaxVariable-1))})
	if err != nil || len(got) != 1 || len(got[0]) != environ.MaxVariable+1 {
		t.Errorf("%d variables, %v", len(got), err)
	}
}
