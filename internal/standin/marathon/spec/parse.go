package spec

import (
	"encoding/json"
	"path"
	"strings"
)

// Options are the server's settings that an app definition depends on.
type Options struct {
	Role           string // --mesos_role
	DefaultNetwork string // --default_network_name
	Features       map[string]bool
	Base           string // group that relative ids start from
}

// Unsupported names a part of Marathon that the stand-in leaves out; it is answered with 501.
type Unsupported struct{ What string }

func (e *Unsupported) Error() string { return "the stand-in for Marathon does not do " + e.What }

// AbsoluteID resolves an id against a base group; the result starts with a slash and has neither dots nor double slashes.
func AbsoluteID(base, id string) string {
	if !strings.HasPrefix(id, "/") {
		id = base + "/" + id
	}
	return path.Clean("/" + id)
}

type legacy struct {
	Ports     []int    `json:"ports"`
	URIs      []string `json:"uris"`
	IPAddress *struct {
		NetworkName string            `json:"networkName"`
		Labels      map[string]string `json:"labels"`
	} `json:"ipAddress"`
	Container *struct {
		Docker *struct {
			Network      string            `json:"network"`
			PortMappings []json.RawMessage `json:"portMappings"`
		} `json:"docker"`
	} `json:"container"`
}

// Parse reads a whole app definition: *Syntax, *Invalid, *Fault and *Unsupported are its errors. A null is an absent field.
func Parse(body []byte, o Options) (*App, error) {
	if err := CheckSyntax(body); err != nil {
		return nil, err
	}
	var w walker
	w.walk("", body, appNode("id"))
	if len(w.details) > 0 {
		return nil, &Invalid{Message: "Invalid JSON", Details: w.details}
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, &Syntax{Message: "Invalid JSON", Details: err.Error()}
	}
	for key, value := range raw {
		if isNull(value) {
			delete(raw, key)
		}
	}
	return build(raw, o)
}

// CheckUpdate checks types and ranges of a partial definition (every field optional) without building it.
func CheckUpdate(body []byte) error {
	if err := CheckSyntax(body); err != nil {
		return err
	}
	var w walker
	w.walk("", body, appNode())
	if len(w.details) > 0 {
		return &Invalid{Message: "Invalid JSON", Details: w.details}
	}
	return nil
}

func build(raw map[string]json.RawMessage, o Options) (*App, error) {
	if err := unsupportedParts(raw, o); err != nil {
		return nil, err
	}
	var old legacy
	if err := decode(raw, &old); err != nil {
		return nil, err
	}
	delete(raw, "versionInfo")
	app := defaults()
	if err := decode(withoutSecretEnv(raw), app); err != nil {
		return nil, err
	}
	app.Version, app.ID = "", AbsoluteID(o.Base, app.ID)
	if app.Role == "" {
		app.Role = o.Role
	}
	for i, id := range app.Dependencies {
		app.Dependencies[i] = AbsoluteID(path.Dir(app.ID), id)
	}
	networking(app, old, raw, o)
	fillChecks(app, raw)
	fillFetch(app, old, raw)
	if app.Labels == nil {
		app.Labels = map[string]string{}
	}
	return app, validate(app, old, raw, o)
}

func decode(raw map[string]json.RawMessage, into any) error {
	data, err := json.Marshal(raw)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return &Invalid{Message: "Invalid JSON", Details: []Detail{{Path: "/", Errors: []string{err.Error()}}}}
	}
	return nil
}

func withoutSecretEnv(raw map[string]json.RawMessage) map[string]json.RawMessage {
	if raw["env"] == nil {
		return raw
	}
	var env map[string]json.RawMessage
	_ = json.Unmarshal(raw["env"], &env)
	plain := map[string]json.RawMessage{}
	for key, value := range env {
		if len(value) > 0 && value[0] == '"' {
			plain[key] = value
		}
	}
	out := map[string]json.RawMessage{}
	for key, value := range raw {
		out[key] = value
	}
	out["env"], _ = json.Marshal(plain)
	return out
}

func defaults() *App {
	return &App{BackoffFactor: 1.15, BackoffSeconds: 1, Cpus: 1, Mem: 128, Instances: 1, MaxLaunchDelaySeconds: 300,
		UpgradeStrategy: UpgradeStrategy{1, 1}, KillSelection: "YOUNGEST_FIRST"}
}

func networking(app *App, old legacy, raw map[string]json.RawMessage, o Options) {
	legacyNetworks(app, old, raw)
	if len(app.Networks) == 0 {
		app.Networks = []Network{{Mode: "host"}}
	}
	for i := range app.Networks {
		n := &app.Networks[i]
		if n.Mode == "" {
			n.Mode = "container"
		}
		if n.Mode == "container" && n.Name == "" {
			n.Name = o.DefaultNetwork
		}
	}
	if c := app.Container; c != nil {
		if c.Type == "" {
			c.Type = "DOCKER"
		}
		if c.Volumes == nil {
			c.Volumes = []Volume{}
		}
		if c.Docker != nil && c.Docker.Parameters == nil {
			c.Docker.Parameters = []Parameter{}
		}
	}
	if app.HostMode() {
		hostPorts(app, old, raw)
		return
	}
	app.PortDefinitions, app.RequirePorts = nil, false
	mappedPorts(app)
}

