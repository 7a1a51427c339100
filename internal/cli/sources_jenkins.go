package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/filesum"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/provision/source"
)

// jenkinsPlans are jenkins.war and its plugins as sources: the files that the cluster file names, or those of its release. A
// stand-in has none.
func jenkinsPlans(c *config.Cluster) ([]source.Plan, error) {
	if c.Jenkins.War == "standin" {
		return nil, nil
	}
	release, err := bundles.Load(releasePath(c))
	if err != nil {
		return nil, err
	}
	war := source.Plan{Component: jenkinsWar, Kind: source.KindWar, Title: warSource(c), Artefact: &source.Artefact{SHA256: c.Jenkins.SHA256}}
	switch place := c.Jenkins.War; {
	case place == "":
		war.Version, war.Artefact.URL = release.Core.Version, release.Core.URL
	case strings.Contains(place, "://"):
		war.Artefact.URL = place
	default:
		war.Artefact.File = c.Resolve(place)
	}
	if war.Artefact.URL != "" && war.Artefact.SHA256 == "" {
		war.Artefact.SHA256 = release.Core.SHA256
	}
	plugins, err := pluginPlans(c, release)
	return append([]source.Plan{war}, plugins...), err
}

const jenkinsWar = "jenkins.war"

// releasePath is the release as bundles.Load takes it.
func releasePath(c *config.Cluster) string {
	if strings.ContainsRune(c.Release, '/') {
		return c.Resolve(c.Release)
	}
	return c.Release
}

// warSource is how the lock names the war.
func warSource(c *config.Cluster) string {
	if c.Jenkins.War == "" {
		return "release " + c.Release
	}
	return "war " + c.Jenkins.War
}

// pluginFolder is where the cluster file has its plugins; empty where they are the release's.
func pluginFolder(c *config.Cluster) string {
	switch war := c.Jenkins.War; {
	case c.Jenkins.Plugins != "":
		return c.Resolve(c.Jenkins.Plugins)
	case war == "" || strings.Contains(war, "://"):
		return ""
	default:
		return filepath.Join(filepath.Dir(c.Resolve(war)), "plugins")
	}
}

func pluginPlans(c *config.Cluster, release *bundles.Release) (plans []source.Plan, err error) {
	plan := func(name, title, version string, a source.Artefact) {
		plans = append(plans, source.Plan{Component: "plugin " + name, Kind: source.KindPlugin, Title: title, Version: version, Artefact: &a})
	}
	if dir := pluginFolder(c); dir != "" {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) && c.Jenkins.Plugins == "" {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("jenkins.plugins: %w", err)
		}
		for _, e := range entries {
			if name := e.Name(); pluginName.MatchString(name) && !e.IsDir() {
				plan(strings.TrimSuffix(name, filepath.Ext(name)), "file "+name, "", source.Artefact{File: filepath.Join(dir, name)})
			}
		}
		return plans, nil
	}
	if c.Jenkins.War == "" && release.Lock != nil {
		for _, p := range release.Lock.Plugins {
			plan(p.Name, "release "+c.Release, p.Version, source.Artefact{URL: p.URL, SHA256: p.SHA256, Size: p.Size})
		}
	}
	return plans, nil
}

var pluginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\.[hj]pi$`)

// placeJenkins puts war and plugins of an unpacked pack to where an installation looks for them, and returns the folders. The cluster file
// of this machine alone says where that is; a file that is another one is left and refused.
func placeJenkins(file string, cache *source.Cache, locked []source.Locked) (folders []string, err error) {
	locked = slices.DeleteFunc(slices.Clone(locked), func(l source.Locked) bool { return l.Kind != source.KindWar && l.Kind != source.KindPlugin })
	if len(locked) == 0 {
		return nil, nil
	}
	c, err := config.Load(file)
	if err != nil {
		return nil, fmt.Errorf("the pack has jenkins.war and its plugins, and the cluster file says where they go: %w", err)
	}
	for _, l := range locked {
		to, err := jenkinsPlace(c, l)
		if err != nil {
			return folders, err
		}
		from, err := cache.File(l.SHA256)
		if err != nil {
			return folders, err
		}
		if err := put(from, to, l.SHA256); err != nil {
			return folders, fmt.Errorf("put %s of the pack to %s: %w", l.Component, to, err)
		}
		if dir := filepath.Dir(to); !slices.Contains(folders, dir) && !strings.HasPrefix(l.Source, "release ") {
			folders = append(folders, dir)
		}
	}
	return folders, nil
}

// jenkinsPlace is the path of one file of the pack on this machine.
func jenkinsPlace(c *config.Cluster, l source.Locked) (string, error) {
	if l.Kind == source.KindWar {
		if l.Source != warSource(c) {
			return "", fmt.Errorf("the pack was made for the %s, and %s names the %s: use the cluster file of the pack", l.Source, c.File, warSource(c))
		}
		if l.URL != "" {
			return war.CachePath(c, l.SHA256), nil
		}
		return c.Resolve(c.Jenkins.War), nil
	}
	if l.URL != "" {
		store, err := fetch.UserStore()
		return filepath.Join(store.Dir, l.SHA256, strings.TrimPrefix(l.Component, "plugin ")+".hpi"), err
	}
	name, dir := strings.TrimPrefix(l.Source, "file "), pluginFolder(c)
	if !pluginName.MatchString(name) || dir == "" {
		return "", fmt.Errorf("the pack has %s, and %s names no folder of plugins (jenkins.plugins)", l.Component, c.File)
	}
	return filepath.Join(dir, name), nil
}

// put copies a file, unless the same one is there.
func put(from, to, sum string) error {
	got, err := filesum.SHA256(to)
	if errors.Is(err, fs.ErrNotExist) {
		return copyFile(from, to)
	}
	if err != nil {
		return err
	}
	if got != sum {
		return fmt.Errorf("another file is there (sha256 %s, not %s); move it away first", got, sum)
	}
	return nil
}
