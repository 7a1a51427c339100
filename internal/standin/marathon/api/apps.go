package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func (x *exchange) embed(single bool) core.Embed {
	e := core.Embed{Tasks: single, Failure: single}
	for _, value := range append(x.r.URL.Query()["embed"], x.r.URL.Query()["embed[]"]...) {
		switch value[strings.LastIndex(value, ".")+1:] {
		case "tasks":
			e.Tasks = true
		case "lastTaskFailure", "failures":
			e.Failure = true
		case "taskStats":
			e.Stats = true
		case "readiness":
			e.Readiness = true
		}
	}
	return e
}

func (x *exchange) apps(rest string) {
	if rest == "" {
		x.appList()
		return
	}
	if before, ok := strings.CutSuffix(rest, "*"); ok && (before == "" || strings.HasSuffix(before, "/")) {
		x.appsBelow(strings.Trim(before, "/"))
		return
	}
	parts := strings.Split(rest, "/")
	n := len(parts)
	switch {
	case n > 1 && parts[n-1] == "restart":
		if x.only("POST") {
			result, err := x.Core.RestartApp(id(parts[:n-1]), x.request(x.query("force")))
			x.result(http.StatusOK, result, err)
		}
	case n > 1 && parts[n-1] == "tasks":
		x.appTasks(id(parts[:n-1]), "")
	case n > 2 && parts[n-2] == "tasks":
		x.appTasks(id(parts[:n-2]), parts[n-1])
	case n > 1 && parts[n-1] == "versions":
		if x.only("GET") && x.acceptable() {
			versions, err := x.Core.Versions(id(parts[:n-1]))
			x.either(map[string]any{"versions": versions}, err)
		}
	case n > 2 && parts[n-2] == "versions":
		if x.only("GET") && x.acceptable() {
			app, err := x.Core.Version(id(parts[:n-2]), parts[n-1])
			x.either(app, err)
		}
	default:
		x.app(id(parts))
	}
}

func id(parts []string) string { return spec.AbsoluteID("", strings.Join(parts, "/")) }

func (x *exchange) either(value any, err error) {
	if err != nil {
		x.fail(err)
		return
	}
	x.json(http.StatusOK, value)
}

func (x *exchange) appList() {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		if !x.acceptable() {
			return
		}
		filter, err := appFilter(x.r.URL.Query())
		if err != nil {
			x.fail(err)
			return
		}
		x.json(http.StatusOK, map[string]any{"apps": x.Core.Apps(x.embed(false), filter)})
	case http.MethodPost:
		if body, ok := x.body(); ok {
			made, err := x.Core.CreateApp(body, x.request(x.query("force")))
			x.created(made, err)
		}
	case http.MethodPut, http.MethodPatch:
		body, ok := x.body()
		if !ok {
			return
		}
		var bodies []json.RawMessage
		err := spec.CheckSyntax(body)
		if err == nil && json.Unmarshal(body, &bodies) != nil {
			err = &spec.Invalid{Message: "Invalid JSON", Details: []spec.Detail{{Path: "", Errors: []string{"error.expected.jsarray"}}}}
		}
		if err != nil {
			x.fail(err)
			return
		}
		partial := x.r.Method == http.MethodPatch || x.r.URL.Query().Get("partialUpdate") != "false"
		result, err := x.Core.UpdateApps(bodies, partial, x.r.Method == http.MethodPut, x.request(x.query("force")))
		x.result(http.StatusOK, result, err)
	default:
		x.only("GET", "POST", "PUT", "PATCH")
	}
}

func (x *exchange) created(made core.Created, err error) {
	if err == nil {
		err = x.Core.Flush()
	}
	if err != nil {
		x.fail(err)
		return
	}
	x.w.Header().Set("Location", x.base+made.App.ID)
	x.w.Header().Set("Marathon-Deployment-Id", made.DeploymentID)
	x.json(http.StatusCreated, core.AppView{App: made.App, Deployments: []core.IDRef{{ID: made.DeploymentID}}})
}