func legacyNetworks(app *App, old legacy, raw map[string]json.RawMessage) {
	if raw["networks"] != nil {
		return
	}
	if old.IPAddress != nil {
		app.Networks = []Network{{Name: old.IPAddress.NetworkName, Mode: "container", Labels: old.IPAddress.Labels}}
	}
	if old.Container == nil || old.Container.Docker == nil {
		return
	}
	switch old.Container.Docker.Network {
	case "BRIDGE":
		app.Networks = []Network{{Mode: "container/bridge"}}
	case "HOST":
		app.Networks = []Network{{Mode: "host"}}
	}
	if old.Container.Docker.PortMappings != nil && app.Container.PortMappings == nil {
		mappings := make([]PortMapping, len(old.Container.Docker.PortMappings))
		for i, m := range old.Container.Docker.PortMappings {
			_ = json.Unmarshal(m, &mappings[i])
		}
		app.Container.PortMappings = &mappings
	}
}

func hostPorts(app *App, old legacy, raw map[string]json.RawMessage) {
	if app.Container != nil {
		app.Container.PortMappings = nil
	}
	if raw["ports"] != nil && raw["portDefinitions"] == nil {
		ports := make([]PortDefinition, len(old.Ports))
		for i, p := range old.Ports {
			ports[i].Port = p
		}
		app.PortDefinitions = &ports
	}
	if app.PortDefinitions == nil {
		app.PortDefinitions = &[]PortDefinition{{Name: "default"}}
	}
	for i := range *app.PortDefinitions {
		if p := &(*app.PortDefinitions)[i]; p.Protocol == "" {
			p.Protocol = "tcp"
		}
	}
}

func mappedPorts(app *App) {
	if app.Container == nil {
		app.Container = &Container{Type: "MESOS", Volumes: []Volume{}}
	}
	bridge := app.Networks[0].Mode == "container/bridge"
	if app.Container.PortMappings == nil {
		app.Container.PortMappings = &[]PortMapping{{Name: "default"}}
	}
	for i := range *app.Container.PortMappings {
		m := &(*app.Container.PortMappings)[i]
		if m.Protocol == "" {
			m.Protocol = "tcp"
		}
		if m.Labels == nil {
			m.Labels = map[string]string{}
		}
		if m.HostPort == nil && bridge {
			m.HostPort = new(int)
		}
	}
}

func fillChecks(app *App, raw map[string]json.RawMessage) {
	var given []map[string]json.RawMessage
	_ = json.Unmarshal(raw["healthChecks"], &given)
	for i := range app.HealthChecks {
		h := &app.HealthChecks[i]
		setDefault(given[i], "gracePeriodSeconds", &h.GracePeriodSeconds, 300)
		setDefault(given[i], "intervalSeconds", &h.IntervalSeconds, 60)
		setDefault(given[i], "timeoutSeconds", &h.TimeoutSeconds, 20)
		setDefault(given[i], "maxConsecutiveFailures", &h.MaxConsecutiveFailures, 3)
		setDefault(given[i], "delaySeconds", &h.DelaySeconds, 15)
		if h.Protocol == "" {
			h.Protocol = "HTTP"
		}
		if h.IPProtocol == "" {
			h.IPProtocol = "IPv4"
		}
		if !h.Mesos() && h.IgnoreHTTP1xx == nil && h.Protocol != "TCP" {
			h.IgnoreHTTP1xx = new(bool)
		}
	}
	given = nil
	_ = json.Unmarshal(raw["readinessChecks"], &given)
	for i := range app.ReadinessChecks {
		r := &app.ReadinessChecks[i]
		setDefault(given[i], "intervalSeconds", &r.IntervalSeconds, 30)
		setDefault(given[i], "timeoutSeconds", &r.TimeoutSeconds, 10)
		r.Name, r.Protocol = or(r.Name, "readinessCheck"), or(r.Protocol, "HTTP")
		r.Path, r.PortName = or(r.Path, "/"), or(r.PortName, "http-api")
		if r.HTTPStatusCodesForReady == nil {
			r.HTTPStatusCodesForReady = []int{200}
		}
	}
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func setDefault(given map[string]json.RawMessage, name string, field *int, value int) {
	if given[name] == nil || isNull(given[name]) {
		*field = value
	}
}

func fillFetch(app *App, old legacy, raw map[string]json.RawMessage) {
	var given []map[string]json.RawMessage
	_ = json.Unmarshal(raw["fetch"], &given)
	for i := range app.Fetch {
		if given[i]["extract"] == nil {
			app.Fetch[i].Extract = true
		}
	}
	if raw["fetch"] != nil {
		return
	}
	for _, uri := range old.URIs {
		extract := false
		for _, suffix := range []string{".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"} {
			extract = extract || strings.HasSuffix(uri, suffix)
		}
		app.Fetch = append(app.Fetch, Fetch{URI: uri, Extract: extract})
	}
}
