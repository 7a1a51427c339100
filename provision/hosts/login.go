package hosts

import (
	"context"
	"fmt"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// Login is what a host shows the registry: a config.json of Docker, for root's eyes alone, which its Mesos agent and pulls read.
type Login struct {
	Host    host.Machine
	Cluster *config.Cluster
}

// Title implements provision.Item.
func (i Login) Title() string {
	return "login to " + provision.RegistryAddress(i.Cluster) + " on " + i.Host.Name()
}

func (i Login) file() (provision.File, error) {
	user, password, err := i.Cluster.RegistryLogin()
	if err != nil {
		return provision.File{}, err
	}
	data, err := config.DockerConfig(provision.RegistryAddress(i.Cluster), user, password)
	return provision.File{Path: provision.DockerLogin(i.Host) + "/config.json", Data: data, Mode: 0o600}, err
}

// Probe implements provision.Item. The file is not fetched for it.
func (i Login) Probe(ctx context.Context) (bool, []string, error) {
	file, err := i.file()
	if err != nil {
		return false, nil, err
	}
	have, err := marks(ctx, i.Host, []string{file.Path})
	if err != nil || have[file.Path] == mark(file) {
		return err == nil, nil, err
	}
	return false, []string{i.Host.Name() + ": write " + file.Path}, nil
}

// Apply implements provision.Item.
func (i Login) Apply(ctx context.Context) (bool, error) {
	file, err := i.file()
	if err != nil {
		return false, err
	}
	if err := i.Host.MkdirAll(ctx, provision.DockerLogin(i.Host), 0o700); err != nil {
		return false, fmt.Errorf("%s: %w", i.Title(), err)
	}
	changed, err := i.Host.WriteFile(ctx, file.Path, file.Data, file.Mode)
	if err != nil {
		err = fmt.Errorf("%s: %w", i.Title(), err)
	}
	return changed, err
}

func (i Login) contents(context.Context) (contents, error) {
	file, err := i.file()
	if err != nil {
		return contents{}, err
	}
	return contents{files: map[string]FileMark{file.Path: mark(file)}}, nil
}
