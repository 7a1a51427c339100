package cli

import (
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/ui"
)

// threeAndThree is a report about six hosts.
func threeAndThree() status.Report {
	r := status.Report{Cluster: "ci", Target: "local", URL: "http://127.0.10.10:8080/"}
	for i, name := range []string{"c1", "c2", "c3", "a1", "a2", "a3"} {
		h := status.Host{Name: name, Address: "127.0.10." + []string{"10", "11", "12", "21", "22", "23"}[i]}
		for _, unit := range []string{"mesos-master", "zookeeper"} {
			h.Units = append(h.Units, status.Unit{Name: unit, State: "running", PID: 1234567, Restarts: 3})
		}
		r.Hosts = append(r.Hosts, h)
		r.ZooKeeper.Servers = append(r.ZooKeeper.Servers, status.ZooServer{Address: h.Address + ":2181", Mode: "standalone"})
	}
	r.Mesos.Agents = []status.Agent{{Host: "127.0.10.21", Active: true}, {Host: "127.0.10.22"}, {Host: "127.0.10.23", Deactivated: true}}
	r.Findings = []status.Finding{{Severity: status.Error, Subject: "mesos", Problem: "no leader", Fix: "wait"}}
	return r
}

func TestTheHeadOfAWatchedStatusIsAlwaysOnTheScreen(t *testing.T) {
	control, tty, err := pty.Open()
	require.NoError(t, err)
	defer control.Close()
	defer tty.Close()
	screen := &shown{}
	go screen.read(control)
	streams := ui.Streams{Out: tty, OutTTY: true, Width: 500, Env: func(name string) string { return map[string]string{"LANG": "C.UTF-8"}[name] }}
	a := &app{streams: streams}

	require.NoError(t, pty.Setsize(control, &pty.Winsize{Rows: 15, Cols: 60}))
	require.NoError(t, a.writeStatus(threeAndThree(), true))
	screen.await(t, "more lines\r\n")
	picture := screen.String()
	lines := strings.Split(strings.TrimPrefix(picture, "\x1b[H\x1b[2J"), "\r\n")
	require.Equal(t, "ci (local): NOT READY   http://127.0.10.10:8080/", lines[0])
	require.Len(t, lines, 15, "14 and an empty one for the cursor: nothing scrolls")
	require.Regexp(t, "^… [0-9]+ more lines$", lines[13])
	for _, line := range lines {
		require.LessOrEqual(t, len([]rune(line)), 60, line)
	}
	for _, whole := range []string{"c1    127.0.10.10  mesos-master  running  3", "c2    127.0.10.11  mesos-master"} {
		require.Contains(t, picture, whole)
	}

	require.NoError(t, pty.Setsize(control, &pty.Winsize{Rows: 60, Cols: 160}))
	require.NoError(t, a.writeStatus(threeAndThree(), true))
	screen.await(t, "fix: wait")
	larger := strings.TrimPrefix(screen.String(), picture)
	require.Contains(t, larger, "RESTARTS")
	require.Contains(t, larger, "1234567", "the size is asked for anew")
	require.NotContains(t, larger, "more lines")
}

func TestStatusSaysWhyAMesosAgentTakesNothing(t *testing.T) {
	var text strings.Builder
	require.NoError(t, statusText(&text, threeAndThree(), 0))
	require.Contains(t, text.String(), "a1           active")
	require.Contains(t, text.String(), "a2           away")
	require.Contains(t, text.String(), "a3           drained")
}
