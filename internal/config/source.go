package config

import (
	"net/url"
	"strings"
)

type sourceKind struct{ name, value string }

// kinds are the kinds that the source names.
func (s Source) kinds() []sourceKind {
	var kinds []sourceKind
	for _, k := range s.allKinds() {
		if k.value != "" {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func (s Source) allKinds() []sourceKind {
	return []sourceKind{
		{"apt", s.Apt}, {"deb", s.Deb}, {"yum", s.Yum}, {"rpm", s.RPM}, {"archive", s.Archive}, {"image", s.Image}, {"path", s.Path}, {"catalog", s.Catalog},
	}
}

func sourceKinds() []string {
	var names []string
	for _, k := range (Source{}).allKinds() {
		names = append(names, k.name)
	}
	return names
}

// MarshalYAML writes the word standin or the mapping.
func (s Source) MarshalYAML() (any, error) {
	if s.Standin {
		return "standin", nil
	}
	type mapping Source
	return mapping(s), nil
}

// UnmarshalYAML reads the word standin or the mapping.
func (s *Source) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if err := unmarshal(&word); err == nil && word == "standin" {
		*s = Source{Standin: true}
		return nil
	}
	type mapping Source
	return unmarshal((*mapping)(s))
}

// source checks that exactly one kind is named and that what belongs to it is there.
func (k *checker) source(at string, s Source) {
	kinds := s.kinds()
	switch {
	case s.Standin && len(kinds) == 0:
		return
	case len(kinds) == 0:
		k.add(at, nil, "must be standin or have one of "+strings.Join(sourceKinds(), ", "), "")
		return
	case len(kinds) > 1 || s.Standin:
		var names []string
		for _, kind := range kinds {
			names = append(names, kind.name)
		}
		k.add(at, strings.Join(names, " and "), "must have exactly one of "+strings.Join(sourceKinds(), ", "), "")
		return
	}
	kind := kinds[0]
	k.filePath(at+"."+kind.name, kind.value)
	k.packageRepository(at, kind.name, s)
	switch kind.name {
	case "deb", "rpm", "archive":
		k.download(at+"."+kind.name, kind.value)
		if isURL(kind.value) && s.SHA256 == "" {
			k.add(at+".sha256", nil, "is required for a download", "sha256sum FILE prints it")
		}
		if s.SHA256 != "" && !checksum.MatchString(s.SHA256) {
			k.add(at+".sha256", s.SHA256, "must be 64 hexadecimal digits", "sha256sum FILE prints it")
		}
	case "apt", "yum", "catalog", "image":
		if strings.ContainsAny(kind.value, " \t") || strings.HasPrefix(kind.value, "-") {
			k.add(at+"."+kind.name, kind.value, "must be one name", "")
		}
		fallthrough
	default:
		if s.SHA256 != "" {
			k.add(at+".sha256", s.SHA256, "belongs to deb, rpm and archive only", "an image carries its checksum in its name: repo/name@sha256:...")
		}
	}
}

// packageRepository checks what says where a package of apt or yum comes from.
func (k *checker) packageRepository(at, kind string, s Source) {
	switch {
	case s.Repository == "":
	case kind == "apt" && !strings.HasPrefix(s.Repository, "deb "):
		k.add(at+".repository", s.Repository, "must be a line of sources.list", `"deb [signed-by=KEYFILE] URL SUITE main"`)
	case kind == "yum" && !isURL(s.Repository):
		k.add(at+".repository", s.Repository, "must be the URL of the folder that has repodata", "https://HOST/el$releasever/$basearch/")
	case kind == "yum":
		k.download(at+".repository", s.Repository)
		if s.GPGKey == "" {
			k.add(at+".gpgkey", nil, "is required, as without a key nothing could be verified", "name its file or URL; for one package without a key {rpm: URL, sha256: ...}")
		}
	case kind != "apt":
		k.add(at+".repository", s.Repository, "belongs to apt and yum only", "")
	}
	if s.GPGKey == "" {
		return
	}
	if kind != "yum" || s.Repository == "" {
		k.add(at+".gpgkey", s.GPGKey, "belongs to yum with a repository", "")
	}
	k.filePath(at+".gpgkey", s.GPGKey)
	k.download(at+".gpgkey", s.GPGKey)
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// download checks the form of a URL; a path passes.
func (k *checker) download(at, value string) {
	if !isURL(value) {
		return
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		k.add(at, redacted(value), "must be a path or an https:// or http:// URL", "")
		return
	}
	k.noPassword(at, value)
}
