package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/internal/linkcheck"
)

// linkAnswer is what the look into war and plugins gave.
type linkAnswer struct {
	Done    bool   `json:"done"`
	Summary string `json:"summary"`
	// Broken are links that end in an error where their code runs, each with the Java versions on which it is so.
	Broken []string `json:"broken"`
	// Notes are broken links that the release is known to bear.
	Notes []string `json:"notes"`
}

// linkChecker is linkcheck.Check.
type linkChecker func(ctx context.Context, in linkcheck.Input) (linkcheck.Report, error)

// checkLinks opens war and plugins, once for each Java that the release may run on.
func checkLinks(ctx context.Context, release *bundles.Release, files []releaseFile, check linkChecker) (linkAnswer, error) {
	answer := linkAnswer{Broken: []string{}, Notes: []string{}}
	war, plugins := warAndPlugins(files)
	if missing := missingFiles(files); len(missing) > 0 || war == "" || len(plugins) == 0 {
		answer.Summary = fmt.Sprintf("not checked, as %d files are not here (--from DIR has them, or --download fetches them)", len(missing))
		return answer, nil
	}
	broken, doubtful := map[string][]string{}, 0
	for _, java := range release.Java {
		if !slices.Contains(linkcheck.Javas(), java) {
			answer.Notes = append(answer.Notes, fmt.Sprintf("not checked for Java %d, which is not known here", java))
			continue
		}
		report, err := check(ctx, linkcheck.Input{War: war, Plugins: plugins, Java: java})
		if err != nil {
			return answer, fmt.Errorf("checking the links of release %s: %w", release.Name, err)
		}
		add := func(link string) { broken[link] = append(broken[link], strconv.Itoa(java)) }
		for _, plugin := range report.Plugins {
			for _, absent := range plugin.Absent {
				add(fmt.Sprintf("%s: does not load without the plugin %s", plugin.Name, absent))
			}
		}
		for _, link := range report.Breaking() {
			if why, borne := tolerated(release, link); borne {
				if note := link.String() + ": " + why; !slices.Contains(answer.Notes, note) {
					answer.Notes = append(answer.Notes, note)
				}
				continue
			}
			add(link.String() + " (" + link.Why + ")")
		}
		answer.Done, doubtful = true, len(report.Links)-len(report.Breaking())
	}
	for _, link := range slices.Sorted(maps.Keys(broken)) {
		answer.Broken = append(answer.Broken, fmt.Sprintf("%s, on Java %s", link, strings.Join(broken[link], " and ")))
	}
	answer.Summary = fmt.Sprintf("%d broken, %d borne by the release, %d more that need not hurt", len(answer.Broken), len(answer.Notes), doubtful)
	return answer, nil
}

// tolerated says why a release bears a broken link.
func tolerated(release *bundles.Release, link linkcheck.Link) (why string, is bool) {
	name := strings.ReplaceAll(link.Class, "/", ".")
	if link.Member != "" {
		name += "." + link.Member
	}
	for _, t := range release.Tolerates {
		if t.Plugin == link.Plugin && t.Link == name {
			return t.Why, true
		}
	}
	return "", false
}

// warAndPlugins are the paths of the files, the war apart.
func warAndPlugins(files []releaseFile) (war string, plugins []string) {
	for _, file := range files {
		if file.Name == "jenkins.war" {
			war = file.Path
		} else {
			plugins = append(plugins, file.Path)
		}
	}
	slices.Sort(plugins)
	return war, plugins
}
