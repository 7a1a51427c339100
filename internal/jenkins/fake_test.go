package jenkins

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fakeJenkins answers like Jenkins 2.568.2 as far as the tests go: HTML for everything that is not a success, 302 for
// most POSTs, crumbs bound to a session, a root URL that is not the one the client uses. Its cloud gives each build a
// node of its own, after as many looks at the queue as wait says.
type fakeJenkins struct {
	*httptest.Server
	mu       sync.Mutex
	phase    string // "", starting, restarting, failed
	root     string
	session  string
	version  string
	jobs     map[string]string // config.xml
	items    map[int64]*fakeItem
	nodes    map[string]bool
	tasks    map[string]bool
	requests []string
	listener string // header value; empty is 404
	open     bool   // anonymous may do everything
	standIn  bool

	wait   int // looks at a queue item before its build starts
	work   int // looks at a build before it ends
	linger int // looks at the framework before an ended build's agent is gone
	result string
	// shared: all builds on one node; storm: tasks without a node.
	shared bool
	storm  int
	// spare: one more build agent than builds, as the provisioner launches now and then.
	spare bool
	// plugins are the active ones, exported what JCasC says is in force.
	plugins  []string
	exported string
	// missed: the first builds start half a minute apart, and none waits for another.
	missed bool
	why    string
}

type fakeItem struct {
	id        int64
	number    int
	job       string
	looks     int
	building  bool
	node      string
	result    string
	cancelled bool
}

func newJenkins(t *testing.T) *fakeJenkins {
	f := &fakeJenkins{
		root: "http://ci.example:8080/", session: "1de3d5ed", version: "2.568.2", listener: "50000", result: "SUCCESS",
		jobs: map[string]string{}, items: map[int64]*fakeItem{}, nodes: map[string]bool{}, tasks: map[string]bool{},
		why: "There are no nodes with the label ‘mesos’",
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeJenkins) client() *Client { return New(f.URL, "admin", "secret") }

func (f *fakeJenkins) seen(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func page(w http.ResponseWriter, code int, name string) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintf(w, "\n  <!DOCTYPE html><html><head><title>%s</title></head></html>", name)
}

func (f *fakeJenkins) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	switch f.phase {
	case "starting":
		page(w, 503, "Starting Jenkins")
		return
	case "restarting":
		page(w, 503, "Restarting Jenkins")
		return
	case "failed":
		page(w, 500, "Jenkins")
		return
	}
	w.Header().Set("X-Jenkins", f.version)
	w.Header().Set("X-Jenkins-Session", f.session)
	if f.standIn {
		w.Header().Set(standInHeader, "1")
	}
	path := strings.TrimSuffix(strings.ReplaceAll(r.URL.Path, "//", "/"), "/")
	switch path {
	case "/login":
		page(w, 200, "Sign in - Jenkins")
		return
	case "/tcpSlaveAgentListener":
		if f.listener == "" {
			page(w, 404, "Not Found - Jenkins")
			return
		}
		w.Header().Set("X-Jenkins-JNLP-Port", f.listener)
		return
	}
	user, password, basic := r.BasicAuth()
	switch {
	case basic && (user != "admin" || password != "secret"):
		page(w, 401, "Error 401 Unauthorized")
	case !basic && path == "/whoAmI/api/json":
		fmt.Fprint(w, `{"anonymous":true,"authenticated":true,"name":"anonymous"}`)
	case !basic && !f.open:
		w.Header().Set("X-Required-Permission", "hudson.model.Hudson.Read")
		page(w, 403, "")
	case r.Method == http.MethodPost && !f.crumbFits(r):
		page(w, 403, "Error 403 No valid crumb was included in the request")
	case r.Method == http.MethodPost:
		f.post(w, r, path)
	default:
		f.get(w, path)
	}
}

