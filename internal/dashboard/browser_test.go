package dashboard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/testkit"
)

const chromium = "/usr/bin/chromium"

// patience is for a machine that has much else to do.
const patience = 60 * time.Second

// startBrowser starts Chromium; tab opens one tab in it.
func startBrowser(t *testing.T) (tab func(t *testing.T) context.Context) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes longer than a short run")
	}
	if _, err := os.Stat(chromium); err != nil {
		testkit.Missing(t, chromium)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(browser))
	return func(t *testing.T) context.Context {
		t.Helper()
		ctx, shut := chromedp.NewContext(browser)
		t.Cleanup(shut)
		require.NoError(t, chromedp.Do(ctx))
		bounded, cancel := context.WithTimeout(ctx, 3*patience)
		t.Cleanup(cancel)
		return bounded
	}
}

// await waits until an expression is true in the page.
func await(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		require.NoError(t, err, "waited for %s; the page says\n%s", expression, text)
	}
}

func has(part, text string) string {
	return fmt.Sprintf("document.getElementById(%q).textContent.includes(%q)", part, text)
}

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return value
}

// served is a page at an address that can be taken away and come back.
type served struct {
	hub    *Hub
	server *http.Server
}

func serve(t *testing.T, hub *Hub, addr string) *served {
	t.Helper()
	handler, err := hub.Handler(Access{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	s := &served{hub, &http.Server{Handler: handler, ReadHeaderTimeout: patience}}
	go func() { _ = s.server.Serve(listener) }()
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

// look sets how the page is seen.
func look(t *testing.T, ctx context.Context, scheme string, width, height int64) {
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})))
}

// picture keeps what is seen, for a person to look at, where JOMCTL_SCREENSHOTS names a folder.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("JOMCTL_SCREENSHOTS")
	if dir == "" {
		return
	}
	image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600))
}

func TestThePageInABrowser(t *testing.T) {
	tab := startBrowser(t)
	t.Run("shows changes without a reload", func(t *testing.T) { changesAppear(t, tab(t)) })
	t.Run("comes back after the connection was lost", func(t *testing.T) { comesBack(t, tab(t)) })
	t.Run("is used without a mouse", func(t *testing.T) { keyboard(t, tab(t)) })
	t.Run("is accessible", func(t *testing.T) { accessible(t, tab(t)) })
}

func changesAppear(t *testing.T, ctx context.Context) {
	w := newWorld()
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	addr := testkit.FreeAddr(t, "127.0.0.1")
	serve(t, hub, addr)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://"+addr+"/")))
	await(t, ctx, has("link-text", "live"))
	await(t, ctx, has("part-queue", "nightly"))
	evaluate[bool](t, ctx, "(window.marker = true) && (document.querySelector('details').open = true)")
	evaluate[bool](t, ctx, "(document.querySelector('details summary').focus(), true)")

	w.change(func(r *status.Report) {
		r.Controller.Queue = append(r.Controller.Queue, status.QueueItem{Job: "<img src=x onerror=window.broken=1>", Why: "no <b>agent</b>"})
		r.Mesos.Agents[1].Active = false
	})
	hub.Poll(t.Context())
	await(t, ctx, has("part-queue", "<img src=x onerror=window.broken=1>"))
	await(t, ctx, has("part-agents", "away"))
	require.True(t, evaluate[bool](t, ctx, "window.marker === true && window.broken === undefined && document.querySelector('#queue img, #queue b') === null"), "no reload, nothing of the cluster is markup")
	require.True(t, evaluate[bool](t, ctx, "document.querySelector('details').open && document.activeElement.nodeName === 'SUMMARY'"), "what was opened stays open, and keeps the focus")

	hub.Probed(Probe{Target: "edge", Up: true, Since: seen()})
	hub.Probed(Probe{Target: "edge", Up: false, Since: seen(), Detail: "connection refused"})
	await(t, ctx, has("part-summary", "connection refused"))

	w.change(down)
	hub.Poll(t.Context())
	await(t, ctx, has("part-summary", "No part of the cluster has answered since"))
	await(t, ctx, has("part-agents", "Shown is what was known last"))
	require.True(t, evaluate[bool](t, ctx, has("part-controller", "Jenkins 2.568.2")), "what was known last stays")
	require.Equal(t, "ci: does not answer", evaluate[string](t, ctx, "document.title"))
}

func comesBack(t *testing.T, ctx context.Context) {
	w := newWorld()
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	addr := testkit.FreeAddr(t, "127.0.0.1")
	first := serve(t, hub, addr)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://"+addr+"/")))
	await(t, ctx, has("link-text", "live"))
	evaluate[bool](t, ctx, "(window.marker = true)")
	require.NoError(t, first.server.Close())
	await(t, ctx, has("link-text", "connection lost"))

	// Another run of the program: its versions begin anew.
	w.change(func(r *status.Report) { r.Controller.Queue = nil })
	second := newTestHub(t, w)
	second.Poll(t.Context())
	serve(t, second, addr)
	await(t, ctx, has("part-queue", "No build waits"))
	await(t, ctx, has("link-text", "live"))
	require.True(t, evaluate[bool](t, ctx, "window.marker === true"), "without a reload")
}

// keyboard goes through everything that can be reached with Tab, which must be in the order of the page and visible.
func keyboard(t *testing.T, ctx context.Context) {
	hub := newTestHub(t, newWorld())
	hub.Poll(t.Context())
	addr := testkit.FreeAddr(t, "127.0.0.1")
	serve(t, hub, addr)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://"+addr+"/")))
	await(t, ctx, has("link-text", "live"))
	var order []string
	for range 11 {
		require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("\t")))
		order = append(order, evaluate[string](t, ctx, "(document.activeElement.textContent.trim() + ' ' + (getComputedStyle(document.activeElement).outlineStyle === 'none' ? 'unseen' : 'seen'))"))
	}
	require.Equal(t, []string{"Skip to the content seen", "Findings seen", "Controller seen", "Queue seen", "Mesos agents seen", "Hosts seen", "History seen", "Programs seen",
		"http://c1:8080 seen", "3 steps of install, run-1 seen", "/metrics seen"}, order)
	require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("document.querySelector('summary').focus()"), chromedp.KeyEvent("\r")))
	require.True(t, evaluate[bool](t, ctx, "document.querySelector('details').open"), "Enter opens the steps")
}
