package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/linkcheck"
)

// UpgradePreview is what an upgrade brings, as far as it can be known before it.
type UpgradePreview struct {
	From    upgrade.Version  `json:"from"`
	To      upgrade.Version  `json:"to"`
	Diff    resolve.Diff     `json:"diff"`
	HomeOf  *upgrade.Earlier `json:"homeOf,omitempty"`
	Hazards []bundles.Hazard `json:"hazards"`
	Dangers []string         `json:"dangers"`
	// Links are what plugins link to and the new set does not have, while the old one does. LinksChecked says whether all files were at hand.
	LinksChecked bool     `json:"linksChecked"`
	Links        []string `json:"links"`
	// App are the changes of the controller's app document.
	App []string `json:"app"`
	// Expected is from the end of the drain to the open queue, Down the time without a controller as earlier runs had it, 0 where there were none.
	Expected time.Duration `json:"expectedNanoseconds"`
	Down     time.Duration `json:"downNanoseconds"`
}

// Preview compares the two sides.
func (u *Upgrade) Preview(ctx context.Context, earlier []upgrade.State) (UpgradePreview, error) {
	before, after := u.Old.Release, u.New.Release
	p := UpgradePreview{From: u.Old.VersionOf(), To: u.New.VersionOf(), Dangers: after.Dangers, HomeOf: u.Store.State.HomeOf, Links: []string{}, App: []string{},
		Expected: upgrade.Expected(earlier, upgrade.Rehearsal{}), Down: usualDown(earlier)}
	known, err := bundles.Known(nil, before, after)
	if err != nil {
		return p, err
	}
	p.Diff = resolve.Compare(before.Lock, after.Lock, before.Core.Version, after.Core.Version, known)
	if p.Hazards, err = bundles.HazardsBetween(before.Core.Version, after.Core.Version); err != nil {
		return p, err
	}
	if p.App, err = u.appChanges(ctx); err != nil {
		return p, err
	}
	p.Links, p.LinksChecked, err = u.brokenLinks(ctx)
	return p, err
}

// usualDown is the median of the earlier runs' time without a controller.
func usualDown(earlier []upgrade.State) time.Duration {
	var all []time.Duration
	for _, one := range earlier {
		if down := one.Down(); one.Outcome == upgrade.Proven && down > 0 {
			all = append(all, down)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (u *Upgrade) appChanges(ctx context.Context) ([]string, error) {
	if c := u.New.controller(); u.New.own != nil && c.war.Real() && !c.war.Cached() {
		return []string{"another image or war: it is fetched and made beforehand"}, nil
	}
	doc, err := u.New.documentNow()
	if errors.Is(err, errNoImages) {
		return []string{"another image, which is made beforehand"}, nil
	}
	if err != nil {
		return nil, err
	}
	marathon := u.Old.Marathon
	marathon.Patience = time.Second
	app, err := marathon.App(ctx, u.Old.AppID())
	if err != nil {
		return nil, nil //nolint:nilerr // the safety check says so
	}
	return cluster.Diff(doc, app.Raw)
}

// brokenLinks opens war and plugins of both sides, where they are all here.
func (u *Upgrade) brokenLinks(ctx context.Context) (links []string, checked bool, err error) {
	var reports []linkcheck.Report
	for _, e := range []*Env{u.Old, u.New} {
		c := e.controller()
		if !c.war.Real() || !c.war.Cached() || c.plugins() == "" {
			return []string{}, false, nil
		}
		java := e.Programs.Jenkins.Java.Major
		if !slices.Contains(linkcheck.Javas(), java) {
			return []string{}, false, nil
		}
		plugins, err := filepath.Glob(filepath.Join(escaped(c.plugins()), "*.[hj]pi"))
		if err != nil {
			return nil, false, err
		}
		report, err := linkcheck.Check(ctx, linkcheck.Input{War: c.war.Path(), Plugins: plugins, Java: java})
		if err != nil {
			return nil, false, fmt.Errorf("checking the links of release %s: %w", e.Release.Name, err)
		}
		reports = append(reports, report)
	}
	links = []string{}
	for _, link := range reports[1].Since(reports[0]) {
		if link.Rank == linkcheck.Breaks {
			links = append(links, link.String()+" ("+link.Why+")")
		}
	}
	return links, true, nil
}

// mostShown is how many plugins a preview names of each kind.
const mostShown = 12

// Lines are the preview's lines for people, by the step that they belong to.
func (p UpgradePreview) Lines() map[string][]string {
	lines := map[string][]string{}
	add := func(step, format string, args ...any) {
		lines[step] = append(lines[step], fmt.Sprintf(format, args...))
	}
	add("deploy", "core %s (%s) -> %s (%s)", p.From.Core, p.From.Release, p.To.Core, p.To.Release)
	kinds := map[string][]string{}
	for _, c := range p.Diff.Plugins {
		kind, text := "newer", fmt.Sprintf("%s %s -> %s", c.Name, c.From, c.To)
		switch {
		case c.From == "":
			kind, text = "new", c.Name+" "+c.To
		case c.To == "":
			kind, text = "gone", c.Name+" "+c.From
		case c.Older:
			kind = "OLDER"
		case c.Changed:
			kind = "in other files"
		}
		kinds[kind] = append(kinds[kind], text)
	}
	for _, kind := range []string{"OLDER", "gone", "new", "newer", "in other files"} {
		all := kinds[kind]
		if len(all) == 0 {
			continue
		}
		shown := strings.Join(all[:min(len(all), mostShown)], ", ")
		if len(all) > mostShown {
			shown += fmt.Sprintf(", and %d more", len(all)-mostShown)
		}
		add("deploy", "%d plugins %s: %s", len(all), kind, shown)
	}
	for _, name := range p.Diff.LackedSplit {
		add("deploy", "the plugin %s left the core on the way and is not in the new lock", name)
	}
	for _, h := range p.Hazards {
		for _, what := range h.What {
			add("deploy", "from %s on (Java %s): %s; %s", h.Since, strings.Trim(fmt.Sprint(h.Java), "[]"), what, h.Source)
		}
	}
	for _, danger := range p.Dangers {
		add("deploy", "danger: %s", danger)
	}
	add("deploy", "security warnings: %d fixed, %d introduced, %d stay", len(p.Diff.Fixed), len(p.Diff.Introduced), len(p.Diff.Remaining))
	for _, w := range p.Diff.Introduced {
		add("deploy", "INTRODUCED: %s %s: %s", w.Name, w.Version, w.Message)
	}
	for _, change := range p.App {
		add("deploy", "app: %s", change)
	}
	if !p.LinksChecked {
		add("rehearse", "links of the plugins' classes are not checked before, as not all files of both releases are here")
	} else {
		add("rehearse", "%d links of plugins that work now would break", len(p.Links))
	}
	for _, link := range p.Links {
		add("rehearse", "breaks: %s", link)
	}
	down := "not known yet, as there was no upgrade: a stop and a start"
	if p.Down > 0 {
		down = p.Down.Round(100*time.Millisecond).String() + " as in earlier upgrades"
	}
	if then := p.HomeOf; then != nil {
		add("deploy", "the home becomes that of %s (backup %s): settings, jobs and builds since then are not in it; the home that is there now is kept beside it",
			then.Time.Local().Format("2006-01-02 15:04"), then.Backup[:min(8, len(then.Backup))])
	}
	add("stop", "time without a controller: %s", down)
	add("stop", "the way back: old version and the home as it is then, from the backup and what changed after it; builds that the new version has begun are not kept, as none can start before it is proven")
	add("window", "about %s after the drain", p.Expected.Round(time.Second))
	return lines
}
