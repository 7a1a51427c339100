package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/ui"
)

func newReleaseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "release", Short: "Releases: a Jenkins core with locked plugins; list, make, lock, compare, check", Args: cobra.NoArgs,
		Long: "A release is a folder: bundle.yaml names the core and its checksum, plugins.txt the plugins that are wanted, plugins.lock all plugins that\n" +
			"come of it, with their checksums. Releases are named by their names where jomctl brings them, and by a path with a slash where they are your own."}
	list := &cobra.Command{Use: "list [DIR]...", Short: "Print the releases that jomctl brings, and those of your own in the folders",
		RunE: func(_ *cobra.Command, args []string) error { return runReleaseList(a, args) }}
	cmd.AddCommand(list, newReleaseNewCommand(a), newReleaseLockCommand(a), newReleaseDiffCommand(a), newReleaseCheckCommand(a), newReleaseFetchCommand(a))
	return cmd
}

// releaseSummary is a line of the list.
type releaseSummary struct {
	Name       string            `json:"name"`
	Title      string            `json:"title"`
	Core       string            `json:"core"`
	Java       []int             `json:"java"`
	Line       string            `json:"line"`
	Plugins    int               `json:"plugins"`
	LockedFrom []string          `json:"lockedFrom"`
	Warnings   []resolve.Warning `json:"warnings"`
	Dangers    []string          `json:"dangers"`
	Problems   []string          `json:"problems"`
}

func summaryOf(release *bundles.Release, known resolve.Knowledge) releaseSummary {
	s := releaseSummary{Name: release.Name, Title: release.Title, Core: release.Core.Version, Java: release.Java, Line: release.Line,
		Warnings: append([]resolve.Warning{}, known.Against(release.Core.Version, release.Lock)...), Dangers: append([]string{}, release.Dangers...),
		Problems: append([]string{}, release.Audit()...), LockedFrom: []string{}}
	if release.Lock != nil {
		s.Plugins = len(release.Lock.Plugins)
		for _, source := range release.Lock.UpdateCenters {
			day, _, _ := strings.Cut(source.Generated, "T")
			s.LockedFrom = append(s.LockedFrom, day)
		}
	}
	return s
}

func runReleaseList(a *app, dirs []string) error {
	var releases []*bundles.Release
	for _, name := range append(bundles.Names(), dirs...) {
		release, err := bundles.Load(name)
		if err != nil {
			return err
		}
		releases = append(releases, release)
	}
	known, err := bundles.Known(nil, releases...)
	if err != nil {
		return err
	}
	all := []releaseSummary{}
	for _, release := range releases {
		all = append(all, summaryOf(release, known))
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"releases": all, "warningsAsOf": known.AsOf})
	}
	table := ui.NewTable("NAME", "CORE", "JAVA", "LINE", "PLUGINS", "WARNINGS", "LOCKED FROM", "STATE", "WHAT")
	for _, s := range all {
		state := "complete"
		if len(s.Problems) > 0 {
			state = "incomplete"
		}
		table.Row(s.Name, s.Core, strings.Trim(fmt.Sprint(s.Java), "[]"), s.Line, strconv.Itoa(s.Plugins), strconv.Itoa(len(s.Warnings)), strings.Join(s.LockedFrom, " "), state, s.Title)
	}
	if err := table.Write(a.streams.Out, 0); err != nil {
		return err
	}
	for _, s := range all {
		for _, danger := range s.Dangers {
			fmt.Fprintf(a.streams.Out, "%s: %s\n", s.Name, danger)
		}
	}
	_, err = fmt.Fprintf(a.streams.Out, "Security warnings as of %s; `jomctl release check NAME --update-center FILE|URL` asks again\n", known.AsOf.Format("2006-01-02"))
	return err
}

type releaseNewOptions struct {
	from, core, sha256 string
}

func newReleaseNewCommand(a *app) *cobra.Command {
	opts := releaseNewOptions{}
	cmd := &cobra.Command{Use: "new DIR", Short: "Make a release folder of your own from one that there is", Args: cobra.ExactArgs(1),
		Long: "The folder gets everything of the release that it is made from. Change plugins.txt and bundle.yaml in it, then lock it again.\n" +
			"Name it in the cluster file by its path with a slash.",
		RunE: func(_ *cobra.Command, args []string) error { return runReleaseNew(a, opts, args[0]) }}
	cmd.Flags().StringVar(&opts.from, "from", "default", "the release to begin from")
	cmd.Flags().StringVar(&opts.core, "core", "", "another version of Jenkins; its checksum is known to jomctl, or given with --sha256")
	cmd.Flags().StringVar(&opts.sha256, "sha256", "", "the checksum of the jenkins.war of --core, 64 hex digits")
	return cmd
}

