package dashboard

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/testkit"
)

// axeVersion is the axe-core that judges; npm verifies what it fetches.
const axeVersion = "4.14.1"

// axe is the program of axe-core, fetched once into the user's cache.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "jomctl", "axe-core-"+axeVersion)
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if data, err := os.ReadFile(file); err == nil {
		return string(data)
	}
	if os.Getenv("JOMCTL_TEST_REAL") != "1" {
		t.Skip("axe-core is fetched with JOMCTL_TEST_REAL=1 only")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		testkit.Missing(t, "npm")
	}
	require.NoError(t, os.MkdirAll(dir, 0o700))
	out, err := exec.Command("npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion).CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

// violation is one finding of axe-core.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

func accessible(t *testing.T, ctx context.Context) {
	program := axe(t)
	w := newWorld()
	w.change(func(r *status.Report) {
		r.Findings = []status.Finding{{Severity: status.Error, Subject: "zookeeper", Problem: "no quorum", Fix: "bring it back"},
			{Severity: status.Warning, Subject: "mesos-agent a2", Problem: "is drained", Fix: "undrain it"}, {Severity: status.Info, Subject: "note", Problem: "said", Fix: "none"}}
		r.Mesos.Agents[1].Deactivated = true
		r.Hosts[2].Units[0].State = "waiting"
	})
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	hub.Probed(Probe{Target: "edge", Up: true, Since: seen()})
	hub.Probed(Probe{Target: "controller", Up: false, Since: seen(), Detail: "connection refused"})
	addr := testkit.FreeAddr(t, "127.0.0.1")
	serve(t, hub, addr)
	for _, state := range []string{"up", "down"} {
		if state == "down" {
			w.change(down)
			hub.Poll(t.Context())
		}
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://"+addr+"/")))
		await(t, ctx, has("link-text", "live"))
		// Evaluated from outside the page, which its policy would refuse.
		require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](program+";undefined")))
		for _, scheme := range []string{"light", "dark"} {
			for name, width := range map[string]int64{"phone": 390, "desktop": 1280} {
				if state == "down" && (name == "phone") != (scheme == "light") {
					continue // it has little of its own
				}
				look(t, ctx, scheme, width, 800)
				picture(t, ctx, state+"-"+name+"-"+scheme)
				require.Empty(t, judged(t, ctx), "%s, %s, %s", state, name, scheme)
				require.LessOrEqual(t, evaluate[int](t, ctx, "document.documentElement.scrollWidth"), int(width), "nothing is wider than the screen (%s)", name)
			}
		}
	}
}

// judged are the findings of axe-core about what is shown now.
func judged(t *testing.T, ctx context.Context) []violation {
	t.Helper()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("axe.run().then(r => JSON.stringify(r.violations))", chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	var all []violation
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	return all
}
