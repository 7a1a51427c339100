package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/host"
)

// parts are all items of a bundle, the most telling ones first.
func (f *facts) parts() []part {
	all := []part{
		{"doctor.json", false, func(ctx context.Context) (string, error) { return jsonText(run(ctx, f.in, Checks(), 4)), nil }},
		{"status.json", false, func(context.Context) (string, error) { return jsonText(f.report()), nil }},
		{"cluster.yaml", false, func(context.Context) (string, error) { return readFile(f.in.Cluster.File) }},
	}
	all = append(all, f.mesosParts()...)
	all = append(all, f.jenkinsParts()...)
	for _, machine := range f.in.Machines {
		all = append(all, hostParts(machine)...)
	}
	all = append(all, f.logParts()...)
	all = append(all, f.sandboxParts()...)
	all = append(all, folderParts(filepath.Join(f.in.Cluster.StateDir(), "journal"), "jomctl/journal/")...)
	return append(all, folderParts(filepath.Join(f.in.Cluster.StateDir(), "log"), "jomctl/log/")...)
}

func (f *facts) mesosParts() []part {
	var all []part
	web := func(name, url, user, password string) {
		all = append(all, part{name, false, func(ctx context.Context) (string, error) { return f.in.Raw.get(ctx, url, user, password) }})
	}
	for i, base := range f.in.Raw.Masters { // which ask operators for no password
		dir := fmt.Sprintf("mesos/master-%d/", i+1)
		for _, path := range []string{"version", "flags", "health"} {
			web(dir+path, base+"/"+path, "", "")
		}
		web(dir+"metrics.json", base+"/metrics/snapshot", "", "")
		// Any of them answers with what the leader knows; when one is down another may not be.
		web(dir+"state.json", base+"/state", "", "")
		web(dir+"maintenance-schedule.json", base+"/maintenance/schedule", "", "")
	}
	user, password := f.in.Raw.MarathonUser, f.in.Raw.MarathonPassword
	for i, base := range f.in.Raw.Marathons {
		dir := fmt.Sprintf("marathon/%d/", i+1)
		for _, path := range []string{"info", "leader", "deployments"} {
			web(dir+path+".json", base+"/v2/"+path, user, password)
		}
		web(dir+"apps.json", base+"/v2/apps?embed=apps.tasks&embed=apps.lastTaskFailure&embed=apps.deployments", user, password)
		web(dir+"queue.json", base+"/v2/queue?embed=lastUnusedOffers", user, password)
	}
	for i, addr := range f.in.Raw.ZooKeepers {
		for _, word := range []string{"mntr", "srvr", "stat"} {
			all = append(all, part{fmt.Sprintf("zookeeper/%d/%s.txt", i+1, word), false, func(ctx context.Context) (string, error) { return f.in.Raw.fourLetters(ctx, addr, word) }})
		}
	}
	return all
}

