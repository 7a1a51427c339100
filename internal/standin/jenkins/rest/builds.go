package rest

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

type homeViewType = home.View

func homeView(name string) home.View { return home.View{Name: name} }

func (q *query) pageBuild(b *core.Build, rest []string) {
	page := "/job/" + esc(b.Job.Name) + "/" + itoa(b.Number) + "/"
	if len(rest) == 0 {
		q.api(rest, b.Job.Name+" #"+itoa(b.Number)+" - Jenkins", nil)
		return
	}
	switch rest[0] {
	case "consoleText":
		q.console(b)
	case "console", "consoleFull":
		q.page(b.Job.Name + " #" + itoa(b.Number) + " Console - Jenkins")
	case "logText":
		q.progressive(b, rest)
	case "stop":
		if q.post() {
			q.c.Locked(func() { q.c.Abort(b, q.name()) })
			q.redirect(page)
		}
	case "term", "kill":
		// They belong to Pipelines; a freestyle build does not care.
		if q.post() {
			q.redirect(page + rest[0] + "/")
		}
	case "doDelete":
		q.deleteBuild(b)
	case "toggleLogKeep":
		if q.post() {
			q.locked(func() error {
				b.KeepLog = !b.KeepLog
				return q.c.SaveBuild(b)
			}, func() { q.redirect(page) })
		}
	case "submitDescription":
		if q.post() {
			text := q.param("description")
			q.locked(func() error {
				b.Description = text
				return q.c.SaveBuild(b)
			}, func() { q.redirect(page) })
		}
	case "buildNumber":
		q.plain(http.StatusOK, itoa(b.Number))
	default:
		q.api(rest, "", func(v view) *bean { return v.build(b) })
	}
}

func (q *query) deleteBuild(b *core.Build) {
	if !q.post() {
		return
	}
	q.locked(func() error {
		switch {
		case b.KeepLog:
			return core.UserError("Unable to delete " + b.Job.Name + " #" + itoa(b.Number) + ": it is marked to be kept")
		case b.Building:
			return core.UserError("Unable to delete " + b.Job.Name + " #" + itoa(b.Number) + ": it is still running")
		}
		return q.c.DeleteBuild(b)
	}, func() { q.redirect("/job/" + esc(b.Job.Name) + "/") })
}

// consoleNote is an annotation in the raw log; consoleText has none.
var consoleNote = regexp.MustCompile("\x1b\\[8mha:[^\x1b]*\x1b\\[0m")

func (q *query) console(b *core.Build) {
	data, err := os.ReadFile(q.c.LogPath(b))
	if err != nil {
		q.notFound()
		return
	}
	q.plain(http.StatusOK, string(consoleNote.ReplaceAll(data, nil)))
}

// progressive answers a part of the log. A start beyond the end gives the whole log; X-More-Data comes while the build runs.
func (q *query) progressive(b *core.Build, rest []string) {
	if len(rest) < 2 || rest[1] != "progressiveText" && rest[1] != "progressiveHtml" {
		q.notFound()
		return
	}
	// First the state, then the log: the end of the log must not be missed.
	building := false
	q.c.Locked(func() { building = b.Building })
	log, err := os.Open(q.c.LogPath(b))
	if err != nil {
		q.notFound()
		return
	}
	defer log.Close()
	size := int64(0)
	if info, err := log.Stat(); err == nil {
		size = info.Size()
	}
	start, err := strconv.ParseInt(q.param("start"), 10, 64)
	if err != nil || start < 0 || start > size {
		start = 0
	}
	h := q.w.Header()
	h.Set("Content-Type", "text/plain;charset=utf-8")
	if rest[1] == "progressiveHtml" {
		h.Set("Content-Type", "text/html;charset=utf-8")
	}
	h.Set("X-Text-Size", strconv.FormatInt(size, 10))
	if building {
		h.Set("X-More-Data", "true")
	}
	q.w.WriteHeader(http.StatusOK)
	if q.r.Method != http.MethodHead {
		_, _ = io.Copy(q.w, io.NewSectionReader(log, start, size-start))
	}
}
