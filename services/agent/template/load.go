package template

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// maxSource is how large the YAML file may be, and each template.
const maxSource = 1 << 20

// Options are what a Set depends on beside its YAML file.
type Options struct {
	Agent  string
	Labels map[string]string
	Roots  []string // the folders that files may be made in: absolute and plain
}

// Load reads a YAML file and the templates that it names, which are looked for
// beside it. An error names the file, the line and the setting.
func Load(path string, o Options) (*Set, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	source, err := readSource(path)
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	set := &Set{recipes: map[string]recipe{}}
	for _, e := range entries {
		file, r, err := e.build(filepath.Dir(path), o)
		if err == nil {
			if _, doubled := set.recipes[file.To]; doubled {
				err = e.fault("to", fmt.Errorf("%s is made twice", file.To))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		set.files = append(set.files, file)
		set.recipes[file.To] = r
	}
	return set, nil
}

// readSource refuses what is too large, and does not wait for what is no file.
func readSource(path string) (source []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path) //nolint:gosec // the host's operator names it
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	source, err = io.ReadAll(io.LimitReader(file, maxSource+1))
	if err == nil && len(source) > maxSource {
		err = fmt.Errorf("%s has more than %d bytes", path, maxSource)
	}
	return source, err
}

// parseEntries returns the files of a YAML file as they are written.
func parseEntries(source []byte) ([]entry, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(source)))
	var document, further yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty; it needs files: and a list")
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&further); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document in it")
	}
	top, err := members(document.Content[0], "", []string{"files"})
	if err != nil {
		return nil, err
	}
	files := top["files"]
	if files == nil || files.Kind != yaml.SequenceNode || len(files.Content) == 0 {
		return nil, at(document.Content[0], "files", errors.New("it needs a list of files"))
	}
	if len(files.Content) > domain.MaxFiles {
		return nil, at(files, "files", fmt.Errorf("%d files: %d at most", len(files.Content), domain.MaxFiles))
	}
	var entries []entry
	for i, node := range files.Content {
		node = resolve(node)
		setting := fmt.Sprintf("files[%d]", i)
		settings, err := members(node, setting, []string{"to", "from", "template", "mode", "check", "then", "timeout"})
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{node: node, setting: setting, settings: settings})
	}
	return entries, nil
}

// members returns the values of a mapping that has no keys but these, each once.
func members(node *yaml.Node, setting string, allowed []string) (map[string]*yaml.Node, error) {
	if node.Kind != yaml.MappingNode {
		return nil, at(node, setting, fmt.Errorf("it needs %s", strings.Join(allowed, ", ")))
	}
	found := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], resolve(node.Content[i+1])
		name := strings.TrimPrefix(setting+"."+key.Value, ".")
		switch {
		case !slices.Contains(allowed, key.Value):
			return nil, at(key, name, fmt.Errorf("unknown; there are %s", strings.Join(allowed, ", ")))
		case found[key.Value] != nil:
			return nil, at(key, name, errors.New("it stands there twice"))
		}
		found[key.Value] = value
	}
	return found, nil
}

// resolve follows an alias to what it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// at says where an error is.
func at(node *yaml.Node, setting string, err error) error {
	if setting == "" {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	return fmt.Errorf("line %d: %s: %w", node.Line, setting, err)
}

// build makes a file and its recipe of an entry; templates are looked for in that
// folder.
func (e entry) build(folder string, o Options) (f domain.File, r recipe, err error) {
	if f, err = e.file(o); err != nil {
		return f, r, err
	}
	r.facts = Facts{Agent: o.Agent, Labels: o.Labels, File: f.To}
	from, template := e.settings["from"], e.settings["template"]
	switch {
	case from != nil && template != nil:
		return f, r, e.fault("template", errors.New("there is from already; a file is one or the other"))
	case from == nil && template == nil:
		return f, r, e.fault("", errors.New("it needs from: NAMESPACE/NAME or template: FILE"))
	case from != nil:
		text, err := e.text("from")
		if err != nil {
			return f, r, err
		}
		if r.document, err = parseReference(text); err != nil {
			return f, r, e.fault("from", err)
		}
		f.Namespaces = []config.Name{r.document.namespace}
		return f, r, nil
	}
	name, err := e.text("template")
	if err != nil {
		return f, r, err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	source, err := readSource(name)
	if err != nil {
		return f, r, e.fault("template", err)
	}
	if r.template, f.Namespaces, err = parseTemplate(name, string(source)); err != nil {
		return f, r, e.fault("template", err)
	}
	if len(f.Namespaces) == 0 {
		return f, r, e.fault("template", fmt.Errorf("%s names no config", name))
	}
	return f, r, nil
}
