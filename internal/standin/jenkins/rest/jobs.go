package rest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
)

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// body reads a posted document; 16 MiB are more than any configuration has.
func (q *query) body() ([]byte, error) { return io.ReadAll(io.LimitReader(q.r.Body, 16<<20)) }

func (q *query) contentType() string {
	kind, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// answer maps errors of the core to Jenkins' answers; nil runs then.
func (q *query) answer(err error, then func()) {
	var user core.UserError
	switch {
	case err == nil:
		then()
	case errors.As(err, &user):
		q.userError(string(user))
	case errors.Is(err, core.ErrConflict):
		q.jetty(http.StatusConflict, strings.TrimSuffix(err.Error(), ": "+core.ErrConflict.Error())+" is not buildable")
	case errors.Is(err, core.ErrLabel):
		q.missing(err.Error())
	case errors.Is(err, core.ErrNotFound):
		q.notFound()
	default:
		q.failure(http.StatusInternalServerError, err.Error())
	}
}

// locked runs a change under the controller's lock and answers.
func (q *query) locked(change func() error, then func()) {
	var err error
	q.c.Locked(func() { err = change() })
	q.answer(err, then)
}

func (q *query) createItem() {
	if !q.post() {
		return
	}
	name, given := q.lookup("name")
	mode := q.param("mode")
	if !given {
		q.userError("Query parameter 'name' is required")
		return
	}
	configure := func() { q.redirect("/job/" + esc(name) + "/configure") }
	switch kind := q.contentType(); {
	case mode == "copy":
		q.locked(func() error { return q.c.CopyJob(q.param("from"), name) }, configure)
	case kind == "application/xml" || kind == "text/xml":
		data, err := q.body()
		q.locked(func() error { return errors.Join(err, q.c.CreateJob(name, data)) }, q.ok)
	case mode == "hudson.model.FreeStyleProject":
		q.locked(func() error {
			return q.c.CreateJob(name, []byte("<project><description></description><canRoam>true</canRoam></project>"))
		}, configure)
	case mode != "":
		q.userError("No item type ‘" + mode + "’ is known")
	case kind == "":
		q.userError("No Content-Type header set")
	default:
		q.userError("No mode given")
	}
}

func (q *query) pageJob(rest []string) {
	if len(rest) == 0 {
		q.notFound()
		return
	}
	name, rest := rest[0], rest[1:]
	var j *core.Job
	q.c.Locked(func() { j = q.c.Job(name) })
	if j == nil {
		if q.r.Method == http.MethodDelete {
			q.w.WriteHeader(http.StatusNotFound)
			return
		}
		q.notFound()
		return
	}
	if q.r.Method == http.MethodDelete && len(rest) == 0 {
		q.locked(func() error { return q.c.DeleteJob(j) }, func() { q.w.WriteHeader(http.StatusNoContent) })
		return
	}
	if len(rest) > 0 && q.jobAction(j, rest) {
		return
	}
	if len(rest) > 0 {
		var b *core.Build
		q.c.Locked(func() { b = findBuild(j, rest[0]) })
		if b != nil {
			q.pageBuild(b, rest[1:])
			return
		}
	}
	q.api(rest, j.Name+" - Jenkins", func(v view) *bean { return v.jobNamed(j, v.base+"job/"+esc(name)+"/") })
}

var permalinks = map[string]func(*core.Build) bool{
	"lastBuild":          func(*core.Build) bool { return true },
	"lastCompletedBuild": func(b *core.Build) bool { return !b.Building },
	"lastSuccessfulBuild": func(b *core.Build) bool {
		return !b.Building && (b.Result == "SUCCESS" || b.Result == "UNSTABLE")
	},
	"lastStableBuild":       func(b *core.Build) bool { return !b.Building && b.Result == "SUCCESS" },
	"lastFailedBuild":       func(b *core.Build) bool { return !b.Building && b.Result == "FAILURE" },
	"lastUnstableBuild":     func(b *core.Build) bool { return !b.Building && b.Result == "UNSTABLE" },
	"lastUnsuccessfulBuild": func(b *core.Build) bool { return !b.Building && b.Result != "SUCCESS" },
}

func findBuild(j *core.Job, name string) *core.Build {
	if fits := permalinks[name]; fits != nil {
		return j.Last(fits)
	}
	return j.Build(atoi(name))
}

// jobAction serves what is not reading; false = something else.
func (q *query) jobAction(j *core.Job, rest []string) bool {
	home := "/job/" + esc(j.Name) + "/"
	back := func() { q.redirect(home) }
	post := func(change func() error, then func()) {
		if q.post() {
			q.locked(change, then)
		}
	}
	switch rest[0] {
	case "config.xml":
		q.jobConfig(j)
	case "build", "buildWithParameters":
		if q.post() {
			q.build(j, rest[0] == "buildWithParameters")
		}
	case "doDelete":
		post(func() error { return q.c.DeleteJob(j) }, func() { q.redirect("/") })
	case "disable", "enable":
		post(func() error {
			j.Config.Disabled = rest[0] == "disable"
			return q.c.SaveJob(j)
		}, back)
	case "doRename", "confirmRename":
		name := q.param("newName")
		post(func() error { return q.c.RenameJob(j, name) }, func() { q.redirect("/job/" + esc(name)) })
	case "cancelQueue":
		post(func() error {
			if item := q.c.ItemOf(j); item != nil {
				q.c.Cancel(item)
			}
			return nil
		}, back)
	case "reload":
		post(func() error { return q.c.ReloadJob(j) }, q.ok)
	case "description", "submitDescription":
		q.jobDescription(j, rest[0] == "submitDescription", back)
	case "configure":
		q.page(j.Name + " Config - Jenkins")
	case "createItem", "credentials", "wfapi":
		q.notFound()
	default:
		return false
	}
	return true
}

func (q *query) jobDescription(j *core.Job, form bool, back func()) {
	if !form && q.r.Method == http.MethodGet {
		text := ""
		q.c.Locked(func() { text = j.Config.Description })
		q.plain(http.StatusOK, text)
		return
	}
	if !q.post() {
		return
	}
	text := q.param("description")
	q.locked(func() error {
		j.Config.Description, j.Config.HasDescription = text, true
		return q.c.SaveJob(j)
	}, func() {
		if form {
			back()
			return
		}
		q.w.WriteHeader(http.StatusNoContent)
	})
}

func (q *query) jobConfig(j *core.Job) {
	switch q.r.Method {
	case http.MethodGet, http.MethodHead:
		q.c.Locked(func() { q.xml(j.Config.XML()) })
	case http.MethodPost:
		data, err := q.body()
		q.locked(func() error { return errors.Join(err, q.c.UpdateJob(j, data)) }, q.ok)
	default:
		q.w.WriteHeader(http.StatusBadRequest)
	}
}

func (q *query) build(j *core.Job, withParameters bool) {
	delay := time.Duration(-1)
	if text := q.param("delay"); text != "" {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(text, "sec"), "s"))
		if err != nil {
			q.failure(http.StatusInternalServerError, "delay: "+err.Error())
			return
		}
		delay = time.Duration(n) * time.Second
	}
	var item *core.Item
	err := error(nil)
	q.c.Locked(func() {
		switch {
		case !j.Buildable():
		case j.Config.HasParams && !withParameters:
			err = errNothing
			return
		case !j.Config.HasParams && withParameters:
			err = errUnparameterised
			return
		}
		var params []core.Param
		for _, p := range j.Config.Params {
			if v, ok := q.lookup(p.Name); ok {
				p.Value = v
			}
			params = append(params, core.Param{Name: p.Name, Value: p.Value})
		}
		item, err = q.c.Schedule(j, params, q.userID(), delay)
	})
	switch {
	case errors.Is(err, errNothing):
		q.jetty(http.StatusBadRequest, err.Error())
	case errors.Is(err, errUnparameterised):
		q.failure(http.StatusInternalServerError, err.Error())
	default:
		q.answer(err, func() {
			q.w.Header().Set("Vary", "Accept-Encoding")
			q.w.Header().Set("Location", q.requestBase()+"queue/item/"+itoa(item.ID)+"/")
			q.w.WriteHeader(http.StatusCreated)
		})
	}
}

