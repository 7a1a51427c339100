package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// war is the jenkins.war that a cluster runs. The zero war is the stand-in.
type war struct {
	// source is a file or URL.
	source string
	// sha256 is what the file must have; empty accepts a file of the user's own as it is.
	sha256 string
	// cache is the folder that keeps a copy, so that the user's file may go away.
	cache string
	// set are the plugins that come with it.
	set pluginSet
}

func warOf(c *config.Cluster, release *bundles.Release) war {
	if c.Jenkins.War == "standin" {
		return war{}
	}
	w := war{source: c.Jenkins.War, sha256: c.Jenkins.SHA256, cache: warCache(c)}
	if w.source == "" {
		w.source = release.Core.URL
		w.set = pluginsOf(c, release)
	}
	if w.remote() {
		if w.sha256 == "" {
			w.sha256 = release.Core.SHA256
		}
		return w
	}
	w.source = c.Resolve(w.source)
	return w
}

func warCache(c *config.Cluster) string { return filepath.Join(c.StateDir(), "cache", "wars") }

// WarCache is where a downloaded jenkins.war of a cluster is looked for before it is downloaded.
func WarCache(c *config.Cluster, sha256 string) string {
	return war{sha256: sha256, cache: warCache(c)}.path()
}

func (w war) real() bool { return w.source != "" }

func (w war) remote() bool {
	return strings.HasPrefix(w.source, "http://") || strings.HasPrefix(w.source, "https://")
}

// path is where the cached copy lies: by checksum for a download, by the file's own path for a file.
func (w war) path() string {
	key := w.sha256
	if key == "" {
		sum := sha256.Sum256([]byte(w.source))
		key = "file-" + hex.EncodeToString(sum[:8])
	}
	return filepath.Join(w.cache, key, "jenkins.war")
}

// cached says whether the copy is there and is what it should be, and its plugins. A file that has changed since is fetched again.
func (w war) cached() bool { return w.warCached() && w.set.there() }

func (w war) warCached() bool {
	info, err := os.Stat(w.path())
	if err != nil {
		return false
	}
	if w.remote() {
		return true // it was verified before it got its name
	}
	source, err := os.Stat(w.source)
	return err != nil || source.Size() == info.Size() && !source.ModTime().After(info.ModTime())
}

// fetch brings the war into the cache, verified, and its plugins. A cut-off or wrong one never gets the final name.
func (w war) fetch(ctx context.Context, say op.Say) error {
	if !w.warCached() {
		if err := w.fetchWar(ctx, say); err != nil {
			return err
		}
	}
	if w.set.there() {
		return nil
	}
	return w.set.fetch(ctx, say)
}

// changes are what fetch does, for the preview.
func (w war) changes() (lines []string) {
	if !w.warCached() {
		lines = append(lines, "copy "+w.source+" to "+w.path())
	}
	if !w.set.there() {
		lines = append(lines, fmt.Sprintf("copy %d plugins of the release (%d MiB) to %s", len(w.set.files), w.set.size(), w.set.dir))
	}
	return lines
}

func (w war) fetchWar(ctx context.Context, say op.Say) error {
	if w.remote() {
		return w.download(ctx, say)
	}
	say("reading %s", w.source)
	file, err := os.Open(w.source)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", w.source, err)
	}
	defer file.Close()
	return w.keep(file)
}

// download takes what `jomctl release fetch` has brought, or goes on with a download that was cut off.
func (w war) download(ctx context.Context, say op.Say) error {
	file := w.file()
	if file.SHA256 == "" {
		return w.unverifiable()
	}
	if store, err := fetch.UserStore(); err == nil {
		if path, err := store.Have(file); err == nil {
			say("reading %s", path)
			brought, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("fetching %s: %w", w.source, err)
			}
			defer brought.Close()
			return w.keep(brought)
		}
	}
	say("reading %s", w.source)
	path, err := fetch.Store{Dir: w.cache}.Get(ctx, file)
	if wrong := new(fetch.MismatchError); errors.As(err, &wrong) {
		return w.mismatch(wrong.Got)
	}
	if err != nil {
		return err
	}
	if err := w.looksRight(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (w war) file() fetch.File {
	return fetch.File{Name: "jenkins.war", URL: w.source, SHA256: w.sha256}
}

// keep copies a war into the cache.
func (w war) keep(from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(w.path()), 0o755); err != nil {
		return fmt.Errorf("making the war cache: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(w.path()), ".jenkins-*.war")
	if err != nil {
		return fmt.Errorf("making the war cache: %w", err)
	}
	defer os.Remove(temp.Name())
	sum := sha256.New()
	_, copied := io.Copy(io.MultiWriter(temp, sum), from)
	if err := errors.Join(copied, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("fetching %s: %w", w.source, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); w.sha256 != "" && got != w.sha256 {
		return w.mismatch(got)
	}
	if err := w.looksRight(temp.Name()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), w.path())
}

func (w war) mismatch(got string) error {
	return &Refusal{
		Problem: fmt.Sprintf("jenkins.war: %s has sha256 %s, want %s", w.source, got, w.sha256),
		Fix:     "use the release's own war, or write the checksum you trust into jenkins.sha256",
	}
}

// unverifiable is a download that nothing could be compared with.
func (w war) unverifiable() *Refusal {
	return &Refusal{
		Problem: fmt.Sprintf("jenkins.war: %s cannot be verified: the release does not know its checksum", w.source),
		Fix:     "write the checksum you trust into jenkins.sha256, or take a release that `jomctl release list` calls complete",
	}
}

func (w war) looksRight(path string) error {
	if _, err := provision.WarVersion(path); err != nil {
		return &Refusal{Problem: fmt.Sprintf("jenkins.war: %s: %v", w.source, err), Fix: "name a jenkins.war as the Jenkins project publishes it"}
	}
	return nil
}

// preflight checks what can be known before anything is copied.
func (w war) preflight() []provision.Finding {
	if w.remote() && w.sha256 == "" {
		refusal := w.unverifiable()
		return []provision.Finding{{Subject: "jenkins.war", Problem: refusal.Problem, Fix: refusal.Fix}}
	}
	if w.remote() || w.sha256 == "" || w.cached() {
		return nil
	}
	file, err := os.Open(w.source)
	if err != nil {
		return nil // that it cannot be read is found with the programs
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return []provision.Finding{{Subject: "jenkins.war", Problem: err.Error(), Fix: "name a file that can be read"}}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.sha256 {
		return []provision.Finding{{Subject: "jenkins.war", Problem: fmt.Sprintf("%s has sha256 %s, want %s", w.source, got, w.sha256),
			Fix: "use the release's own war, or write the checksum you trust into jenkins.sha256"}}
	}
	return nil
}
