package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// lookLimit is what the dashboard, with its prober, and a watch may each take of one processor, in percent.
	lookLimit = 3.0
	// shownLimit is how long after something has gone away the page may take to show it, in seconds.
	shownLimit = 1.0
	// ticks are those of a second in /proc/PID/stat, whose unit is the same on every Linux that Go runs on.
	ticks = 100
)

// watched is a command of jomctl that runs until the benchmark ends.
type watched struct {
	b   *testing.B
	cmd *exec.Cmd
}

func (l *local) start(args ...string) *watched {
	l.b.Helper()
	cmd := exec.Command(filepath.Join(bin, "jomctl"), args...)
	cmd.Dir = l.dir
	if err := cmd.Start(); err != nil {
		l.b.Fatal(err)
	}
	l.b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return &watched{l.b, cmd}
}

// used is the processor time of the command and of what it has waited for.
func (w *watched) used() time.Duration {
	w.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
	if err != nil {
		w.b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	sum := 0
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.Atoi(field)
		if err != nil {
			w.b.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks
}

// browser reads the page's events as a browser does, and notes when the page last said that the edge is up or down.
type browser struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// look reads until the context ends.
func look(ctx context.Context, url string, wait *sync.WaitGroup) (*browser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	br := &browser{seen: map[string]time.Time{}}
	wait.Go(func() {
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				br.news(data)
			}
		}
	})
	return br, nil
}

func (br *browser) news(data string) {
	var news struct {
		Sections map[string]string `json:"sections"`
	}
	if json.Unmarshal([]byte(data), &news) != nil {
		return
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, html := range news.Sections {
		for _, state := range []string{"up", "down"} {
			if strings.Contains(html, `<span class="probe-name">edge</span> `+state+" since") {
				br.seen[state] = time.Now()
			}
		}
	}
}

// shown is when the page said something of the edge last; zero as long as it does not.
func (br *browser) shown(state string) time.Time {
	br.mu.Lock()
	defer br.mu.Unlock()
	return br.seen[state]
}

func (br *browser) forget() {
	br.mu.Lock()
	defer br.mu.Unlock()
	clear(br.seen)
}

// edgeProcess is the program of the edge.
func (l *local) edgeProcess() int {
	l.b.Helper()
	cmd := exec.Command(filepath.Join(bin, "jomctl"), "status", "-o", "json")
	cmd.Dir = l.dir
	out, err := cmd.Output()
	var report struct {
		Hosts []struct {
			Units []struct {
				Name string `json:"name"`
				PID  int    `json:"pid"`
			} `json:"units"`
		} `json:"hosts"`
	}
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		l.b.Fatal(err)
	}
	for _, host := range report.Hosts {
		for _, unit := range host.Units {
			if unit.Name == "edge" && unit.PID > 0 {
				return unit.PID
			}
		}
	}
	l.b.Fatal("there is no edge")
	return 0
}

// BenchmarkDashboard runs the dashboard, whose prober asks four times a second, and a watch beside it, on a cluster with a hundred Mesos agents,
// and measures the processor time of each, without and with a page that is open. Then it ends the edge's program, and measures when the page says so.
func BenchmarkDashboard(b *testing.B) {
	agents, seconds := numbers(b, "JOMCTL_BENCH_AGENTS", 100)[0], numbers(b, "JOMCTL_BENCH_SECONDS", 60)[0]
	l := newInstalled(b, "127.93.3.", func(string) string {
		return fmt.Sprintf("name: many\nlocal: {address: 127.93.3.0, agents: %d}\n", agents)
	})
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	const address = "127.93.3.10:7080"
	dashboard := l.start("dashboard", "--listen", address)
	watch := l.start("watch", "--alert-command", "true")
	until(b, "the dashboard serves", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})

	var t table
	measure := func(name string) {
		began, before, beforeWatch := time.Now(), dashboard.used(), watch.used()
		fmt.Printf("# %d Mesos agents, %d s; load %s\n", agents, seconds, load())
		time.Sleep(time.Duration(seconds) * time.Second)
		share := func(used time.Duration) float64 { return 100 * used.Seconds() / time.Since(began).Seconds() }
		t.figure("dashboard with its prober, "+name+": processor time", share(dashboard.used()-before), lookLimit, "%")
		t.figure("watch: processor time", share(watch.used()-beforeWatch), lookLimit, "%")
	}
	measure("nobody looks")
	page, err := look(ctx, "http://"+address+"/events", &wait)
	if err != nil {
		b.Fatal(err)
	}
	until(b, "the page shows the edge", func() bool { return !page.shown("up").IsZero() })
	measure("one page open")

	var took []time.Duration
	for range 3 {
		edge := l.edgeProcess()
		page.forget()
		ended := time.Now()
		if err := syscall.Kill(edge, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		until(b, "the page shows that the edge is down", func() bool { return page.shown("down").After(ended) })
		took = append(took, page.shown("down").Sub(ended))
		until(b, "the page shows that the edge is back", func() bool { return page.shown("up").After(page.shown("down")) })
	}
	t.figure("the edge's program ended, then shown by the page (slowest of 3)", longest(took), shownLimit, "s")
	t.judge(b)
}
