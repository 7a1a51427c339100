package clusterfile

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// SetRelease makes a cluster file say another release. Everything else in it stays as its author wrote it.
func SetRelease(path, release string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("writing the release into the cluster file: %w", err)
	}
	changed, err := withRelease(text, release)
	if err == nil {
		err = onlyRelease(path, text, changed, release)
	}
	if err != nil {
		return &op.Refusal{Problem: fmt.Sprintf("%s cannot be changed by a program: %v", path, err), Fix: "write `release: " + release + "` into it, and run `jomctl resume`"}
	}
	if bytes.Equal(text, changed) {
		return nil
	}
	return wholefile.Replace(path, changed)
}

// withRelease changes the line of the release, or adds one below the name.
func withRelease(text []byte, release string) ([]byte, error) {
	e, err := edit.Parse(text)
	if err == nil {
		err = e.SetWord("release", release, "name")
	}
	if err != nil {
		return nil, err
	}
	return e.Text(), nil
}

// onlyRelease proves that a changed file means the same but for the release.
func onlyRelease(path string, text, changed []byte, release string) error {
	before, err := config.Parse(text, path)
	if err != nil {
		return err
	}
	after, err := config.Parse(changed, path)
	if err != nil {
		return err
	}
	before.Release = release
	if a, b := string(config.Show(before)), string(config.Show(after)); a != b {
		for i, line := range strings.Split(a, "\n") {
			if lines := strings.Split(b, "\n"); i >= len(lines) || lines[i] != line {
				return fmt.Errorf("%q would not mean the same any more", line)
			}
		}
		return edit.ErrWritten
	}
	return nil
}