var (
	errNothing         = errors.New("Nothing is submitted")
	errUnparameterised = errors.New("the job is not parameterized but the -p option was specified")
)

func (q *query) createView() {
	if !q.post() {
		return
	}
	name := q.param("name")
	kind := q.contentType()
	mode := q.param("mode")
	if mode != "" && mode != "hudson.model.ListView" && kind != "application/xml" && kind != "text/xml" {
		q.userError("No view type ‘" + mode + "’ is known")
		return
	}
	q.locked(func() error { return q.addView(name) }, func() {
		if kind == "application/xml" || kind == "text/xml" {
			q.ok()
			return
		}
		q.redirect("/view/" + esc(name) + "/configure")
	})
}

func (q *query) addView(name string) error {
	switch {
	case name == "":
		return core.UserError("No name is specified")
	case q.view().view(name) != nil:
		return core.UserError("A view already exists with the name ‘" + name + "’")
	}
	cfg := q.c.Config()
	cfg.Views = append(cfg.Views, homeView(name))
	return q.c.SaveConfig()
}

func (q *query) deleteView(name string) {
	if name == "all" {
		q.failure(http.StatusInternalServerError, "the primary view cannot be deleted")
		return
	}
	q.locked(func() error {
		cfg := q.c.Config()
		cfg.Views = slices.DeleteFunc(cfg.Views, func(v homeViewType) bool { return v.Name == name })
		return q.c.SaveConfig()
	}, func() { q.redirect("/") })
}

func (q *query) changeView(name, action string) {
	job := q.param("name")
	q.locked(func() error {
		cfg := q.c.Config()
		i := slices.IndexFunc(cfg.Views, func(v homeViewType) bool { return v.Name == name })
		if i < 0 || q.c.Job(job) == nil {
			return core.UserError("Query parameter 'name' does not correspond to a known item")
		}
		cfg.Views[i].Jobs = slices.DeleteFunc(cfg.Views[i].Jobs, func(n string) bool { return n == job })
		if action == "addJobToView" {
			cfg.Views[i].Jobs = append(cfg.Views[i].Jobs, job)
		}
		return q.c.SaveConfig()
	}, q.ok)
}
