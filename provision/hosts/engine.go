package hosts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// daemonPath is the Docker Engine's configuration.
const daemonPath = "/etc/docker/daemon.json"

// Engine is the host's Docker Engine: it runs, and takes images from the cluster's registry. Whatever else the user has
// configured stays as it is.
type Engine struct {
	Host host.Machine
	// Registry is HOST:PORT of a registry without TLS; empty where there is none.
	Registry string
}

// Title implements provision.Item.
func (i Engine) Title() string { return "Docker Engine on " + i.Host.Name() }

// merged is the configuration with the registry; the same bytes where it has it already.
func (i Engine) merged(ctx context.Context) (data []byte, changed bool, err error) {
	old, err := i.Host.ReadFile(ctx, daemonPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("read %s of host %s: %w", daemonPath, i.Host.Name(), err)
	}
	settings := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(old)) > 0 {
		if err := json.Unmarshal(old, &settings); err != nil {
			return nil, false, fmt.Errorf("%s of host %s is no JSON, so that the registry cannot be added (mend it, or move it away): %w", daemonPath, i.Host.Name(), err)
		}
	}
	const key = "insecure-registries"
	var registries []string
	if text, ok := settings[key]; ok {
		if err := json.Unmarshal(text, &registries); err != nil {
			return nil, false, fmt.Errorf("%s of host %s: %s is no list of words: %w", daemonPath, i.Host.Name(), key, err)
		}
	}
	if i.Registry == "" || slices.Contains(registries, i.Registry) {
		return old, false, nil
	}
	if settings[key], err = json.Marshal(append(registries, i.Registry)); err != nil {
		return nil, false, err
	}
	data, err = json.MarshalIndent(settings, "", "  ")
	return append(data, '\n'), true, err
}

// pendingPath is there from before the configuration is changed until the engine has read it.
func (i Engine) pendingPath() string { return host.Path(i.Host, ".docker-restart") }

func (i Engine) pending(ctx context.Context) (bool, error) {
	_, err := i.Host.Stat(ctx, i.pendingPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (i Engine) active(ctx context.Context) (bool, error) {
	out, err := host.Ask(ctx, i.Host, "systemctl", "show", "-p", "Id,LoadState,ActiveState", "docker.service")
	if err != nil {
		return false, fmt.Errorf("ask host %s for its Docker Engine: %w", i.Host.Name(), err)
	}
	return strings.Contains(out.Stdout, "ActiveState=active\n"), nil
}

// Probe implements provision.Item.
func (i Engine) Probe(ctx context.Context) (bool, []string, error) {
	_, changed, err := i.merged(ctx)
	if err != nil {
		return false, nil, err
	}
	pending, err := i.pending(ctx)
	if err != nil {
		return false, nil, err
	}
	active, err := i.active(ctx)
	if err != nil {
		return false, nil, err
	}
	var changes []string
	if changed {
		changes = append(changes, i.Host.Name()+": add the registry "+i.Registry+" to "+daemonPath)
	}
	switch {
	case !active:
		changes = append(changes, i.Host.Name()+": start the Docker Engine")
	case changed || pending:
		changes = append(changes, i.Host.Name()+": start the Docker Engine anew, which ends its containers unless it has live-restore")
	}
	return len(changes) == 0, changes, nil
}

// Apply implements provision.Item.
func (i Engine) Apply(ctx context.Context) (bool, error) {
	data, changed, err := i.merged(ctx)
	if err != nil {
		return false, err
	}
	if changed {
		if _, err := i.Host.WriteFile(ctx, i.pendingPath(), nil, 0o600); err != nil {
			return false, fmt.Errorf("host %s: %w", i.Host.Name(), err)
		}
		mode := fs.FileMode(0o644)
		if info, err := i.Host.Stat(ctx, daemonPath); err == nil {
			mode = info.Mode.Perm()
		}
		if _, err := i.Host.WriteFile(ctx, daemonPath, data, mode); err != nil {
			return false, fmt.Errorf("write %s of host %s: %w", daemonPath, i.Host.Name(), err)
		}
	}
	pending, err := i.pending(ctx)
	if err != nil {
		return changed, err
	}
	active, err := i.active(ctx)
	if err != nil || active && !pending {
		return changed, err
	}
	for _, verb := range []string{"enable", "restart"} {
		if _, err := i.Host.Run(ctx, "systemctl", verb, "docker.service"); err != nil {
			return true, fmt.Errorf("%s the Docker Engine of host %s: %w", verb, i.Host.Name(), err)
		}
	}
	return true, i.Host.Remove(ctx, i.pendingPath())
}
