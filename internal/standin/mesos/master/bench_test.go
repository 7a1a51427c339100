package master

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

const (
	benchAgents = 500
	benchTasks  = 2000
	// benchRequests of /state give the median that is reported.
	benchRequests = 11
)

// BenchmarkLargeCluster fills a master with agents and running tasks over the wire and reports the time of one /state and
// the process's memory. Agents and framework live in the same process, so the memory is more than the master's own.
func BenchmarkLargeCluster(b *testing.B) {
	s, base := startAlone(b)
	filled := time.Now()
	for i := range benchAgents {
		newSimAgent(b, base, i).register()
	}
	f := subscribeGo(b, base, "protobuf", goInfo("bench"))
	launched, running := 0, 0
	for running < benchTasks {
		event := <-f.events
		switch event.Type {
		case scheduler.Event_OFFERS:
			for _, offer := range event.Offers.Offers {
				var tasks []mesos.TaskInfo
				for range min(benchTasks/benchAgents, benchTasks-launched) {
					tasks = append(tasks, goTask("task-"+strconv.Itoa(launched), offer))
					launched++
				}
				if len(tasks) > 0 {
					f.launch(offer, tasks...)
				}
			}
		case scheduler.Event_UPDATE:
			status := event.Update.Status
			f.call(calls.Acknowledge(status.AgentID.Value, status.TaskID.Value, status.UUID))
			if status.GetState() == mesos.TASK_RUNNING {
				running++
			}
		}
	}
	fill := time.Since(filled)
	s.mu.Lock()
	require.Len(b, s.agents, benchAgents)
	s.mu.Unlock()
	eventually(b, "the master is idle", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.offers) == benchAgents })
	b.ResetTimer()
	size := 0
	var times []time.Duration
	for range b.N {
		for range benchRequests {
			began := time.Now()
			size = len(fetchAll(b, base+"/state"))
			times = append(times, time.Since(began))
		}
	}
	b.StopTimer()
	require.Greater(b, size, benchTasks*100)
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1e3, "ms/state")
	b.ReportMetric(float64(size)/1e6, "MB/state")
	b.ReportMetric(fill.Seconds(), "s/fill")
	b.ReportMetric(residentMB(b), "MB-RSS")
	allocation := time.Now()
	s.mu.Lock()
	s.allocate()
	s.mu.Unlock()
	b.ReportMetric(float64(time.Since(allocation).Microseconds())/1e3, "ms/allocation")
}

func fetchAll(t testing.TB, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	return body
}

func residentMB(t testing.TB) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kilobytes, err := strconv.ParseFloat(fields[1], 64)
			require.NoError(t, err)
			return kilobytes / 1024
		}
	}
	t.Fatal(fmt.Sprintf("no VmRSS in %s", status))
	return 0
}
