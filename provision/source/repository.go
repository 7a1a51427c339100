package source

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Repository is an apt repository.
type Repository struct {
	URI     string   `json:"uri"`
	Mirrors []string `json:"mirrors,omitempty"`
	// Suite is a codename, or for a flat repository a path that ends in a slash.
	Suite      string   `json:"suite"`
	Components []string `json:"components,omitempty"`
	Arch       []string `json:"arch,omitempty"`
	Key        KeyRef   `json:"key"`
}

// KeyRef is where the key of a repository is, and what it must be.
type KeyRef struct {
	// File is a path of this machine, instead of URL.
	File    string   `json:"file,omitempty"`
	URL     string   `json:"url,omitempty"`
	Mirrors []string `json:"mirrors,omitempty"`
	// Fingerprint is empty where nobody said it; the lock keeps it from the first use on.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Place is the URL or the path of the key.
func (k KeyRef) Place() string { return Artefact{URL: k.URL, File: k.File}.Place() }

// switchOffs are the options of sources.list that end verification.
var switchOffs = []string{"trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure", "check-valid-until", "check-date"}

// ParseRepository reads a line of sources.list. Files in signed-by are made absolute by resolve.
func ParseRepository(line string, resolve func(string) string) (*Repository, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "deb" {
		return nil, fmt.Errorf("%q: must begin with deb", line)
	}
	r, rest := &Repository{}, strings.Join(fields[1:], " ")
	if strings.HasPrefix(rest, "[") {
		options, after, closed := strings.Cut(rest[1:], "]")
		if !closed {
			return nil, fmt.Errorf("%q: [ is not closed", line)
		}
		rest = after
		if err := r.options(options, resolve); err != nil {
			return nil, err
		}
	}
	if fields = strings.Fields(rest); len(fields) < 2 {
		return nil, fmt.Errorf("%q: must be deb [OPTIONS] URL SUITE COMPONENT...", line)
	}
	u, err := url.Parse(fields[0])
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q: must be an http:// or https:// URL", fields[0])
	}
	r.URI, r.Suite, r.Components = strings.TrimSuffix(fields[0], "/"), fields[1], fields[2:]
	if r.flat() != (len(r.Components) == 0) {
		return nil, fmt.Errorf("%q: needs components after the suite, or a suite that ends in /", line)
	}
	if r.Key.Place() == "" {
		return nil, fmt.Errorf("%q: there is no signed-by=KEYFILE, so that nothing could be verified", line)
	}
	return r, nil
}

func (r *Repository) options(text string, resolve func(string) string) error {
	for _, option := range strings.Fields(text) {
		key, value, _ := strings.Cut(option, "=")
		switch {
		case key == "arch":
			r.Arch = strings.Split(value, ",")
		case key == "signed-by":
			r.Key = keyOf(value, resolve)
		case slices.Contains(switchOffs, key):
			return fmt.Errorf("option %q would switch verification off, which jomctl never does; name the package as {deb: URL, sha256: ...} instead", option)
		default:
			return fmt.Errorf("option %q is not known (known are arch and signed-by)", option)
		}
	}
	return nil
}

func keyOf(value string, resolve func(string) string) KeyRef {
	if strings.Contains(value, "://") {
		return KeyRef{URL: value}
	}
	return KeyRef{File: resolve(value)}
}

func (r *Repository) flat() bool { return strings.HasSuffix(r.Suite, "/") }

// dist is the URL of the folder of the Release file, below a base.
func (r *Repository) dist(base string) string {
	if r.flat() {
		return join(base, r.Suite)
	}
	return join(base, "dists", r.Suite)
}

// indexes are the paths of the Packages files for an architecture, relative to the Release file and without their compression.
func (r *Repository) indexes(arch string) []string {
	if r.flat() {
		return []string{"Packages"}
	}
	var paths []string
	for _, component := range r.Components {
		paths = append(paths, path.Join(component, "binary-"+arch, "Packages"))
	}
	return paths
}

// bases are the addresses under which the repository is found, the first of them its own.
func (r *Repository) bases() []string { return append([]string{r.URI}, r.Mirrors...) }

// Line is the line of sources.list for a host on which the key is at keyring.
func (r *Repository) Line(keyring, arch string) string {
	options := "signed-by=" + keyring
	if arch != "" {
		options = "arch=" + arch + " " + options
	}
	return strings.TrimSpace(fmt.Sprintf("deb [%s] %s %s %s", options, r.URI, r.Suite, strings.Join(r.Components, " ")))
}

func join(base string, elem ...string) string {
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(path.Join(elem...), "/")
}
