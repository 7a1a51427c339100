package updatecenter

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// withoutMirror looks whether the file is the Jenkins project's but for its addresses, which public mirrors rewrite without signing
// again. It returns the signed content, the trusted mirror, and the mirror's addresses by those that they replaced.
func (s signature) withoutMirror(object map[string]any, trust Trust) (signed []byte, mirror string, rewritten map[string]string, err error) {
	rewritten = undo(object)
	checks := []any{object["connectionCheckUrl"], "https://www.google.com/", "http://www.google.com/"}
	for _, check := range checks {
		object["connectionCheckUrl"] = check
		text, digest, err := digestOf(object)
		if err != nil {
			return nil, "", nil, err
		}
		if bytes.Equal(digest, s.digest) {
			mirror, err := trusted(rewritten, trust.Mirrors)
			return text, mirror, rewritten, err
		}
	}
	return nil, "", nil, &UntrustedError{"the update center was changed after it was signed: its content does not have the digest that was signed",
		"fetch it again, or from https://updates.jenkins.io/update-center.json"}
}

// undo puts the project's own addresses back.
func undo(object map[string]any) map[string]string {
	rewritten := map[string]string{}
	put := func(artefact any, address func(version string) string) {
		fields, _ := artefact.(map[string]any)
		version, _ := fields["version"].(string)
		was, _ := fields["url"].(string)
		if own := address(version); fields != nil && was != own {
			rewritten[own] = was
			fields["url"] = own
		}
	}
	put(object["core"], func(version string) string {
		return "https://updates.jenkins.io/download/war/" + version + "/jenkins.war"
	})
	plugins, _ := object["plugins"].(map[string]any)
	for name, plugin := range plugins {
		put(plugin, func(version string) string { return PluginURL(name, version) })
	}
	return rewritten
}

// PluginURL is where the Jenkins project keeps a version of a plugin.
func PluginURL(name, version string) string {
	return "https://updates.jenkins.io/download/plugins/" + name + "/" + version + "/" + name + ".hpi"
}

// trusted returns the mirror that all rewritten addresses belong to. Nobody is trusted without having been named.
func trusted(rewritten map[string]string, mirrors []string) (string, error) {
	strange := map[string]bool{}
	used := ""
	for _, address := range rewritten {
		at := slices.IndexFunc(mirrors, func(m string) bool { return within(address, m) })
		if at < 0 {
			strange[origin(address)] = true
			continue
		}
		used = mirrors[at]
	}
	if len(strange) > 0 {
		names := slices.Sorted(maps.Keys(strange))
		return "", &UntrustedError{
			fmt.Sprintf("the update center is the Jenkins project's, but a mirror has put its own addresses into it: %s; everything else is as it was signed, checksums too",
				strings.Join(names, ", ")),
			fmt.Sprintf("take https://updates.jenkins.io/update-center.json, or say that downloads may come from there: --trust-mirror %s", names[0])}
	}
	return used, nil
}

// within says whether an address lies below another one: the same server, and a path below.
func within(address, mirror string) bool {
	a, errA := url.Parse(address)
	m, errM := url.Parse(mirror)
	if errA != nil || errM != nil || m.Host == "" {
		return false
	}
	below := strings.TrimSuffix(m.Path, "/") + "/"
	return a.Scheme == m.Scheme && a.Host == m.Host && a.User == nil && strings.HasPrefix(a.Path, below) && !strings.Contains(a.Path, "..")
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Sprintf("%q", address)
	}
	return u.Scheme + "://" + u.Host
}

// rewrite gives the trusted mirror's addresses to downloads, which are verified by checksum anyway.
func (c *Center) rewrite(rewritten map[string]string) {
	if to, is := rewritten[c.Core.URL]; is {
		c.Core.URL = to
	}
	for name, plugin := range c.Plugins {
		if to, is := rewritten[plugin.URL]; is {
			plugin.URL = to
			c.Plugins[name] = plugin
		}
	}
}
