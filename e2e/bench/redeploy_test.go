package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/provision"
)

const (
	// redeployLimit is how long nobody has a controller in an upgrade, as a part of the same in a redeployment whose image is pulled when the
	// task starts; betweenLimit what an upgrade may take between its steps, in seconds.
	redeployLimit = 0.3
	betweenLimit  = 3.0
	// redeployBase is the base image of the cluster file, redeployTools what all of its versions stand on.
	redeployBase, redeployTools = "jomctl-bench/base:1", "jomctl-bench/tools:1"
	redeployApp                 = "/redeploy/jenkins"
)

// redeploy is a cluster on lab hosts whose controller runs in a container of an image that jomctl makes, on a base image that a team has made
// anew before each round: so most of each new image is in no engine yet.
type redeploy struct {
	*rig
	registry *throttled
	pad      int64 // bytes of what nothing compresses in the base image
	edge     *prober
	marathon string
}

func newRedeploy(b *testing.B) *redeploy {
	b.Helper()
	megabytes, rate := numbers(b, "JOMCTL_BENCH_IMAGE_MB", 300)[0], numbers(b, "JOMCTL_BENCH_RATE", 50)[0]
	r := &redeploy{rig: newRig(b, 2), pad: int64(megabytes) * 1e6}
	m1 := r.lab.Host("m1").Address
	gateway := net.ParseIP(m1).To4()
	gateway[3] = 1
	r.must(os.Mkdir(filepath.Join(r.dir, "registry"), 0o700))
	r.registry = newThrottled(b, gateway.String(), filepath.Join(r.dir, "registry"), int64(rate)*1e6)
	r.marathon = "http://" + net.JoinHostPort(m1, strconv.Itoa(provision.EdgeMarathonPort))
	b.Cleanup(r.forget)
	r.tools()
	r.newBase()
	r.release("r0")
	var hosts strings.Builder
	for _, h := range r.lab.Hosts {
		fmt.Fprintf(&hosts, "  - {name: %s, address: %s, roles: [%s], reserve: {cpus: 0.1, mem: 256MiB}}\n", h.Name, h.Address, strings.Join(h.Roles, ", "))
	}
	write(b, filepath.Join(r.dir, "cluster.yaml"), fmt.Sprintf("apiVersion: jomctl/v1\nname: redeploy\ntarget: hosts\nrelease: ./r0\nhosts:\n%sssh: {user: admin, identityFile: %s}\nregistry: {address: %q}\n"+
		"components:\n  mesos: {source: {apt: mesos, repository: %q}}\n  marathon: {source: {apt: marathon, repository: %q}}\nimages: {base: %q, java: default-jre-headless, userID: 1500}\n"+
		"backup: {repository: /srv/backup, schedule: 'off'}\njenkins: {war: standin, app: {cpus: 0.5}, cloud: {templates: [{label: mesos, idle: 2s, cpus: 0.1, mem: 128MiB}]}}\n",
		hosts.String(), r.lab.KeyFile, r.registry.address, r.line, r.line, redeployBase))
	r.jomctl("install", "--accept-host-keys", "--proof-sleep", "1s")
	return r
}

// jomctl runs a command that asks nothing.
func (r *redeploy) jomctl(args ...string) {
	r.b.Helper()
	ctx, cancel := context.WithTimeout(r.b.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "jomctl"), append(args, "--yes")...)
	cmd.Dir, cmd.WaitDelay = r.dir, 10*time.Second // what it has started may hold its output
	said, err := cmd.CombinedOutput()
	r.b.Logf("jomctl %v\n%s", args, said)
	r.must(err)
}

// tools is a Debian of the lab with all packages that an install would put on it, so that what is new in a version of the base is its noise.
func (r *redeploy) tools() {
	r.b.Helper()
	dir := filepath.Join(r.dir, "tools")
	cache, _ := exec.Command("../../scripts/lab-apt-cache.sh").Output() // without it packages come from the mirror
	write(r.b, filepath.Join(dir, "Dockerfile"), "FROM jomctl-lab:bookworm\nRUN echo "+strings.TrimSpace(string(cache))+" >/etc/lab-apt-cache\n"+
		"RUN apt-get update && apt-get install -y --no-install-recommends default-jre-headless ca-certificates fontconfig git openssh-client procps && apt-get clean && rm -rf /var/lib/apt/lists/*\n")
	r.docker("build", "-q", "-t", redeployTools, dir)
}

