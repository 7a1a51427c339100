package spec

import (
	"encoding/json"
	"fmt"
	"strings"
)

func validateVolumes(c *complaints, app *App, raw map[string]json.RawMessage, o Options) error {
	if app.Container == nil {
		return nil
	}
	if dockerless(app) {
		c.add("/container/docker", "not defined")
	}
	if app.Container.Type == "MESOS" && app.Container.Docker != nil && len(app.Container.Docker.Parameters) > 0 {
		c.add("/container/docker/parameters", "must be empty")
	}
	var container struct {
		Volumes []map[string]json.RawMessage `json:"volumes"`
	}
	_ = json.Unmarshal(raw["container"], &container)
	for i, v := range container.Volumes {
		at := fmt.Sprintf("/container/volumes(%d)", i)
		switch {
		case v["persistent"] != nil && app.Role == "*":
			c.add("/role", "Resident apps cannot have the role *")
		case v["persistent"] != nil:
			return &Unsupported{What: "persistent volumes"}
		case v["external"] != nil && !o.Features["external_volumes"]:
			c.add(at, "Feature external_volumes is not enabled. Enable with --enable_features external_volumes)")
		case v["external"] != nil:
			return &Unsupported{What: "external volumes"}
		case v["secret"] != nil && !o.Features["secrets"]:
			c.add(at, secretsOff)
		case v["secret"] != nil:
			return &Unsupported{What: "secret volumes"}
		}
	}
	return nil
}

// PortCount is the number of ports that the app has.
func (a *App) PortCount() int {
	switch {
	case a.PortDefinitions != nil:
		return len(*a.PortDefinitions)
	case a.Container != nil && a.Container.PortMappings != nil:
		return len(*a.Container.PortMappings)
	}
	return 0
}

func validateChecks(c *complaints, app *App) {
	mesosChecks := 0
	for i, h := range app.HealthChecks {
		at := fmt.Sprintf("/healthChecks(%d)", i)
		if strings.HasPrefix(h.Protocol, "MESOS_") {
			mesosChecks++
		}
		if h.Protocol != "COMMAND" && h.Port == nil {
			index := 0
			if h.PortIndex != nil {
				index = *h.PortIndex
			}
			if index >= app.PortCount() {
				c.add(at, "Health check port indices must address an element of the ports array or container port mappings.")
			}
		}
		docker := app.Container != nil && app.Container.Type == "DOCKER"
		if h.IPProtocol == "IPv6" && !(docker && strings.HasPrefix(h.Protocol, "MESOS_")) {
			c.add(at, "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
		}
		if h.Protocol == "COMMAND" && h.Command == nil {
			c.add(at, "COMMAND health checks must specify a command")
		}
	}
	if mesosChecks > 1 {
		c.add("/", "AppDefinition can contain at most one Mesos health check")
	}
	if n := len(app.ReadinessChecks); n > 1 {
		c.add("/readinessChecks/size", fmt.Sprintf("got %d, expected 1 or less", n))
	}
	for i, r := range app.ReadinessChecks {
		at := fmt.Sprintf("/readinessChecks(%d)", i)
		if r.TimeoutSeconds >= r.IntervalSeconds {
			c.add(at+"/timeoutSeconds", fmt.Sprintf("got %d, expected less than %d", r.TimeoutSeconds, r.IntervalSeconds))
		}
		if app.PortIndexByName(r.PortName) < 0 {
			c.add(at+"/portName", "No port definition or mapping is named "+r.PortName)
		}
	}
}

// PortIndexByName is the index of the port with the name, -1 if there is none.
func (a *App) PortIndexByName(name string) int {
	if a.PortDefinitions != nil {
		for i, p := range *a.PortDefinitions {
			if p.Name == name {
				return i
			}
		}
	}
	if a.Container != nil && a.Container.PortMappings != nil {
		for i, p := range *a.Container.PortMappings {
			if p.Name == name {
				return i
			}
		}
	}
	return -1
}

func fraction(f Float) string {
	b, _ := f.MarshalJSON()
	return string(b)
}

func validateStrategies(c *complaints, app *App) {
	u := app.UnreachableStrategy
	if u.InactiveAfterSeconds > u.ExpungeAfterSeconds {
		c.add("/unreachableStrategy/inactiveAfterSeconds", fmt.Sprintf("inactiveAfterSeconds (%d) must be less or equal to expungeAfterSeconds, which is %d",
			u.InactiveAfterSeconds, u.ExpungeAfterSeconds))
	}
	if !app.SingleInstance() {
		return
	}
	if app.Instances > 1 {
		c.add("/", "Single instance app may only have one instance")
	}
	s := app.UpgradeStrategy
	if s.MaximumOverCapacity != 0 {
		c.add("/upgradeStrategy/maximumOverCapacity", "got "+fraction(s.MaximumOverCapacity)+", expected 0.0")
	}
	if s.MinimumHealthCapacity != 0 {
		c.add("/upgradeStrategy/minimumHealthCapacity", "got "+fraction(s.MinimumHealthCapacity)+", expected 0.0")
	}
}

func singleInstanceDefault(c *complaints, app *App, raw map[string]json.RawMessage) {
	if app.SingleInstance() && raw["upgradeStrategy"] == nil {
		c.add("/isSingleInstance", "must be false")
	}
}
