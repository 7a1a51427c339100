package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/bundles/updatecenter"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// centerOptions are the flags of commands that read update centers.
type centerOptions struct {
	places, mirrors, roots []string
}

func (o *centerOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.places, "update-center", nil, "an update-center file or its URL; may be given several times")
	flags.StringArrayVar(&o.mirrors, "trust-mirror", nil, "the beginning of the addresses that a mirror has put into the Jenkins project's file; checksums stay those that were signed")
	flags.StringArrayVar(&o.roots, "trust-root", nil, "the root certificate (PEM) of a mirror that signs by itself; you trust it with every plugin")
}

// maxCenter bounds what an update center may have; the real ones have 3.4 MB.
const maxCenter = 64 << 20

// read verifies the update centers and says who signed them.
func (o *centerOptions) read(ctx context.Context, a *app) ([]*updatecenter.Center, error) {
	trust := updatecenter.Trust{Mirrors: o.mirrors}
	for _, file := range o.roots {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--trust-root: %w", err)}
		}
		trust.Roots = append(trust.Roots, data)
	}
	var all []*updatecenter.Center
	for _, place := range o.places {
		data, live, err := readPlace(ctx, place)
		if err != nil {
			return nil, fmt.Errorf("reading the update center %s: %w", place, err)
		}
		trust.Live = live
		center, err := updatecenter.Read(data, trust)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		a.say("%s", described(place, center))
		all = append(all, center)
	}
	return all, nil
}

func described(place string, c *updatecenter.Center) string {
	p := c.Provenance
	judged := "its certificate is valid now"
	if p.OwnTime {
		judged = "its certificate was valid then"
	}
	text := fmt.Sprintf("%s: made on %s, %d plugins, signed by %s under %s; %s", place, c.Generated.Format("2006-01-02 15:04 MST"), len(c.Plugins), p.Signer, p.Root, judged)
	if p.Mirror != "" {
		text += "; with the addresses of the mirror " + p.Mirror
	}
	for _, left := range c.Unusable {
		text += "\n  left out: " + ui.Clean(left)
	}
	return text
}

// readPlace reads a file, or an address; the latter is live.
func readPlace(ctx context.Context, place string) (data []byte, live bool, err error) {
	if u, err := url.Parse(place); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		data, err := os.ReadFile(place)
		return data, false, err
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, true, err
	}
	answer, err := (&http.Client{Timeout: 5 * time.Minute}).Do(ask)
	if err != nil {
		return nil, true, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, true, fmt.Errorf("the server answers %s", answer.Status)
	}
	data, err = io.ReadAll(io.LimitReader(answer.Body, maxCenter))
	return data, true, err
}

// releaseLockOptions are the flags of release lock.
type releaseLockOptions struct {
	centers centerOptions
	files   string
	partial bool
	plan    bool
}

func newReleaseLockCommand(a *app) *cobra.Command {
	opts := releaseLockOptions{}
	cmd := &cobra.Command{Use: "lock DIR", Short: "Resolve plugins.txt into plugins.lock, from signed update centers", Args: cobra.ExactArgs(1),
		Long: "Of each plugin the newest version is taken that fits the core, the Java and the other plugins. An update center has of each plugin only the version\n" +
			"that was newest when it was made; give older ones too where the newest versions ask for a newer core. Without --update-center the Jenkins\n" +
			"project's own is fetched. A file is judged by the time at which it says it was made, a download by now.",
		RunE: func(cmd *cobra.Command, args []string) error { return runReleaseLock(cmd.Context(), a, opts, args[0]) }}
	opts.centers.bind(cmd)
	cmd.Flags().StringVar(&opts.files, "files", "", "a folder with *.hpi files of your own to choose from as well; you trust them as they are")
	cmd.Flags().BoolVar(&opts.partial, "partial", false, "lock what can be locked, and name the rest in the lock")
	cmd.Flags().BoolVar(&opts.plan, "plan", false, "show the difference and write nothing")
	return cmd
}

