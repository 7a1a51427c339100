package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

const (
	chromium = "/usr/bin/chromium"
	// shown is how long the page may take on a machine that has much else to do.
	shown = 2 * time.Minute
)

// page is the dashboard in a browser. It keeps every state that it has shown, so that what was there for a moment is not missed.
type page struct {
	t   *testing.T
	tab context.Context
}

// openPage serves the dashboard until the test ends, and opens it in Chromium.
func (b *bench) openPage(t *testing.T) *page {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		testkit.Missing(t, chromium)
	}
	address := testkit.FreeAddr(t, b.host(10))
	serving, stop := context.WithCancel(context.Background())
	cmd := b.command(serving, "dashboard", "--listen", address)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(shown), chromedp.UserDataDir(t.TempDir()))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	tab, shut := chromedp.NewContext(allocator)
	t.Cleanup(shut)
	p := &page{t, tab}
	testkit.Eventually(t, shown, "the page is there", func(context.Context) bool { return chromedp.Do(tab, chromedp.Navigate("http://"+address+"/")) == nil })
	p.await("document.getElementById('link-text')?.textContent === 'live'")
	require.NoError(t, chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](`
		window.said = [];
		window.note = () => said.push(document.title + " | " + document.getElementById("main").textContent);
		new MutationObserver(note).observe(document.getElementById("main"), {subtree: true, childList: true, characterData: true, attributes: true});
		note();`)))
	return p
}

// await waits until an expression is true in the page.
func (p *page) await(expression string) {
	p.t.Helper()
	_, err := chromedp.Run(p.tab, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(shown)))
	if err != nil {
		text, _ := chromedp.Run(p.tab, chromedp.Evaluate[string]("document.body.innerText"))
		require.NoError(p.t, err, "waited for %s; the page says\n%s", expression, text)
	}
}

// said waits until the page has shown something that matches, be it for a moment.
func (p *page) said(pattern string) {
	p.t.Helper()
	p.await("said.some(text => /" + pattern + "/.test(text))")
}

// says waits until a part of the page shows something that matches.
func (p *page) says(part, pattern string) {
	p.t.Helper()
	p.await(fmt.Sprintf("/%s/.test(document.getElementById('part-%s').textContent)", pattern, part))
}

// picture keeps what is seen on a phone and on a desk, for a person to look at, where JOMCTL_SCREENSHOTS names a folder.
func (p *page) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("JOMCTL_SCREENSHOTS")
	if dir == "" {
		return
	}
	for size, width := range map[string]int64{"phone": 390, "desk": 1280} {
		require.NoError(p.t, chromedp.Do(p.tab, chromedp.EmulateViewport(width, 900)))
		image, err := chromedp.Run(p.tab, chromedp.FullScreenshot(100))
		require.NoError(p.t, err)
		require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+"-"+size+".png"), image, 0o600))
	}
}
