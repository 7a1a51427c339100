package core

import (
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

const paramsName = "hudson.model.ParametersDefinitionProperty"

// Param is a string parameter of a job, or its value in a build.
type Param struct{ Name, Value, Description string }

// JobConfig is what the stand-in understands of a freestyle job's config.xml.
type JobConfig struct {
	Description    string
	HasDescription bool
	DisplayName    string
	KeepDeps       bool
	Params         []Param
	HasParams      bool
	Label          string
	CanRoam        bool
	Disabled       bool
	BlockDown      bool
	BlockUp        bool
	Concurrent     bool
	QuietPeriod    int // -1: the controller's
	Steps          []string
	// others are elements of core that are kept but not acted on: properties, triggers, publishers.
	properties, triggers, publishers []*xmltree.Node
}

// ErrLabel says that a label is an expression, which the stand-in cannot match.
var ErrLabel = fmt.Errorf("the stand-in knows plain labels only, no label expressions")

// ParseJob reads a config.xml. Elements and builders that core does not know are dropped, as without their plugins.
func ParseJob(data []byte) (*JobConfig, error) {
	n, err := xmltree.Parse(data)
	if err != nil {
		return nil, err
	}
	if n.Name != "project" {
		return nil, fmt.Errorf("read job: unknown root element %s", n.Name)
	}
	j := &JobConfig{Description: n.Get("description"), HasDescription: n.Child("description") != nil, DisplayName: n.Trimmed("displayName"),
		KeepDeps: n.Bool("keepDependencies"), Label: n.Trimmed("assignedNode"), CanRoam: n.Bool("canRoam"), Disabled: n.Bool("disabled"),
		BlockDown: n.Bool("blockBuildWhenDownstreamBuilding"), BlockUp: n.Bool("blockBuildWhenUpstreamBuilding"),
		Concurrent: n.Bool("concurrentBuild"), QuietPeriod: n.Int("quietPeriod", -1)}
	if j.CanRoam {
		j.Label = ""
	}
	for _, p := range children(n.Child("properties")) {
		switch {
		case p.Name == paramsName:
			j.HasParams = true
			j.readParams(p)
		case ofCore(p.Name):
			j.properties = append(j.properties, p)
		}
	}
	for _, b := range children(n.Child("builders")) {
		if b.Name == "hudson.tasks.Shell" {
			j.Steps = append(j.Steps, strings.ReplaceAll(b.Get("command"), "\r\n", "\n"))
		}
	}
	for _, t := range children(n.Child("triggers")) {
		if ofCore(t.Name) {
			j.triggers = append(j.triggers, t)
		}
	}
	for _, p := range children(n.Child("publishers")) {
		if ofCore(p.Name) {
			j.publishers = append(j.publishers, p)
		}
	}
	return j, nil
}

func (j *JobConfig) readParams(p *xmltree.Node) {
	for _, d := range children(p.Child("parameterDefinitions")) {
		if d.Name == "hudson.model.StringParameterDefinition" || d.Name == "hudson.model.TextParameterDefinition" {
			j.Params = append(j.Params, Param{Name: d.Get("name"), Value: d.Get("defaultValue"), Description: d.Get("description")})
		}
	}
}

// labelIsPlain says whether the label is a single name.
func (j *JobConfig) labelIsPlain() bool { return !strings.ContainsAny(j.Label, "&|!()<> \t") }

func ofCore(name string) bool {
	return strings.HasPrefix(name, "hudson.model.") || strings.HasPrefix(name, "hudson.tasks.") ||
		strings.HasPrefix(name, "hudson.triggers.") || strings.HasPrefix(name, "jenkins.model.")
}

func children(n *xmltree.Node) []*xmltree.Node {
	if n == nil {
		return nil
	}
	return n.Children
}

// XML writes the configuration as Jenkins answers it.
func (j *JobConfig) XML() *xmltree.Node {
	text := xmltree.Text
	n := xmltree.Elem("project")
	if j.HasDescription {
		n.Add(text("description", j.Description))
	}
	if j.DisplayName != "" {
		n.Add(text("displayName", j.DisplayName))
	}
	properties := xmltree.Elem("properties", j.properties...)
	if j.HasParams {
		defs := xmltree.Elem("parameterDefinitions")
		for _, p := range j.Params {
			d := xmltree.Elem("hudson.model.StringParameterDefinition", text("name", p.Name))
			if p.Description != "" {
				d.Add(text("description", p.Description))
			}
			if p.Value != "" {
				d.Add(text("defaultValue", p.Value))
			}
			defs.Add(d.Add(text("trim", false)))
		}
		properties.Add(xmltree.Elem(paramsName, defs))
	}
	n.Add(text("keepDependencies", j.KeepDeps), properties, xmltree.Elem("scm").With("class", "hudson.scm.NullSCM"))
	if j.QuietPeriod >= 0 {
		n.Add(text("quietPeriod", j.QuietPeriod))
	}
	if j.Label != "" {
		n.Add(text("assignedNode", j.Label))
	}
	n.Add(text("canRoam", j.CanRoam), text("disabled", j.Disabled), text("blockBuildWhenDownstreamBuilding", j.BlockDown),
		text("blockBuildWhenUpstreamBuilding", j.BlockUp), xmltree.Elem("triggers", j.triggers...), text("concurrentBuild", j.Concurrent))
	builders := xmltree.Elem("builders")
	for _, s := range j.Steps {
		builders.Add(xmltree.Elem("hudson.tasks.Shell", text("command", s), xmltree.Elem("configuredLocalRules")))
	}
	return n.Add(builders, xmltree.Elem("publishers", j.publishers...), xmltree.Elem("buildWrappers"))
}