// crumbFits: the crumb belongs to the session in the cookie.
func (f *fakeJenkins) crumbFits(r *http.Request) bool {
	cookie, err := r.Cookie("JSESSIONID.b8979ab3")
	return err == nil && r.Header.Get("Jenkins-Crumb") == "crumb-of-"+cookie.Value && strings.HasSuffix(cookie.Value, f.session)
}

func (f *fakeJenkins) post(w http.ResponseWriter, r *http.Request, path string) {
	body, _ := io.ReadAll(r.Body)
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := r.URL.Query().Get("name")
	switch {
	case path == "/createItem" && f.jobs[name] != "":
		w.Header().Set("X-Error", "A job already exists with the name  "+name+" ")
		page(w, 400, "Jenkins")
	case path == "/createItem":
		f.jobs[name] = string(body)
	case path == "/configuration-as-code/check":
		if strings.Contains(string(body), "nonsense") {
			w.WriteHeader(400)
			fmt.Fprint(w, `[{"line":3,"message":"Invalid configuration elements for type: class jenkins.model.Jenkins : nonsense."}]`)
			return
		}
		fmt.Fprint(w, "[]")
	case path == "/configuration-as-code/export":
		fmt.Fprint(w, f.exported)
	case parts[0] != "job":
		w.Header().Set("Location", "/")
		w.WriteHeader(302)
	case f.jobs[parts[1]] == "":
		page(w, 404, "Not Found - Jenkins")
	case parts[2] == "config.xml":
		f.jobs[parts[1]] = string(body)
	case parts[2] == "doDelete":
		delete(f.jobs, parts[1])
		w.Header().Set("Location", "/")
		w.WriteHeader(302)
	case parts[2] == "build":
		id := int64(len(f.items) + 17)
		number := 1
		for _, i := range f.items {
			if i.job == parts[1] {
				number++
			}
		}
		f.items[id] = &fakeItem{id: id, job: parts[1], number: number}
		w.Header().Set("Location", fmt.Sprintf("%squeue/item/%d/", f.root, id))
		w.WriteHeader(201)
	default:
		w.Header().Set("Location", "/")
		w.WriteHeader(302)
	}
}

