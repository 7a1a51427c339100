package spec

import (
	"encoding/json"
	"reflect"
)

// Merge lays a partial definition over an app, field by top-level field, and checks the result. current may be nil (then the
// body has to be a whole definition but for the id). The result has no version.
func Merge(current *App, id string, body []byte, o Options) (*App, error) {
	if err := CheckUpdate(body); err != nil {
		return nil, err
	}
	update := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &update); err != nil {
		return nil, &Syntax{Message: "Invalid JSON", Details: err.Error()}
	}
	raw := map[string]json.RawMessage{}
	if current != nil {
		data, err := json.Marshal(current)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, err
		}
	}
	given := func(name string) bool { return update[name] != nil && !isNull(update[name]) }
	if given("ports") || given("networks") || given("container") {
		if given("ports") || !given("portDefinitions") && changesNetworks(update, raw) {
			delete(raw, "portDefinitions")
		}
	}
	if given("uris") {
		delete(raw, "fetch")
	}
	if given("ipAddress") || legacyDockerNetwork(update) {
		delete(raw, "networks")
	}
	for name := range update {
		if given(name) {
			raw[name] = update[name]
		}
	}
	delete(raw, "versionInfo")
	delete(raw, "version")
	raw["id"], _ = json.Marshal(id)
	return build(raw, o)
}

func legacyDockerNetwork(update map[string]json.RawMessage) bool {
	var c struct {
		Docker struct {
			Network string `json:"network"`
		} `json:"docker"`
	}
	_ = json.Unmarshal(update["container"], &c)
	return c.Docker.Network != ""
}

func changesNetworks(update, raw map[string]json.RawMessage) bool {
	return update["networks"] != nil && string(update["networks"]) != string(raw["networks"])
}

// SameButScale says whether two definitions differ in nothing but instances and version data.
func SameButScale(a, b *App) bool {
	x, y := a.Clone(), b.Clone()
	for _, app := range []*App{x, y} {
		app.Instances, app.Version, app.VersionInfo = 0, "", nil
	}
	return reflect.DeepEqual(x, y)
}

// AssignServicePorts gives every service port 0 the lowest free number in [low, high], re-using what old held; used are the
// ports of the other apps. It returns false when the range is exhausted.
func AssignServicePorts(app, old *App, used map[int]bool, low, high int) bool {
	mine := map[int]bool{}
	ports := servicePorts(app)
	for _, p := range ports {
		mine[*p] = true
	}
	var again []int
	if old != nil {
		for _, p := range servicePorts(old) {
			if *p >= low && *p <= high && !mine[*p] {
				again = append(again, *p)
			}
		}
	}
	next := low
	for _, p := range ports {
		if *p != 0 {
			continue
		}
		if len(again) > 0 {
			*p, again = again[0], again[1:]
			mine[*p] = true
			continue
		}
		for next <= high && (used[next] || mine[next]) {
			next++
		}
		if next > high {
			return false
		}
		*p = next
		mine[next] = true
	}
	return true
}

func servicePorts(app *App) []*int {
	var out []*int
	if app.PortDefinitions != nil {
		for i := range *app.PortDefinitions {
			out = append(out, &(*app.PortDefinitions)[i].Port)
		}
	}
	if app.Container != nil && app.Container.PortMappings != nil {
		for i := range *app.Container.PortMappings {
			out = append(out, &(*app.Container.PortMappings)[i].ServicePort)
		}
	}
	return out
}

// ServicePorts lists the service ports that are set.
func (a *App) ServicePorts() []int {
	var out []int
	for _, p := range servicePorts(a) {
		if *p != 0 {
			out = append(out, *p)
		}
	}
	return out
}