// newBase makes another version of the base image, under the same name.
func (r *redeploy) newBase() {
	r.b.Helper()
	dir := r.b.TempDir()
	noise(r.b, filepath.Join(dir, "noise"), r.pad)
	write(r.b, filepath.Join(dir, "Dockerfile"), "FROM "+redeployTools+"\nLABEL "+r.label()+"\nCOPY noise /opt/noise\n")
	r.docker("build", "-q", "-t", redeployBase, dir)
	r.must(os.RemoveAll(dir))
}

func (r *redeploy) docker(args ...string) string {
	r.b.Helper()
	out, err := exec.Command("docker", args...).Output()
	r.must(err)
	return strings.TrimSpace(string(out))
}

// label is on all images that go with the bench.
func (r *redeploy) label() string { return "org.jomctl.bench=" + r.lab.Name }

// forget removes this bench's images from this machine, but the one that all stand on: it takes long, and is the same the next time.
func (r *redeploy) forget() {
	// The newest first: an image that others stand on cannot be removed.
	_ = exec.Command("sh", "-c", "docker image ls -q --filter label="+r.label()+" | awk '!seen[$0]++' | xargs -r -n 1 docker image rm --force").Run()
}

// release makes a copy of the default release under a name of its own.
func (r *redeploy) release(name string) {
	r.b.Helper()
	dir := filepath.Join(r.dir, name)
	r.must(os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "bundles", "default"))))
	path := filepath.Join(dir, "bundle.yaml")
	text, err := os.ReadFile(path)
	r.must(err)
	write(r.b, path, strings.Replace(string(text), "name: default", "name: "+name, 1))
}

// app is the controller's, as Marathon has it.
func (r *redeploy) app() cluster.App {
	r.b.Helper()
	app, err := cluster.Marathon{URLs: []string{r.marathon}}.App(r.b.Context(), redeployApp)
	r.must(err)
	return app
}

// put changes a part of the app, as anybody would.
func (r *redeploy) put(change any) {
	r.b.Helper()
	text, err := json.Marshal(change)
	r.must(err)
	request, err := http.NewRequestWithContext(r.b.Context(), http.MethodPut, r.marathon+"/v2/apps/"+redeployApp, bytes.NewReader(text))
	r.must(err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	r.must(err)
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		r.b.Fatalf("PUT %s: %s: %s", text, answer.Status, said)
	}
}

// when waits for something of Marathon's, and asks seldom: who asks takes a part of what is measured.
func (r *redeploy) when(what string, is func(app cluster.App) bool) {
	r.b.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !is(r.app()); time.Sleep(250 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.b.Fatalf("waited in vain: %s", what)
		}
	}
}

// runs waits until the only task is another one than before, and the edge leads to it.
func (r *redeploy) runs(before string) (task cluster.AppTask) {
	r.b.Helper()
	r.when("another controller is there", func(app cluster.App) bool {
		if len(app.Tasks) == 1 {
			task = app.Tasks[0]
		}
		return len(app.Tasks) == 1 && task.ID != before && task.State == "TASK_RUNNING"
	})
	seen := time.Now()
	until(r.b, "the edge leads to it", func() bool { return r.edge.answered(seen) })
	return task
}

// alone stops the controller and starts it again, which nothing can be quicker than.
func (r *redeploy) alone() away {
	r.b.Helper()
	task := r.app().Tasks[0].ID
	r.put(map[string]int{"instances": 0})
	r.when("the controller is gone", func(app cluster.App) bool { return len(app.Tasks) == 0 })
	stopped := time.Now()
	r.put(map[string]int{"instances": 1})
	now := r.runs(task)
	a := r.edge.around(moment(now.StagedAt))
	a.parts = []part{{"stopped", stopped}, {"the new task runs", moment(now.StartedAt)}}
	return a
}

// redeployed is the way of before: the image is changed, and whatever it takes to get it is waited for by everybody.
func (r *redeploy) redeployed() away {
	r.b.Helper()
	r.newBase()
	ref := r.image()
	app := r.app()
	task := app.Tasks[0].ID
	if _, err := r.lab.Run("a1", "docker", "image", "inspect", ref); err == nil {
		r.b.Fatalf("a1 has %s already", ref)
	}
	var doc struct {
		Container map[string]any `json:"container"`
	}
	r.must(json.Unmarshal(app.Raw, &doc))
	docker, ok := doc.Container["docker"].(map[string]any)
	if !ok {
		r.b.Fatalf("the controller runs in no container: %s", app.Raw)
	}
	docker["image"] = ref
	sent := r.registry.sent.Load()
	r.put(doc)
	now := r.runs(task)
	a := r.edge.around(moment(now.StagedAt))
	a.parts = []part{{"the old task gone, the new one staged", moment(now.StagedAt)}, {"image pulled, the new task runs", moment(now.StartedAt)}}
	fmt.Printf("# sent by the registry meanwhile: %.0f MB\n", float64(r.registry.sent.Load()-sent)/1e6)
	return a
}

