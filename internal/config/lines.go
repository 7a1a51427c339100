package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// LineFeature is something about build agents that not both lines of the Mesos plugin can express.
type LineFeature struct {
	// Key is the key of a template in cluster.yaml that asks for it; empty where nothing asks, and the lines just differ.
	Key string
	// What it is.
	What string
	// HTTP and Libmesos say why the line cannot express it; empty where it can.
	HTTP, Libmesos string
	// Fix is what to do instead.
	Fix string

	asked func(Template) (value any, is bool)
}

// Without says why a line cannot express the feature; empty where it can.
func (f LineFeature) Without(line CloudLine) string {
	if line == LineLibmesos {
		return f.Libmesos
	}
	return f.HTTP
}

// LineFeatures are all differences of the two lines that matter to a cluster file or to its builds. It is what validation goes by,
// and it is printed in docs/releases.md.
func LineFeatures() []LineFeature {
	return []LineFeature{
		{Key: "executors", What: "several builds at once in one build agent",
			HTTP: "its build agents have one executor, whatever is configured, and take one build",
			Fix:  "leave it out: each build gets a build agent of its own", asked: func(t Template) (any, bool) { return t.Executors, t.Executors > 1 }},
		{Key: "jvmArgs", What: "options of the build agent's JVM",
			HTTP: "it has no field for them, and starts every build agent with -Xmx32m",
			Fix:  "set them in the `java` of the image (that of jomctl's image raises the heap to the container's memory)", asked: func(t Template) (any, bool) { return t.JVMArgs, t.JVMArgs != "" }},
		{Key: "dockerOptions", What: "options of docker run",
			HTTP: "it has no field for them",
			Fix:  "leave them out, or put what they do into the image", asked: func(t Template) (any, bool) { return t.DockerOptions, len(t.DockerOptions) > 0 }},
		{What: "a framework id that outlives the controller",
			Libmesos: "Mesos drops its framework with the controller and kills every build agent, and with it every running build"},
		{What: "following the leading master", HTTP: "it looks for the leader once, so it is led there by the edge"},
		{What: "a credential for masters that ask frameworks for one (`components.mesos.authentication`)",
			HTTP: "it has none to show, and masters do not ask frameworks over HTTP", Libmesos: "this version of jomctl gives it none, so both together are refused"},
		{What: "no library of Mesos beside Jenkins", Libmesos: "it loads libmesos.so, which must be where the controller runs, and the master connects back to it"},
		{What: "builds without a label", HTTP: "no build agent is started for them", Libmesos: "no build agent is started for them, as each template has a label"},
	}
}

// Unexpressed are the features that a template asks for and its line cannot express.
func Unexpressed(t Template, line CloudLine) []LineFeature {
	var all []LineFeature
	for _, f := range LineFeatures() {
		if f.asked == nil || f.Without(line) == "" {
			continue
		}
		if _, is := f.asked(t); is {
			all = append(all, f)
		}
	}
	return all
}

var mesosAttribute = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)

// template checks what a template asks of its line.
func (k *checker) template(at string, t Template, line CloudLine) {
	for _, f := range Unexpressed(t, line) {
		value, _ := f.asked(t)
		k.add(at+"."+f.Key, shown(value), fmt.Sprintf("cannot be expressed in line %s: %s", line, f.Without(line)), f.Fix)
	}
	if t.Executors < 0 || t.Executors > 64 {
		k.add(at+".executors", t.Executors, "must be a number from 1 to 64", "")
	}
	if strings.Contains(t.JVMArgs, "-Xmx") {
		k.add(at+".jvmArgs", t.JVMArgs, "must not have -Xmx, which the plugin cuts out and sets by itself", "raise mem")
	}
	if strings.ContainsFunc(t.JVMArgs, unprintable) || strings.ContainsAny(t.JVMArgs, "'\"`$;&|<>\\") {
		k.add(at+".jvmArgs", t.JVMArgs, "must be plain words, as a shell reads them", "")
	}
	for name, value := range t.Attributes {
		if !mesosAttribute.MatchString(name) || !mesosAttribute.MatchString(value) {
			k.add(at+".attributes", name+": "+value, "names and values must be letters, digits, dots, slashes, dashes and underscores: the plugin reads them as name:value,name:value", "")
		}
	}
	if len(t.DockerOptions) > 0 && t.Image == "" {
		k.add(at+".dockerOptions", shown(t.DockerOptions), "need an image", "name one in image")
	}
	for name := range t.DockerOptions {
		if !dockerOption.MatchString(name) {
			k.add(at+".dockerOptions", name, "must be a long option of docker run without its dashes", "for example shm-size: 1g")
		}
	}
}

var dockerOption = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)

func shown(value any) any {
	options, is := value.(map[string]string)
	if !is {
		return value
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		all = append(all, name+": "+options[name])
	}
	return strings.Join(all, ", ")
}
