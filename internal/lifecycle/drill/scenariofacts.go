package drill

import (
	"fmt"
	"slices"
	"strings"
)

func other(f Facts) string {
	for _, host := range f.Agents {
		if host != f.Controller && !slices.Contains(f.Control, host) {
			return host
		}
	}
	return ""
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func either(checks ...func(Facts) string) func(Facts) string {
	return func(f Facts) string {
		for _, check := range checks {
			if why := check(f); why != "" {
				return why
			}
		}
		return ""
	}
}

func needsThree(f Facts) string {
	if len(f.Control) < 3 {
		return fmt.Sprintf("with %d control host the loss of one is the loss of all: it needs three", len(f.Control))
	}
	return ""
}

func mixedRoles(f Facts) string {
	if f.MasterLeader == f.Controller && f.Controller != "" {
		return "the leading master's host runs the controller, too"
	}
	return ""
}

func refuseOnlyAgent(f Facts) string {
	if slices.Contains(f.Control, f.Controller) && len(f.Control) < 3 {
		return "the controller's host is also the only control host"
	}
	return ""
}

func hostOffBlast(f Facts) string {
	if f.Pinned {
		return "Jenkins is away until " + f.Controller + " is on again, and for one start; running builds are lost"
	}
	return "Jenkins is away until Mesos has given " + f.Controller + " up, and for one start; running builds are lost"
}

func edgeNote(f Facts) string {
	if len(f.Control) > 0 && f.MasterLeader == f.Control[0] {
		return ", and with it the address of Jenkins"
	}
	return ""
}

func controlPeers(f Facts) []string {
	var peers []string
	for _, h := range f.Cluster.Hosts {
		if slices.Contains(f.Control, h.Name) && h.Name != f.Controller {
			peers = append(peers, h.Address)
		}
	}
	return peers
}

func gitUnavailable(f Facts) string {
	switch {
	case f.Git == "":
		return "the home has no history: name a git repository in jenkins.scm"
	case f.GitPath != "":
		return ""
	case len(f.GitPeers) == 0:
		return "the address of " + redacted(f.Git) + " is not known"
	}
	return f.CanCut
}

// redacted leaves a login out of a repository's URL.
func redacted(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return url
	}
	if _, host, login := strings.Cut(rest, "@"); login {
		rest = host
	}
	return scheme + "://" + rest
}

// gitHost is where the folder of the repository is: on this machine for target local, else where the controller sees it.
func gitHost(f Facts) string {
	if f.Cluster.Target == "local" {
		return ""
	}
	return f.Controller
}