// image makes the controller's image on the base of now as jomctl does, and sends it to the registry by hand.
func (r *redeploy) image() string {
	r.b.Helper()
	runtime := images.Runtime{Base: redeployBase, Java: "default-jre-headless", UserID: 1500}
	chain, err := images.Controller(runtime, images.Release{Content: "made by hand", Jomhome: filepath.Join(bin, "jomhome"), Standin: filepath.Join(bin, "standin")})
	r.must(err)
	built, err := images.Build(r.b.Context(), images.Docker{}, runtime.Base, chain, func(string) {})
	r.must(err)
	ref, err := images.Docker{}.Push(r.b.Context(), built[len(built)-1].Ref, r.registry.address, images.Login{})
	r.must(err)
	return ref
}

// upgraded is ours. The second value is what the run took between its steps, in seconds.
func (r *redeploy) upgraded(release string) (away, float64) {
	r.b.Helper()
	r.newBase()
	r.release(release)
	task, sent, began := r.app().Tasks[0].ID, r.registry.sent.Load(), time.Now()
	r.jomctl("upgrade-jenkins", "--release", "./"+release, "--now")
	whole := time.Since(began)
	now := r.runs(task)
	a := r.edge.around(moment(now.StagedAt))
	store, err := upgrade.Open(filepath.Join(r.dir, ".jomctl", "upgrade"))
	r.must(err)
	ended := store.State.Ended
	a.parts = []part{{"the old version stopped, and gone", ended["stop"]}, {"home kept", ended["keep"]}, {"the new task staged", moment(now.StagedAt)}, {"the new task runs", moment(now.StartedAt)}}
	run, steps := spentOf(r.b, filepath.Join(r.dir, ".jomctl", "journal"))
	fmt.Printf("# sent by the registry meanwhile: %.0f MB; the command took %.1f s, the run in it %.1f s, its steps %.1f s\n",
		float64(r.registry.sent.Load()-sent)/1e6, whole.Seconds(), run.Seconds(), steps.Seconds())
	return a, (run - steps).Seconds()
}

// BenchmarkUpgradeBesideRedeploy changes the controller's image in both ways, in turn, on the same hosts and the same home:
// JOMCTL_BENCH_ROUNDS says how often, JOMCTL_BENCH_IMAGE_MB how much of each image is new, JOMCTL_BENCH_RATE how many MB the registry sends in a second.
func BenchmarkUpgradeBesideRedeploy(b *testing.B) {
	rounds := numbers(b, "JOMCTL_BENCH_ROUNDS", 3)[0]
	r := newRedeploy(b)
	ctx, cancel := context.WithCancel(b.Context())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	r.edge = probe(ctx, &wait, "http://"+net.JoinHostPort(r.lab.Host("m1").Address, strconv.Itoa(provision.EdgeControllerPort))+"/login")
	until(b, "the edge leads to the controller", r.edge.good)
	var alone, theirs, ours []time.Duration
	var between []float64
	for n := range rounds {
		one := r.alone()
		one.tell("stopped and started alone")
		alone = append(alone, one.took())
		one, spent := r.upgraded(fmt.Sprintf("r%d", n+1))
		one.tell("upgraded")
		ours, between = append(ours, one.took()), append(between, spent)
		one = r.redeployed()
		one.tell("redeployed")
		theirs = append(theirs, one.took())
		if n+1 < rounds {
			r.jomctl("install") // back to the image that jomctl knows
		}
	}
	var t table
	of := fmt.Sprintf(", median of %d", rounds)
	t.note("new in each image, which the registry sends with its limit", float64(r.pad)/1e6, "MB")
	t.note("the controller stopped and started alone"+of, median(alone), "s")
	t.note("redeployed with another image, which is pulled then"+of, median(theirs), "s")
	t.note("upgrade-jenkins"+of, median(ours), "s")
	t.figure("upgrade-jenkins / redeployed: last answer of the old to first of the new", median(ours)/median(theirs), redeployLimit, "")
	t.figure("upgrade-jenkins: what it took between its steps, at most", slices.Max(between), betweenLimit, "s")
	t.judge(b)
}
