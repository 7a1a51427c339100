package catalogue

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
)

var (
	fingerprint = regexp.MustCompile(`^[0-9A-F]{40}$`)
	hex256      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	hex160      = regexp.MustCompile(`^[0-9a-f]{40}$`)
	month       = regexp.MustCompile(`^20\d\d-\d\d$`)
	label       = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// rule collects what is wrong with one entry.
type rule struct{ problems []error }

func (r *rule) must(ok bool, format string, args ...any) {
	if !ok {
		r.problems = append(r.problems, fmt.Errorf(format, args...))
	}
}

func (r *rule) url(where, address string) {
	u, err := url.Parse(address)
	r.must(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", "%s: %q: must be a URL", where, address)
}

func (r *rule) urls(where, first string, more []string) {
	r.url(where, first)
	for _, address := range more {
		r.url(where+" mirrors", address)
		r.must(address != first, "%s: %q: is its own mirror", where, address)
	}
}

func (r *rule) arch(where string, arch []string) {
	r.must(len(arch) > 0, "%s: arch: is missing", where)
	for _, a := range arch {
		r.must(slices.Contains([]string{"amd64", "arm64"}, a), "%s: arch: %q: must be amd64 or arm64", where, a)
	}
}

func (e Entry) validate() error {
	r := &rule{}
	r.must(label.MatchString(e.Name), "name: %q: must be made of a-z, 0-9 and -", e.Name)
	r.must(e.Title != "" && e.Trust != "", "title and trust: are needed")
	r.must(slices.Contains([]string{"mesos", "marathon", "zookeeper", "jenkins"}, e.Component), "component: %q: is not known", e.Component)
	r.must(!e.LastSeen.IsZero(), "lastSeen: is missing")
	r.url("home", e.Home)
	r.must(e.Component != "mesos" || e.Mesos != "", "mesos: the version is missing")
	e.validateKind(r)
	e.validateSupports(r)
	e.Layout.validate(r, e.Kind)
	if k := e.Key; k != nil {
		r.urls("key", k.URL, k.Mirrors)
		r.must(fingerprint.MatchString(k.Fingerprint), "key: %q: must be a fingerprint of 40 hexadecimal digits", k.Fingerprint)
		r.must(!k.Expires.IsZero() && k.Expires.After(k.Created.Time), "key: expires: must be there and after created")
	}
	for i, repo := range e.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		r.must(repo.System != "" && repo.Suite != "", "%s: system and suite: are needed", at)
		r.urls(at, repo.URI, repo.Mirrors)
		r.arch(at, repo.Arch)
		r.must(e.Kind == KindYum || len(repo.Components) > 0, "%s: components: are missing", at)
	}
	for i, d := range e.Downloads {
		at := fmt.Sprintf("downloads[%d]", i)
		r.urls(at, d.URL, d.Mirrors)
		r.must(slices.Contains(e.Versions, d.Version), "%s: version %q: is not among versions", at, d.Version)
		r.must(hex256.MatchString(d.SHA256) || d.SHA256 == "" && hex160.MatchString(d.SHA1), "%s: needs a sha256 or a sha1", at)
	}
	return errors.Join(r.problems...)
}

func (e Entry) validateKind(r *rule) {
	switch e.Kind {
	case KindApt, KindYum:
		r.must(e.Package != "", "package: is missing")
		r.must(len(e.Repositories) == 0 || e.Key != nil, "key: a repository needs one")
		r.must(len(e.Repositories) > 0 || len(e.Arch) > 0, "arch: is needed where there is no repository")
	case KindImage:
		r.must(e.Image != "", "image: is missing")
		r.arch("image", e.Arch)
	case KindArchive, KindSource:
		r.must(len(e.Downloads) > 0, "downloads: are missing")
		r.arch("downloads", e.Arch)
	case KindWar:
		r.must(len(e.Downloads) > 0, "downloads: are missing")
	default:
		r.must(false, "kind: %q: is not known", e.Kind)
	}
	r.must(e.Kind == KindImage || e.Image == "", "image: belongs to kind image")
}

func (e Entry) validateSupports(r *rule) {
	check := func(at string, cgroups []int, binding JavaBinding) {
		for _, v := range cgroups {
			r.must(v == 1 || v == 2, "%s: cgroups: %d: must be 1 or 2", at, v)
		}
		r.must(slices.Contains([]JavaBinding{BindingYes, BindingNo, BindingUnknown, BindingBundled}, binding), "%s: javaBinding: %q: is not known", at, binding)
	}
	r.must(len(e.Supports.Cgroups) > 0, "supports: cgroups: are missing")
	check("supports", e.Supports.Cgroups, e.Supports.JavaBinding)
	for i, limit := range e.ByVersion {
		at := fmt.Sprintf("byVersion[%d]", i)
		r.must(limit.From != "" || limit.Before != "", "%s: needs from or before", at)
		r.must(limit.Note != "" || limit.Broken != "", "%s: needs a note, or why it is broken", at)
		binding := limit.JavaBinding
		if binding == "" {
			binding = e.Supports.JavaBinding
		}
		check(at, limit.Cgroups, binding)
	}
}

func (l Layout) validate(r *rule, kind Kind) {
	for _, p := range []string{l.Master, l.Agent, l.Marathon, l.Library, l.LauncherDir, l.WebUI} {
		if p == "" {
			continue
		}
		r.must(path.IsAbs(p) != (kind == KindArchive), "layout: %q: must be absolute, and relative in an archive", p)
		r.must(path.Clean(p) == p, "layout: %q: is not clean", p)
	}
	for _, unit := range l.Enabled {
		r.must(slices.Contains(l.Units, unit), "layout: enabled: %q: is not among units", unit)
	}
}

func validateDead(hosts []DeadHost) error {
	r := &rule{}
	for _, d := range hosts {
		r.must(d.Host != "" && d.Seen != "" && d.Instead != "", "%q: host, seen and instead: are needed", d.Host)
		r.must(month.MatchString(d.Since), "%s: since: %q: must be YYYY-MM", d.Host, d.Since)
	}
	return errors.Join(r.problems...)
}
