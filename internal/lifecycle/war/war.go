// Package war brings the jenkins.war of a cluster, and the plugins of the release that belong to it, into the cluster's cache, verified.
package war

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// War is the jenkins.war that a cluster runs. The zero war is the stand-in.
type War struct {
	// Source is a file or URL.
	Source string
	// SHA256 is what the file must have; empty accepts a file of the user's own as it is.
	SHA256 string
	// cache is the folder that keeps a copy, so that the user's file may go away.
	cache string
	// Plugins are the plugins that come with it.
	Plugins Plugins
}

// Of is the war that a cluster file names, or else that of the release.
func Of(c *config.Cluster, release *bundles.Release) War {
	if c.Jenkins.War == "standin" {
		return War{}
	}
	w := War{Source: c.Jenkins.War, SHA256: c.Jenkins.SHA256, cache: warCache(c)}
	if w.Source == "" {
		w.Source = release.Core.URL
		w.Plugins = pluginsOf(c, release)
	}
	if w.Remote() {
		if w.SHA256 == "" {
			w.SHA256 = release.Core.SHA256
		}
		return w
	}
	w.Source = c.Resolve(w.Source)
	return w
}

func warCache(c *config.Cluster) string { return filepath.Join(c.StateDir(), "cache", "wars") }

// CachePath is where a downloaded jenkins.war of a cluster is looked for before it is downloaded.
func CachePath(c *config.Cluster, sha256 string) string {
	return War{SHA256: sha256, cache: warCache(c)}.Path()
}

// Real says that it is no stand-in.
func (w War) Real() bool { return w.Source != "" }

// Remote says that it is downloaded.
func (w War) Remote() bool {
	return strings.HasPrefix(w.Source, "http://") || strings.HasPrefix(w.Source, "https://")
}

// Path is where the cached copy lies: by checksum for a download, by the file's own path for a file.
func (w War) Path() string {
	key := w.SHA256
	if key == "" {
		sum := sha256.Sum256([]byte(w.Source))
		key = "file-" + hex.EncodeToString(sum[:8])
	}
	return filepath.Join(w.cache, key, "jenkins.war")
}

// Cached says whether the copy is there and is what it should be, and its plugins. A file that has changed since is fetched again.
func (w War) Cached() bool { return w.warCached() && w.Plugins.there() }

func (w War) warCached() bool {
	info, err := os.Stat(w.Path())
	if err != nil {
		return false
	}
	if w.Remote() {
		return true // it was verified before it got its name
	}
	source, err := os.Stat(w.Source)
	return err != nil || source.Size() == info.Size() && !source.ModTime().After(info.ModTime())
}

// Fetch brings the war into the cache, verified, and its plugins. A cut-off or wrong one never gets the final name.
func (w War) Fetch(ctx context.Context, say op.Say) error {
	if !w.warCached() {
		if err := w.fetchWar(ctx, say); err != nil {
			return err
		}
	}
	if w.Plugins.there() {
		return nil
	}
	return w.Plugins.fetch(ctx, say)
}

// Changes are what Fetch does, for the preview.
func (w War) Changes() (lines []string) {
	if !w.warCached() {
		lines = append(lines, "copy "+w.Source+" to "+w.Path())
	}
	if !w.Plugins.there() {
		lines = append(lines, fmt.Sprintf("copy %d plugins of the release (%d MiB) to %s", len(w.Plugins.Files), w.Plugins.size(), w.Plugins.Dir))
	}
	return lines
}

func (w War) fetchWar(ctx context.Context, say op.Say) error {
	if w.Remote() {
		return w.download(ctx, say)
	}
	say("reading %s", w.Source)
	file, err := os.Open(w.Source)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", w.Source, err)
	}
	defer file.Close()
	return w.keep(file)
}

// download takes what `jomctl release fetch` has brought, or goes on with a download that was cut off.
func (w War) download(ctx context.Context, say op.Say) error {
	file := w.file()
	if file.SHA256 == "" {
		return w.unverifiable()
	}
	if store, err := fetch.UserStore(); err == nil {
		if path, err := store.Have(file); err == nil {
			say("reading %s", path)
			brought, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("fetching %s: %w", w.Source, err)
			}
			defer brought.Close()
			return w.keep(brought)
		}
	}
	say("reading %s", w.Source)
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

