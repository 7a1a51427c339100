package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

// ownRelease are the flags by which an upgrade makes its release itself.
type ownRelease struct {
	core, sha256, plugins string
	centers               centerOptions
}

// madeReleases is the folder beside the cluster file for releases that upgrades have made.
const madeReleases = "releases"

func (o *ownRelease) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.core, "core", "", "make a release with this version of Jenkins (default: that of the release that runs) and upgrade to it")
	flags.StringVar(&o.sha256, "sha256", "", "with --core: the checksum of its jenkins.war, where jomctl does not know it")
	flags.StringVar(&o.plugins, "plugins", "", "make a release with the plugins of this file, written like plugins.txt (default: that of the release that runs), and upgrade to it")
	o.centers.bind(cmd)
}

func (o *ownRelease) asked() bool { return o.core != "" || o.plugins != "" }

// madeRelease is a release of the run's own. nil is none.
type madeRelease struct {
	// path is how the cluster file names it, dir its folder.
	path, dir string
	// fresh says that the folder was not there before.
	fresh bool
	notes []string
}

// lines adds how the release came about to those of the preview.
func (m *madeRelease) lines(lines map[string][]string) map[string][]string {
	if m != nil {
		lines["bring-near"] = append(lines["bring-near"], m.notes...)
	}
	return lines
}

// discard removes a folder that no run needs, as nothing was begun.
func (m *madeRelease) discard(store *upgrade.Store) error {
	if m == nil || !m.fresh || store.State.To.Release == m.path && len(store.State.Begun) > 0 {
		return nil
	}
	return errors.Join(os.RemoveAll(m.dir), removeEmpty(filepath.Dir(m.dir)))
}

func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return err
	}
	return os.Remove(dir)
}

// release makes the release, or finds that of the run that is gone on with: what was resolved once is not resolved again.
func (o *ownRelease) release(ctx context.Context, a *app, c *config.Cluster, store *upgrade.Store) (*madeRelease, error) {
	state := store.State
	if state.Windowed() && o.core != "" && o.core != state.To.Core {
		return nil, &refusedError{fmt.Errorf("an upgrade to %s is half-way", state.To.Release), "go on with `jomctl resume`, or take it back with `jomctl rollback`"}
	}
	if a.again != nil && state.Outcome != upgrade.RolledBack || state.Windowed() {
		if dir := c.Resolve(state.To.Release); filepath.Base(filepath.Dir(dir)) == madeReleases {
			return &madeRelease{path: state.To.Release, dir: dir}, nil
		}
	}
	installed, err := record.Installed(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &refusedError{errors.New("nothing is installed that could be upgraded"), "run `jomctl install`"}
	}
	if err != nil {
		return nil, err
	}
	base, err := bundles.Load(releasePath(installed))
	if err != nil {
		return nil, err
	}
	return o.make(ctx, a, c, base)
}

