package hosts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

//go:embed tasks.sh
var tasksScript string

// sourcesDir is where sources put archives and stand-ins.
const sourcesDir = "/opt/jomctl"

// unitSettings is where host.Systemd has the environment of units.
const unitSettings = "/etc/jomctl"

// Removal takes everything of a cluster from a host: units, tasks and their containers, masks, files, and last the record.
// The packages stay, as others may use them by now, and so does the registry in the Docker Engine's configuration, because
// the engine would have to be started anew without it.
type Removal struct {
	Host   host.Machine
	Keeper *Keeper
	// Keep are paths that stay with all that is in them: the home, backups.
	Keep []string
	// Home is the path of the home, empty where there is none on the host. With DropHome it goes, and what restores and upgrades have kept
	// beside it; otherwise both stay.
	Home     string
	DropHome bool
	// Docker says that tasks may be containers.
	Docker bool
}

// NewRemoval is the removal of a host of a cluster, which keeps the home unless dropHome.
func NewRemoval(c *config.Cluster, h config.Host, m host.Machine, keeper *Keeper, dropHome bool) Removal {
	r := Removal{Host: m, Keeper: keeper, Docker: needsDocker(c, h), DropHome: dropHome}
	if home := c.Jenkins.Home.Path; home != "" {
		r.Home = path.Clean(home)
	}
	if dropHome && h.Name != takesHome(c) && !below(host.RemoteDir, r.Home) {
		r.Home = "" // what has that path here is somebody else's, or is removed from the other host
	}
	if !dropHome && r.Home != "" {
		r.Keep = append(r.Keep, r.Home)
	}
	if b := c.Backup; b != nil && path.IsAbs(b.Repository) {
		r.Keep = append(r.Keep, path.Clean(b.Repository))
	}
	return r
}

// takesHome is the host from which the home is removed: that which has it on its disk, or the first of those that share it, as two at a time
// would be in each other's way.
func takesHome(c *config.Cluster) string {
	if one, only := provision.HomeHost(c); only {
		return one.Name
	}
	for _, h := range c.HostsWith(config.RoleMesosAgent) {
		return h.Name
	}
	return ""
}

// Title implements provision.Item.
func (i Removal) Title() string { return "everything of the cluster removed from " + i.Host.Name() }

// Probe implements provision.Item. A host without a record has nothing of the cluster.
func (i Removal) Probe(ctx context.Context) (bool, []string, error) {
	record, err := i.record(ctx)
	if err != nil || record == nil {
		return err == nil, nil, err
	}
	name := i.Host.Name()
	var changes []string
	if units := slices.Sorted(maps.Keys(record.Units)); len(units) > 0 {
		changes = append(changes, name+": stop and remove "+strings.Join(units, ", ")+", and end the tasks there")
	}
	if len(record.Masked) > 0 {
		changes = append(changes, name+": unmask "+strings.Join(record.Masked, ", "))
	}
	line := name + ": remove " + i.Host.Dir()
	for _, kept := range i.Keep {
		if below(i.Host.Dir(), kept) {
			line += ", but not " + kept
		}
	}
	changes = append(changes, line)
	if i.homeOutside() {
		changes = append(changes, name+": remove the home "+i.Home+" with all jobs, and what restores and upgrades have kept beside it")
	}
	if names := slices.Sorted(maps.Keys(record.Packages)); len(names) > 0 {
		changes = append(changes, name+": the packages "+strings.Join(names, ", ")+" stay")
	}
	return false, changes, nil
}

// record is nil where the host has none.
func (i Removal) record(ctx context.Context) (*Record, error) {
	record, err := ReadRecord(ctx, i.Host)
	if err != nil || record == nil {
		return nil, err
	}
	return i.Keeper.Read(ctx, i.Host)
}

// Apply implements provision.Item. The record goes last, so that a removal that was cut off can be done again.
func (i Removal) Apply(ctx context.Context) (bool, error) {
	record, err := i.record(ctx)
	if err != nil || record == nil {
		return false, err
	}
	for _, step := range []func(context.Context, *Record) error{i.units, i.tasks, i.masks, i.home, i.files} {
		if err := step(ctx, record); err != nil {
			return true, fmt.Errorf("host %s: %w", i.Host.Name(), err)
		}
	}
	return true, nil
}

