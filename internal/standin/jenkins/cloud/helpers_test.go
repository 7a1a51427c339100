package cloud

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/fakemaster"
	"github.com/jomctl/jomctl/internal/testkit"
)

// nodes is a controller that only keeps nodes.
type nodes struct {
	mu    sync.Mutex
	idle  map[string]time.Time
	ended map[string]func()
}

func newNodes() *nodes { return &nodes{idle: map[string]time.Time{}, ended: map[string]func(){}} }

func (n *nodes) AddEphemeral(node *core.Node, terminate func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.idle[node.Name], n.ended[node.Name] = time.Now(), terminate
}

func (n *nodes) RemoveNode(name string) bool {
	n.mu.Lock()
	end := n.ended[name]
	delete(n.idle, name)
	delete(n.ended, name)
	n.mu.Unlock()
	if end != nil {
		end()
	}
	return end != nil
}

func (n *nodes) LaunchFailed(name string)  { n.RemoveNode(name) }
func (n *nodes) AgentSecret(string) string { return "SECRET" }

func (n *nodes) IdleNodes() []core.IdleNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []core.IdleNode
	for name, since := range n.idle {
		out = append(out, core.IdleNode{Name: name, Idle: time.Since(since), SinceOnline: time.Since(since)})
	}
	return out
}

func (n *nodes) names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for name := range n.idle {
		out = append(out, name)
	}
	return out
}

func config(master string) Config {
	return Config{Master: master, FrameworkName: "jenkins", FrameworkID: "jenkins-7f3c-e3", Role: "*", User: "root", JenkinsURL: "http://JENKINS/",
		Templates: []Template{
			{Label: "mesos", Mode: "NORMAL", CPUs: 0.5, Mem: 768, IdleMinutes: 1, MinExecutors: 1, MaxExecutors: 1, JnlpArgs: "-noReconnect", Domain: "any"},
			{Label: "dock", Mode: "EXCLUSIVE", CPUs: 0.5, Mem: 768, Disk: 10, IdleMinutes: 3, MinExecutors: 1, MaxExecutors: 1, JnlpArgs: "-noReconnect",
				Attributes: "os:linux", Domain: "home", Container: &Container{Type: "DOCKER", Image: "reg/jenkins-agent:1", Networking: "BRIDGE",
					Volumes: []Volume{{ContainerPath: "/cp", HostPath: "/hp", ReadOnly: true}}}},
			{Label: "storm", CPUs: 0.1, Mem: 64},
		}}
}

func fast() Options {
	o := Defaults()
	o.Throttle, o.Reconnect, o.MinBackoff, o.MaxBackoff = 250*time.Millisecond, 50*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	return o
}

func start(t *testing.T, cfg Config, o Options) (*Cloud, *nodes) {
	n := newNodes()
	c := New(cfg, o, n)
	t.Cleanup(c.Stop)
	return c, n
}

func await(t *testing.T, m *fakemaster.Master, what string, want ...string) {
	t.Helper()
	testkit.Eventually(t, time.Minute, what, func(context.Context) bool { return slices.Equal(steps(m), want) })
}

// steps are the calls without acknowledgements, whose place among the others is left to chance.
func steps(m *fakemaster.Master) []string {
	return slices.DeleteFunc(m.Types(), func(s string) bool { return s == "ACKNOWLEDGE" })
}

// recorded is one call of the real plugin.
type recorded struct {
	Master      string         `json:"master"`
	Subscribed  bool           `json:"subscribed"`
	ContentType string         `json:"content_type"`
	Accept      *string        `json:"accept"`
	Msg         map[string]any `json:"msg"`
}

func readRecorded(t *testing.T, file string) []recorded {
	f, err := os.Open("testdata/" + file)
	require.NoError(t, err)
	defer f.Close()
	var out []recorded
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		var r recorded
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &r))
		out = append(out, r)
	}
	return out
}

var changing = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`jenkins-agent-(\w+)-[0-9a-f]{8}-[0-9a-f-]{27}`), "jenkins-agent-$1-UUID"},
	{regexp.MustCompile(`"O\d+"`), `"OFFER"`},
	{regexp.MustCompile(`"uuid":\s*"[^"]*"`), `"uuid":"UUID"`},
}

// requireLikeRecorded compares all calls, field by field, with what the plugin said. Acknowledgements are compared apart.
func requireLikeRecorded(t *testing.T, want []recorded, got []fakemaster.Call) {
	t.Helper()
	split := func(acks bool) (w []recorded, g []fakemaster.Call) {
		for _, r := range want {
			if (r.Msg["type"] == "ACKNOWLEDGE") == acks {
				w = append(w, r)
			}
		}
		for _, c := range got {
			if (c.Type.String() == "ACKNOWLEDGE") == acks {
				g = append(g, c)
			}
		}
		return w, g
	}
	for _, acks := range []bool{false, true} {
		w, g := split(acks)
		require.Len(t, g, len(w))
		if acks {
			task := func(c fakemaster.Call) string { return c.Acknowledge.TaskID.Value }
			slices.SortStableFunc(g, func(a, b fakemaster.Call) int { return strings.Compare(task(a), task(b)) })
			slices.SortStableFunc(w, func(a, b recorded) int { return strings.Compare(fmt.Sprint(a.Msg), fmt.Sprint(b.Msg)) })
		}
		for i := range w {
			data, err := json.Marshal(g[i].Call)
			require.NoError(t, err)
			for _, c := range changing {
				data = c.re.ReplaceAll(data, []byte(c.to))
			}
			var msg map[string]any
			require.NoError(t, json.Unmarshal(data, &msg))
			require.Equal(t, w[i].Msg, prune(msg), "call %d", i)
			require.Equal(t, w[i].ContentType, g[i].Header.Get("Content-Type"))
			require.Equal(t, w[i].Subscribed, g[i].Header.Get("Mesos-Stream-Id") != "", "stream id of call %d", i)
			require.Equal(t, w[i].Accept != nil, g[i].Header.Get("Accept") != "", "Accept of call %d", i)
			require.Empty(t, g[i].Header.Get("Authorization"))
		}
	}
}

// prune takes away the empty lists that Go's JSON shows and the wire does not have.
func prune(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if list, ok := e.([]any); e == nil || ok && len(list) == 0 {
				delete(x, k)
				continue
			}
			x[k] = prune(e)
		}
	case []any:
		for i := range x {
			x[i] = prune(x[i])
		}
	}
	return v
}
