package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/provision/hosts"
)

// Paths in an image of `jomctl images`, which brings all that a controller needs but its home and what belongs to the cluster.
const (
	imageFiles   = "/opt/jomctl"
	imageJomhome = "/usr/local/bin/jomhome"
	// imageWebroot is where it unpacks the war: the task's sandbox belongs to root.
	imageWebroot = "/tmp/jenkins-war"
)

// user is the number of the user that the controller runs as in an image that brings war, plugins and jomhome itself. 0 is root, with
// all that from the host.
func (c controller) user() int {
	image, err := c.env.runs(c.env.wantsController())
	if err != nil && c.env.wantsController() == madeController {
		return c.env.Cluster.Images.UserID // which it will be
	}
	return image.User
}

// selfContained says that the image brings war, plugins and jomhome itself.
func (c controller) selfContained() bool { return c.user() > 0 }

// program is the path of a helper, standin or jomhome, where the controller runs.
func (c controller) program(name string) string {
	switch {
	case c.selfContained() && name == "jomhome":
		return imageJomhome
	case c.selfContained():
		return filepath.Join(imageFiles, name)
	case c.env.own != nil:
		return hosts.BinPath(name)
	case name == "standin":
		return c.env.Programs.Standin
	}
	return c.env.Programs.Jomhome
}

// java is what starts a real war: that of the image, or the newest of the host that the core runs on.
func (c controller) java() string {
	if c.env.own == nil {
		return c.env.Programs.Jenkins.Java.Program()
	}
	if c.selfContained() {
		return "java"
	}
	if given := c.env.Cluster.Jenkins.Java; given != "" {
		return filepath.Join(given, "bin", "java")
	}
	if c.env.Cluster.Jenkins.Image == "" && len(c.on) > 0 {
		if java := c.env.own.programs(c.on[0].Name()).Jenkins.Java; java.Home != "" {
			return java.Program()
		}
	}
	return "java"
}

// warThere is the war where the controller runs.
func (c controller) warThere() string {
	switch {
	case c.env.own == nil:
		return c.war.Path()
	case c.selfContained():
		return filepath.Join(imageFiles, "jenkins.war")
	}
	return filepath.Join(c.programDir(), "jenkins.war")
}

// programDir is where a host has war and plugins of the release. Each release has its own, so that those of the next one can be brought
// while the old one runs, which stays for the way back.
func (c controller) programDir() string {
	sum := sha256.New()
	release := c.env.Release
	fmt.Fprintln(sum, release.Name, release.Core.Version)
	if release.Lock != nil {
		fmt.Fprint(sum, release.Lock.String())
	}
	return filepath.Join(c.dir, "releases", hex.EncodeToString(sum.Sum(nil))[:12])
}

// pluginsThere is the folder of the plugins where the controller runs, "" when there is none.
func (c controller) pluginsThere() string {
	here := c.plugins()
	switch {
	case here == "" || c.env.own == nil:
		return here
	case c.selfContained():
		return filepath.Join(imageFiles, "plugins")
	}
	return filepath.Join(c.programDir(), "plugins")
}

// webroot is where a war is unpacked.
func (c controller) webroot() string {
	if c.selfContained() {
		return imageWebroot
	}
	return "$MESOS_SANDBOX/war"
}

// volumes are what a controller in a container sees of its host, under the same paths: its home, its files, and the helpers where the
// image does not bring them.
func (c controller) volumes() []bundles.Volume {
	if c.env.wantsController() == "" {
		return nil
	}
	all := []bundles.Volume{{Path: c.home, Mode: "RW"}, {Path: c.dir, Mode: "RO"}}
	if kept := c.history(); kept != nil {
		all = append(all, bundles.Volume{Path: kept.State, Mode: "RW"})
		if c.env.Cluster.Jenkins.SCM != nil {
			all = append(all, bundles.Volume{Path: c.scmDir(), Mode: "RO"})
		}
		if filepath.IsAbs(kept.Repository) {
			all = append(all, bundles.Volume{Path: kept.Repository, Mode: "RW"})
		}
	}
	if !c.selfContained() {
		all = append(all, bundles.Volume{Path: filepath.Dir(hosts.BinPath("jomhome")), Mode: "RO"})
	}
	return all
}

// owner is what chown takes for the user of the image, "" where that is root.
func (c controller) owner() string {
	if !c.selfContained() {
		return ""
	}
	user := strconv.Itoa(c.user())
	return user + ":" + user
}