func runReleaseNew(a *app, opts releaseNewOptions, dir string) error {
	if opts.sha256 != "" && opts.core == "" {
		return &usageError{errors.New("--sha256 is the checksum of the war of --core, which is missing")}
	}
	name := filepath.Base(filepath.Clean(dir))
	if name == "." || name == string(filepath.Separator) || name == ".." {
		return &usageError{fmt.Errorf("%s: name the folder to make", dir)}
	}
	release, err := bundles.Load(opts.from)
	if err != nil {
		return &usageError{err}
	}
	core := release.Core
	if opts.core != "" {
		if core, err = coreFor(opts); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return &usageError{fmt.Errorf("%s is there already", dir)}
	} else if err != nil {
		return fmt.Errorf("making the release: %w", err)
	}
	files, err := filesOf(release)
	if err != nil {
		return err
	}
	files["bundle.yaml"] = rewriteBundle(files["bundle.yaml"], name, core)
	if err := writeRelease(dir, files); err != nil {
		return err
	}
	shown := slashed(dir)
	if _, err := bundles.Load(shown); err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]string{"release": shown, "from": opts.from, "core": core.Version})
	}
	fmt.Fprintf(a.streams.Out, "%s: a release with Jenkins %s, made from %s\n", shown, core.Version, opts.from)
	if opts.core != "" && opts.core != release.Core.Version {
		a.say("Look at title, java, tolerates and dangers in %s: they are those of Jenkins %s", filepath.Join(dir, "bundle.yaml"), release.Core.Version)
	}
	fmt.Fprintf(a.streams.Out, "Change %s, then: jomctl release lock %s\nUse it by `release: %s` in the cluster file\n", filepath.Join(dir, bundles.WishesFile), shown, shown)
	return nil
}

// filesOf are the contents of a release by their slash paths.
func filesOf(release *bundles.Release) (map[string][]byte, error) {
	files := map[string][]byte{}
	return files, release.Walk(func(file string, data []byte) error {
		files[file] = data
		return nil
	})
}

// writeRelease fills a folder, which is there.
func writeRelease(dir string, files map[string][]byte) error {
	for file, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(file))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("making the release: %w", err)
		}
	}
	return nil
}

// slashed is a path that cannot be taken for the name of a release.
func slashed(dir string) string {
	if strings.ContainsRune(dir, '/') {
		return dir
	}
	return "./" + dir
}

func coreFor(opts releaseNewOptions) (bundles.Core, error) {
	core, known, err := bundles.KnownCore(opts.core)
	switch {
	case err != nil:
		return core, err
	case known && opts.sha256 != "" && opts.sha256 != core.SHA256:
		return core, &usageError{fmt.Errorf("the jenkins.war %s is known to have the sha256 %s, and --sha256 says %s", opts.core, core.SHA256, opts.sha256)}
	case known:
		return core, nil
	case opts.sha256 == "":
		return core, &usageError{fmt.Errorf("the checksum of jenkins.war %s is not known to jomctl: say it with --sha256, as the Jenkins project publishes it (jenkins.war.sha256)", opts.core)}
	}
	folder := "war"
	if strings.Count(opts.core, ".") > 1 {
		folder = "war-stable"
	}
	return bundles.Core{Version: opts.core, SHA256: opts.sha256, URL: "https://get.jenkins.io/" + folder + "/" + opts.core + "/jenkins.war"}, nil
}

var bundleLines = regexp.MustCompile(`(?m)^(name|  version|  url|  sha256):.*$`)

// rewriteBundle changes the name and the core in the text, so that the comments stay. What the release did not know about its own
// core does not hold for another one.
func rewriteBundle(data []byte, name string, core bundles.Core) []byte {
	values := map[string]string{"name": name, "  version": core.Version, "  url": core.URL, "  sha256": core.SHA256}
	text := bundleLines.ReplaceAllStringFunc(string(data), func(line string) string {
		key, _, _ := strings.Cut(line, ":")
		return key + ": " + strconv.Quote(values[key])
	})
	for strings.HasPrefix(text, "#") { // the first lines are about the release that it was made from
		_, text, _ = strings.Cut(text, "\n")
	}
	if core.SHA256 != "" {
		text = withoutSection(text, "incomplete:")
	}
	return []byte(text)
}

// withoutSection takes out a key of the first level with its indented lines.
func withoutSection(text, key string) string {
	var kept []string
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, key) {
			inside = true
			continue
		}
		inside = inside && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "-"))
		if !inside {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
