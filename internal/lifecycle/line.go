package lifecycle

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/provision"
)

// libmesosCore is the newest core that has Jenkins.AUTOMATIC_SLAVE_LAUNCH, which the plugins of the libmesos line link to.
const libmesosCore = "2.289.3"

func (e *Env) libmesos() bool { return e.Cluster.Jenkins.Cloud.Line == config.LineLibmesos }

// byCasc says whether the cloud is configured by JCasC. Otherwise jomhome merges it into config.xml at each start.
func (c controller) byCasc() bool { return c.hasPlugin(pluginCasc) && !c.env.libmesos() }

func (c controller) cloudsFile() string { return filepath.Join(c.dir, jenkins.CloudsFile) }

// beside is the place of a file of jenkins.HomeFiles: two of them do not belong into the home, so that a changed cloud reaches a
// controller that has a home already.
func (c controller) beside(name string) string {
	switch name {
	case jenkins.CascFile:
		return c.cascFile()
	case jenkins.CloudsFile:
		return c.cloudsFile()
	}
	return filepath.Join(c.dir, "seed", filepath.FromSlash(name))
}

// cascFiles are the release's own files of configuration as code, in the order in which the controller is given them.
func (c controller) cascFiles() []provision.File {
	if !c.hasPlugin(pluginCasc) {
		return nil
	}
	var files []provision.File
	for _, file := range c.env.Release.Casc {
		files = append(files, provision.File{Path: filepath.Join(c.dir, "casc", file.Name), Data: file.Data, Mode: 0o644})
	}
	return files
}

// startEnv is the environment of the controller. The files of configuration as code are named one by one, so that one that a release no
// longer has is not read any more.
func (c controller) startEnv() []string {
	var env, casc []string
	if c.byCasc() {
		casc = append(casc, c.cascFile())
	}
	for _, file := range c.cascFiles() {
		casc = append(casc, file.Path)
	}
	if len(casc) > 0 {
		env = append(env, "CASC_JENKINS_CONFIG="+strings.Join(casc, ","))
	}
	if len(casc) > 1 {
		env = append(env, "CASC_MERGE_STRATEGY=errorOnConflict")
	}
	if c.env.libmesos() {
		// The master connects back to the driver in the controller.
		env = append(env, "LIBPROCESS_IP=$HOST")
		if path := c.mesos().LibraryPath; path != "" {
			env = append(env, "LD_LIBRARY_PATH="+path)
		}
	}
	return env
}

// mesos are the programs of Mesos where the controller runs, as far as they are known.
func (c controller) mesos() provision.MesosPrograms {
	switch {
	case c.env.own == nil:
		return c.env.Programs.Mesos
	case len(c.on) > 0 && !c.selfContained():
		return c.env.own.programs(c.on[0].Name()).Mesos
	}
	return provision.MesosPrograms{}
}

// lineFindings says what keeps the line of the Mesos plugin from working.
func (c controller) lineFindings() []provision.Finding {
	line, release := c.env.Cluster.Jenkins.Cloud.Line, c.env.Release
	var findings []provision.Finding
	add := func(problem, fix string) {
		findings = append(findings, provision.Finding{Subject: "jenkins.cloud.line", Problem: problem, Fix: fix})
	}
	if release.Line != string(line) {
		add(fmt.Sprintf("it is %s, and release %s is of line %s", line, release.Name, release.Line), fmt.Sprintf("set `line: %s`, or name another release", release.Line))
	}
	if !c.env.libmesos() {
		return findings
	}
	if !c.war.Real() {
		add("the stand-in of Jenkins knows line http alone", "name a real jenkins.war with its plugins, or use `line: http`")
		return findings
	}
	if core := c.core(); core != "" && clearlyOlder(libmesosCore, core) {
		add(fmt.Sprintf("the Mesos plugins of line libmesos link to what no core after %s has, and the war is %s", libmesosCore, core), "use Jenkins "+libmesosCore+", or `line: http`")
	}
	if c.env.Programs.Mesos.Standin || c.env.Cluster.Components.Mesos.Source.Standin {
		add("line libmesos needs a real Mesos, whose libmesos.so the plugin loads", "name the source of a real Mesos in components.mesos, or use `line: http`")
	}
	return findings
}

// cascFindings says which of the release's files of configuration as code could not be read together with jomctl's own.
func (c controller) cascFindings() []provision.Finding {
	own := c.env.Release.Casc
	if len(own) == 0 {
		return nil
	}
	finding := provision.Finding{Subject: "release " + c.env.Release.Name}
	if !c.hasPlugin(pluginCasc) {
		finding.Problem, finding.Fix = "it brings files of configuration as code, and there is no plugin "+pluginCasc, "add the plugin to the release, or remove its folder casc"
		return []provision.Finding{finding}
	}
	var files []jenkins.File
	if c.byCasc() {
		cloud, err := c.env.cloud()
		if err != nil {
			return nil // found elsewhere
		}
		casc, err := jenkins.Casc(cloud)
		if err != nil {
			finding.Subject, finding.Problem = "jenkins.cloud", err.Error()
			return []provision.Finding{finding}
		}
		files = append(files, jenkins.File{Path: jenkins.CascFile + " of jomctl", Data: casc})
	}
	for _, file := range own {
		files = append(files, jenkins.File{Path: "casc/" + file.Name, Data: file.Data})
	}
	var findings []provision.Finding
	for _, problem := range jenkins.CheckCasc(files) {
		findings = append(findings, provision.Finding{Subject: finding.Subject, Problem: problem.String(), Fix: problem.Fix})
	}
	return findings
}

// cloudKept compares the cloud in config.xml, which Jenkins writes at each boot from what it has loaded, with the one that it was given.
// With configuration as code there is nothing to compare: Ready reads back what that has made.
func (c controller) cloudKept(ctx context.Context) error {
	if !c.war.Real() || c.byCasc() || len(c.on) == 0 {
		return nil
	}
	cloud, err := c.env.cloud()
	if err != nil {
		return err
	}
	want, err := jenkins.CloudXML(cloud)
	if err != nil {
		return err
	}
	have, err := c.on[0].ReadFile(ctx, filepath.Join(c.home, "config.xml"))
	if err != nil {
		return fmt.Errorf("reading back the cloud: %w", err)
	}
	changes, err := jenkins.CloudChanges(want, have)
	if err != nil || len(changes) == 0 {
		return err
	}
	return &jenkins.CloudError{Problem: "it has come up with another Mesos cloud than it was given: " + first(changes)}
}
