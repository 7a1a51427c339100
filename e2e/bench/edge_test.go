package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/provision"
)

const (
	// edgeLimit is how long after the new controller is healthy the edge may take to lead to it, in seconds.
	edgeLimit = 2.0
	// probeEvery is how often each address is asked.
	probeEvery = 50 * time.Millisecond
)

// local is a cluster of stand-ins on this machine: a control host and two Mesos agents that share the controller's home, so that the
// controller may be on either.
type local struct {
	b       *testing.B
	dir     string
	control string
	agents  []string
	mesos   cluster.Mesos
	app     string
	jenkins cluster.Marathon
}

func newLocal(b *testing.B) *local {
	b.Helper()
	l := newInstalled(b, "127.93.1.", func(dir string) string {
		return "name: edge\nlocal: {address: 127.93.1.0}\njenkins: {home: {type: shared, path: " + filepath.Join(dir, "home") + "}, cloud: {templates: [{label: mesos, idle: 2s}]}}\n"
	})
	l.agents, l.app = []string{"127.93.1.21", "127.93.1.22"}, "/edge/jenkins"
	l.mesos = cluster.Mesos{Masters: []string{net.JoinHostPort(l.control, strconv.Itoa(provision.MasterPort))}}
	l.jenkins = cluster.Marathon{URLs: []string{"http://" + net.JoinHostPort(l.control, strconv.Itoa(provision.MarathonPort))}, Mesos: &l.mesos}
	return l
}

// newInstalled installs what a file for target local says, in a folder of its own, and removes both in the end.
func newInstalled(b *testing.B, network string, file func(dir string) string) *local {
	b.Helper()
	// A home must not be under /tmp, and the paths of Unix sockets must stay below 108 bytes.
	cache, err := os.UserCacheDir()
	if err == nil {
		err = os.MkdirAll(cache, 0o700)
	}
	if err != nil {
		b.Fatal(err)
	}
	dir, err := os.MkdirTemp(cache, "bench-*")
	if err != nil {
		b.Fatal(err)
	}
	l := &local{b: b, dir: dir, control: network + "10"}
	b.Cleanup(func() {
		l.jomctl("destroy", "--yes")
		_ = os.RemoveAll(dir)
	})
	write(b, filepath.Join(dir, "cluster.yaml"), "apiVersion: jomctl/v1\ntarget: local\n"+file(dir))
	l.jomctl("install", "--yes", "--proof-sleep", "1s")
	return l
}

func (l *local) jomctl(args ...string) {
	l.b.Helper()
	cmd := exec.Command(filepath.Join(bin, "jomctl"), args...)
	cmd.Dir = l.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		l.b.Fatalf("jomctl %v: %v\n%s", args, err, out)
	}
}

// where is the controller's task, and the address that it is on.
func (l *local) where() (task, address string) {
	l.b.Helper()
	app, err := l.jenkins.App(l.b.Context(), l.app)
	if err != nil {
		l.b.Fatal(err)
	}
	if len(app.Tasks) != 1 {
		l.b.Fatalf("the controller has %d tasks", len(app.Tasks))
	}
	return app.Tasks[0].ID, app.Tasks[0].Host
}

// prober asks one address again and again, each time on a connection of its own, and keeps what came of it.
type prober struct {
	url    string
	client *http.Client

	mu      sync.Mutex
	asked   int
	answers []reply // the good ones
	failed  []string
	changes []change // the times at which the answer turned good or bad
}

type reply struct{ asked, came time.Time }

type change struct {
	at   time.Time
	good bool
}

func probe(ctx context.Context, wait *sync.WaitGroup, url string) *prober {
	p := &prober{url: url, client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	wait.Go(func() {
		ticker := time.NewTicker(probeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			// Each in its own time: one that hangs must not hide what the next would see.
			wait.Go(func() { p.ask(ctx) })
		}
	})
	return p
}

func (p *prober) ask(ctx context.Context) {
	begin := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return
	}
	answer, err := p.client.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", answer.Status)
		}
	}
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if err == nil {
		p.answers = append(p.answers, reply{begin, time.Now()})
	} else {
		p.failed = append(p.failed, fmt.Sprintf("%s after %s: %v", begin.Format("15:04:05.000"), time.Since(begin).Round(time.Millisecond), err))
	}
	if n := len(p.changes); n == 0 || p.changes[n-1].good != (err == nil) {
		p.changes = append(p.changes, change{time.Now(), err == nil})
	}
}

