package spec

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

type complaints struct{ details []Detail }

func (c *complaints) add(path string, errors ...string) {
	c.details = append(c.details, Detail{Path: path, Errors: errors})
}

func unsupportedParts(raw map[string]json.RawMessage, o Options) error {
	if raw["secrets"] != nil && o.Features["secrets"] {
		return &Unsupported{What: "secrets (Marathon's own need a plugin too)"}
	}
	return nil
}

const secretsOff = "Feature secrets is not enabled. Enable with --enable_features secrets)"

func validate(app *App, old legacy, raw map[string]json.RawMessage, o Options) error {
	for _, con := range app.Constraints {
		if len(con) > 1 && con[1] != strings.ToUpper(con[1]) {
			return &Fault{Text: "illegal constraint specification " + strings.Join(con, ",")}
		}
	}
	for _, h := range app.HealthChecks {
		if h.Command != nil && h.Protocol != "COMMAND" {
			return &Fault{Text: "illegal protocol " + h.Protocol + " specified with command"}
		}
	}
	c := &complaints{}
	if err := validateVolumes(c, app, raw, o); err != nil {
		return err
	}
	validateWhat(c, app, raw, o)
	validatePorts(c, app, old, raw)
	validateNetworks(c, app)
	validateConstraints(c, app)
	validateChecks(c, app)
	singleInstanceDefault(c, app, raw)
	validateStrategies(c, app)
	validateURIs(c, app, old, raw)
	if len(c.details) > 0 {
		return &Invalid{Message: "Object is not valid", Details: c.details}
	}
	return nil
}