func (f *fakeJenkins) get(w http.ResponseWriter, path string) {
	write := func(value any) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_ = json.NewEncoder(w).Encode(value)
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/api/json":
		var jobs []map[string]string
		for name := range f.jobs {
			jobs = append(jobs, map[string]string{"name": name, "url": f.root + "job/" + name + "/"})
		}
		write(map[string]any{"url": f.root, "slaveAgentPort": 50000, "useSecurity": true, "useCrumbs": true, "numExecutors": 0, "jobs": jobs})
	case path == "/pluginManager/api/json":
		var plugins []map[string]any
		for _, name := range f.plugins {
			plugins = append(plugins, map[string]any{"shortName": name, "active": true})
		}
		write(map[string]any{"plugins": plugins})
	case strings.HasPrefix(path, "/crumbIssuer/api/json"):
		http.SetCookie(w, &http.Cookie{Name: "LB", Value: "first", Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID.b8979ab3", Value: "node0" + f.session, Path: "/", HttpOnly: true})
		write(map[string]any{"crumb": "crumb-of-node0" + f.session, "crumbRequestField": "Jenkins-Crumb"})
	case path == "/whoAmI/api/json":
		write(map[string]any{"anonymous": false, "name": "admin"})
	case path == "/computer/api/json":
		computers := []map[string]any{{"_class": "hudson.model.Hudson$MasterComputer", "displayName": "Built-In Node", "idle": true}}
		for name := range f.nodes {
			computers = append(computers, map[string]any{"_class": "hudson.slaves.SlaveComputer", "displayName": name, "jnlpAgent": true,
				"executors": []any{map[string]any{"currentExecutable": map[string]any{"fullDisplayName": "x #1", "url": f.root + "job/x/1/"}}}})
		}
		write(map[string]any{"computer": computers})
	case path == "/queue/api/json":
		items := []any{}
		for _, item := range f.items {
			if !item.building {
				items = append(items, f.item(item))
			}
		}
		write(map[string]any{"items": items})
	case len(parts) == 5 && parts[0] == "queue":
		id, _ := strconv.ParseInt(parts[2], 10, 64)
		if f.items[id] == nil {
			page(w, 404, "Not Found - Jenkins")
			return
		}
		write(f.look(f.items[id]))
	case len(parts) > 2 && parts[0] == "job" && f.jobs[parts[1]] != "":
		f.getJob(w, write, parts)
	default:
		page(w, 404, "Not Found - Jenkins")
	}
}

func (f *fakeJenkins) item(i *fakeItem) map[string]any {
	out := map[string]any{"id": i.id, "why": f.why, "task": map[string]any{"name": i.job, "url": f.root + "job/" + i.job + "/"}, "cancelled": i.cancelled}
	if i.building {
		out["why"], out["executable"] = nil, map[string]any{"number": i.number, "url": fmt.Sprintf("%sjob/%s/%d/", f.root, i.job, i.number)}
	}
	return out
}

// look lets time pass for an item.
func (f *fakeJenkins) look(i *fakeItem) map[string]any {
	i.looks++
	for n := range f.storm {
		f.tasks[fmt.Sprintf("jenkins-agent-mesos-storm-%d-%d", i.looks, n)] = true
	}
	if f.spare {
		f.tasks["jenkins-agent-mesos-spare"] = true
	}
	if f.wait >= 0 && i.looks > f.wait+int(f.late(i)/30_000) && !i.building && !i.cancelled {
		i.building, i.looks, i.node = true, 0, fmt.Sprintf("jenkins-agent-mesos-%s-%d", i.job, i.number)
		if f.shared {
			i.node = "jenkins-agent-mesos-one"
		}
		f.nodes[i.node], f.tasks[i.node] = true, true
	}
	return f.item(i)
}

func (f *fakeJenkins) getJob(w http.ResponseWriter, write func(any), parts []string) {
	if parts[2] == "api" {
		queued := false
		for _, i := range f.items {
			queued = queued || i.job == parts[1] && !i.building
		}
		write(map[string]any{"name": parts[1], "url": f.root + "job/" + parts[1] + "/", "inQueue": queued, "property": []any{}})
		return
	}
	for _, i := range f.items {
		if i.job != parts[1] || !i.building || parts[2] != strconv.Itoa(i.number) {
			continue
		}
		everybody := true
		for _, other := range f.items {
			everybody = everybody && other.building
		}
		if i.looks++; i.looks > f.work && (everybody || f.late(i) > 0) && i.result == "" {
			i.result = f.result
		}
		build := map[string]any{"number": i.number, "building": i.result == "", "result": nil, "builtOn": i.node, "timestamp": 1795247140932 + f.late(i), "duration": 0, "url": f.root + "job/" + i.job + "/1/"}
		if i.result != "" {
			build["result"], build["duration"] = i.result, 20000
		}
		write(build)
		return
	}
	page(w, 404, "Not Found - Jenkins")
}

// late is how much later than the others a build of the first round started, in ms.
func (f *fakeJenkins) late(i *fakeItem) int64 {
	if !f.missed || i.number > 1 {
		return 0
	}
	return i.id * 30_000
}

// Framework makes the fake the Mesos of its own cloud.
func (f *fakeJenkins) Framework(context.Context) (FrameworkUse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ended := len(f.items) > 0
	for _, i := range f.items {
		ended = ended && i.result != ""
	}
	if ended && f.linger > 0 {
		f.linger--
	} else if ended && f.linger == 0 {
		f.nodes, f.tasks = map[string]bool{}, map[string]bool{}
	}
	use := FrameworkUse{ID: "jenkins-ci-e1", Known: true, Active: true}
	for name := range f.tasks {
		use.Tasks = append(use.Tasks, FrameworkTask{ID: name, Host: "127.0.10.21", State: "TASK_RUNNING"})
		use.CPUs += 0.2
		use.MemMiB += 544
	}
	return use, nil
}
