package template

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/heraldconf/herald/services/agent/domain"
)

// An entry is one file as the YAML file has it.
type entry struct {
	node     *yaml.Node
	setting  string // files[3]
	settings map[string]*yaml.Node
}

// fault is an error of one of the settings, or of the entry itself.
func (e entry) fault(setting string, err error) error {
	if node := e.settings[setting]; node != nil {
		return at(node, e.setting+"."+setting, err)
	}
	return at(e.node, strings.TrimSuffix(e.setting+"."+setting, "."), err)
}

// file reads all but what the file is made of.
func (e entry) file(o Options) (f domain.File, err error) {
	if f.To, err = e.text("to"); err != nil {
		return f, err
	}
	if err := domain.CheckFilePath(o.Agent, f.To); err != nil {
		return f, e.fault("to", err)
	}
	var ok bool
	if f.Root, ok = domain.RootOf(f.To, o.Roots); !ok {
		return f, e.fault("to", fmt.Errorf("%s lies in none of --template-roots %s", f.To, strings.Join(o.Roots, ",")))
	}
	if f.Mode, err = e.mode(); err != nil {
		return f, err
	}
	if f.Timeout, err = e.timeout(); err != nil {
		return f, err
	}
	if f.Check, err = e.command("check"); err != nil {
		return f, err
	}
	if len(f.Check) > 0 && !strings.Contains(strings.Join(f.Check[1:], "\x00"), domain.Placeholder) {
		return f, e.fault("check", fmt.Errorf("it has no %s, which stands for the new file", domain.Placeholder))
	}
	f.Then, err = e.command("then")
	return f, err
}

// text returns a setting that must be there.
func (e entry) text(setting string) (string, error) {
	node := e.settings[setting]
	if node == nil {
		return "", e.fault(setting, errors.New("it is missing"))
	}
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str" || node.Value == "" {
		return "", e.fault(setting, errors.New("it needs to be text"))
	}
	return node.Value, nil
}

// mode is 0644 where nothing is said. It is octal however it is written.
func (e entry) mode() (fs.FileMode, error) {
	node := e.settings["mode"]
	if node == nil {
		return 0o644, nil
	}
	mode, err := strconv.ParseUint(strings.TrimPrefix(node.Value, "0o"), 8, 32)
	if node.Kind != yaml.ScalarNode || err != nil || mode > 0o777 {
		return 0, e.fault("mode", errors.New(`write it as in "0644", 0777 at most`))
	}
	return fs.FileMode(mode), nil
}

func (e entry) timeout() (time.Duration, error) {
	node := e.settings["timeout"]
	if node == nil {
		return domain.DefaultTimeout, nil
	}
	timeout, err := time.ParseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil || timeout <= 0 || timeout > domain.MaxTimeout {
		return 0, e.fault("timeout", fmt.Errorf("write it as in 30s, %v at most", domain.MaxTimeout))
	}
	return timeout, nil
}

// command returns a list of words, nil for none.
func (e entry) command(setting string) ([]string, error) {
	node := e.settings[setting]
	if node == nil {
		return nil, nil
	}
	words := []string{}
	for _, word := range node.Content {
		word = resolve(word)
		if word.Kind != yaml.ScalarNode || word.ShortTag() == "!!null" || strings.ContainsRune(word.Value, 0) {
			return nil, at(word, e.setting+"."+setting, errors.New("each word of the command needs to be text"))
		}
		words = append(words, word.Value)
	}
	if node.Kind != yaml.SequenceNode || len(words) == 0 || words[0] == "" {
		return nil, e.fault(setting, errors.New(`write the command as a list of words, as in [nginx, -t, -c, "{}"]; no shell reads it`))
	}
	return words, nil
}
