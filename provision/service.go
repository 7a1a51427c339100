// Package provision knows machines: what each role needs on a host, where the programs come from, and whether a machine
// can be used at all. A role becomes a Service, which is only a description; the host decides how it is carried out.
package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// The roles of services, which are also the names of their units.
const (
	RoleZooKeeper   = "zookeeper"
	RoleMesosMaster = "mesos-master"
	RoleMesosAgent  = "mesos-agent"
	RoleMarathon    = "marathon"
	RoleEdge        = "edge"
	RoleRegistry    = "registry"
)

// File is one file of a service.
type File struct {
	Path string // absolute
	Data []byte
	Mode fs.FileMode
	// Check, where set, is a command to which the path of the new file is added; when it fails, the old file stays.
	Check []string
}

// Service is one role on one host: the folders, the files and the unit that it consists of.
type Service struct {
	Host  host.Machine
	Role  string
	Dirs  []string
	Files []File
	// Gone are the paths of secrets that an earlier description had, and that nobody reads any more.
	Gone []string
	Unit host.Unit
	// ReloadSignal, where set, makes the program read its files again, so that it goes on when one of them changes.
	ReloadSignal string

	// edition is the version of the programs on a host of its own, where a package puts a new one under the paths of the old one.
	edition string
	// identity is set for a Mesos agent.
	identity *identity
	// fault is why the service could not be described: a secret that cannot be read. It can be removed all the same.
	fault error
}

// Title names the service and its host for people.
func (s Service) Title() string { return s.Role + " on " + s.Host.Name() }

// seal makes the unit's spec depend on the files and on the version of the programs, so that the program is started anew when one of them
// changes.
func (s Service) seal() Service {
	if s.ReloadSignal != "" {
		return s
	}
	sum := sha256.New()
	for _, f := range s.Files {
		fmt.Fprintf(sum, "%s %d\n", f.Path, len(f.Data))
		sum.Write(f.Data)
	}
	if s.edition != "" {
		fmt.Fprintf(sum, "version %s\n", s.edition)
	}
	s.Unit.Stamp = hex.EncodeToString(sum.Sum(nil))
	return s
}

// Probe changes nothing. done says that the host is as the service wants it; changes are the lines for the preview.
func (s Service) Probe(ctx context.Context) (done bool, changes []string, err error) {
	if s.fault != nil {
		return false, nil, s.wrap("describe it", s.fault)
	}
	for _, dir := range s.Dirs {
		if _, err := s.Host.Stat(ctx, dir); errors.Is(err, fs.ErrNotExist) {
			changes = append(changes, "make "+s.short(dir))
		} else if err != nil {
			return false, nil, s.wrap("look at "+dir, err)
		}
	}
	for _, f := range s.Files {
		line, err := s.probeFile(ctx, f)
		if err != nil {
			return false, nil, s.wrap("look at "+f.Path, err)
		}
		if line != "" {
			changes = append(changes, line)
		}
	}
	for _, path := range s.Gone {
		if _, err := s.Host.Stat(ctx, path); err == nil {
			changes = append(changes, "remove "+s.short(path))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, nil, s.wrap("look at "+path, err)
		}
	}
	status, err := s.Host.Units().Status(ctx, s.Unit.Name)
	if err != nil {
		return false, nil, s.wrap("look at its unit", err)
	}
	if pending, err := s.reloadPending(ctx); err != nil {
		return false, nil, s.wrap("look at "+s.reloadMark(), err)
	} else if pending && len(changes) == 0 {
		changes = append(changes, "let "+s.Role+" read its files again")
	}
	if s.identity != nil {
		ends, err := s.identity.mustEnd(ctx)
		if err != nil {
			return false, nil, s.wrap("look at its last offer", err)
		}
		if ends {
			changes = append(changes, "give "+s.Role+" a new identity, as it cannot offer less or other than before; its tasks end")
		}
	}
	switch {
	case !status.Active:
		changes = append(changes, "start "+s.Role)
	case status.Digest != s.Unit.Digest():
		changes = append(changes, "start "+s.Role+" anew with other settings")
	case status.Problem != "":
		changes = append(changes, "start "+s.Role+" (now: "+status.Problem+")")
	case len(status.Drift) > 0:
		changes = append(changes, "put right on "+s.Host.Name()+": "+strings.Join(status.Drift, ", "))
	}
	return len(changes) == 0, changes, nil
}

