package bundles

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/bundles/resolve"
)

// The files of a release besides bundle.yaml.
const (
	WishesFile     = "plugins.txt"
	LockFile       = "plugins.lock"
	AdvisoriesFile = "advisories.json"
)

// readPlugins reads the three files; each may be missing.
func (r *Release) readPlugins() error {
	wishes, err := r.optional(WishesFile)
	if err != nil {
		return err
	}
	if r.Wishes, err = resolve.ParseWishes(string(wishes)); err != nil {
		return err
	}
	lock, err := r.optional(LockFile)
	if err != nil {
		return err
	}
	if lock != nil {
		if r.Lock, err = resolve.ParseLock(lock); err != nil {
			return err
		}
	}
	advisories, err := r.optional(AdvisoriesFile)
	if err != nil || advisories == nil {
		return err
	}
	r.Advisories, err = resolve.ParseAdvisories(advisories)
	return err
}

func (r *Release) optional(name string) ([]byte, error) {
	data, err := fs.ReadFile(r.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Audit says what is wrong with the release itself, as it lies there; nothing where it can be installed.
func (r *Release) Audit() []string {
	problems := append([]string{}, r.Incomplete...)
	if r.Lock == nil {
		return append(problems, "plugins are not locked: there is no "+LockFile)
	}
	return append(problems, r.Lock.Audit(r.Core.Version, r.Java, r.Wishes)...)
}

// Files are jenkins.war and the locked plugins, those without a known checksum left out.
func (r *Release) Files() []fetch.File {
	var all []fetch.File
	if r.Core.SHA256 != "" {
		all = append(all, fetch.File{Name: "jenkins.war", Version: r.Core.Version, URL: r.Core.URL, SHA256: r.Core.SHA256})
	}
	if r.Lock != nil {
		for _, p := range r.Lock.Plugins {
			all = append(all, fetch.File{Name: p.Name + ".hpi", Version: p.Version, URL: p.URL, SHA256: p.SHA256, Size: p.Size})
		}
	}
	return all
}

// Known is what all shipped releases, the given ones and further advisories tell about security.
func Known(further []resolve.Advisories, releases ...*Release) (resolve.Knowledge, error) {
	all := further
	for _, name := range Names() {
		release, err := Load(name)
		if err != nil {
			return resolve.Knowledge{}, err
		}
		releases = append(releases, release)
	}
	for _, release := range releases {
		all = append(all, release.Advisories)
	}
	return resolve.Know(all...), nil
}

// Walk calls do with the slash path and content of each file of the release.
func (r *Release) Walk(do func(name string, data []byte) error) error {
	return fs.WalkDir(r.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(r.files, name)
		if err != nil {
			return fmt.Errorf("reading %s of release %q: %w", path.Clean(name), r.Name, err)
		}
		return do(name, data)
	})
}
