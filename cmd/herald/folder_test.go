package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A tempFolder is one for property tests, which have no TempDir.
type tempFolder string

func makeFolder() (tempFolder, error) {
	dir, err := os.MkdirTemp("", "herald-folder")
	return tempFolder(dir), err
}

func (d tempFolder) remove() { _ = os.RemoveAll(string(d)) }

type fataler interface {
	Helper()
	Fatal(...any)
}

// exported writes a snapshot into the folder and reads it back.
func (d tempFolder) exported(t fataler, held *config.Snapshot) *folder {
	t.Helper()
	if _, _, err := exportTo(quietCommand(), string(d), held); err != nil {
		t.Fatal(err)
	}
	read, err := readFolder(string(d))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func quietCommand() *cobra.Command {
	cmd := &cobra.Command{}
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetErr(&bytes.Buffer{})
	return cmd
}

func write(t *testing.T, dir, path, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadFolderTakesFilesAndLinksWithin(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "limits.json", "{}")
	write(t, dir, "app.v2.toml", "")
	write(t, dir, ".hidden", "x")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("limits.json", filepath.Join(dir, "alias")); err != nil {
		t.Fatal(err)
	}
	got, err := readFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range got.files {
		names = append(names, string(f.name))
	}
	if strings.Join(names, " ") != "alias app.v2 limits" || strings.Join(got.ignored, ", ") != ".hidden is hidden, sub is no file" {
		t.Errorf("files %v, ignored %v", names, got.ignored)
	}
}

func TestReadFolderRefusesWhatIsUnclear(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"would both be": func(t *testing.T, dir string) {
			write(t, dir, "limits.json", "{}")
			write(t, dir, "limits.yaml", "")
		},
		"cannot name a config": func(t *testing.T, dir string) { write(t, dir, "Limits.json", "{}") },
		"escapes": func(t *testing.T, dir string) {
			if err := os.Symlink("/etc/hostname", filepath.Join(dir, "secret")); err != nil {
				t.Fatal(err)
			}
		},
		"no such file": func(t *testing.T, dir string) {
			if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := t.TempDir()
		prepare(t, dir)
		if _, err := readFolder(dir); !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	write(t, dir, "huge.txt", strings.Repeat("x", config.MaxDocument+1))
	if _, err := readFolder(dir); !errors.Is(err, errRefused) {
		t.Errorf("a huge file: %v", err)
	}
}

func TestWriteFileStaysWithinItsFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, "victim", "before")
	if err := os.Symlink(filepath.Join(outside, "victim"), filepath.Join(dir, "limits.json")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	write(t, dir, ".limits.json.part", "left by a kill")
	if changed, err := writeFile(root, "limits.json", []byte("{}")); !changed || err != nil {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if got, _ := os.ReadFile(filepath.Join(outside, "victim")); string(got) != "before" {
		t.Errorf("a link led outside: %s", got)
	}
	if info, err := os.Lstat(filepath.Join(dir, "limits.json")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v %v", info, err)
	}
	if changed, err := writeFile(root, "limits.json", []byte("{}")); changed || err != nil {
		t.Errorf("written again though it was the same: %v %v", changed, err)
	}
	if _, err := writeFile(root, "../limits.json", []byte("{}")); err == nil {
		t.Error("wrote outside the folder")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
