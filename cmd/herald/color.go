package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// A colorMode says when output is colored.
type colorMode string

const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

// Set takes auto, always or never.
func (m *colorMode) Set(value string) error {
	if !slices.Contains([]colorMode{colorAuto, colorAlways, colorNever}, colorMode(value)) {
		return fmt.Errorf("use %s, %s or %s", colorAuto, colorAlways, colorNever)
	}
	*m = colorMode(value)
	return nil
}

// String returns the mode's name.
func (m *colorMode) String() string { return string(*m) }

// Type names what the flag takes.
func (m *colorMode) Type() string { return "auto|always|never" }

// on reports whether what is written there is colored. NO_COLOR, as no-color.org
// has it, counts where nothing else was said.
func (m *colorMode) on(w io.Writer) bool {
	return *m == colorAlways || *m == colorAuto && os.Getenv("NO_COLOR") == "" && isTerminal(w)
}