// make resolves and writes the release.
func (o *ownRelease) make(ctx context.Context, a *app, c *config.Cluster, base *bundles.Release) (*madeRelease, error) {
	core, java, err := o.coreOn(base)
	if err != nil {
		return nil, err
	}
	files, err := filesOf(base)
	if err != nil {
		return nil, err
	}
	if o.plugins != "" {
		if files[bundles.WishesFile], err = os.ReadFile(o.plugins); err != nil {
			return nil, &usageError{fmt.Errorf("--plugins: %w", err)}
		}
	}
	wishes, err := resolve.ParseWishes(string(files[bundles.WishesFile]))
	if err != nil {
		return nil, &usageError{fmt.Errorf("--plugins %s: %w", o.plugins, err)}
	}
	lock, advisories, _, err := releaseLockOptions{centers: o.centers}.resolve(ctx, a, resolve.Request{Core: core.Version, Java: java, Wishes: wishes})
	if err != nil {
		return nil, err
	}
	files[bundles.LockFile], files[bundles.AdvisoriesFile] = []byte(lock.String()), advisories
	name := "jenkins-" + core.Version + "-" + sumOf(files, core, lock)
	files["bundle.yaml"] = madeBundle(files["bundle.yaml"], name, base.Name, core, java, len(lock.Plugins))
	made := &madeRelease{path: "./" + filepath.Join(madeReleases, name), dir: c.Resolve(filepath.Join(madeReleases, name))}
	made.notes = []string{fmt.Sprintf("release %s: made from %s, %d plugins locked by their checksums from signed update centers", made.path, base.Name, len(lock.Plugins))}
	if core.Version != base.Core.Version {
		made.notes = append(made.notes, fmt.Sprintf("what %s tolerates, and its dangers, were said of Jenkins %s: look at them in %s", base.Name, base.Core.Version, filepath.Join(made.path, "bundle.yaml")))
	}
	if err := made.write(files); err != nil {
		return nil, err
	}
	loaded, err := bundles.Load(made.dir)
	if err == nil && len(loaded.Audit()) > 0 {
		err = &refusedError{fmt.Errorf("the release that was made of Jenkins %s and the plugins is not whole: %s", core.Version, strings.Join(loaded.Audit(), "; ")),
			"`jomctl release new` and `jomctl release lock` make one that you can look into"}
	}
	if err != nil {
		return nil, errors.Join(err, made.discard(&upgrade.Store{}))
	}
	return made, nil
}

// coreOn is the core with the Java versions that it runs on: those of the base, or of the LTS line that the core belongs to.
func (o *ownRelease) coreOn(base *bundles.Release) (bundles.Core, []int, error) {
	if o.core == "" || o.core == base.Core.Version {
		return base.Core, base.Java, nil
	}
	core, err := coreFor(releaseNewOptions{core: o.core, sha256: o.sha256})
	if err != nil {
		return core, nil, err
	}
	met, err := bundles.HazardsBetween(base.Core.Version, core.Version)
	if err != nil || len(met) == 0 {
		return core, base.Java, err
	}
	return core, met[len(met)-1].Java, nil
}

// write puts the release in its place as a whole. Its name says what is in it, so that one that is there is this one.
func (m *madeRelease) write(files map[string][]byte) error {
	if _, err := os.Stat(m.dir); err == nil {
		return nil
	}
	parent := filepath.Dir(m.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("making the release: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".making-")
	if err != nil {
		return fmt.Errorf("making the release: %w", err)
	}
	defer os.RemoveAll(temp)
	if err := writeRelease(temp, files); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temp, 0o755), os.Rename(temp, m.dir)); err != nil {
		return fmt.Errorf("making the release: %w", err)
	}
	m.fresh = true
	return nil
}

// sumOf is the same for the same files of plugins, whenever they were locked.
func sumOf(files map[string][]byte, core bundles.Core, lock *resolve.Lock) string {
	sum := sha256.New()
	fmt.Fprintln(sum, core.Version, core.SHA256)
	for _, plugin := range slices.SortedFunc(slices.Values(lock.Plugins), func(a, b resolve.Plugin) int { return cmp.Compare(a.Name, b.Name) }) {
		fmt.Fprintln(sum, plugin.Name, plugin.Version, plugin.SHA256)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if file != bundles.LockFile && file != bundles.AdvisoriesFile && file != "bundle.yaml" {
			fmt.Fprintf(sum, "%s %x\n", file, sha256.Sum256(files[file]))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:4])
}

// madeBundle is the bundle.yaml of the base with another core, and a title that says where it comes from.
func madeBundle(text []byte, name, base string, core bundles.Core, java []int, plugins int) []byte {
	kept := withoutSection(withoutSection(string(rewriteBundle(text, name, core)), "title:"), "java:")
	return fmt.Appendf(nil, "%s\ntitle: Jenkins %s with %d plugins, made by an upgrade from %s\njava: %s\n", strings.TrimRight(kept, "\n"), core.Version, plugins, base,
		strings.ReplaceAll(fmt.Sprint(java), " ", ", "))
}
