// Package updatecenter reads the update-center files of the Jenkins project: what plugins there are, their checksums, and the security
// warnings. Nothing of a file is used before its signature was verified.
package updatecenter

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Center is a verified update-center file. It holds only the newest version of each plugin.
type Center struct {
	ID        string
	Generated time.Time
	Core      Core
	// Plugins are by name.
	Plugins map[string]Plugin
	// Unusable says what is wrong with the plugins that are not in Plugins for it: no checksum, or a name that cannot be that of a file.
	Unusable []string
	Warnings []Warning
	// Deprecated says for names of plugins where their deprecation is explained.
	Deprecated map[string]string
	Provenance Provenance
}

// Core is a jenkins.war. SHA256 is 64 hex digits.
type Core struct {
	Version string
	SHA256  string
	URL     string
	Size    int64
}

// Plugin is one version of a plugin. SHA256 is 64 hex digits, Size bytes (0: not known).
type Plugin struct {
	Name         string
	Version      string
	SHA256       string
	URL          string
	Size         int64
	RequiredCore string
	// MinimumJava is a version as 17 or 1.8, empty where the file does not say.
	MinimumJava  string
	Dependencies []Dependency
	// Previous is the version before this one, of which the file says no more.
	Previous string
}

// Dependency is a plugin that another one needs in this version or a newer one. An optional one binds only where the plugin is there.
type Dependency struct {
	Name     string
	Version  string
	Optional bool
}

// Warning is a security warning.
type Warning struct {
	ID string `json:"id"`
	// Name is the plugin's, or core.
	Name    string `json:"name"`
	Message string `json:"message"`
	URL     string `json:"url"`
	// Patterns are Java expressions over the whole version.
	Patterns []string `json:"patterns"`
}

// CoreName is the name that warnings call Jenkins itself by.
const CoreName = "core"

// raw is the file as it is written.
type raw struct {
	ID        string               `json:"id"`
	Generated string               `json:"generationTimestamp"`
	Core      rawArtefact          `json:"core"`
	Plugins   map[string]rawPlugin `json:"plugins"`
	Warnings  []struct {
		Warning
		Type     string `json:"type"`
		Versions []struct {
			Pattern string `json:"pattern"`
		} `json:"versions"`
	} `json:"warnings"`
	Deprecations map[string]struct {
		URL string `json:"url"`
	} `json:"deprecations"`
}

type rawArtefact struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	URL     string `json:"url"`
	Size    int64  `json:"size"`
}

type rawPlugin struct {
	rawArtefact
	RequiredCore string       `json:"requiredCore"`
	MinimumJava  string       `json:"minimumJavaVersion"`
	Previous     string       `json:"previousVersion"`
	Dependencies []Dependency `json:"dependencies"`
}

// decode takes the canonical text of a file.
func decode(canonical []byte) (*Center, error) {
	var r raw
	if err := json.Unmarshal(canonical, &r); err != nil {
		return nil, fmt.Errorf("decoding the update center: %w", err)
	}
	generated, err := time.Parse(time.RFC3339, r.Generated)
	if err != nil {
		return nil, fmt.Errorf("decoding the update center: generationTimestamp: %w", err)
	}
	c := &Center{ID: r.ID, Generated: generated, Plugins: map[string]Plugin{}, Deprecated: map[string]string{}}
	if c.Core.SHA256, err = hexOf(r.Core.SHA256); err != nil {
		return nil, fmt.Errorf("decoding the update center: core: %w", err)
	}
	c.Core.Version, c.Core.URL, c.Core.Size = r.Core.Version, r.Core.URL, r.Core.Size
	for name, p := range r.Plugins {
		plugin, err := p.plugin(name)
		if err != nil {
			c.Unusable = append(c.Unusable, fmt.Sprintf("plugin %q: %v", name, err))
			continue
		}
		c.Plugins[name] = plugin
	}
	slices.Sort(c.Unusable)
	for _, w := range r.Warnings {
		if w.Type == CoreName {
			w.Name = CoreName
		}
		for _, v := range w.Versions {
			w.Patterns = append(w.Patterns, v.Pattern)
		}
		c.Warnings = append(c.Warnings, w.Warning)
	}
	for name, d := range r.Deprecations {
		c.Deprecated[name] = d.URL
	}
	return c, nil
}

var nameRule, versionRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`), regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// ValidName says whether a text can be a plugin's name; it becomes the name of a file.
func ValidName(name string) bool { return nameRule.MatchString(name) }

// ValidVersion says whether a text can be a version that is part of an address and of the name of a file.
func ValidVersion(version string) bool { return versionRule.MatchString(version) }

func (p rawPlugin) plugin(key string) (Plugin, error) {
	sum, err := hexOf(p.SHA256)
	switch {
	case err != nil:
		return Plugin{}, err
	case !ValidName(key) || p.Name != key:
		return Plugin{}, fmt.Errorf("the name is %q", p.Name)
	case !ValidVersion(p.Version):
		return Plugin{}, fmt.Errorf("the version is %q", p.Version)
	}
	slices.SortFunc(p.Dependencies, func(a, b Dependency) int { return strings.Compare(a.Name, b.Name) })
	return Plugin{Name: p.Name, Version: p.Version, SHA256: sum, URL: p.URL, Size: p.Size, RequiredCore: p.RequiredCore, MinimumJava: p.MinimumJava,
		Dependencies: p.Dependencies, Previous: p.Previous}, nil
}

// hexOf turns the file's base64 into hex digits.
func hexOf(sum string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(sum)
	if err != nil || len(data) != 32 {
		return "", fmt.Errorf("the sha256 is %q, want 32 bytes in base64", sum)
	}
	return hex.EncodeToString(data), nil
}

// unwrap takes off the call that the file usually comes in: updateCenter.post( ... );
func unwrap(data []byte) ([]byte, error) {
	data = bytes.TrimSpace(data)
	if inner, wrapped := bytes.CutPrefix(data, []byte("updateCenter.post(")); wrapped {
		inner = bytes.TrimSuffix(bytes.TrimSpace(inner), []byte(";"))
		inner, closed := bytes.CutSuffix(bytes.TrimSpace(inner), []byte(")"))
		if !closed {
			return nil, errors.New("the file ends early: updateCenter.post( is not closed")
		}
		data = inner
	}
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("neither JSON nor updateCenter.post(JSON); an error page perhaps")
	}
	return data, nil
}