func validateWhat(c *complaints, app *App, raw map[string]json.RawMessage, o Options) {
	if app.ID == "/" {
		c.add("/id", "Path must contain at least one path element")
		c.add("/", "must not be root")
	}
	switch last := app.ID[strings.LastIndex(app.ID, "/")+1:]; last {
	case "restart", "tasks", "versions":
		c.add("/id", "must not end with any of the following reserved keywords: restart, tasks, versions, ., ..")
	}
	image := app.Container != nil && app.Container.Docker != nil && app.Container.Docker.Image != ""
	if (app.Cmd != nil && len(app.Args) > 0) || (app.Cmd == nil && len(app.Args) == 0 && !image && !dockerless(app)) {
		c.add("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	}
	if app.Cmd != nil && len(*app.Cmd) == 1 {
		c.add("/", "must not be an empty string")
	}
	if app.Gpus > 0 && !o.Features["gpu_resources"] {
		c.add("/", "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)")
	}
	var env map[string]json.RawMessage
	_ = json.Unmarshal(raw["env"], &env)
	for _, value := range env {
		if len(value) > 0 && value[0] == '{' {
			c.add("/env", "use of secret-references in the environment requires the secrets feature to be enabled")
			break
		}
	}
	validatePullConfig(c, raw)
	if raw["secrets"] != nil {
		c.add("/secrets", secretsOff)
	}
	for name, limit := range app.ResourceLimits {
		if limit.Word != "" && limit.Word != "unlimited" {
			c.add("/resourceLimits/"+name, fmt.Sprintf("'%s' is an invalid resource limit. It must be 'unlimited' or a number", limit.Word))
		}
	}
	validateRoles(c, app, raw)
	validateDependencies(c, app)
}

// dockerless is a DOCKER container without its docker part, which has a complaint of its own.
func dockerless(app *App) bool {
	return app.Container != nil && app.Container.Type == "DOCKER" && app.Container.Docker == nil
}

func validatePullConfig(c *complaints, raw map[string]json.RawMessage) {
	var container struct {
		Docker struct {
			PullConfig json.RawMessage `json:"pullConfig"`
		} `json:"docker"`
	}
	_ = json.Unmarshal(raw["container"], &container)
	if len(container.Docker.PullConfig) > 0 && !isNull(container.Docker.PullConfig) {
		c.add("/container/docker/pullConfig", "must be empty", secretsOff)
	}
}

func validateRoles(c *complaints, app *App, raw map[string]json.RawMessage) {
	if raw["acceptedResourceRoles"] != nil && len(app.AcceptedResourceRoles) == 0 {
		c.add("/acceptedResourceRoles", "must not be empty")
	}
	for _, role := range app.AcceptedResourceRoles {
		if role == "*" || role == app.Role {
			continue
		}
		allowed := "*"
		if app.Role != "*" {
			allowed = "*, " + app.Role
		}
		c.add("/acceptedResourceRoles", "acceptedResourceRoles can only contain "+allowed)
		break
	}
}

const segmentPattern = `^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$`

func validateDependencies(c *complaints, app *App) {
	segment := regexp.MustCompile(`^(?:(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.))$`)
	for i, id := range app.Dependencies {
		for _, part := range strings.Split(strings.Trim(id, "/"), "/") {
			if !segment.MatchString(part) {
				c.add(fmt.Sprintf("/dependencies(%d)", i), "must fully match regular expression '"+segmentPattern+"'")
				break
			}
		}
		if id == app.ID {
			c.add("/", "Dependency graph has cyclic dependencies.")
		}
	}
}

func validatePorts(c *complaints, app *App, old legacy, raw map[string]json.RawMessage) {
	if app.PortDefinitions == nil {
		return
	}
	seen := map[int]bool{}
	for _, p := range *app.PortDefinitions {
		if p.Port != 0 && seen[p.Port] {
			if raw["portDefinitions"] == nil && old.Ports != nil {
				c.add("/", "ports must be unique")
			} else {
				c.add("/portDefinitions", "Ports must be unique.")
			}
			break
		}
		seen[p.Port] = true
	}
	names := map[string]bool{}
	for _, p := range *app.PortDefinitions {
		if p.Name != "" && names[p.Name] {
			c.add("/portDefinitions", "Port names must be unique.")
			break
		}
		names[p.Name] = true
	}
}

func validateNetworks(c *complaints, app *App) {
	count := map[string]int{}
	for _, n := range app.Networks {
		count[n.Mode]++
	}
	mixed := count["host"] > 1 || count["container/bridge"] > 1 || (len(count) > 1)
	for _, n := range app.Networks {
		switch {
		case mixed:
			c.add("/networks", "May specify a single host network, single bridge network, or else 1-to-n container networks")
			return
		case n.Mode == "host" && (n.Name != "" || len(n.Labels) > 0):
			c.add("/networks", "Host networks may not have names or labels")
		case n.Mode == "container/bridge" && n.Name != "":
			c.add("/networks", "Bridge networks may not have names")
		case n.Mode == "container" && n.Name == "":
			c.add("/networks", "Network name must be specified when container network is selected.")
		}
	}
	if count["container"] > 1 && app.Container != nil && app.Container.Type == "DOCKER" {
		c.add("/", "may only specify a single container network when using the Docker container engine")
	}
}

func validateConstraints(c *complaints, app *App) {
	for _, con := range app.Constraints {
		if text := constraintFault(con); text != "" {
			c.add("/constraints", text)
		}
	}
}

func constraintFault(con []string) string {
	if len(con) < 2 || len(con) > 3 {
		return "Each constraint must have either 2 or 3 fields"
	}
	value := ""
	if len(con) == 3 {
		value = con[2]
	}
	switch con[1] {
	case "UNIQUE":
		if len(con) == 3 {
			return "UNIQUE does not accept a value"
		}
	case "CLUSTER":
	case "LIKE", "UNLIKE":
		if value == "" {
			return "LIKE and UNLIKE require a non-empty, regular expression value"
		}
		if _, err := regexp.Compile(value); err != nil {
			return "is not a valid regular expression"
		}
	case "MAX_PER":
		if _, err := strconv.Atoi(value); err != nil {
			return "MAX_PER requires an integer value"
		}
	case "GROUP_BY":
		if _, err := strconv.Atoi(value); err != nil && len(con) == 3 {
			return "GROUP BY must define an integer value or else no value at all"
		}
	case "IS":
		if len(con) == 3 && !regexp.MustCompile(`^[A-Za-z0-9_/.-]*$`).MatchString(value) {
			return "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)"
		}
	default:
		return "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
	}
	return ""
}

func validateURIs(c *complaints, app *App, old legacy, raw map[string]json.RawMessage) {
	field := "/fetch(%d)/uri"
	if raw["fetch"] == nil {
		field = "/uris(%d)"
	}
	for i, f := range app.Fetch {
		u, err := url.Parse(f.URI)
		if err != nil || strings.Contains(f.URI, " ") || (u.Scheme == "" && strings.Contains(f.URI, ":")) {
			c.add(fmt.Sprintf(field, i), "URI has invalid syntax.")
		}
	}
}
