package marathon

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/testkit"
)

// BenchmarkLaunch500 launches 500 tasks with state in a real ZooKeeper, on a Mesos that offers at once.
func BenchmarkLaunch500(b *testing.B) {
	const tasks = 500
	var agents []fakemesos.Agent
	for n := 1; n <= 20; n++ {
		agents = append(agents, fakemesos.Agent{Host: fmt.Sprintf("127.0.0.%d", n), CPUs: 100, Mem: 100000, PortLow: 31000, PortHigh: 31099})
	}
	z := testkit.StartZooKeeper(b)
	c := newCluster(b, agents...)
	p := launch(b, z.Addr, "http://"+c.addr)
	p.ready()
	for n := 0; b.Loop(); n++ {
		body := fmt.Sprintf(`{"id":"/bench%d","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":%d}`, n, tasks)
		resp, err := http.Post(p.url+"/v2/apps", "application/json", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		testkit.Eventually(b, 2*time.Minute, "all run", func(context.Context) bool {
			_, doc := p.get(fmt.Sprintf("/v2/apps/bench%d", n))
			app, _ := doc["app"].(map[string]any)
			return app["tasksRunning"] == float64(tasks)
		})
		b.StopTimer()
		req, _ := http.NewRequest(http.MethodDelete, fmt.Sprintf("%s/v2/apps/bench%d", p.url, n), nil)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
		testkit.Eventually(b, 2*time.Minute, "all are gone", func(context.Context) bool { return len(c.mesos.Running()) == 0 })
		b.StartTimer()
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
