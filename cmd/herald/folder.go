package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A file is one that stands for a config.
type file struct {
	name config.Name // the file's stem
	path string      // within its folder
	body []byte
}

// A folder is what apply reads: files in the order of their names, and what else
// there is, with why it stands for nothing.
type folder struct {
	files   []file
	ignored []string
}

// stem is a file's name without its last extension.
func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// readFolder reads the regular files of a folder, and links to such within it.
// Hidden files and subfolders are left out. Two files of one stem, or a stem
// that can name no config, are errors of usage.
func readFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, settings.Usagef("%w", err)
	}
	defer func() { _ = root.Close() }()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, settings.Usagef("%w", err)
	}
	found := &folder{}
	stems := map[config.Name]string{}
	for _, entry := range entries {
		path := entry.Name()
		if strings.HasPrefix(path, ".") {
			found.ignored = append(found.ignored, path+" is hidden")
			continue
		}
		info, err := root.Stat(path)
		if err != nil {
			return nil, settings.Usagef("%s: %w", filepath.Join(dir, path), err)
		}
		if !info.Mode().IsRegular() {
			found.ignored = append(found.ignored, path+" is no file")
			continue
		}
		f, err := readFile(root, path)
		if err != nil {
			return nil, err
		}
		if other, taken := stems[f.name]; taken {
			return nil, settings.Usagef("%s and %s would both be the config %s: rename one of them", other, path, f.name)
		}
		stems[f.name] = path
		found.files = append(found.files, f)
	}
	return found, nil
}

func readFile(root *os.Root, path string) (file, error) {
	name, err := config.ParseName(stem(path))
	if err != nil {
		return file{}, settings.Usagef("%s cannot name a config: %w", path, err)
	}
	opened, err := root.Open(path)
	if err != nil {
		return file{}, settings.Usagef("%w", err)
	}
	defer func() { _ = opened.Close() }()
	body, err := readLimited(opened, path)
	return file{name: name, path: path, body: body}, err
}

// writeFile puts a file in the folder: beside first, then in its place, so that
// no reader sees half of it. changed is false if it was there to the byte.
func writeFile(root *os.Root, path string, body []byte) (changed bool, err error) {
	if now, err := root.ReadFile(path); err == nil && string(now) == string(body) {
		return false, nil
	}
	beside := "." + path + ".part"
	_ = root.Remove(beside) // left by an export that was killed
	part, err := root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false, fmt.Errorf("export: %w", err)
	}
	_, err = part.Write(body)
	if err == nil {
		err = part.Sync()
	}
	if closing := part.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = root.Rename(beside, path)
	}
	if err != nil {
		_ = root.Remove(beside)
		return false, fmt.Errorf("export: %w", err)
	}
	return true, nil
}

// readLimited reads a document, but not more of it than one may have.
func readLimited(in io.Reader, name string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, config.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(body) > config.MaxDocument {
		return nil, fmt.Errorf("%w: %s is larger than the %d bytes that a config has at most; split it into several", errRefused, name, config.MaxDocument)
	}
	return body, nil
}