func (w War) file() fetch.File {
	return fetch.File{Name: "jenkins.war", URL: w.Source, SHA256: w.SHA256}
}

// keep copies a war into the cache.
func (w War) keep(from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(w.Path()), 0o755); err != nil {
		return fmt.Errorf("making the war cache: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(w.Path()), ".jenkins-*.war")
	if err != nil {
		return fmt.Errorf("making the war cache: %w", err)
	}
	defer os.Remove(temp.Name())
	sum := sha256.New()
	_, copied := io.Copy(io.MultiWriter(temp, sum), from)
	if err := errors.Join(copied, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("fetching %s: %w", w.Source, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); w.SHA256 != "" && got != w.SHA256 {
		return w.mismatch(got)
	}
	if err := w.looksRight(temp.Name()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), w.Path())
}

func (w War) mismatch(got string) error {
	return &op.Refusal{
		Problem: fmt.Sprintf("jenkins.war: %s has sha256 %s, want %s", w.Source, got, w.SHA256),
		Fix:     "use the release's own war, or write the checksum you trust into jenkins.sha256",
	}
}

// unverifiable is a download that nothing could be compared with.
func (w War) unverifiable() *op.Refusal {
	return &op.Refusal{
		Problem: fmt.Sprintf("jenkins.war: %s cannot be verified: the release does not know its checksum", w.Source),
		Fix:     "write the checksum you trust into jenkins.sha256, or take a release that `jomctl release list` calls complete",
	}
}

func (w War) looksRight(path string) error {
	if _, err := provision.WarVersion(path); err != nil {
		return &op.Refusal{Problem: fmt.Sprintf("jenkins.war: %s: %v", w.Source, err), Fix: "name a jenkins.war as the Jenkins project publishes it"}
	}
	return nil
}

// Preflight checks what can be known before anything is copied.
func (w War) Preflight() []provision.Finding {
	if w.Remote() && w.SHA256 == "" {
		refusal := w.unverifiable()
		return []provision.Finding{{Subject: "jenkins.war", Problem: refusal.Problem, Fix: refusal.Fix}}
	}
	if w.Remote() || w.SHA256 == "" || w.Cached() {
		return nil
	}
	file, err := os.Open(w.Source)
	if err != nil {
		return nil // that it cannot be read is found with the programs
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return []provision.Finding{{Subject: "jenkins.war", Problem: err.Error(), Fix: "name a file that can be read"}}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.SHA256 {
		return []provision.Finding{{Subject: "jenkins.war", Problem: fmt.Sprintf("%s has sha256 %s, want %s", w.Source, got, w.SHA256),
			Fix: "use the release's own war, or write the checksum you trust into jenkins.sha256"}}
	}
	return nil
}

// Recipe writes down what tells a war from others: its checksum, or size and time where it has none.
func (w War) Recipe(sum io.Writer) error {
	if w.SHA256 != "" {
		_, err := fmt.Fprintln(sum, w.SHA256)
		return err
	}
	info, err := os.Stat(w.Path())
	if err != nil {
		return fmt.Errorf("reading jenkins.war: %w", err)
	}
	_, err = fmt.Fprintln(sum, info.Size(), info.ModTime().Unix())
	return err
}

// Bundled are the plugins that the war brings itself; their versions suit it.
func (w War) Bundled() []string {
	archive, err := zip.OpenReader(w.Source)
	if err != nil {
		archive, err = zip.OpenReader(w.Path()) // the copy outlives the user's file
	}
	if err != nil {
		return nil // a war that cannot be read is found elsewhere
	}
	defer archive.Close()
	var names []string
	for _, entry := range archive.File {
		if dir := path.Dir(entry.Name); dir != "WEB-INF/plugins" && dir != "WEB-INF/detached-plugins" {
			continue
		}
		base := path.Base(entry.Name)
		if ext := path.Ext(base); ext == ".hpi" || ext == ".jpi" {
			names = append(names, strings.TrimSuffix(base, ext))
		}
	}
	return names
}
