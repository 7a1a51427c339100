package source

import (
	"fmt"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

// pluginMinimum is what a line of the Mesos plugin wants of Mesos.
func pluginMinimum(line config.CloudLine) string {
	if line == config.LineHTTP {
		return "1.9.0"
	}
	return ""
}

// Together refuses combinations of the plans of one host that cannot work, each with the reason. line is the line of the Mesos
// plugin; the empty line leaves the plugin out.
func Together(plans []Plan, line config.CloudLine) Findings {
	var found Findings
	mesos, ok := planOf(plans, Mesos)
	if !ok {
		return nil
	}
	if marathon, ok := planOf(plans, Marathon); ok {
		found = append(found, marathonOn(marathon, mesos)...)
	}
	if want := pluginMinimum(line); older(mesos.MesosVersion, want) {
		found = append(found, Finding{"mesos plugin", fmt.Sprintf("the %s line needs Mesos %s or newer, and %s is %s", line, want, mesos.subject(), mesos.MesosVersion),
			"use Mesos 1.11, as {catalog: clusterd}"})
	}
	if line == config.LineLibmesos && mesos.JavaBinding == catalogue.BindingNo && mesos.Kind != KindStandin {
		found = append(found, Finding{"mesos plugin", fmt.Sprintf("the libmesos line loads libmesos.so from Java, and that of %s has no Java binding", mesos.subject()),
			"set jenkins.cloud.line to http, or use a Mesos that was built with Java"})
	}
	return found
}

func marathonOn(marathon, mesos Plan) Findings {
	var found Findings
	if marathon.NeedsJavaBinding && mesos.JavaBinding == catalogue.BindingNo {
		problem := fmt.Sprintf("loads the host's libmesos.so from Java, and that of %s has no Java binding", mesos.subject())
		if mesos.Kind == KindStandin {
			problem = "loads the host's libmesos.so from Java, and the stand-in of Mesos has none"
		}
		found = append(found, Finding{marathon.subject(), problem, "use {catalog: marathon-image}, which brings its own libmesos, or a Mesos that was built with Java"})
	}
	if marathon.NeedsJavaBinding && mesos.Kind == KindImage {
		found = append(found, Finding{marathon.subject(), fmt.Sprintf("loads the host's libmesos.so, and %s leaves it in the image", mesos.subject()), "use {catalog: marathon-image}"})
	}
	if older(mesos.MesosVersion, marathon.MinimumMesos) {
		found = append(found, Finding{marathon.subject(), fmt.Sprintf("needs Mesos %s or newer, and %s is %s", marathon.MinimumMesos, mesos.subject(), mesos.MesosVersion), "use Mesos 1.11, as {catalog: clusterd}"})
	}
	return found
}

// older says whether a known version is below a wanted one.
func older(version, want string) bool {
	return version != "" && want != "" && catalogue.Compare(version, want) < 0
}

func planOf(plans []Plan, component string) (Plan, bool) {
	for _, p := range plans {
		if p.Component == component {
			return p, true
		}
	}
	return Plan{}, false
}
