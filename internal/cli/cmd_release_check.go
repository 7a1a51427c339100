package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/linkcheck"
	"github.com/jomctl/jomctl/internal/ui"
)

type releaseCheckOptions struct {
	centers  centerOptions
	from     string
	download bool
}

func newReleaseCheckCommand(a *app) *cobra.Command {
	opts := releaseCheckOptions{}
	cmd := &cobra.Command{Use: "check NAME|DIR", Short: "Check a release: lock, security warnings, checksums of its files, links between plugins and core", Args: cobra.ExactArgs(1),
		Long: "Files are looked for in --from and in the cache of downloads; with --download those that are not there are fetched. With all files at hand, war and\n" +
			"plugins are opened and everything that a plugin links to and nobody provides is reported.\n" +
			"Exit code 0: nothing found; 3: the release cannot be installed so; 4: security warnings, or plugins that were deprecated since they were locked.",
		RunE: func(cmd *cobra.Command, args []string) error { return runReleaseCheck(cmd.Context(), a, opts, args[0]) }}
	opts.centers.bind(cmd)
	cmd.Flags().StringVar(&opts.from, "from", "", "a folder that has jenkins.war and the plugins, here or in its folder plugins")
	cmd.Flags().BoolVar(&opts.download, "download", false, "fetch the files that are not here")
	return cmd
}

// staleDays is the age from which it is said how old the knowledge of security warnings is.
const staleDays = 30

// releaseFile is one file of a release and where it lies.
type releaseFile struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// releaseReport is the answer of check.
type releaseReport struct {
	Release    string             `json:"release"`
	Core       string             `json:"core"`
	Problems   []string           `json:"problems"`
	Warnings   []resolve.Warning  `json:"warnings"`
	AsOf       string             `json:"warningsAsOf"`
	Deprecated []deprecatedPlugin `json:"deprecated"`
	Dangers    []string           `json:"dangers"`
	Files      []releaseFile      `json:"files"`
	Links      linkAnswer         `json:"links"`
}

// deprecatedPlugin is a plugin whose end was announced. New is set where that was not known yet when it was locked.
type deprecatedPlugin struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	New  bool   `json:"new"`
}

func runReleaseCheck(ctx context.Context, a *app, opts releaseCheckOptions, name string) error {
	release, err := bundles.Load(name)
	if err != nil {
		return err
	}
	known, err := opts.centers.known(ctx, a, release)
	if err != nil {
		return err
	}
	if days := int(time.Since(known.AsOf).Hours() / 24); days > staleDays {
		a.say("Note: what is known about security is %d days old; --update-center FILE|URL gives newer warnings", days)
	}
	report := releaseReport{Release: release.Name, Core: release.Core.Version, Problems: append([]string{}, release.Audit()...), AsOf: known.AsOf.Format("2006-01-02"),
		Warnings: append([]resolve.Warning{}, known.Against(release.Core.Version, release.Lock)...), Dangers: append([]string{}, release.Dangers...), Deprecated: []deprecatedPlugin{}}
	if release.Lock != nil {
		for _, p := range release.Lock.Plugins {
			if why := known.Deprecated(p.Name); why != "" {
				report.Deprecated = append(report.Deprecated, deprecatedPlugin{p.Name, why, p.Deprecated == ""})
			}
		}
	}
	store, err := fetch.UserStore()
	if err != nil {
		return err
	}
	if report.Files, err = a.findFiles(ctx, release, store, opts.from, opts.download); err != nil {
		return err
	}
	for _, file := range report.Files {
		if file.Problem != "" {
			report.Problems = append(report.Problems, file.Problem)
		}
	}
	for _, problem := range cascProblems(release) {
		report.Problems = append(report.Problems, problem.String())
	}
	if report.Links, err = checkLinks(ctx, release, report.Files, linkcheck.Check); err != nil {
		return err
	}
	report.Problems = append(report.Problems, report.Links.Broken...)
	return a.writeReleaseReport(report)
}

// cascProblems are those of the release's own configuration as code with jomctl's: with a cloud like that of every cluster.
func cascProblems(release *bundles.Release) []jenkins.CascProblem {
	files := []jenkins.File{{Path: jenkins.CascFile + " of jomctl", Data: jenkins.ShutCasc("http://jenkins", 1)}}
	for _, file := range release.Casc {
		files = append(files, jenkins.File{Path: bundles.CascDir + "/" + file.Name, Data: file.Data})
	}
	return jenkins.CheckCasc(files)
}