func (s Service) probeFile(ctx context.Context, f File) (string, error) {
	info, err := s.Host.Stat(ctx, f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "write " + s.short(f.Path), nil
	}
	if err != nil {
		return "", err
	}
	data, err := s.Host.ReadFile(ctx, f.Path)
	if err != nil {
		return "", err
	}
	if bytes.Equal(data, f.Data) && info.Mode.Perm() == f.Mode.Perm() {
		return "", nil
	}
	return "change " + s.short(f.Path), nil
}

// Apply makes the host as the service wants it. The program is started when it is not being kept running, and started
// anew when its settings have changed. It does not wait until the program serves.
func (s Service) Apply(ctx context.Context) (changed bool, err error) {
	if s.fault != nil {
		return false, s.wrap("describe it", s.fault)
	}
	for _, dir := range s.Dirs {
		if err := s.Host.MkdirAll(ctx, dir, 0o755); err != nil {
			return changed, s.wrap("make "+dir, err)
		}
	}
	if s.identity != nil {
		ends, err := s.identity.mustEnd(ctx)
		if err == nil && ends {
			err = s.identity.end(ctx)
		}
		if err != nil {
			return false, s.wrap("give it a new identity", err)
		}
	}
	if err := s.markReload(ctx); err != nil {
		return changed, s.wrap("write "+s.reloadMark(), err)
	}
	for _, f := range s.Files {
		wrote, err := s.writeFile(ctx, f)
		if err != nil {
			return changed, s.wrap("write "+f.Path, err)
		}
		changed = changed || wrote
	}
	started, err := s.Host.Units().Apply(ctx, s.Unit)
	if err != nil {
		return changed || started, s.wrap("start it", err)
	}
	reloaded, err := s.reload(ctx, started)
	if err != nil {
		return true, s.wrap("let it read its files again", err)
	}
	for _, path := range s.Gone {
		if err := s.Host.Remove(ctx, path); err != nil {
			return true, s.wrap("remove "+path, err)
		}
	}
	return changed || started || reloaded, nil
}

func (s Service) writeFile(ctx context.Context, f File) (bool, error) {
	if line, err := s.probeFile(ctx, f); err != nil || line == "" {
		return false, err
	}
	if f.Check != nil {
		next := f.Path + ".new"
		defer func() { _ = s.Host.Remove(context.WithoutCancel(ctx), next) }()
		if _, err := s.Host.WriteFile(ctx, next, f.Data, f.Mode); err != nil {
			return false, err
		}
		argv := append(append([]string{}, f.Check...), next)
		if _, err := s.Host.Run(ctx, argv...); err != nil {
			return false, fmt.Errorf("the new file is refused: %w", err)
		}
	}
	return s.Host.WriteFile(ctx, f.Path, f.Data, f.Mode)
}

// Remove stops the program and removes its unit, files and folders, together with all data in them.
func (s Service) Remove(ctx context.Context) error {
	if err := s.Host.Units().Remove(ctx, s.Unit.Name); err != nil {
		return s.wrap("stop it", err)
	}
	for _, f := range s.Files {
		if err := s.Host.Remove(ctx, f.Path); err != nil {
			return s.wrap("remove "+f.Path, err)
		}
	}
	for _, dir := range s.Dirs {
		if err := s.Host.Remove(ctx, dir); err != nil {
			return s.wrap("remove "+dir, err)
		}
	}
	return nil
}

func (s Service) wrap(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.Title(), what, err)
}

// short is a path as the preview shows it.
func (s Service) short(path string) string {
	if rel, err := filepath.Rel(s.Host.Dir(), path); err == nil && !strings.HasPrefix(rel, "..") {
		return s.Host.Name() + ":" + rel
	}
	return s.Host.Name() + ":" + path
}