func (f *facts) jenkinsParts() []part {
	raw := f.in.Raw
	var all []part
	for name, path := range map[string]string{
		"root.json":     "/api/json?tree=mode,nodeDescription,numExecutors,quietingDown,useSecurity,slaveAgentPort,url,jobs[name,color]",
		"computer.json": "/computer/api/json?depth=1", "queue.json": "/queue/api/json", "plugins.json": "/pluginManager/api/json?depth=1",
		"load.json": "/overallLoad/api/json?depth=1",
	} {
		all = append(all, part{"jenkins/" + name, false, func(ctx context.Context) (string, error) {
			text, err := raw.get(ctx, raw.JenkinsURL+path, raw.JenkinsUser, raw.JenkinsPassword)
			if err != nil && f.in.JenkinsError != nil {
				err = fmt.Errorf("%w (as a visitor: %w)", err, f.in.JenkinsError)
			}
			return text, err
		}})
	}
	slices.SortFunc(all, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return append(all, part{"jenkins/version.txt", false, func(ctx context.Context) (string, error) {
		return jsonText(f.in.Jenkins.State(ctx)), nil
	}})
}

func hostParts(machine host.Machine) []part {
	dir := "hosts/" + machine.Name() + "/"
	all := []part{{dir + "units.json", false, func(ctx context.Context) (string, error) {
		units, err := machine.Units().List(ctx)
		return jsonText(units), err
	}}}
	for name, argv := range map[string][]string{
		"uname": {"uname", "-a"}, "os-release": {"cat", "/etc/os-release"}, "disks": {"df", "-Ph"}, "memory": {"cat", "/proc/meminfo"},
		"load": {"cat", "/proc/loadavg"}, "time": {"date", "-u", "+%Y-%m-%dT%H:%M:%S.%NZ"}, "listening": {"ss", "-ltn"}, "hosts": {"cat", "/etc/hosts"},
	} {
		all = append(all, part{dir + name + ".txt", false, func(ctx context.Context) (string, error) {
			out, err := machine.Run(ctx, argv...)
			return out.Stdout, err
		}})
	}
	slices.SortFunc(all, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return all
}

// logParts are the logs of all units that are known; a machine that does not answer has an item that says so.
func (f *facts) logParts() []part {
	units, err := f.units()
	var all []part
	for _, one := range units {
		all = append(all, part{"hosts/" + one.machine.Name() + "/log/" + one.Name + ".log", true, func(ctx context.Context) (string, error) {
			return logTail(ctx, one.machine, one.LogFile, itemBytes)
		}})
	}
	for i, fault := range split(err) {
		all = append(all, part{fmt.Sprintf("hosts/not-looked-at-%d", i+1), false, func(context.Context) (string, error) { return "", fault }})
	}
	return all
}

// sandboxesKept is how many sandboxes of tasks that failed are taken.
const sandboxesKept = 5

func (f *facts) sandboxParts() []part {
	var ids []string
	app, appErr := f.app()
	for _, task := range app.Current() {
		ids = append(ids, task.ID)
	}
	if app.LastFailure != nil {
		ids = append(ids, app.LastFailure.TaskID)
	}
	state, stateErr := f.state()
	framework, _ := state.Framework(f.in.Framework)
	failed := slices.DeleteFunc(slices.Clone(framework.Completed), func(t cluster.Task) bool { return t.State == "TASK_FINISHED" || t.State == "TASK_KILLED" })
	for _, task := range failed[max(0, len(failed)-sandboxesKept):] {
		ids = append(ids, task.ID)
	}
	var all []part
	for _, id := range slices.Compact(ids) {
		for _, file := range []string{"stdout", "stderr"} {
			all = append(all, part{"sandboxes/" + fileName(id) + "/" + file, true, func(ctx context.Context) (string, error) {
				return f.in.Mesos.TaskLog(ctx, id, file, itemBytes)
			}})
		}
	}
	if err := errors.Join(could("the controller's tasks", appErr), could("the build agents' tasks", stateErr)); err != nil {
		all = append(all, part{"sandboxes/not-looked-at", false, func(context.Context) (string, error) { return "", err }})
	}
	return all
}

// fileName makes a name of a tar member of an id that somebody else chose.
func fileName(id string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, id)
	return strings.TrimLeft(clean, ".")
}

// filesKept is how many of the newest files of a folder are taken; their names begin with the time.
const filesKept = 20

func folderParts(dir, to string) []part {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return []part{{to + "not-looked-at", false, func(context.Context) (string, error) { return "", err }}}
	}
	var all []part
	for _, entry := range entries[max(0, len(entries)-filesKept):] {
		if entry.Type().IsRegular() {
			all = append(all, part{to + entry.Name(), true, func(context.Context) (string, error) { return readFile(filepath.Join(dir, entry.Name())) }})
		}
	}
	return all
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

// dial is the way to addresses of the cluster.
func (r Raw) dial() func(ctx context.Context, network, address string) (net.Conn, error) {
	if r.Dial != nil {
		return r.Dial
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext
}

// get reads a URL, with a login where user is set.
func (r Raw) get(ctx context.Context, url, user, password string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	// The addresses of a cluster are meant literally: no proxy of the environment.
	client := &http.Client{Transport: &http.Transport{DialContext: r.dial(), DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, itemBytes+1))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %d", response.StatusCode)
	}
	return string(body), err
}

// fourLetters asks a ZooKeeper server one of its commands.
func (r Raw) fourLetters(ctx context.Context, addr, word string) (string, error) {
	conn, err := r.dial()(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, itemBytes))
	return string(answer), err
}