// findFiles looks for all files of a release: in the folder, in the store, on the net.
func (a *app) findFiles(ctx context.Context, release *bundles.Release, store fetch.Store, from string, download bool) ([]releaseFile, error) {
	if from != "" {
		if info, err := os.Stat(from); err != nil || !info.IsDir() {
			return nil, &usageError{fmt.Errorf("--from: %s is no folder", from)}
		}
	}
	all := []releaseFile{}
	for _, f := range release.Files() {
		file := releaseFile{Name: f.Name, Version: f.Version, SHA256: f.SHA256}
		var err error = fs.ErrNotExist
		if from != "" {
			file.Path, err = fetch.In(from, f)
		}
		if errors.Is(err, fs.ErrNotExist) {
			file.Path, err = store.Have(f)
		}
		if errors.Is(err, fs.ErrNotExist) && download {
			a.say("Downloading %s %s", f.Name, f.Version)
			file.Path, err = store.Get(ctx, f)
		}
		wrong := new(fetch.MismatchError)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &wrong), err != nil && download:
			file.Path, file.Problem = "", err.Error()
		case errors.Is(err, fs.ErrNotExist):
			file.Path = ""
		case err != nil:
			return nil, err
		}
		all = append(all, file)
	}
	return all, nil
}

func missingFiles(files []releaseFile) (names []string) {
	for _, file := range files {
		if file.Path == "" {
			names = append(names, file.Name)
		}
	}
	return names
}

func (a *app) writeReleaseReport(r releaseReport) error {
	if a.global.Output == formatJSON {
		if err := a.writeJSON(r); err != nil {
			return err
		}
	} else {
		a.releaseText(r)
	}
	switch {
	case len(r.Problems) > 0:
		return &reported{exitRefused}
	case len(r.Warnings) > 0 || slices.ContainsFunc(r.Deprecated, func(d deprecatedPlugin) bool { return d.New }):
		return &reported{exitFindings}
	}
	return nil
}

func (a *app) releaseText(r releaseReport) {
	out := a.streams.Out
	fmt.Fprintf(out, "release %s, Jenkins %s\n", r.Release, r.Core)
	for _, problem := range r.Problems {
		fmt.Fprintf(out, "PROBLEM: %s\n", ui.Clean(problem))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(out, "security warning: %s\n", warningText(w))
	}
	for _, d := range r.Deprecated {
		since := "known when it was locked"
		if d.New {
			since = "since it was locked"
		}
		fmt.Fprintf(out, "deprecated, %s: %s (%s)\n", since, d.Name, ui.Clean(d.URL))
	}
	for _, danger := range r.Dangers {
		fmt.Fprintf(out, "danger: %s\n", danger)
	}
	missing := missingFiles(r.Files)
	fmt.Fprintf(out, "files: %d of %d are here and have the checksums of the release\n", len(r.Files)-len(missing), len(r.Files))
	for _, note := range r.Links.Notes {
		fmt.Fprintf(out, "links: %s\n", ui.Clean(note))
	}
	fmt.Fprintf(out, "links: %s\n", r.Links.Summary)
	fmt.Fprintf(out, "%d problems, %d security warnings as of %s, %d deprecated plugins\n", len(r.Problems), len(r.Warnings), r.AsOf, len(r.Deprecated))
}

func newReleaseFetchCommand(a *app) *cobra.Command {
	var to, from string
	cmd := &cobra.Command{Use: "fetch NAME|DIR", Short: "Put jenkins.war and the plugins of a release into a folder, verified", Args: cobra.ExactArgs(1),
		Long: "The folder can be carried to a site without internet: name its jenkins.war in jenkins.war of the cluster file; the plugins beside it are found by themselves.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReleaseFetch(cmd.Context(), a, args[0], from, to)
		}}
	cmd.Flags().StringVar(&to, "to", "", "the folder (required)")
	cmd.Flags().StringVar(&from, "from", "", "a folder that has some of the files already")
	return cmd
}

func runReleaseFetch(ctx context.Context, a *app, name, from, to string) error {
	if to == "" {
		return &usageError{errors.New("--to names the folder for the files")}
	}
	release, err := bundles.Load(name)
	if err != nil {
		return err
	}
	if problems := release.Audit(); len(problems) > 0 {
		return &lifecycle.Refusal{Problem: fmt.Sprintf("release %s is not complete: %s", release.Name, problems[0]), Fix: "see `jomctl release check " + name + "`"}
	}
	store, err := fetch.UserStore()
	if err != nil {
		return err
	}
	files, err := a.findFiles(ctx, release, store, from, true)
	if err != nil {
		return err
	}
	var failed []error
	for i, file := range files {
		if file.Problem != "" {
			failed = append(failed, errors.New(file.Problem))
			continue
		}
		path := filepath.Join(to, "plugins", file.Name)
		if file.Name == "jenkins.war" {
			path = filepath.Join(to, file.Name)
		}
		if err := copyFile(file.Path, path); err != nil {
			return fmt.Errorf("putting %s into %s: %w", file.Name, to, err)
		}
		files[i].Path = path
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"release": release.Name, "folder": to, "files": files})
	}
	_, err = fmt.Fprintf(a.streams.Out, "%d files of release %s in %s, each with the checksum of the release\n", len(files), release.Name, to)
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".release-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}
