package cli

import (
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/provision"
)

// foundPrograms are the real programs to offer: what this machine has at the usual places, and the wars in the file's folder.
func foundPrograms(machine provision.Real, dir string) Found {
	found := Found{Mesos: ifAny(machine.Mesos), Marathon: ifAny(machine.Marathon), Wars: ifAny(machine.War)}
	wars, _ := filepath.Glob(filepath.Join(dir, "*.war")) // the pattern is well formed
	for _, war := range wars {
		if absolute, err := filepath.Abs(war); err == nil && !slices.Contains(found.Wars, absolute) {
			found.Wars = append(found.Wars, "./"+filepath.Base(war))
		}
	}
	return found
}

func ifAny(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}