func runReleaseLock(ctx context.Context, a *app, opts releaseLockOptions, dir string) error {
	if !strings.ContainsRune(dir, '/') {
		return &usageError{fmt.Errorf("%s names a release that jomctl brings: make one of your own from it (jomctl release new ./mine --from %s), or write ./%s for a folder here", dir, dir, dir)}
	}
	release, err := bundles.Load(dir)
	if err != nil {
		return err
	}
	lock, advisories, known, err := opts.resolve(ctx, a, resolve.Request{Core: release.Core.Version, Java: release.Java, Wishes: release.Wishes, Partial: opts.partial})
	if err != nil {
		return err
	}
	before := release.Core.Version
	if release.Lock != nil {
		before = release.Lock.Core
	}
	diff := resolve.Compare(release.Lock, lock, before, lock.Core, known)
	if err := a.writeLocked(dir, lock, diff, known, opts.plan); err != nil {
		return err
	}
	if opts.plan {
		return nil
	}
	return errors.Join(replaceFile(filepath.Join(dir, bundles.LockFile), []byte(lock.String())), replaceFile(filepath.Join(dir, bundles.AdvisoriesFile), advisories))
}

// resolve locks what a request wishes from the update centers, those of the Jenkins project where none is given. The advisories are the content of
// their file.
func (o releaseLockOptions) resolve(ctx context.Context, a *app, ask resolve.Request) (lock *resolve.Lock, advisories []byte, known resolve.Knowledge, err error) {
	if len(o.centers.places) == 0 {
		o.centers.places = []string{"https://updates.jenkins.io/update-center.json?version=" + url.QueryEscape(ask.Core)}
	}
	if ask.Centers, err = o.centers.read(ctx, a); err != nil {
		return nil, nil, known, err
	}
	if ask.Own, err = ownPlugins(o.files); err != nil {
		return nil, nil, known, err
	}
	if lock, err = resolve.Resolve(ask); err != nil {
		return nil, nil, known, err
	}
	if known, err = bundles.Known(allAdvisories(ask.Centers)); err != nil {
		return nil, nil, known, err
	}
	newest := slices.MaxFunc(ask.Centers, func(x, y *updatecenter.Center) int { return x.Generated.Compare(y.Generated) })
	advisories, err = resolve.AdvisoriesFor(newest, lock).JSON()
	return lock, advisories, known, err
}

func allAdvisories(centers []*updatecenter.Center) (all []resolve.Advisories) {
	for _, center := range centers {
		all = append(all, resolve.AllAdvisories(center))
	}
	return all
}

func (a *app) writeLocked(dir string, lock *resolve.Lock, diff resolve.Diff, known resolve.Knowledge, plan bool) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"release": dir, "lock": lock, "diff": diff, "warningsAsOf": known.AsOf})
	}
	a.diffText(diff, known)
	for _, u := range lock.Unlocked {
		fmt.Fprintf(a.streams.Out, "not locked: %s %s: %s\n", u.Name, u.Version, u.Why)
	}
	done := "are locked in"
	if plan {
		done = "would be locked in"
	}
	_, err := fmt.Fprintf(a.streams.Out, "%d plugins for Jenkins %s %s %s\n", len(lock.Plugins), lock.Core, done, filepath.Join(dir, bundles.LockFile))
	return err
}

// replaceFile never leaves half a file.
func replaceFile(path string, data []byte) error {
	if err := wholefile.Write(path, data, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// ownPlugins reads the plugin files of a folder.
func ownPlugins(dir string) (all []updatecenter.Plugin, err error) {
	if dir == "" {
		return nil, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, &usageError{fmt.Errorf("--files: %w", err)}
	}
	for _, pattern := range []string{"*.hpi", "*.jpi"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, &usageError{fmt.Errorf("--files: %w", err)}
		}
		for _, file := range files {
			plugin, err := ownPlugin(file)
			if err != nil {
				return nil, err
			}
			all = append(all, plugin)
		}
	}
	return all, nil
}

func ownPlugin(file string) (updatecenter.Plugin, error) {
	manifest, err := home.ReadPlugin(file)
	if err != nil {
		return updatecenter.Plugin{}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return updatecenter.Plugin{}, err
	}
	if !updatecenter.ValidName(manifest.Name) || !updatecenter.ValidVersion(manifest.Version) {
		return updatecenter.Plugin{}, fmt.Errorf("%s: %q %q: not a plugin's name and version", file, manifest.Name, manifest.Version)
	}
	sum := sha256.Sum256(data)
	p := updatecenter.Plugin{Name: manifest.Name, Version: manifest.Version, RequiredCore: manifest.Core, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	for _, need := range manifest.Needs {
		p.Dependencies = append(p.Dependencies, updatecenter.Dependency{Name: need.Name, Version: need.Version, Optional: need.Optional})
	}
	return p, nil
}
