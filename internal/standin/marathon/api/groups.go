package api

import (
	"net/http"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func (x *exchange) groups(rest string) {
	parts := strings.Split(rest, "/")
	n := len(parts)
	if parts[n-1] == "versions" || (n > 1 && parts[n-2] == "versions") {
		x.message(http.StatusNotImplemented, "the stand-in for Marathon keeps no versions of groups")
		return
	}
	if parts[n-1] == "apps" && n > 1 && x.r.Method == http.MethodGet {
		prefix := spec.AbsoluteID("", strings.Join(parts[:n-1], "/")) + "/"
		x.json(http.StatusOK, x.Core.Apps(x.embed(false), func(a *spec.App) bool { return strings.HasPrefix(a.ID, prefix) }))
		return
	}
	id := spec.AbsoluteID("", rest)
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		if x.acceptable() {
			group, err := x.Core.Group(id, groupEmbed(x.r.URL.Query()["embed"]))
			x.either(group, err)
		}
	case http.MethodPost:
		if body, ok := x.body(); ok {
			result, err := x.Core.CreateGroup(id, body, x.request(x.query("force")))
			x.result(http.StatusCreated, result, err)
		}
	case http.MethodPut:
		body, ok := x.body()
		if !ok {
			return
		}
		if x.query("dryRun") {
			steps, err := x.Core.DryRunGroup(id, body)
			x.either(map[string]any{"steps": steps}, err)
			return
		}
		result, err := x.Core.UpdateGroup(id, body, x.request(x.query("force")))
		x.result(http.StatusOK, result, err)
	case http.MethodDelete:
		result, err := x.Core.DeleteGroup(id, x.request(x.query("force")))
		x.result(http.StatusOK, result, err)
	case http.MethodPatch:
		if rest != "" {
			x.message(http.StatusNotImplemented, "the stand-in for Marathon does not do enforceRole")
			return
		}
		fallthrough
	default:
		x.only("GET", "POST", "PUT", "DELETE")
	}
}

func groupEmbed(values []string) core.GroupEmbed {
	if len(values) == 0 {
		return core.GroupEmbed{Groups: true, Apps: true, Pods: true}
	}
	var e core.GroupEmbed
	for _, value := range values {
		switch {
		case value == "group.groups":
			e.Groups = true
		case strings.HasPrefix(value, "group.apps"):
			e.Apps = true
			switch {
			case strings.HasSuffix(value, ".tasks"):
				e.App.Tasks, e.Counts = true, true
			case strings.HasSuffix(value, ".counts"), strings.HasSuffix(value, ".deployments"):
				e.Counts = true
			case strings.HasSuffix(value, ".taskStats"):
				e.App.Stats = true
			case strings.HasSuffix(value, ".lastTaskFailure"):
				e.App.Failure = true
			}
		case strings.HasPrefix(value, "group.pods"):
			e.Pods = true
		}
	}
	return e
}
