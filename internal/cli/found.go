package cli

import (
	"os/exec"
	"path/filepath"
)

// findPrograms looks for real programs where they usually are: on the PATH, and a war beside the file.
func findPrograms(dir string) Found {
	var found Found
	if path, err := exec.LookPath("mesos-master"); err == nil {
		found.Mesos = append(found.Mesos, filepath.Dir(path))
	}
	if path, err := exec.LookPath("marathon"); err == nil {
		found.Marathon = append(found.Marathon, filepath.Dir(path))
	}
	if wars, err := filepath.Glob(filepath.Join(dir, "*.war")); err == nil {
		for _, war := range wars {
			found.Wars = append(found.Wars, "./"+filepath.Base(war))
		}
	}
	return found
}