func (x *exchange) app(id string) {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		if x.acceptable() {
			view, err := x.Core.App(id, x.embed(true))
			x.either(map[string]any{"app": view}, err)
		}
	case http.MethodPut, http.MethodPatch:
		body, ok := x.body()
		if !ok {
			return
		}
		partial := x.r.Method == http.MethodPatch || x.r.URL.Query().Get("partialUpdate") != "false"
		result, made, err := x.Core.UpdateApp(id, body, partial, x.r.Method == http.MethodPut, x.request(x.query("force")))
		if made != nil {
			x.created(*made, err)
			return
		}
		x.result(http.StatusOK, result, err)
	case http.MethodDelete:
		result, err := x.Core.DeleteApp(id, x.request(x.r.URL.Query().Get("force") != "false"))
		x.result(http.StatusOK, result, err)
	default:
		x.only("GET", "PUT", "PATCH", "DELETE")
	}
}

func (x *exchange) appsBelow(group string) {
	if !x.only("GET") {
		return
	}
	root := spec.AbsoluteID("", group)
	if _, err := x.Core.Group(root, core.GroupEmbed{}); err != nil {
		x.fail(err)
		return
	}
	prefix := strings.TrimSuffix(root, "/") + "/"
	x.json(http.StatusOK, map[string]any{"*": x.Core.Apps(x.embed(true), func(a *spec.App) bool { return strings.HasPrefix(a.ID, prefix) })})
}

func (x *exchange) appTasks(app, task string) {
	switch {
	case task == "" && (x.r.Method == http.MethodGet || x.r.Method == http.MethodHead):
		if x.acceptable() {
			tasks, err := x.Core.Tasks(app)
			x.either(map[string]any{"tasks": tasks}, err)
		}
	case x.r.Method == http.MethodDelete:
		scale, wipe := x.query("scale"), x.query("wipe")
		if scale && wipe {
			x.message(http.StatusBadRequest, "You cannot use scale and wipe at the same time.")
			return
		}
		tasks, result, err := x.Core.KillAppTasks(app, task, x.r.URL.Query().Get("host"), scale, wipe, x.request(x.query("force")))
		x.killed(tasks, result, err, task != "")
	case task != "":
		x.only("DELETE")
	default:
		x.only("GET", "DELETE")
	}
}

func (x *exchange) killed(tasks []core.Task, result *core.Result, err error, single bool) {
	switch {
	case err != nil:
		x.fail(err)
	case result != nil:
		x.result(http.StatusOK, *result, nil)
	case single:
		x.json(http.StatusOK, map[string]any{"task": tasks[0]})
	default:
		x.json(http.StatusOK, map[string]any{"tasks": tasks})
	}
}

func (x *exchange) allTasks() {
	tasks, err := x.Core.Tasks("")
	if err != nil {
		x.fail(err)
		return
	}
	q := x.r.URL.Query()
	wanted := map[string]bool{}
	for _, s := range append(q["status"], q["status[]"]...) {
		switch s {
		case "running":
			wanted["TASK_RUNNING"] = true
		case "staging":
			wanted["TASK_STAGING"] = true
		}
	}
	out := []core.Task{}
	for _, t := range tasks {
		if len(wanted) == 0 || wanted[t.State] {
			out = append(out, t)
		}
	}
	x.json(http.StatusOK, map[string]any{"tasks": out})
}

func (x *exchange) deleteTasks() {
	body, ok := x.body()
	if !ok {
		return
	}
	if err := spec.CheckSyntax(body); err != nil {
		x.fail(err)
		return
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields)
	var ids []string
	invalid := func(text string) {
		x.fail(&spec.Invalid{Message: "Invalid JSON", Details: []spec.Detail{{Path: "", Errors: []string{text}}}})
	}
	if fields["ids"] == nil {
		var compact bytes.Buffer
		_ = json.Compact(&compact, body)
		invalid("'ids' is undefined on object: " + compact.String())
		return
	}
	if json.Unmarshal(fields["ids"], &ids) != nil {
		invalid("error.expected.jsarray")
		return
	}
	scale, wipe := x.query("scale"), x.query("wipe")
	if scale && wipe {
		x.message(http.StatusBadRequest, "You cannot use scale and wipe at the same time.")
		return
	}
	for _, id := range ids {
		if !core.ParseTaskID(id) {
			x.message(http.StatusBadRequest, "Invalid task id '"+id+"'. [taskId "+id+" no valid identifier (of class java.lang.String)]")
			return
		}
	}
	tasks, result, err := x.Core.KillTasks(ids, scale, wipe, x.request(x.query("force")))
	x.killed(tasks, result, err, false)
}