func (i Removal) units(ctx context.Context, record *Record) error {
	if err := endTimers(ctx, i.Host, record); err != nil {
		return err
	}
	list, err := i.Host.Units().List(ctx)
	if err != nil {
		return err
	}
	names := slices.Collect(maps.Keys(record.Units))
	for _, u := range list {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name == provision.RoleMesosAgent {
			// It lets its tasks end, and tells the masters that it goes for good.
			if err := provision.SignOff(ctx, i.Host, name); err != nil {
				return err
			}
		}
		if err := i.Host.Units().Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (i Removal) tasks(ctx context.Context, _ *Record) error {
	docker := map[bool]string{true: "yes", false: "no"}[i.Docker]
	out, err := i.Host.Run(ctx, "/bin/sh", "-c", tasksScript, "jomctl-tasks", "jomctl-"+provision.RoleMesosAgent+".service", docker)
	if err != nil {
		return fmt.Errorf("end the tasks that are left: %w", err)
	}
	if n := strings.TrimSpace(out.Stdout); n != "0" {
		provision.Say(ctx, "%s: ended %s processes and containers that were left", i.Host.Name(), n)
	}
	return nil
}

func (i Removal) masks(ctx context.Context, record *Record) error {
	units, ok := i.Host.Units().(masker)
	if !ok || len(record.Masked) == 0 {
		return nil
	}
	_, err := units.Unmask(ctx, record.Masked...)
	return err
}

func (i Removal) files(ctx context.Context, record *Record) error {
	paths := []string{sourcesDir}
	for _, folder := range source.RepositoryFolders() {
		if _, err := i.Host.Stat(ctx, folder); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		names, err := i.children(ctx, folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			if strings.HasPrefix(path.Base(name), source.RepositoryPrefix) {
				paths = append(paths, name)
			}
		}
	}
	for file := range record.Files {
		if !below(i.Host.Dir(), file) {
			paths = append(paths, file)
		}
	}
	for _, one := range paths {
		if err := i.around(ctx, one); err != nil {
			return err
		}
	}
	children, err := i.children(ctx, i.Host.Dir())
	if err != nil {
		return err
	}
	for _, child := range children {
		if child != RecordPath {
			if err := i.around(ctx, child); err != nil {
				return err
			}
		}
	}
	if err := i.Host.Remove(ctx, RecordPath); err != nil {
		return err
	}
	if err := i.removeEmpty(ctx, unitSettings); err != nil {
		return err
	}
	return i.around(ctx, i.Host.Dir())
}

// homeOutside says that the home goes, and is not below the folder that goes anyway.
func (i Removal) homeOutside() bool {
	return i.DropHome && i.Home != "" && !below(i.Host.Dir(), i.Home)
}

// home removes a home that was named, and what was kept beside it. A folder that others are mounted on is emptied and stays, and so is
// one that the home's path is a link to.
func (i Removal) home(ctx context.Context, _ *Record) error {
	if !i.homeOutside() {
		return nil
	}
	if _, err := i.Host.Stat(ctx, path.Dir(i.Home)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	beside, err := i.children(ctx, path.Dir(i.Home))
	if err != nil {
		return err
	}
	for _, at := range beside {
		if at != i.Home && !config.GoesWithHome(i.Home, at) {
			continue
		}
		folder, target := at, ""
		if at == i.Home {
			target = i.behindLink(ctx, at)
		}
		if target != "" {
			folder = at + "/" // find goes into it then, and what is kept is still known by its path
		}
		children, err := i.children(ctx, folder)
		if err != nil {
			return err
		}
		for _, child := range children {
			if err := i.around(ctx, child); err != nil {
				return err
			}
		}
		if target != "" {
			err = i.emptyLink(ctx, at, target)
		} else if err = i.removeEmpty(ctx, at); err != nil {
			provision.Say(ctx, "%s: %s is empty and stays: %v", i.Host.Name(), at, err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// emptyLink removes a link to a folder of which nothing is kept; the folder stays, as somebody has made it, or it is a disk.
func (i Removal) emptyLink(ctx context.Context, at, target string) error {
	left, err := i.children(ctx, at+"/")
	if err != nil || len(left) > 0 {
		return err
	}
	provision.Say(ctx, "%s: %s, which %s has led to, is empty and stays", i.Host.Name(), target, at)
	return i.Host.Remove(ctx, at)
}

// behindLink is the folder that a path is a link to; empty where it is none, or one that leads nowhere.
func (i Removal) behindLink(ctx context.Context, at string) string {
	if _, err := i.Host.Run(ctx, "readlink", at); err != nil {
		return "" // it says so by its exit code
	}
	out, err := i.Host.Run(ctx, "readlink", "-e", at)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(out.Stdout, "\n")
}

// around removes a path and all that is in it except what is kept.
func (i Removal) around(ctx context.Context, at string) error {
	if !i.DropHome && config.IsHomeCopy(i.Home, at) {
		return nil
	}
	inside := false
	for _, kept := range i.Keep {
		if below(kept, at) {
			return nil
		}
		inside = inside || below(at, kept)
	}
	if !inside {
		return i.Host.Remove(ctx, at)
	}
	children, err := i.children(ctx, at)
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := i.around(ctx, child); err != nil {
			return err
		}
	}
	return i.removeEmpty(ctx, at)
}

// removeEmpty removes a folder that has nothing in it.
func (i Removal) removeEmpty(ctx context.Context, dir string) error {
	if _, err := i.Host.Stat(ctx, dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	children, err := i.children(ctx, dir)
	if err != nil || len(children) > 0 {
		return err
	}
	return i.Host.Remove(ctx, dir)
}

// children are the paths in a folder.
func (i Removal) children(ctx context.Context, dir string) ([]string, error) {
	out, err := i.Host.Run(ctx, "find", dir, "-mindepth", "1", "-maxdepth", "1", "-print0")
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return slices.DeleteFunc(strings.Split(out.Stdout, "\x00"), func(path string) bool { return path == "" }), nil
}

// below says whether a path is dir or in it.
func below(dir, at string) bool {
	return at == dir || strings.HasPrefix(at, strings.TrimSuffix(dir, "/")+"/")
}
