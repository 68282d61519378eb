package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The bounds of files that are made of configs.
const (
	// MaxFiles is how many files one agent makes at most.
	MaxFiles = 256
	// MaxFileSize is how many bytes a file has at most, the one that is made and
	// the one that it replaces.
	MaxFileSize = 8 << 20
	// DefaultTimeout is how long a command may take where nothing is said.
	DefaultTimeout = 30 * time.Second
	// MaxTimeout is how long it may be allowed to take: while it runs, the other
	// files wait.
	MaxTimeout = 10 * time.Minute
	// Placeholder stands in a check for the path of the new file.
	Placeholder = "{}"
)

// A File is one that an agent keeps made of configs, and a worker in the fleet.
type File struct {
	To         string        // where it is: an absolute path
	Root       string        // the folder that it may not leave
	Namespaces []config.Name // those of which it is made, in order
	Mode       fs.FileMode
	Check      []string // the command that judges a new file; none = it is good
	Then       []string // the command that follows its replacement; none = nothing
	Timeout    time.Duration
}

// CheckCommand is the command that judges the new file at that path.
func (f File) CheckCommand(beside string) []string {
	command := slices.Clone(f.Check)
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], Placeholder, beside)
	}
	return command
}

// FileWorker is the name of a file in the fleet.
func FileWorker(agent, to string) string { return agent + ":" + to }

// CheckFilePath returns an error unless an agent of that ID can make a file there:
// the path is absolute and plain, and names a worker.
func CheckFilePath(agent, to string) error {
	if !path.IsAbs(to) || path.Clean(to) != to || to == "/" {
		return fmt.Errorf("%q: write an absolute path without . and .. in it, as in /etc/nginx/nginx.conf", to)
	}
	if err := config.CheckWorkerID(FileWorker(agent, to)); err != nil {
		return fmt.Errorf("%q: the fleet knows a file as AGENT:PATH, and that does not work here: %w", to, err)
	}
	return nil
}

// RootOf returns the innermost of the allowed folders that a path lies in.
func RootOf(to string, roots []string) (root string, ok bool) {
	for _, each := range roots {
		inside := each == "/" || strings.HasPrefix(to, each+"/")
		if inside && (!ok || len(each) > len(root)) {
			root, ok = each, true
		}
	}
	return root, ok
}

// A Version is what stands at a path at some time. The zero value is nothing.
type Version struct {
	Present bool        `json:"present"`
	Mode    fs.FileMode `json:"mode"`
	Content []byte      `json:"content"`
}

// Digest identifies a version.
func (v Version) Digest() string {
	if !v.Present {
		return "absent"
	}
	h := sha256.New()
	fmt.Fprintf(h, "%o\n", v.Mode)
	h.Write(v.Content)
	return hex.EncodeToString(h.Sum(nil))
}

// A FileRecord is what an agent remembers of a file over restarts, so that a
// command which did not run to its end is run again, and one that did is not.
type FileRecord struct {
	Path    string  `json:"path"`
	Settled string  `json:"settled,omitempty"` // the version for which Then succeeded
	Trying  string  `json:"trying,omitempty"`  // the version that was put in place and is not settled yet
	Former  Version `json:"former"`            // what to go back to from Trying
}

// Trial is the record before want takes the place of now. What a version that
// never settled had replaced stays the one to go back to.
func (r FileRecord) Trial(now, want Version) FileRecord {
	return FileRecord{Path: r.Path, Trying: want.Digest(), Former: r.before(now)}
}

func (r FileRecord) before(now Version) Version {
	if r.Trying != "" && r.Trying == now.Digest() {
		return r.Former
	}
	return now
}

// Settle is the record once Then succeeded for a version.
func (r FileRecord) Settle(v Version) FileRecord {
	return FileRecord{Path: r.Path, Settled: v.Digest()}
}
