package terraform

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// engine are the containers and networks that a Docker Engine has, running or not. It fails where no engine answers.
type engine func(ctx context.Context) (names []string, err error)

// dockerEngine asks the engine that the module's scripts use.
func dockerEngine(ctx context.Context) ([]string, error) {
	var names []string
	for _, argv := range [][]string{{"ps", "--all", "--format", "{{.Names}}"}, {"network", "ls", "--format", "{{.Name}}"}} {
		out, err := exec.CommandContext(ctx, "docker", argv...).Output()
		if err != nil {
			return nil, fmt.Errorf("docker %s: %w", strings.Join(argv, " "), err)
		}
		names = append(names, strings.Fields(string(out))...)
	}
	return names, nil
}

// lost are the addresses of machines that the state has and nobody else: somebody has removed them by hand. The providers of clouds
// look for themselves; a container is a resource of Terraform's own kind, which is never looked at again.
func (d *Driver) lost(ctx context.Context) ([]string, error) {
	if d.engine == nil {
		return nil, nil
	}
	have, err := d.Inventory(ctx)
	if err != nil || len(have) == 0 {
		return nil, err
	}
	names, err := d.engine(ctx)
	if err != nil {
		return nil, nil //nolint:nilerr // without an engine nothing can be said, and applying a plan says why
	}
	cluster := d.options.Variables.Cluster
	var lost []string
	for _, h := range have {
		wanted := slices.ContainsFunc(d.options.Variables.Hosts, func(v HostVar) bool { return v.Name == h.Name })
		if wanted && !slices.Contains(names, cluster+"-"+h.Name) {
			lost = append(lost, fmt.Sprintf("terraform_data.host[%q]", h.Name))
		}
	}
	if len(lost) > 0 && !slices.Contains(names, cluster) {
		lost = append(lost, "terraform_data.network")
	}
	return lost, nil
}

// replacing are the options that have Terraform make resources anew.
func replacing(addresses []string) []tfexec.PlanOption {
	var options []tfexec.PlanOption
	for _, address := range addresses {
		options = append(options, tfexec.Replace(address))
	}
	return options
}
