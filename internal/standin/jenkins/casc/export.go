package casc

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

// Export writes what the stand-in knows as a document, without passwords.
func Export(cfg *home.Config, users []home.User, rootURL string) ([]byte, error) {
	j := yaml.MapSlice{{Key: "mode", Value: cfg.Mode}, {Key: "numExecutors", Value: cfg.NumExecutors}, {Key: "quietPeriod", Value: cfg.QuietPeriod},
		{Key: "slaveAgentPort", Value: cfg.AgentPort}}
	if cfg.SystemMessage != "" {
		j = append(j, yaml.MapItem{Key: "systemMessage", Value: cfg.SystemMessage})
	}
	if cfg.UseSecurity {
		var list []yaml.MapSlice
		for _, u := range users {
			list = append(list, yaml.MapSlice{{Key: "id", Value: u.ID}, {Key: "name", Value: u.FullName}})
		}
		j = append(j, yaml.MapItem{Key: "authorizationStrategy", Value: yaml.MapSlice{{Key: "loggedInUsersCanDoAnything", Value: yaml.MapSlice{{Key: "allowAnonymousRead", Value: cfg.AnonymousRead}}}}},
			yaml.MapItem{Key: "securityRealm", Value: yaml.MapSlice{{Key: "local", Value: yaml.MapSlice{{Key: "allowsSignup", Value: cfg.AllowSignup}, {Key: "users", Value: list}}}}})
	} else {
		j = append(j, yaml.MapItem{Key: "authorizationStrategy", Value: "unsecured"})
	}
	if c, ok := CloudOf(cfg); ok {
		j = append(j, yaml.MapItem{Key: "clouds", Value: []any{yaml.MapSlice{{Key: "mesos", Value: exportCloud(c)}}}})
	}
	doc := yaml.MapSlice{{Key: "jenkins", Value: j}}
	if rootURL != "" {
		doc = append(doc, yaml.MapItem{Key: "unclassified", Value: yaml.MapSlice{{Key: "location", Value: yaml.MapSlice{{Key: "url", Value: rootURL}}}}})
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("export the configuration: %w", err)
	}
	return data, nil
}

// fields builds a mapping, leaving out empty texts and lists as the real export does.
type fields yaml.MapSlice

func (f *fields) add(key string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	}
	*f = append(*f, yaml.MapItem{Key: key, Value: value})
}

func exportCloud(c cloud.Config) yaml.MapSlice {
	var out fields
	out.add("agentUser", c.User)
	out.add("frameworkId", c.FrameworkID)
	out.add("frameworkName", c.FrameworkName)
	out.add("jenkinsURL", c.JenkinsURL)
	var templates []any
	for _, t := range c.Templates {
		templates = append(templates, exportTemplate(t))
	}
	out.add("mesosAgentSpecTemplates", templates)
	out.add("mesosMasterUrl", c.Master)
	out.add("role", c.Role)
	return yaml.MapSlice(out)
}

func exportTemplate(t cloud.Template) yaml.MapSlice {
	var out fields
	var uris []any
	for _, u := range t.URIs {
		uris = append(uris, yaml.MapSlice{{Key: "executable", Value: u.Executable}, {Key: "extract", Value: u.Extract}, {Key: "value", Value: u.Value}})
	}
	out.add("additionalURIs", uris)
	out.add("agentAttributes", t.Attributes)
	out.add("agentCommandStyle", t.CommandStyle)
	if c := t.Container; c != nil {
		var volumes []any
		for _, v := range c.Volumes {
			volumes = append(volumes, yaml.MapSlice{{Key: "containerPath", Value: v.ContainerPath}, {Key: "hostPath", Value: v.HostPath}, {Key: "readOnly", Value: v.ReadOnly}})
		}
		var ci fields
		ci.add("dockerForcePullImage", c.ForcePull)
		ci.add("dockerImage", c.Image)
		ci.add("dockerPrivilegedMode", c.Privileged)
		ci.add("isDind", c.Dind)
		ci.add("networking", c.Networking)
		ci.add("type", c.Type)
		ci.add("volumes", volumes)
		out.add("containerInfo", yaml.MapSlice(ci))
	}
	out.add("cpus", cloud.Number(t.CPUs))
	out.add("disk", cloud.Number(t.Disk))
	if t.Domain == "string" {
		out.add("domainFilterModel", yaml.MapSlice{{Key: "stringDomainFilter", Value: yaml.MapSlice{{Key: "region", Value: t.Region}, {Key: "zone", Value: t.Zone}}}})
	} else {
		out.add("domainFilterModel", t.Domain)
	}
	out.add("idleTerminationMinutes", t.IdleMinutes)
	out.add("jnlpArgs", t.JnlpArgs)
	out.add("label", t.Label)
	out.add("maxExecutors", t.MaxExecutors)
	out.add("mem", t.Mem)
	out.add("minExecutors", t.MinExecutors)
	out.add("mode", t.Mode)
	return yaml.MapSlice(out)
}
