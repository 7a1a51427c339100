package provision

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Real are real programs that lie on this machine, for the wizard to offer. What was not found is empty.
type Real struct {
	// Mesos is a folder for components.mesos.source.path, Marathon one for components.marathon.source.path.
	Mesos, Marathon string
	// War is a jenkins.war.
	War string
}

// DiscoverReal looks at the usual places of this machine.
func DiscoverReal() Real {
	home, _ := os.UserHomeDir()
	return discoverReal("/", home, exec.LookPath)
}

func discoverReal(root, home string, look func(string) (string, error)) Real {
	var r Real
	if path, err := look("mesos-master"); err == nil {
		r.Mesos = filepath.Dir(filepath.Dir(path))
	}
	for _, dir := range expand(root, "usr", "usr/local", "opt/mesos*", "srv/mesos*") {
		if tree := (mesosTree{dir}); r.Mesos == "" && tree.program("mesos-master") != "" && tree.program("mesos-agent") != "" {
			r.Mesos = dir
		}
	}
	if path, err := look("marathon"); err == nil {
		r.Marathon = filepath.Dir(filepath.Dir(path))
	}
	for _, dir := range expand(root, "usr/share/marathon", "usr/local/marathon", "opt/marathon*", "marathon") {
		if r.Marathon == "" && executable(filepath.Join(dir, "bin", "marathon")) {
			r.Marathon = dir
		}
	}
	wars := expand(root, "usr/share/java/jenkins.war", "usr/share/jenkins/jenkins.war", "usr/lib/jenkins/jenkins.war",
		"opt/jenkins*/jenkins.war", "opt/jenkins*.war")
	if home != "" {
		wars = append(wars, expand(home, "jenkins.war", "jenkins*.war", "Downloads/jenkins*.war", ".jenkins/jenkins.war")...)
	}
	for _, war := range wars {
		if _, err := WarVersion(war); r.War == "" && err == nil {
			r.War = war
		}
	}
	return r
}

func expand(root string, patterns ...string) []string {
	var all []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		all = append(all, found...)
	}
	return all
}