// since is when the address began to answer well for good, after a moment; false as long as it does not.
func (p *prober) since(moment time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.changes)
	if n == 0 || !p.changes[n-1].good || p.changes[n-1].at.Before(moment) {
		return time.Time{}, false
	}
	return p.changes[n-1].at, true
}

func (p *prober) good() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.changes) > 0 && p.changes[len(p.changes)-1].good
}

// BenchmarkEdgeFollowsTheController ends the controller's task again and again, where it is and so that it comes up on the other Mesos agent,
// and measures how long after the new one is healthy the edge leads to it. Meanwhile no request to the others behind the edge may fail.
func BenchmarkEdgeFollowsTheController(b *testing.B) {
	rounds := numbers(b, "JOMCTL_BENCH_MOVES", 5)[0]
	l := newLocal(b)
	ctx, cancel := context.WithCancel(b.Context())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	at := func(address string, port int, path string) *prober {
		return probe(ctx, &wait, "http://"+net.JoinHostPort(address, strconv.Itoa(port))+path)
	}
	edge := at(l.control, provision.EdgeControllerPort, "/login")
	direct := map[string]*prober{}
	for _, address := range l.agents {
		direct[address] = at(address, provision.EdgeControllerPort, "/login")
	}
	others := map[string]*prober{"Mesos master": at(l.control, provision.EdgeMasterPort, "/health"), "Marathon": at(l.control, provision.EdgeMarathonPort, "/v2/info")}
	until(b, "the edge leads to the controller", edge.good)

	var inPlace, moved []time.Duration
	for n := range 2 * rounds {
		if n%2 == 0 {
			inPlace = append(inPlace, l.round(edge, direct, false))
		} else {
			moved = append(moved, l.round(edge, direct, true))
		}
	}
	cancel()
	wait.Wait()
	var t table
	t.figure("controller replaced on its host: healthy -> served, median (s)", median(inPlace), edgeLimit, "s")
	t.figure("controller moved to another host: healthy -> served, median (s)", median(moved), edgeLimit, "s")
	t.figure("the slowest of all", max(longest(inPlace), longest(moved)), edgeLimit, "s")
	for name, p := range others {
		t.figure(fmt.Sprintf("failed requests to the %s through the edge, of %d", name, p.asked), float64(len(p.failed)), 0, "")
		for _, line := range p.failed[:min(len(p.failed), 5)] {
			b.Log(name, line)
		}
	}
	t.judge(b)
}

// round ends the controller's task, and returns how long after the new one is healthy the edge served it.
func (l *local) round(edge *prober, direct map[string]*prober, elsewhere bool) time.Duration {
	b := l.b
	b.Helper()
	task, address := l.where()
	if elsewhere {
		state, err := l.mesos.State(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		agents := state.AgentsOn(address)
		if len(agents) != 1 {
			b.Fatalf("%d Mesos agents on %s", len(agents), address)
		}
		if err := l.mesos.DeactivateAgent(b.Context(), agents[0].ID); err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := l.mesos.ReactivateAgent(b.Context(), agents[0].ID); err != nil {
				b.Fatal(err)
			}
		}()
	}
	killed := time.Now()
	if err := l.jenkins.KillTasks(b.Context(), task); err != nil {
		b.Fatal(err)
	}
	var healthy, served time.Time
	until(b, "the new controller is healthy", func() bool {
		for where, p := range direct {
			if since, good := p.since(killed); good && (where != address || !elsewhere) {
				healthy = since
				return true
			}
		}
		return false
	})
	until(b, "the edge leads to it", func() bool {
		var good bool
		served, good = edge.since(killed)
		return good
	})
	b.Logf("elsewhere %v: down %.2f s, served %.3f s after it was healthy", elsewhere, served.Sub(killed).Seconds(), served.Sub(healthy).Seconds())
	return max(served.Sub(healthy), 0)
}

func longest(all []time.Duration) float64 {
	var most time.Duration
	for _, one := range all {
		most = max(most, one)
	}
	return most.Seconds()
}

// until waits for what must come within two minutes.
func until(b *testing.B, what string, is func() bool) {
	b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain: %s", what)
		}
	}
}
